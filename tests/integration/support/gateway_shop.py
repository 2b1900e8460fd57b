"""A shop of its own on the lab, with routes of the Gateway API: at a Gateway, and for clients in the mesh.

The definitions are those of the module that the lab's istiod is built with.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from .playbooks import ROOT

NAMESPACE = "gateway-shop"
HOST = "shop.example.com"
INGRESS = "istio-ingressgateway.istio-system.svc.cluster.local"
GATEWAY = {"name": "shop", "namespace": "istio-system"}
API = "gateway.networking.k8s.io/v1"
# The stand-in's services, by their ports: the first calls the second.
EDGE, BEHIND = "api-gateway", "menu-service"
PORTS = {EDGE: 8000, BEHIND: 8003}
SIDES = {"blue": 1, "green": 0}
Object = dict[str, Any]


def definitions() -> list[Object]:
    """The CustomResourceDefinitions of the standard channel."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/pinned.py"), "gateway-api"], check=True, stdout=subprocess.PIPE, text=True
    )
    folder = Path(done.stdout.strip()) / "config/crd/standard"
    found = [obj for path in sorted(folder.glob("*.yaml")) for obj in yaml.safe_load_all(path.read_text()) if obj]
    return [obj for obj in found if obj["kind"] == "CustomResourceDefinition"]


def service(name: str, app: str, **labels: str) -> Object:
    ports = [{"name": "http", "port": PORTS[app], "targetPort": PORTS[app]}]
    return _object("v1", "Service", name, {"selector": {"app": app, **labels}, "ports": ports})


def deployment(app: str, version: str, replicas: int) -> Object:
    labels = {"app": app, "version": version}
    container = {"name": app, "image": f"shop/{app}:1", "ports": [{"containerPort": PORTS[app]}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return _object("apps/v1", "Deployment", f"{app}-{version}", spec)


def route(app: str, parent: Object) -> Object:
    backends = [
        {"name": f"{app}-{version}", "port": PORTS[app], "weight": 100 * weight} for version, weight in SIDES.items()
    ]
    return _object(API, "HTTPRoute", app, {"parentRefs": [parent], "rules": [{"backendRefs": backends}]})


def gateway() -> Object:
    """Served by the mesh's ingress gateway, so it must be in that one's namespace."""
    routes = {"namespaces": {"from": "All"}}
    listener = {"name": "http", "port": 80, "protocol": "HTTP", "hostname": HOST, "allowedRoutes": routes}
    address = {"type": "Hostname", "value": INGRESS}
    spec = {"gatewayClassName": "istio", "addresses": [address], "listeners": [listener]}
    return _object(API, "Gateway", GATEWAY["name"], spec, GATEWAY["namespace"])


def objects() -> list[Object]:
    found = [gateway()]
    for app in PORTS:
        found += [service(app, app), *(service(f"{app}-{version}", app, version=version) for version in SIDES)]
        found += [deployment(app, version, replicas) for version, replicas in SIDES.items()]
    in_mesh = {"group": "", "kind": "Service", "name": BEHIND, "port": PORTS[BEHIND]}
    return [*found, route(EDGE, GATEWAY), route(BEHIND, in_mesh)]


@contextmanager
def installed(kubectl: list[str]) -> Iterator[None]:
    """``kubectl``: the command, with its kubeconfig. Removes all of it at the end."""
    known = definitions()
    _apply(kubectl, known)
    names = [f"crd/{obj['metadata']['name']}" for obj in known]
    subprocess.run([*kubectl, "wait", "--for=condition=Established", "--timeout=60s", *names], check=True)
    labels = {"istio-injection": "enabled"}
    _apply(kubectl, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}])
    try:
        _apply(kubectl, objects())
        rolled_out = [f"deployment/{app}-blue" for app in PORTS]
        for name in rolled_out:
            subprocess.run([*kubectl, "-n", NAMESPACE, "rollout", "status", name, "--timeout=120s"], check=True)
        yield
    finally:
        subprocess.run([*kubectl, "delete", "namespace", NAMESPACE, "--timeout=120s"], check=True)
        subprocess.run([*kubectl, "delete", *names], check=True)


class Shop:
    """What the tests look at."""

    def __init__(self, api: client.ApiClient) -> None:
        self._objects, self._apps = client.CustomObjectsApi(api), client.AppsV1Api(api)

    def route(self, name: str) -> Object:
        group, version = API.split("/")
        found: Object = self._objects.get_namespaced_custom_object(group, version, NAMESPACE, "httproutes", name)
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
        found = self._apps.list_namespaced_deployment(NAMESPACE).items
        return {
            version: deployment.spec.replicas
            for deployment in found
            for name, __, version in [deployment.metadata.name.rpartition("-")]
            if name == app
        }


def _object(api_version: str, kind: str, name: str, spec: Object, namespace: str = NAMESPACE) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _apply(kubectl: list[str], objects: list[Object]) -> None:
    text = yaml.safe_dump_all(objects)
    subprocess.run([*kubectl, "apply", "--server-side", "-f", "-"], input=text, text=True, check=True)
