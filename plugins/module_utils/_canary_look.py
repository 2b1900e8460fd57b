# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Reading how the canaries of a namespace stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_lease import (
    holder_of,
    is_dead,
    lease_ref,
    seconds_left,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_objects import (
    PINNED,
    CanaryFailure,
    CanaryObjects,
    Cluster,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_report import Autoscaler, Holder, Slot, View
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import State, state_of, states_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic import Split, full_host, weights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic_safety import ready_endpoints, slices_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic_shift import NETWORKING


def services_in(cluster: Cluster, namespace: str) -> dict[str, tuple[str, ...]]:
    """Service -> VirtualServices, of each that has a canary or could have one: two subsets and a VirtualService."""
    found: dict[str, tuple[str, ...]] = {}
    virtual_services = cluster.list(NETWORKING, "VirtualService", namespace)
    names = {item["metadata"]["name"] for item in virtual_services}
    for rule in cluster.list(NETWORKING, "DestinationRule", namespace):
        host = str(rule["spec"].get("host", ""))
        service = host.partition(".")[0]
        own = full_host(host, namespace).startswith(f"{service}.{namespace}.")
        if own and len(rule["spec"].get("subsets") or []) > 1 and service in names:
            found[service] = (service,)
    for item in virtual_services:
        for state in states_of(item).values():
            if state.virtual_services[0] == item["metadata"]["name"]:
                found[state.service.partition(".")[0]] = state.virtual_services
    return dict(sorted(found.items()))


def look(cluster: Cluster, namespace: str, service: str, names: Sequence[str], now: float, container: str = "") -> View:
    """Raises CanaryFailure where there is no such service."""
    objects = CanaryObjects(cluster, namespace, service, names, container)
    state = objects.state()
    if state is not None:
        # Whatever the call names: these are the ones that the run is about.
        objects = CanaryObjects(cluster, namespace, service, state.virtual_services, container)
    live = [objects.virtual_service(name) for name in objects.virtual_services]
    split = Split(service, weights=dict.fromkeys(objects.subsets(), 0))
    return View(
        service=service.partition(".")[0],
        now=now,
        state=state,
        slots=_slots(cluster, namespace, service, objects),
        routes={item["metadata"]["name"]: weights(item, split) for item in live},
        holder=_holder(cluster, namespace, service, now),
        autoscaler=_autoscaler(cluster, namespace, objects),
        edits=tuple(_edits(objects, state, live)) if state is not None else (),
    )


def _edits(objects: CanaryObjects, state: State, live: Iterable[Object]) -> Iterable[str]:
    for item in live:
        found = objects.drift(state, item)
        if found:
            yield found
        elif state_of(item, objects.service) != state:
            yield f"VirtualService {item['metadata']['name']} has another state of the run than the first one"


def _slots(cluster: Cluster, namespace: str, service: str, objects: CanaryObjects) -> dict[str, Slot]:
    pods = cluster.list("v1", "Pod", namespace)
    slices = slices_of(cluster.list("discovery.k8s.io/v1", "EndpointSlice", namespace), service.partition(".")[0])
    deployments = {item["metadata"]["name"]: item for item in cluster.list("apps/v1", "Deployment", namespace)}
    found = {}
    for subset, labels in objects.subsets().items():
        try:
            side = objects.side(subset)
        except CanaryFailure:
            # A subset without a Deployment of its own can have no canary, and that is the run's to complain about.
            continue
        wanted = int(deployments[side.workload]["spec"].get("replicas", 1))
        found[subset] = Slot(side, wanted, ready_endpoints(slices, pods, labels))
    return found


def _holder(cluster: Cluster, namespace: str, service: str, now: float) -> Holder | None:
    lease = cluster.get(lease_ref(namespace, service))
    name = holder_of(lease)
    if lease is None or not name:
        return None
    return Holder(name, not is_dead(lease, now), seconds_left(lease, now))


def _autoscaler(cluster: Cluster, namespace: str, objects: CanaryObjects) -> Autoscaler | None:
    workloads = set()
    for subset in objects.subsets():
        try:
            workloads.add(objects.side(subset).workload)
        except CanaryFailure:
            continue
    for item in cluster.list("autoscaling/v2", "HorizontalPodAutoscaler", namespace):
        target: Mapping[str, Any] = item["spec"]["scaleTargetRef"]
        if target.get("kind") == "Deployment" and target.get("name") in workloads:
            pinned = PINNED in (item["metadata"].get("annotations") or {})
            return Autoscaler(item["metadata"]["name"], str(target["name"]), pinned)
    return None
