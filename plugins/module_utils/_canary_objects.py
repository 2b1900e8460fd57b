# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The cluster's objects that a canary is about: reading them at one moment, and writing each on condition."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.corpv3.service_mesh.plugins.module_utils import _traffic_shift
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_plan import traffic
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import (
    PREFIX,
    Side,
    State,
    annotation,
    dump,
    state_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object, Objects, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic import (
    Split,
    TrafficFailure,
    full_host,
    protocols,
    shifted,
    weights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic_safety import (
    ready_endpoints,
    slices_of,
    subset_labels,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic_shift import (
    FIELD_MANAGER,
    NETWORKING,
    refuse_unsafe,
)

IMAGE = f"{PREFIX}image"
PINNED = f"{PREFIX}pinned-min-replicas"
_APPS, _SCALING = "apps/v1", "autoscaling/v2"
_MERGE, _STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
_ATTEMPTS = 20


class Cluster(_traffic_shift.Cluster, Protocol):
    """A cluster that takes patches, and whose pods can be reached through its API server."""

    def may(self, verb: str, group: str, resource: str, namespace: str = "", name: str = "") -> bool:
        """Whether we may do that, everywhere or in a namespace."""

    def account(self) -> str:
        """Our name."""

    def get_through_pod(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        """The answer to an HTTP request that comes from the pod's own loopback."""

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Sequence[tuple[str, Any]] = (),
        content_type: str = "application/json",
    ) -> Any:
        """The API server's answer."""


class CanaryFailure(Exception):
    """The run cannot be made, or made on, as it is asked for; the message names the way out."""


class NoRoute(CanaryFailure):
    """There is no such VirtualService."""


class Changed(Exception):
    """The state in the cluster is not the one that was decided upon."""


@dataclass(frozen=True)
class Pods:
    """One side's pods. ``ready`` counts endpoints that are ready, ``existing`` also those on their way out."""

    wanted: int
    ready: int
    existing: int
    rolled_out: bool
    image: str


class CanaryObjects:
    """VirtualServices, Deployments and autoscaler of one service."""

    def __init__(
        self, cluster: Cluster, namespace: str, service: str, virtual_services: Sequence[str], container: str = ""
    ) -> None:
        self._cluster, self._namespace, self._container = cluster, namespace, container
        self.service, self.virtual_services = service, tuple(virtual_services)
        self._host = full_host(service, namespace)
        self._selector: dict[str, str] = {}
        self._subsets: dict[str, dict[str, str]] = {}

    # -----------------------------------------------------------------------------------------------------------------
    # Reading

    def virtual_service(self, name: str) -> Object:
        ref = self._route_ref(name)
        found = self._cluster.get(ref)
        if found is None:
            raise NoRoute(f"there is no {ref}: correct virtual_services, or deploy it first.")
        return found

    def state(self) -> State | None:
        return state_of(self.virtual_service(self.virtual_services[0]), self.service)

    def subsets(self) -> dict[str, dict[str, str]]:
        """Subset -> labels."""
        if not self._subsets:
            self._subsets = subset_labels(self._cluster.list(NETWORKING, "DestinationRule"), self._host)
        return self._subsets

    def live_weights(self) -> dict[str, dict[str, int]]:
        """Of the first VirtualService: route -> subset -> weight."""
        return weights(self.virtual_service(self.virtual_services[0]), self._any_split())

    def protocols(self) -> set[str]:
        """Of the routes to the service's subsets, in all VirtualServices."""
        found = [self._cluster.get(self._route_ref(name)) for name in self.virtual_services]
        return {protocol for each in found if each for protocol in protocols(each, self._any_split())}

    def _any_split(self) -> Split:
        """For looking: it is about every route to one of the service's subsets."""
        return Split(self.service, weights=dict.fromkeys(self.subsets(), 0))

    def sides(self, stable: str, canary: str) -> tuple[str, str]:
        """The two subsets: as asked for, or by where the traffic is."""
        live = self.live_weights()
        full = {subset for route in live.values() for subset, weight in route.items() if weight == 100}
        split = {name: route for name, route in live.items() if 100 not in route.values()}
        where = f"{self._namespace}/{self.virtual_services[0]}"
        if not live:
            raise CanaryFailure(f"VirtualService {where} has no route to a subset of {self.service}.")
        if split or len(full) != 1:
            raise CanaryFailure(
                f"VirtualService {where} splits the traffic already ({split or live}) and no run says why. Give one "
                "subset all of it first, with traffic_shift for example."
            )
        found = stable or full.pop()
        others = sorted(set(self.subsets()) - {found})
        if canary:
            others = [canary] if canary in others else []
        if found not in self.subsets() or len(others) != 1:
            raise CanaryFailure(
                f"DestinationRules define the subsets {', '.join(sorted(self.subsets())) or '(none)'} of {self._host}. "
                f"With {found} as the stable one it is not clear which is the canary's: name it with canary.subset."
            )
        if live and any(route.get(found) != 100 for route in live.values()):
            raise CanaryFailure(f"stable.subset is {found}, but {where} sends the traffic elsewhere: {live}.")
        return found, others[0]

    def side(self, subset: str) -> Side:
        deployment = self._workload(subset)
        container = self._container_of(deployment)
        return Side(subset, deployment["metadata"]["name"], str(container["image"]))

    def pods(self, side: Side, items: Objects, slices: Objects) -> Pods:
        deployment = self._deployment(side.workload)
        labels = {**self._service_selector(), **self.subsets()[side.subset]}
        status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
        return Pods(
            wanted=wanted,
            ready=ready_endpoints(slices, items, labels),
            existing=sum(1 for pod in items if labels.items() <= (pod["metadata"].get("labels") or {}).items()),
            rolled_out=status.get("observedGeneration") == deployment["metadata"]["generation"]
            and status.get("updatedReplicas", 0) == status.get("replicas", 0) == wanted,
            image=str(self._container_of(deployment)["image"]),
        )

    def both(self, state: State) -> tuple[Pods, Pods]:
        selector = ",".join(f"{key}={value}" for key, value in self._service_selector().items())
        items = self._cluster.list("v1", "Pod", self._namespace, labels=selector)
        every = self._cluster.list("discovery.k8s.io/v1", "EndpointSlice", self._namespace)
        slices = slices_of(every, self.service.partition(".")[0])
        return self.pods(state.stable, items, slices), self.pods(state.canary, items, slices)

    def drift(self, state: State, live: Object) -> str:
        """How the split of one VirtualService differs from the state's; empty where it does not."""
        split = traffic(state, self.service)
        name = live["metadata"]["name"]
        try:
            if shifted(live, split)["spec"] == live["spec"]:
                return ""
        except TrafficFailure as failure:
            return f"VirtualService {name} was changed by hand: {failure}"
        found = weights(live, split)
        wanted = dict(split.weights)
        return f"VirtualService {name} was changed by hand during the run: its weights are {found}, not {wanted}"

    # -----------------------------------------------------------------------------------------------------------------
    # Writing

    def write(
        self,
        believed: State | None,
        new: State,
        safely: bool = False,
        keep_traffic: bool = False,
        dry_run: bool = False,
    ) -> list[tuple[Object, Object]]:
        """State and traffic, in one request for each VirtualService; the first one's counts.

        Raises Changed where the state is not the one believed, TrafficFailure where the traffic must not go there.
        Returns each object before and after.
        """
        split = Split(self.service) if keep_traffic else traffic(new, self.service)
        done = []
        for number, name in enumerate(self.virtual_services):
            done.append(self._write_one(name, split, believed, new, number == 0, safely, dry_run))
        return done

    def _write_one(
        self, name: str, split: Split, believed: State | None, new: State, decides: bool, safely: bool, dry_run: bool
    ) -> tuple[Object, Object]:
        checked: Any = None
        for __ in range(_ATTEMPTS):
            before = self.virtual_service(name)
            found = state_of(before, self.service)
            if decides and found not in (believed, new):
                raise Changed
            after = shifted(before, split) if split.weights else copy.deepcopy(before)
            annotations = {**(before["metadata"].get("annotations") or {}), annotation(self.service): dump(new)}
            after["metadata"]["annotations"] = annotations
            if after == before:
                return before, before
            if safely and before["spec"] != checked:
                refuse_unsafe(self._cluster, before, split, min_ready=1)
                checked = before["spec"]
            query: list[tuple[str, Any]] = [("fieldManager", FIELD_MANAGER)]
            if dry_run:
                query.append(("dryRun", "All"))
            try:
                path = self._cluster.path(self._route_ref(name))
                return before, self._cluster.request("put", path, body=after, query=query)
            except ApiFailure as failure:
                if failure.status != 409:
                    raise
        raise ApiFailure(409, "Conflict", f"VirtualService {name} was changed by somebody else at every attempt")

    def scale(self, workload: str, replicas: int) -> None:
        path = f"{self._cluster.path(self._workload_ref(workload))}/scale"
        self._patch(path, {"spec": {"replicas": replicas}}, _MERGE)

    def set_image(self, side: Side, image: str) -> None:
        """The image that the slot's pods are to have, and a note for helm that a canary decided so."""
        deployment = self._deployment(side.workload)
        name = self._container_of(deployment)["name"]
        template = {"spec": {"containers": [{"name": name, "image": image}]}}
        body = {"metadata": {"annotations": {IMAGE: image}}, "spec": {"template": template}}
        self._patch(self._cluster.path(self._workload_ref(side.workload)), body, _STRATEGIC)

    # -----------------------------------------------------------------------------------------------------------------
    # The autoscaler

    def autoscaler_settled(self, state: State, pinned: bool, workload: str) -> bool:
        found = self._autoscaler(state)
        if found is None:
            return True
        is_pinned = PINNED in (found["metadata"].get("annotations") or {})
        if pinned:
            return is_pinned
        return not is_pinned and found["spec"]["scaleTargetRef"]["name"] == workload

    def autoscale(self, state: State, pinned: bool, workload: str) -> None:
        found = self._autoscaler(state)
        if found is None:
            return
        annotations = found["metadata"].get("annotations") or {}
        least = int(found["spec"].get("minReplicas") or 1)
        if pinned:
            note: str | None = str(least)
            spec: dict[str, Any] = {"minReplicas": max(least, state.capacity)}
        else:
            note = None
            spec = {
                "minReplicas": int(annotations.get(PINNED, least)),
                "scaleTargetRef": {**found["spec"]["scaleTargetRef"], "name": workload},
            }
        ref = Ref(_SCALING, "HorizontalPodAutoscaler", self._namespace, found["metadata"]["name"])
        self._patch(self._cluster.path(ref), {"metadata": {"annotations": {PINNED: note}}, "spec": spec}, _MERGE)

    def _autoscaler(self, state: State) -> Object | None:
        ours = {state.stable.workload, state.canary.workload}
        for found in self._cluster.list(_SCALING, "HorizontalPodAutoscaler", self._namespace):
            target: Mapping[str, Any] = found["spec"]["scaleTargetRef"]
            if target.get("kind") == "Deployment" and target.get("name") in ours:
                return found
        return None

    # -----------------------------------------------------------------------------------------------------------------

    def _patch(self, path: str, body: Object, content_type: str) -> None:
        self._cluster.request(
            "patch", path, body=body, query=[("fieldManager", FIELD_MANAGER)], content_type=content_type
        )

    def _route_ref(self, name: str) -> Ref:
        return Ref(NETWORKING, "VirtualService", self._namespace, name)

    def _workload_ref(self, name: str) -> Ref:
        return Ref(_APPS, "Deployment", self._namespace, name)

    def _deployment(self, name: str) -> Object:
        found = self._cluster.get(self._workload_ref(name))
        if found is None:
            raise CanaryFailure(f"Deployment {self._namespace}/{name} is gone: site.yml makes it again.")
        return found

    def _service_selector(self) -> dict[str, str]:
        if not self._selector:
            ref = Ref("v1", "Service", self._namespace, self.service.partition(".")[0])
            found = self._cluster.get(ref)
            if found is None:
                raise CanaryFailure(f"there is no {ref}: correct service, or deploy it first.")
            self._selector = dict(found["spec"].get("selector") or {})
        return self._selector

    def _workload(self, subset: str) -> Object:
        labels = {**self._service_selector(), **self.subsets()[subset]}
        fitting = []
        for found in self._cluster.list(_APPS, "Deployment", self._namespace):
            template = found["spec"]["template"]["metadata"].get("labels") or {}
            if labels.items() <= template.items():
                fitting.append(found)
        if len(fitting) != 1:
            names = ", ".join(item["metadata"]["name"] for item in fitting) or "none"
            raise CanaryFailure(
                f"subset {subset} needs exactly one Deployment whose pods have the labels {labels}, and there is "
                f"{names}. site.yml makes one for each subset, with 0 pods where it is idle."
            )
        return fitting[0]

    def _container_of(self, deployment: Object) -> Mapping[str, Any]:
        containers: list[Mapping[str, Any]] = deployment["spec"]["template"]["spec"]["containers"]
        wanted = self._container or self.service.partition(".")[0]
        for container in containers:
            if container["name"] == wanted:
                return container
        if self._container or len(containers) != 1:
            raise CanaryFailure(
                f"Deployment {deployment['metadata']['name']} has no container {wanted}: name it with container."
            )
        return containers[0]
