# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Reads the present state of the canaries of a namespace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    State,
    Stored,
    Unreadable,
    states_of,
    stored,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.force import unreadable_problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import (
    holder_of,
    is_dead,
    lease_ref,
    seconds_left,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryFailure, CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.owners import scales
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.status import (
    Autoscaler,
    CanaryStatus,
    Holder,
    SlotStatus,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import PINNED
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.endpoints import ready_endpoints, slices_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    NETWORKING,
    Route,
    Split,
    full_host,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import routes_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import MeshCluster, Readable


def services_in(cluster: Readable, namespace: str) -> dict[str, tuple[str, ...]]:
    """Service -> VirtualServices, for each service with a run, or with two subsets and a VirtualService."""
    found: dict[str, tuple[str, ...]] = {}
    routes = routes_in(cluster, namespace)
    names = {route.name for route in routes}
    for rule in cluster.list(NETWORKING, "DestinationRule", namespace):
        host = str(rule["spec"].get("host", ""))
        service = host.partition(".")[0]
        own = full_host(host, namespace).startswith(f"{service}.{namespace}.")
        if own and len(rule["spec"].get("subsets") or []) > 1 and service in names:
            found[service] = (service,)
    for route in routes:
        for state in states_of(route.obj).values():
            if state.virtual_services[0] == route.name:
                found[state.service.partition(".")[0]] = state.virtual_services
    return dict(sorted(found.items()))


def observe(
    cluster: MeshCluster, namespace: str, service: str, names: Sequence[str], now: float, container: str = ""
) -> CanaryStatus:
    """Raises CanaryFailure if the service does not exist."""
    objects = CanaryObjects(cluster, namespace, service, names, container)
    found = objects.stored()
    state = found if isinstance(found, State) else None
    if state is not None:
        # The run's own, regardless of the call's.
        objects = CanaryObjects(cluster, namespace, service, state.virtual_services, container)
    live = [objects.route()]
    live += [follower for follower in objects.followers().values() if follower is not None]
    split = Split(service, weights=dict.fromkeys(objects.subsets(), 0))
    return CanaryStatus(
        service=service.partition(".")[0],
        now=now,
        state=state,
        slots=_slots(cluster, namespace, service, objects),
        routes={route.name: route.weights(split) for route in live},
        holder=_holder(cluster, namespace, service, now),
        autoscaler=_autoscaler(cluster, namespace, objects),
        edits=tuple(_edits(objects, service, found, live)),
    )


def _edits(objects: CanaryObjects, service: str, state: Stored, live: Sequence[Route]) -> Iterable[str]:
    if isinstance(state, Unreadable):
        yield unreadable_problem(service.partition(".")[0], state)
    if not isinstance(state, State):
        return
    there = {route.name for route in live}
    yield from (f"{objects.called(name)} is gone" for name in objects.virtual_services if name not in there)
    for route in live:
        found = objects.drift(state, route)
        if found:
            yield found
        elif stored(route.obj, objects.service) != state:
            yield f"{objects.called(route.name)} has a different state of the run than the first one"


def _slots(cluster: Readable, namespace: str, service: str, objects: CanaryObjects) -> dict[str, SlotStatus]:
    pods = cluster.list("v1", "Pod", namespace)
    slices = slices_of(cluster.list("discovery.k8s.io/v1", "EndpointSlice", namespace), service.partition(".")[0])
    deployments = {item["metadata"]["name"]: item for item in cluster.list("apps/v1", "Deployment", namespace)}
    found = {}
    for subset, labels in objects.subsets().items():
        try:
            slot = objects.slot(subset)
        except CanaryFailure:
            # A subset without its own Deployment cannot have a canary. The run itself reports that.
            continue
        wanted = int(deployments[slot.workload]["spec"].get("replicas", 1))
        found[subset] = SlotStatus(subset, slot.workload, slot.image, wanted, ready_endpoints(slices, pods, labels))
    return found


def _holder(cluster: Readable, namespace: str, service: str, now: float) -> Holder | None:
    lease = cluster.get(lease_ref(namespace, service))
    name = holder_of(lease)
    if lease is None or not name:
        return None
    return Holder(name, not is_dead(lease, now), seconds_left(lease, now))


def _autoscaler(cluster: Readable, namespace: str, objects: CanaryObjects) -> Autoscaler | None:
    workloads = set()
    for subset in objects.subsets():
        try:
            workloads.add(objects.slot(subset).workload)
        except CanaryFailure:
            continue
    for item in cluster.list("autoscaling/v2", "HorizontalPodAutoscaler", namespace):
        if scales(item, workloads):
            pinned = PINNED in (item["metadata"].get("annotations") or {})
            return Autoscaler(item["metadata"]["name"], str(item["spec"]["scaleTargetRef"]["name"]), pinned)
    return None
