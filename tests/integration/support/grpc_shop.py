"""A shop of gRPC services on the lab, with GRPCRoutes: at a Gateway, and for clients in the mesh."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kubernetes import client

from . import gateway_shop, shops
from .canary_load import Load
from .canary_rate import carried_load
from .gateway_shop import GATEWAY, SIDES, definitions, gateway, mesh_parent
from .playbooks import lab_address
from .shops import BEHIND, EDGE, PORTS, Object

NAMESPACE = "grpc-shop"
HOST = "grpc.example.com"
# Methods: the first service answers its own, and passes on all others.
METHODS = {EDGE: "/own.Edge/Ask", BEHIND: "/shop.Behind/Ask"}


class GrpcLoad(Load):
    """The generator of calls as a process; open from the first answer on."""

    program = str(Path(__file__).with_name("grpc_load.py"))


def calls(app: str, folder: Path, wanted: float) -> Load:
    """To that service, through the gateway: so many a second, or as many as the machine carries."""
    url, host = lab_address(8080) + METHODS[app], f"Host: {HOST}"
    return carried_load(lambda rate: GrpcLoad(url, [host], folder / "load.jsonl", rate), wanted)


class Shop(gateway_shop.Shop):
    """What the tests look at."""

    def __init__(self, api: client.ApiClient) -> None:
        super().__init__(api, NAMESPACE, "grpcroutes")


@contextmanager
def installed(kubectl: list[str]) -> Iterator[None]:
    """``kubectl``: the command, with its kubeconfig. Removes all of it at the end."""
    with shops.installed(kubectl, NAMESPACE, _objects(), [f"{app}-blue" for app in PORTS], definitions()):
        yield


def _objects() -> list[Object]:
    found = [gateway(HOST)]
    for app in PORTS:
        services = [shops.service(f"{app}-{version}", app, "grpc", version=version) for version in SIDES]
        found += [shops.service(app, app, "grpc"), *services]
        found += [_deployment(app, version, replicas) for version, replicas in SIDES.items()]
    routes = {EDGE: GATEWAY, BEHIND: mesh_parent(BEHIND)}
    return [*found, *(gateway_shop.route(app, parent, "GRPCRoute") for app, parent in routes.items())]


def _deployment(app: str, version: str, replicas: int) -> Object:
    """One whose first port is called grpc: the lab runs its stand-in of gRPC services."""
    environment = [{"name": "CALLS", "value": f"{BEHIND}:{PORTS[BEHIND]}"}] if app == EDGE else []
    found = shops.deployment(app, version, replicas, environment, {"version": version})
    (container,) = found["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    port["name"] = "grpc"
    container["readinessProbe"] = {"tcpSocket": {"port": PORTS[app]}}
    return found
