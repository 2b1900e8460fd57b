"""Objects of the shape of Istio's sample application, in files where a release of Istio has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from . import shops

NAMESPACE = "bookinfo"
HOST = "books.example.com"
REVIEWS = "/api/v1/products/0/reviews"
VERSIONS = {"details": ["v1"], "ratings": ["v1"], "reviews": ["v1", "v2", "v3"], "productpage": ["v1"]}
# Of subsets without a Deployment, the sample has some.
WITHOUT_PODS = {"details": ["v2"], "ratings": ["v2", "v2-mysql"]}
TESTER = {"headers": {"end-user": {"exact": "jason"}}}
PORT = 9080
ISTIO = "networking.istio.io/v1"
Object = dict[str, Any]


def image(service: str, version: str) -> str:
    return f"docker.io/istio/examples-bookinfo-{service}-{version}:1.20.3"


def write_sample(folder: Path) -> None:
    """``folder``: takes the place of an unpacked release of Istio."""
    for path, objects in {
        "platform/kube/bookinfo.yaml": _application(),
        "networking/bookinfo-gateway.yaml": _edge(),
        "networking/destination-rule-all.yaml": [_rule(service) for service in VERSIONS],
        "networking/virtual-service-all-v1.yaml": _to_v1(),
        "networking/virtual-service-reviews-test-v2.yaml": [
            _virtual_service("reviews", [{"match": [TESTER], **_to("reviews", "v2")}, _to("reviews", "v1")])
        ],
    }.items():
        file = folder / "samples/bookinfo" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")


@contextmanager
def installed(kubectl: list[str]) -> Iterator[None]:
    """All requests at v1. ``kubectl``: the command, with its kubeconfig. Removes all of it at the end."""
    objects = [*_application(), *_edge(), *(_rule(service) for service in VERSIONS), *_to_v1()]
    names = [f"{service}-{version}" for service, versions in VERSIONS.items() for version in versions]
    with shops.installed(kubectl, NAMESPACE, objects, names):
        yield


def _to_v1() -> list[Object]:
    return [_virtual_service(service, [_to(service, "v1")]) for service in VERSIONS]


def _object(api_version: str, kind: str, name: str, spec: Object, **labels: str) -> Object:
    metadata = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def _application() -> list[Object]:
    found: list[Object] = []
    for service, versions in VERSIONS.items():
        ports = [{"name": "http", "port": PORT}]
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": f"bookinfo-{service}"}}
        found += [_object("v1", "Service", service, {"selector": {"app": service}, "ports": ports}, app=service)]
        found += [account, *(_deployment(service, version) for version in versions)]
    return found


def _deployment(service: str, version: str) -> Object:
    labels = {"app": service, "version": version}
    container = {"name": service, "image": image(service, version), "ports": [{"containerPort": PORT}]}
    pod = {"serviceAccountName": f"bookinfo-{service}", "containers": [container]}
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return _object("apps/v1", "Deployment", f"{service}-{version}", spec, **labels)


def _edge() -> list[Object]:
    server = {"port": {"number": 8080, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    paths = [{"exact": "/productpage"}, {"exact": "/login"}, {"prefix": "/api/v1/products"}]
    to = [{"destination": {"host": "productpage", "port": {"number": PORT}}}]
    http = [{"match": [{"uri": path} for path in paths], "route": to}]
    return [
        _object(ISTIO, "Gateway", "bookinfo-gateway", {"selector": {"istio": "ingressgateway"}, "servers": [server]}),
        _object(ISTIO, "VirtualService", "bookinfo", {"hosts": ["*"], "gateways": ["bookinfo-gateway"], "http": http}),
    ]


def _rule(service: str) -> Object:
    versions = [*VERSIONS[service], *WITHOUT_PODS.get(service, [])]
    subsets = [{"name": version, "labels": {"version": version}} for version in versions]
    return _object(ISTIO, "DestinationRule", service, {"host": service, "subsets": subsets})


def _virtual_service(service: str, http: list[Object]) -> Object:
    return _object(ISTIO, "VirtualService", service, {"hosts": [service], "http": http})


def _to(service: str, subset: str) -> Object:
    return {"route": [{"destination": {"host": service, "subset": subset}}]}


class BookShop:
    """What the tests look at."""

    def __init__(self, api: client.ApiClient) -> None:
        self._objects, self._apps = client.CustomObjectsApi(api), client.AppsV1Api(api)

    def route(self) -> Object:
        group, version = ISTIO.split("/")
        found: Object = self._objects.get_namespaced_custom_object(
            group, version, NAMESPACE, "virtualservices", "reviews"
        )
        return found

    def routes(self) -> list[dict[str, int | None]]:
        """Subset -> weight, of each route to reviews."""
        return [
            {entry["destination"]["subset"]: entry.get("weight") for entry in route["route"]}
            for route in self.route()["spec"]["http"]
        ]

    def deployment(self, name: str) -> Object:
        found = self._apps.read_namespaced_deployment(name, NAMESPACE)
        plain: Object = self._apps.api_client.sanitize_for_serialization(found)
        return {"apiVersion": "apps/v1", "kind": "Deployment", **plain}

    def replicas(self) -> dict[str, int]:
        """Version of reviews -> pods."""
        found = self._apps.list_namespaced_deployment(NAMESPACE, label_selector="app=reviews").items
        return {each.metadata.labels["version"]: each.spec.replicas for each in found}
