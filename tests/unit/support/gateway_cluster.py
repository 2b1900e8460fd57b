# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster in memory with routes of the Gateway API: dry runs, definitions that drop fields, and a controller."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

from .canary_cluster import NAMESPACE, FakeCluster

GATEWAY_API = "gateway.networking.k8s.io"
STABLE, CANARY = "orders-v1", "orders-v2"
GATEWAY = {"group": GATEWAY_API, "kind": "Gateway", "name": "edge", "namespace": "istio-ingress"}
CALLED = {"group": "", "kind": "Service", "name": "orders"}


def backend(name: str, weight: int | None = None, **fields: Any) -> Object:
    found = {"group": "", "kind": "Service", "name": name, "port": 8080, **fields}
    return found if weight is None else {**found, "weight": weight}


def rule(*backends: Object, **fields: Any) -> Object:
    return {"backendRefs": list(backends) or [backend(STABLE, 100), backend(CANARY, 0)], **fields}


def route(*rules: Object, kind: str = "HTTPRoute", **spec: Any) -> Object:
    return {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": kind,
        "metadata": {"name": "orders", "namespace": NAMESPACE, "generation": 1},
        "spec": {"parentRefs": [GATEWAY], "rules": list(rules) or [rule()], **spec},
    }


def condition(name: str, generation: int, status: str = "True", reason: str = "") -> Object:
    return {"type": name, "status": status, "observedGeneration": generation, "reason": reason or name, "message": ""}


def accept(obj: Object, status: str = "True", reason: str = "") -> None:
    """What istiod writes about a route once it uses it."""
    generation = obj["metadata"]["generation"]
    found = [condition("Accepted", generation), condition("ResolvedRefs", generation, status, reason)]
    obj["status"] = {
        "parents": [
            {"parentRef": parent, "controllerName": "istio.io/gateway-controller", "conditions": found}
            for parent in obj["spec"]["parentRefs"]
        ]
    }


class GatewayCluster(FakeCluster):
    """``controller``: what is done with a route after each write. ``drops``: what a definition lacks, by its version.

    ``serves``: the versions and kinds that the cluster knows. ``made``: the name of what istiod makes of the route.
    ``sends``: whether istiod has read the route.
    """

    made = f"{NAMESPACE}~orders.{NAMESPACE}.svc.cluster.local"
    sends = True

    def __init__(self, *routes: Object) -> None:
        super().__init__()
        self.controller: Callable[[Object], None] = accept
        self.drops: Callable[[Object], None] = lambda __: None
        self.serves = {(f"{GATEWAY_API}/v1", kind) for kind in ("HTTPRoute", "GRPCRoute")}
        self.ready = {STABLE: 1, CANARY: 1}
        for name in (STABLE, CANARY):
            self.put("Service", {"metadata": {"name": name}, "spec": {"selector": {"app": name}}})
        gateway = {"metadata": {"name": "edge", "generation": 3}, "spec": {}}
        self.put("Gateway", {**gateway, "status": {"conditions": [condition("Programmed", 3)]}})
        for obj in routes or [route()]:
            accept(obj)
            self.put(obj["kind"], obj)

    def resource(self, api_version: str, kind: str) -> Resource | None:
        return Resource(f"{kind.lower()}s", True) if (api_version, kind) in self.serves else None

    def list(
        self, api_version: str, kind: str, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Object]:
        if kind == "EndpointSlice":
            return [self._endpoints(name, count) for name, count in self.ready.items()]
        if kind == "Pod":
            return [
                {"metadata": {"name": f"{name}-{number}", "namespace": NAMESPACE, "labels": {"app": name}}}
                for name, count in self.ready.items()
                for number in range(count)
            ]
        return super().list(api_version, kind, namespace, labels, fields)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Sequence[tuple[str, Any]] = (),
        content_type: str = "application/json",
    ) -> Any:
        kind, __, name = path.partition("|")
        wanted = copy.deepcopy(body)
        self.drops(wanted)
        before = copy.deepcopy(self.objects.get((kind, name)))
        generation = int((before or {"metadata": {}})["metadata"].get("generation") or 0)
        wanted["metadata"]["generation"] = generation + (before is None or wanted["spec"] != before["spec"])
        wrote = len(self.writes)
        answer = super().request(method, path, wanted, query, content_type)
        if ("dryRun", "All") in query and before:
            self.objects[kind, name] = before
            del self.writes[wrote:]
            return {**answer, "metadata": {**answer["metadata"], "resourceVersion": "dry"}}
        self.controller(self.objects[kind, name])
        return answer

    def put(self, kind: str, obj: Object) -> None:
        super().put(kind, obj)
        self.pushes += kind == "HTTPRoute"

    def _sent_routes(self) -> list[Object]:
        shares = self.shares() if self.sends else {STABLE: 1}
        clusters = [
            {"name": f"outbound|8080||{name}.{NAMESPACE}.svc.cluster.local", "weight": weight}
            for name, weight in shares.items()
            if weight
        ]
        config = f"/apis/networking.istio.io/v1/namespaces/{NAMESPACE}/virtual-service/{self.made}"
        metadata = {"filter_metadata": {"istio": {"config": config}}}
        action = {"weighted_clusters": {"clusters": clusters}}
        return [{"name": f"{NAMESPACE}.orders.0", "metadata": metadata, "route": action}]

    def shares(self, kind: str = "HTTPRoute", index: int = 0) -> dict[str, int]:
        refs = self.objects[kind, "orders"]["spec"]["rules"][index]["backendRefs"]
        return {entry["name"]: entry["weight"] for entry in refs}

    def _endpoints(self, name: str, count: int) -> Object:
        ready = [{"conditions": {"ready": True}, "targetRef": {"name": f"{name}-{number}"}} for number in range(count)]
        return {"metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}}, "endpoints": ready}


def ref(kind: str = "HTTPRoute") -> Ref:
    return Ref(f"{GATEWAY_API}/v1", kind, NAMESPACE, "orders")
