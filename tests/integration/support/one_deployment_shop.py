"""A shop as most applications are: one Deployment and one Service for each part, and routes to all of its pods.

The routes are VirtualServices, or HTTPRoutes at a Gateway and, for clients in the mesh, at a Service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kubernetes import client

from . import shops
from .gateway_shop import API, GATEWAY, definitions, gateway, mesh_parent
from .shops import BEHIND, EDGE, PORTS, Object, plain_object

NAMESPACE = "one-deployment-shop"
HOST = "one.example.com"
COPY, RULE = f"{BEHIND}-v1-canary", f"{BEHIND}-canary"
ISTIO = "networking.istio.io/v1"
_LEVEL = [{"name": "LOG_LEVEL", "value": "info"}]


def _application() -> list[Object]:
    found = []
    for app in PORTS:
        found += [shops.service(app, app), shops.deployment(app, "v1", 2, _LEVEL)]
    return found


def _by_virtual_services(host: str) -> list[Object]:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [host]}
    edge = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    to = {app: [{"route": [{"destination": {"host": app, "port": {"number": PORTS[app]}}}]}] for app in PORTS}
    return [
        plain_object(ISTIO, "Gateway", "shop", edge),
        plain_object(ISTIO, "VirtualService", "edge", {"hosts": [host], "gateways": ["shop"], "http": to[EDGE]}),
        plain_object(ISTIO, "VirtualService", BEHIND, {"hosts": [BEHIND], "http": to[BEHIND]}),
    ]


def _by_http_routes() -> list[Object]:
    parents = {EDGE: GATEWAY, BEHIND: mesh_parent(BEHIND)}
    rules = {app: [{"backendRefs": [{"name": app, "port": port}]}] for app, port in PORTS.items()}
    routes = [plain_object(API, "HTTPRoute", app, {"parentRefs": [parents[app]], "rules": rules[app]}) for app in PORTS]
    return [gateway(HOST), *routes]


@contextmanager
def installed(kubectl: list[str], namespace: str = NAMESPACE, host: str = HOST) -> Iterator[None]:
    """With VirtualServices. ``kubectl``: the command, with its kubeconfig. Removes all of it at the end."""
    rolled_out = [f"{app}-v1" for app in PORTS]
    with shops.installed(kubectl, namespace, [*_application(), *_by_virtual_services(host)], rolled_out):
        yield


@contextmanager
def installed_with_http_routes(kubectl: list[str]) -> Iterator[None]:
    rolled_out = [f"{app}-v1" for app in PORTS]
    with shops.installed(kubectl, NAMESPACE, [*_application(), *_by_http_routes()], rolled_out, definitions()):
        yield


class Shop:
    """What the tests look at."""

    def __init__(self, api: client.ApiClient, namespace: str = NAMESPACE) -> None:
        self._api, self._objects, self._namespace = api, client.CustomObjectsApi(api), namespace

    def shares(self) -> dict[str, int | None]:
        """Subset -> weight, of the VirtualService; those without requests are left out."""
        where = (*ISTIO.split("/"), self._namespace, "virtualservices")
        found = self._objects.get_namespaced_custom_object(*where, BEHIND)
        route = found["spec"]["http"][0]["route"]
        shares = {entry["destination"].get("subset", ""): entry.get("weight") for entry in route}
        return {subset: weight for subset, weight in shares.items() if weight != 0}

    def backends(self, app: str) -> dict[str, int | None]:
        """Service -> weight, of the HTTPRoute; those without requests are left out."""
        found = self._objects.get_namespaced_custom_object(*API.split("/"), self._namespace, "httproutes", app)
        shares = {entry["name"]: entry.get("weight") for entry in found["spec"]["rules"][0]["backendRefs"]}
        return {name: weight for name, weight in shares.items() if weight != 0}

    def deployments(self) -> dict[str, tuple[int, str, str]]:
        """Name -> replicas, image, LOG_LEVEL."""
        return shops.deployments(self._api, self._namespace)

    def snapshot(self, of_gateway_api: bool = False) -> dict[str, Any]:
        custom: dict[str, Sequence[str]] = {ISTIO: ("virtualservices", "destinationrules", "gateways")}
        if of_gateway_api:
            custom[API] = ("httproutes",)
        return shops.snapshot(self._api, self._namespace, custom)
