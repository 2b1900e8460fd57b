"""A shop as most applications are: one Deployment and one Service for each part, and routes to all of its pods."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from kubernetes import client

NAMESPACE = "one-deployment-shop"
HOST = "one.example.com"
# The stand-in's services, by their ports: the first calls the second.
EDGE, BEHIND = "api-gateway", "menu-service"
PORTS = {EDGE: 8000, BEHIND: 8003}
COPY, RULE = f"{BEHIND}-v1-canary", f"{BEHIND}-canary"
ISTIO = "networking.istio.io/v1"
Object = dict[str, Any]


def _object(api_version: str, kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def deployment(app: str, replicas: int = 2) -> Object:
    labels = {"app": app, "version": "v1"}
    container = {
        "name": app,
        "image": f"shop/{app}:1",
        "ports": [{"containerPort": PORTS[app]}],
        "env": [{"name": "LOG_LEVEL", "value": "info"}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    selector = {"matchLabels": {"app": app}}
    return _object(
        "apps/v1", "Deployment", f"{app}-v1", {"replicas": replicas, "selector": selector, "template": template}
    )


def objects(host: str) -> list[Object]:
    found = []
    for app, port in PORTS.items():
        ports = [{"name": "http", "port": port, "targetPort": port}]
        found += [_object("v1", "Service", app, {"selector": {"app": app}, "ports": ports}), deployment(app)]
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [host]}
    gateway = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    to = {app: [{"route": [{"destination": {"host": app, "port": {"number": PORTS[app]}}}]}] for app in PORTS}
    return [
        *found,
        _object(ISTIO, "Gateway", "shop", gateway),
        _object(ISTIO, "VirtualService", "edge", {"hosts": [host], "gateways": ["shop"], "http": to[EDGE]}),
        _object(ISTIO, "VirtualService", BEHIND, {"hosts": [BEHIND], "http": to[BEHIND]}),
    ]


@contextmanager
def installed(kubectl: list[str], namespace: str = NAMESPACE, host: str = HOST) -> Iterator[None]:
    """``kubectl``: the command, with its kubeconfig. Removes all of it at the end."""
    labels = {"istio-injection": "enabled"}
    _apply(kubectl, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}])
    try:
        _apply([*kubectl, "-n", namespace], objects(host))
        for app in PORTS:
            wait = ["rollout", "status", f"deployment/{app}-v1", "--timeout=180s"]
            subprocess.run([*kubectl, "-n", namespace, *wait], check=True)
        yield
    finally:
        subprocess.run([*kubectl, "delete", "namespace", namespace, "--timeout=180s"], check=True)


class Shop:
    """What the tests look at."""

    def __init__(self, api: client.ApiClient, namespace: str = NAMESPACE) -> None:
        self._namespace = namespace
        self._objects, self._apps = client.CustomObjectsApi(api), client.AppsV1Api(api)
        self._core = client.CoreV1Api(api)

    def shares(self) -> dict[str, int | None]:
        """Subset -> weight, of the route; those without requests are left out."""
        group, version = ISTIO.split("/")
        found = self._objects.get_namespaced_custom_object(group, version, self._namespace, "virtualservices", BEHIND)
        route = found["spec"]["http"][0]["route"]
        shares = {entry["destination"].get("subset", ""): entry.get("weight") for entry in route}
        return {subset: weight for subset, weight in shares.items() if weight != 0}

    def deployments(self) -> dict[str, tuple[int, str, str]]:
        """Name -> replicas, image, LOG_LEVEL."""
        found = {}
        for each in self._apps.list_namespaced_deployment(self._namespace).items:
            (container,) = each.spec.template.spec.containers
            found[each.metadata.name] = (each.spec.replicas, container.image, container.env[0].value)
        return found

    def snapshot(self) -> dict[str, Any]:
        """What the owner of the namespace has: without status, and what the API server and controllers keep."""
        group, version = ISTIO.split("/")
        found = [
            *self._apps.list_namespaced_deployment(self._namespace).items,
            *self._core.list_namespaced_service(self._namespace).items,
        ]
        plain = [client.ApiClient().sanitize_for_serialization(each) for each in found]
        for plural in ("virtualservices", "destinationrules", "gateways"):
            plain += self._objects.list_namespaced_custom_object(group, version, self._namespace, plural)["items"]
        leases = client.CoordinationV1Api(self._core.api_client).list_namespaced_lease(self._namespace).items
        own = {
            f"{each.get('kind', '')} {each['metadata']['name']} {sorted(each['spec'])}": {
                "labels": each["metadata"].get("labels"),
                "annotations": {
                    key: value
                    for key, value in (each["metadata"].get("annotations") or {}).items()
                    if key != "deployment.kubernetes.io/revision"
                },
                "spec": each["spec"],
            }
            for each in plain
        }
        return {**own, "leases": [each.metadata.name for each in leases]}


def _apply(kubectl: list[str], objects: list[Object]) -> None:
    text = yaml.safe_dump_all(objects)
    subprocess.run([*kubectl, "apply", "--server-side", "-f", "-"], input=text, text=True, check=True)
