# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Reads the present state of the canaries of a namespace."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    State,
    Stored,
    Unreadable,
    states_of,
    stored,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.force import unreadable_problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import (
    holder_of,
    is_dead,
    lease_ref,
    seconds_left,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.owners import scales
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.route_names import routes_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.status import (
    Autoscaler,
    CanaryStatus,
    Holder,
    SlotStatus,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import PINNED
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    NETWORKING,
    Route,
    Split,
    full_host,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import MeshCluster, Readable


def services_in(cluster: Readable, namespace: str, unread: Callable[[str], None]) -> dict[str, RouteNames]:
    """The routes of each service with a run, or with two subsets and a VirtualService. ``unread``: see routes_in."""
    found: dict[str, RouteNames] = {}
    routes = routes_in(cluster, namespace, unread)
    names = {route.name for route in routes if route.kind == VirtualService.kind}
    for rule in cluster.list(NETWORKING, "DestinationRule", namespace):
        host = str(rule["spec"].get("host", ""))
        service = host.partition(".")[0]
        own = full_host(host, namespace).startswith(f"{service}.{namespace}.")
        if own and len(rule["spec"].get("subsets") or []) > 1 and service in names:
            found[service] = RouteNames(VirtualService.kind, (service,))
    for route in routes:
        for state in states_of(route.obj).values():
            if state.is_first(route.kind, route.name):
                found[state.service.partition(".")[0]] = state.where
    return dict(sorted(found.items()))


def observe(
    cluster: MeshCluster, namespace: str, service: str, where: RouteNames, now: float, container: str = ""
) -> CanaryStatus:
    """Raises CanaryFailure if the service does not exist."""
    objects = CanaryObjects(cluster, namespace, service, where, container)
    found = objects.stored()
    state = found if isinstance(found, State) else None
    if state is not None:
        # The run's own, regardless of the call's.
        sides = (state.stable.subset, state.canary.subset)
        objects = CanaryObjects(cluster, namespace, service, state.where, container, sides)
    live = [objects.route()]
    live += [follower for follower in objects.followers().values() if follower is not None]
    split = Split(service, weights=dict.fromkeys(objects.backends.subsets(), 0))
    return CanaryStatus(
        service=service.partition(".")[0],
        now=now,
        state=state,
        slots=_slots(objects),
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
    yield from (f"{objects.called(name)} is gone" for name in objects.where.names if name not in there)
    for route in live:
        found = objects.drift(state, route)
        if found:
            yield found
        elif stored(route.obj, objects.service) != state:
            yield f"{objects.called(route.name)} has a different state of the run than the first one"


def _slots(objects: CanaryObjects) -> dict[str, SlotStatus]:
    slots = []
    for subset in objects.backends.subsets():
        # A subset without its own Deployment cannot have a canary. The run itself reports that.
        with contextlib.suppress(CanaryFailure):
            slots.append(objects.slot(subset))
    return {
        slot.subset: SlotStatus(slot.subset, slot.workload, slot.image, pods.wanted, pods.ready)
        for slot, pods in zip(slots, objects.pods(*slots), strict=True)
    }


def _holder(cluster: Readable, namespace: str, service: str, now: float) -> Holder | None:
    lease = cluster.get(lease_ref(namespace, service))
    name = holder_of(lease)
    if lease is None or not name:
        return None
    return Holder(name, not is_dead(lease, now), seconds_left(lease, now))


def _autoscaler(cluster: Readable, namespace: str, objects: CanaryObjects) -> Autoscaler | None:
    workloads = set()
    for subset in objects.backends.subsets():
        try:
            workloads.add(objects.slot(subset).workload)
        except CanaryFailure:
            continue
    for item in cluster.list("autoscaling/v2", "HorizontalPodAutoscaler", namespace):
        if scales(item, workloads):
            pinned = PINNED in (item["metadata"].get("annotations") or {})
            return Autoscaler(item["metadata"]["name"], str(item["spec"]["scaleTargetRef"]["name"]), pinned)
    return None
