"""A cluster in memory with an application as most have it: one Deployment, one Service, one route to all pods."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

from .canary_cluster import EDGE, SERVICE, FakeCluster, deployment

COPY = f"{SERVICE}-canary"
TARGET: dict[str, Any] = {"deployment": SERVICE, "way": "copy", "keep": "original"}
# What a call sets in addition to the defaults.
RUN: dict[str, Any] = {"routes": [], "target": TARGET}
# Objects that a run leaves, and no one asks about.
NOT_OF_THE_APPLICATION = ("Lease",)


class CopyCluster(FakeCluster):
    def __init__(self) -> None:
        super().__init__()
        for kind, name in (
            ("VirtualService", EDGE),
            ("DestinationRule", SERVICE),
            ("Deployment", f"{SERVICE}-v2"),
        ):
            self.remove(kind, name)
        to = [{"destination": {"host": SERVICE}}]
        self.put(
            "VirtualService", {"metadata": {"name": SERVICE}, "spec": {"hosts": [SERVICE], "http": [{"route": to}]}}
        )
        container = {"name": SERVICE, "image": "order-service:1", "env": [{"name": "LEVEL", "value": "info"}]}
        mine = deployment(SERVICE, "v1", 2, "order-service:1")
        mine["metadata"]["namespace"] = "shop"
        mine["spec"]["template"]["spec"]["containers"] = [container]
        mine["spec"]["minReadySeconds"] = 1
        self.put("Deployment", mine)
        service = self.edit("Service", SERVICE)
        service["spec"]["ports"] = [{"name": "http", "port": 80, "targetPort": 8080}]

    def destinations(self, name: str = SERVICE) -> dict[str, int | None]:
        """Subset -> weight."""
        with self.lock:
            route = self.objects["VirtualService", name]["spec"]["http"][0]["route"]
            return {entry["destination"].get("subset", ""): entry.get("weight") for entry in route}

    def shares(self) -> dict[str, int | None]:
        """The same, without those that get nothing."""
        return {subset: weight for subset, weight in self.destinations().items() if weight != 0}

    def template(self, name: str = SERVICE) -> Object:
        with self.lock:
            return copy.deepcopy(self.objects["Deployment", name]["spec"]["template"])

    def env(self, name: str = SERVICE) -> dict[str, str]:
        return {entry["name"]: entry["value"] for entry in self.template(name)["spec"]["containers"][0]["env"]}

    def idle(self) -> bool:
        """Whether the copy has no pods, or was never made."""
        return not self.has("Deployment", COPY) or self.replicas(COPY) == 0

    def has(self, kind: str, name: str) -> bool:
        with self.lock:
            return (kind, name) in self.objects

    def snapshot(self) -> dict[tuple[str, str], Object]:
        """Every object of the application, without the versions."""
        with self.lock:
            found = copy.deepcopy(self.objects)
        for obj in found.values():
            obj["metadata"].pop("resourceVersion", None)
            for field in ("apiVersion", "kind"):
                obj.pop(field, None)
            for field in ("namespace", "generation"):
                obj["metadata"].pop(field, None)
        return {key: obj for key, obj in found.items() if key[0] not in NOT_OF_THE_APPLICATION}
