"""A cluster in memory for whole calls of module canary: conditional writes, pods that start at once, faults."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State, state_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import options
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import annotation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

NETWORKING = "networking.istio.io/v1"
NAMESPACE, SERVICE, EDGE = "shop", "order-service", "edge"
Key = tuple[str, str]
_CONFIG = f"/apis/networking.istio.io/v1/namespaces/{NAMESPACE}/virtual-service/{{}}"


def virtual_service(name: str) -> Object:
    to = [{"destination": {"host": SERVICE, "subset": subset}, "weight": weight} for subset, weight in
          (("v1", 100), ("v2", 0))]  # fmt: skip
    return {"metadata": {"name": name}, "spec": {"hosts": [name], "http": [{"name": "primary", "route": to}]}}


def deployment(name: str, version: str, replicas: int, image: str) -> Object:
    labels = {"app": SERVICE, "version": version}
    container = {"name": SERVICE, "image": image, "readinessProbe": {"tcpSocket": {"port": 8001}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "metadata": {"name": name, "generation": 1},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


class FakeCluster:
    """``refuse``: whether a request (verb, kind, name) fails, and with which status. Everything but routes hangs for
    ``hang`` seconds."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.objects: dict[Key, Object] = {}
        self.version = 0
        # Of routes, to every proxy.
        self.pushes = 0
        self.writes: list[tuple[str, str, str]] = []
        self.refuse: Callable[[str, str, str], int] = lambda *__: 0
        self.hang = 0.0
        # Proxy -> whether it accepts its routes. Without any there is no istiod either.
        self.proxies: dict[str, bool] = {}
        # The first one has the proxies.
        self.istiods = ["istiod-1"]
        # Of istiods that do not answer: how long a question to one takes.
        self.hanging: dict[str, float] = {}
        # What another controller does after each write.
        self.reverts: Callable[[FakeCluster], None] = lambda __: None
        for name in (SERVICE, EDGE):
            self.put("VirtualService", virtual_service(name))
        subsets = [{"name": name, "labels": {"version": name}} for name in ("v1", "v2")]
        self.put("DestinationRule", {"metadata": {"name": SERVICE}, "spec": {"host": SERVICE, "subsets": subsets}})
        self.put("Service", {"metadata": {"name": SERVICE}, "spec": {"selector": {"app": SERVICE}}})
        self.put("Deployment", deployment(SERVICE, "v1", 2, "order-service:1"))
        self.put("Deployment", deployment(f"{SERVICE}-v2", "v2", 0, "order-service:0"))

    # What a test does by hand

    def put(self, kind: str, obj: Object) -> None:
        with self.lock:
            self.version += 1
            self.pushes += kind == "VirtualService"
            obj["metadata"].update(namespace=NAMESPACE, resourceVersion=str(self.version))
            if kind == "Deployment":
                obj["metadata"].setdefault("generation", 1)
                obj.pop("status", None)
            self.objects[kind, obj["metadata"]["name"]] = copy.deepcopy(obj)

    def edit(self, kind: str, name: str) -> Object:
        """The object itself."""
        with self.lock:
            self.version += 1
            found = self.objects[kind, name]
            found["metadata"]["resourceVersion"] = str(self.version)
            return found

    def remove(self, kind: str, name: str) -> None:
        with self.lock:
            del self.objects[kind, name]

    def weights(self, name: str = SERVICE) -> dict[str, int]:
        with self.lock:
            route = self.objects["VirtualService", name]["spec"]["http"][0]["route"]
            return {entry["destination"]["subset"]: entry["weight"] for entry in route}

    def state(self, name: str = SERVICE) -> State | None:
        with self.lock:
            return state_of(self.objects["VirtualService", name], SERVICE)

    def spoil_state(self, name: str = SERVICE) -> None:
        self.edit("VirtualService", name)["metadata"]["annotations"][annotation(SERVICE)] = '{"format": 2}'

    def replicas(self, name: str) -> int:
        with self.lock:
            return int(self.objects["Deployment", name]["spec"]["replicas"])

    def image(self, name: str) -> str:
        with self.lock:
            return str(self.objects["Deployment", name]["spec"]["template"]["spec"]["containers"][0]["image"])

    # What the module sees

    def path(self, ref: Ref) -> str:
        return f"{ref.kind}|{ref.name}"

    def get(self, ref: Ref) -> Object | None:
        self._fail("get", ref.kind, ref.name)
        with self.lock:
            found = self.objects.get((ref.kind, ref.name))
            return {"apiVersion": ref.api_version, "kind": ref.kind, **self._live(ref.kind, found)} if found else None

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
    ) -> list[Object]:
        self._fail("list", kind, "")
        with self.lock:
            if kind == "Pod" and namespace != NAMESPACE:
                names = self.istiods if self.proxies else []
                found = [{"metadata": {"name": name}, "status": {"phase": "Running"}} for name in names]
            elif kind == "Pod":
                found = [pod for pod in self._pods() if _fits(pod, labels)]
            elif kind == "EndpointSlice":
                found = [each for each in self._slices() if _fits(each, labels)]
            else:
                found = [self._live(kind, obj) for (each, __), obj in self.objects.items() if each == kind]
            return copy.deepcopy(found)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Sequence[tuple[str, Any]] = (),
        content_type: str = "application/json",
    ) -> Any:
        kind, __, name = path.partition("|")
        name, __, scale = name.partition("/")
        self._fail(method, kind, name or body["metadata"]["name"])
        with self.lock:
            found = self.objects.get((kind, name or body["metadata"]["name"]))
            if ("dryRun", "All") in query:
                tried = copy.deepcopy(found if method == "patch" else body)
                if method == "patch":
                    self._merge(tried, body)
                return tried
            if method == "post":
                if found:
                    raise ApiFailure(409, "AlreadyExists", "it exists")
                self.put(kind, copy.deepcopy(body))
            elif found is None:
                raise ApiFailure(404, "NotFound", f"{kind} {name} not found")
            elif method == "delete":
                del self.objects[kind, name]
                self.writes.append((method, kind, name))
                self.reverts(self)
                return {}
            elif method == "put":
                if body["metadata"].get("resourceVersion") != found["metadata"]["resourceVersion"]:
                    raise ApiFailure(409, "Conflict", "it was changed")
                self.put(kind, copy.deepcopy(body))
            else:
                self._merge(self.edit(kind, name), body)
            self.writes.append((method, kind, f"{name}/{scale}" if scale else name))
            answer = copy.deepcopy(self.objects[kind, name or body["metadata"]["name"]])
            self.reverts(self)
            return answer

    def may(self, *__: str) -> bool:
        return True

    def account(self) -> str:
        return "tester"

    def get_through_pod(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        self._fail("get", "PortForward", pod)
        if not self.proxies:
            raise ApiFailure(404, "NotFound", "no such pod")
        if pod in self.hanging:
            time.sleep(self.hanging[pod])
            raise ApiFailure(0, "Unreachable", "Read timed out.")
        if pod in self.istiods[1:]:
            return b"[]"
        if "config_dump" in path:
            own = {"virtual_hosts": [{"routes": self._sent_routes()}]}
            return json.dumps({"configs": [{"route_config": own}]}).encode()
        sent = str(self.pushes)
        return json.dumps(
            [
                {
                    "proxy": name,
                    "proxy_type": "sidecar",
                    "route_sent": sent,
                    "route_acked": sent if accepts else "before",
                }
                for name, accepts in self.proxies.items()
            ]
        ).encode()

    def _sent_routes(self) -> list[Object]:
        """As a proxy has them that istiod has made of the VirtualServices."""
        return [
            {
                "name": "primary",
                "metadata": {"filter_metadata": {"istio": {"config": _CONFIG.format(name)}}},
                "route": {
                    "weighted_clusters": {
                        "clusters": [
                            {"name": f"outbound|80|{subset}|{SERVICE}.{NAMESPACE}.svc.cluster.local", "weight": weight}
                            for subset, weight in self.weights(name).items()
                        ]
                    }
                },
            }
            for name in (SERVICE, EDGE)
        ]

    def _fail(self, verb: str, kind: str, name: str) -> None:
        if kind != "VirtualService" and self.hang:
            time.sleep(self.hang)
        status = self.refuse(verb, kind, name)
        if status:
            raise ApiFailure(status, "", f"the test answers {status} to {verb} {kind} {name}")

    def _merge(self, obj: Object, body: Object) -> None:
        for key, value in body.items():
            if isinstance(value, dict):
                self._merge(obj.setdefault(key, {}), value)
            elif key in ("containers", "env"):
                self._merge_named(obj.setdefault(key, []), value)
            elif value is None:
                obj.pop(key, None)
            else:
                obj[key] = value

    def _merge_named(self, entries: list[Object], changes: list[Object]) -> None:
        """As the API server does by the merge key of these lists."""
        for change in changes:
            mine = next((entry for entry in entries if entry["name"] == change["name"]), None)
            if mine is None:
                entries.append(copy.deepcopy(change))
            else:
                self._merge(mine, change)

    def _live(self, kind: str, obj: Object) -> Object:
        found = copy.deepcopy(obj)
        if kind == "Deployment":
            wanted = found["spec"]["replicas"]
            found["status"] = {
                "observedGeneration": found["metadata"]["generation"],
                "updatedReplicas": wanted,
                "replicas": wanted,
            }
        return found

    def _pods(self) -> Iterator[Object]:
        for (kind, name), obj in self.objects.items():
            if kind == "Deployment":
                for number in range(obj["spec"]["replicas"]):
                    labels = obj["spec"]["template"]["metadata"]["labels"]
                    yield {"metadata": {"name": f"{name}-{number}", "namespace": NAMESPACE, "labels": labels}}

    def _slices(self) -> Iterator[Object]:
        for (kind, name), obj in self.objects.items():
            if kind == "Service":
                selector = obj["spec"]["selector"].items()
                ready = [
                    {"conditions": {"ready": True}, "targetRef": {"name": pod["metadata"]["name"]}}
                    for pod in self._pods()
                    if selector <= pod["metadata"]["labels"].items()
                ]
                yield {"metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}}, "endpoints": ready}


def _fits(obj: Object, labels: str) -> bool:
    wanted = dict(part.split("=", 1) for part in labels.split(",") if part)
    return bool(wanted.items() <= obj["metadata"].get("labels", {}).items())


def params(**given: Any) -> dict[str, Any]:
    """The module's options: those given, quick times, and the defaults of the others."""
    quick = {
        "namespace": NAMESPACE,
        "service": SERVICE,
        "routes": [SERVICE, EDGE],
        "steps": [25],
        "step_duration": "1s",
        "interval": "50ms",
        "drain": "0s",
        "unproven_wait": "0s",
        "wait_timeout": "1s",
        "ready_timeout": "2s",
        "lease_duration": 2,
        "stable": {},
        "canary": {},
        "match": {},
    }
    return {**{name: option.get("default") for name, option in options().items()}, **quick, **given}
