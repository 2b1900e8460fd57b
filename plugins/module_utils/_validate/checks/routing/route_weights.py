# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Weights of routes, and whether anything answers behind them."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.hosts import service_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import subset_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    POD,
    SERVICE,
    VIRTUAL_SERVICE,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import PROTOCOLS, shares, whole
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


@once_per_mesh
def _routes(mesh: Mesh) -> list[tuple[Resource, Path, list[Object]]]:
    """The destinations of each route, and the path of their list."""
    return [
        (service, ("spec", protocol, index, "route"), [entry for _place, entry in items(route, "route")])
        for service in mesh.of(VIRTUAL_SERVICE)
        for protocol in PROTOCOLS
        for index, route in (items(service.spec, protocol) if protocol in service.spec else ())
    ]


@check(
    code="KIA1104",
    level="warning",
    title="Weight of a single destination",
    why="A single destination gets all requests, whatever its weight says.",
    remedy="Remove the weight, or add the destination that should get the rest.",
    alone=True,
)
def single_weight(mesh: Mesh, report: Report) -> None:
    for service, path, entries in _routes(mesh):
        weight = entries[0].get("weight") if len(entries) == 1 else None
        if isinstance(weight, int) and weight not in (0, 100):
            message = f"the weight {weight} of the only destination counts as 100"
            report(service, (*path, 0, "weight"), message)


@check(
    code="MESH201",
    level="error",
    title="Weight for a subset without pods",
    why="The subset's share of the requests gets 503: proxies do not redirect it to the other subsets.",
    remedy="Start the subset's pods first, or set its weight to 0.",
    needs=[SERVICE, POD],
)
def weight_without_pods(mesh: Mesh, report: Report) -> None:
    if all(_may_answer(workload) for workload in mesh.workloads):
        return
    for service, destination in mesh.destinations:
        if not destination.subset or destination.mirror or not destination.share:
            continue
        place = service_of(destination.host, mesh.settings.cluster_domain)
        target = mesh.find(SERVICE, *place) if place else None
        labels = subset_labels(mesh, destination.host, destination.subset)
        if target is None or not labels or not part(target.spec, "selector"):
            continue
        selected = mesh.labels.matching(target.namespace, {**part(target.spec, "selector"), **labels})
        if not selected or any(_may_answer(workload) for workload in selected):
            continue
        wanted = any(workload.replicas != 0 for workload in selected)
        why = (
            "none of its pods is ready"
            if wanted
            else f"{selected[0].resource.kind.kind} {selected[0].name} has 0 replicas"
        )
        report(
            service,
            (*destination.path, "subset"),
            f"subset '{destination.subset}' of '{destination.written}' gets {destination.share:.0%} of the requests,"
            f" and {why}",
        )


def _may_answer(workload: Workload) -> bool:
    """Whether any of its pods is ready, or no status shows that none is."""
    ready = workload.ready
    return ready > 0 if ready is not None else workload.replicas != 0


@check(
    code="MESH202",
    level="info",
    title="Weights that are not percentages",
    why="Weights are shares of their sum. If the sum is not 100, they are not percentages of the requests.",
    remedy="Make the weights of a route add up to 100.",
    alone=True,
)
def weights_do_not_sum_to_100(mesh: Mesh, report: Report) -> None:
    for service, path, entries in _routes(mesh):
        if len(entries) < 2:
            continue
        weights = [whole(entry.get("weight")) or 0 for entry in entries]
        total = sum(weights)
        if total not in (0, 100) and min(weights) >= 0:
            parts = ", ".join(f"{share:.1%}" for share in shares(entries))
            report(service, path, f"the weights add up to {total}; the shares are {parts}")
