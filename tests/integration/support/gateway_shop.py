"""A shop of its own on the lab, with routes of the Gateway API: at a Gateway, and for clients in the mesh.

The definitions are those of the module that the lab's istiod is built with.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from kubernetes import client

from . import shops
from .pinned import pinned
from .shops import BEHIND, EDGE, PORTS, Object, deployment, plain_object, service

NAMESPACE = "gateway-shop"
HOST = "shop.example.com"
INGRESS = "istio-ingressgateway.istio-system.svc.cluster.local"
GATEWAY = {"name": "shop", "namespace": "istio-system"}
API = "gateway.networking.k8s.io/v1"
SIDES = {"blue": 1, "green": 0}


def definitions() -> list[Object]:
    """The CustomResourceDefinitions of the standard channel."""
    folder = pinned("gateway-api") / "config/crd/standard"
    found = [obj for path in sorted(folder.glob("*.yaml")) for obj in yaml.safe_load_all(path.read_text()) if obj]
    return [obj for obj in found if obj["kind"] == "CustomResourceDefinition"]


def route(app: str, parent: Object, kind: str = "HTTPRoute") -> Object:
    backends = [
        {"name": f"{app}-{version}", "port": PORTS[app], "weight": 100 * weight} for version, weight in SIDES.items()
    ]
    return plain_object(API, kind, app, {"parentRefs": [parent], "rules": [{"backendRefs": backends}]})


def mesh_parent(app: str) -> Object:
    """For clients in the mesh."""
    return {"group": "", "kind": "Service", "name": app, "port": PORTS[app]}


def gateway(host: str) -> Object:
    """Served by the mesh's ingress gateway, so it must be in that one's namespace."""
    routes = {"namespaces": {"from": "All"}}
    listener = {"name": "http", "port": 80, "protocol": "HTTP", "hostname": host, "allowedRoutes": routes}
    address = {"type": "Hostname", "value": INGRESS}
    spec = {"gatewayClassName": "istio", "addresses": [address], "listeners": [listener]}
    return plain_object(API, "Gateway", GATEWAY["name"], spec, GATEWAY["namespace"])


def objects() -> list[Object]:
    found = [gateway(HOST)]
    for app in PORTS:
        found += [service(app, app), *(service(f"{app}-{version}", app, version=version) for version in SIDES)]
        for version, replicas in SIDES.items():
            found.append(deployment(app, version, replicas, selected={"version": version}))
    return [*found, route(EDGE, GATEWAY), route(BEHIND, mesh_parent(BEHIND))]


@contextmanager
def installed(kubectl: list[str]) -> Iterator[None]:
    """``kubectl``: the command, with its kubeconfig. Removes all of it at the end."""
    with shops.installed(kubectl, NAMESPACE, objects(), [f"{app}-blue" for app in PORTS], definitions()):
        yield


class Shop:
    """What the tests look at."""

    def __init__(self, api: client.ApiClient, namespace: str = NAMESPACE, plural: str = "httproutes") -> None:
        self._objects, self._apps = client.CustomObjectsApi(api), client.AppsV1Api(api)
        self._namespace, self._plural = namespace, plural

    def route(self, name: str) -> Object:
        group, version = API.split("/")
        found: Object = self._objects.get_namespaced_custom_object(group, version, self._namespace, self._plural, name)
        return found

    def weights(self, name: str) -> dict[str, int]:
        return {
            entry["name"].rpartition("-")[2]: entry["weight"]
            for entry in self.route(name)["spec"]["rules"][0]["backendRefs"]
        }

    def until(self, name: str, weights: dict[str, int], seconds: float = 60) -> float:
        """When it had them."""
        deadline = time.monotonic() + seconds
        while (found := self.weights(name)) != weights:
            assert time.monotonic() < deadline, f"{name} has {found}, not {weights}"
            time.sleep(0.05)
        return time.time()

    def replicas(self, app: str) -> dict[str, int]:
        found = self._apps.list_namespaced_deployment(self._namespace).items
        return {
            version: deployment.spec.replicas
            for deployment in found
            for name, __, version in [deployment.metadata.name.rpartition("-")]
            if name == app
        }
