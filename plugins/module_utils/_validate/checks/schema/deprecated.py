# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Fields that Istio has deprecated. istiod itself warns about some more: IST0133."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    SIDECAR,
    VIRTUAL_SERVICE,
    Path,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


@check(
    code="IST0002",
    level="warning",
    title="Deprecated field",
    why="The field still works for now, or has already stopped working, and a later release of Istio drops it.",
    remedy="Use its successor.",
    alone=True,
)
def deprecated_field(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(VIRTUAL_SERVICE):
        for index, route in items(service.spec, "http"):
            if part(route, "fault", "delay").get("percent"):
                where: Path = ("spec", "http", index, "fault", "delay", "percent")
                report(service, where, "percent is deprecated; use percentage")
    for sidecar in mesh.of(SIDECAR):
        if part(sidecar.spec, "outboundTrafficPolicy", "egressProxy"):
            where = ("spec", "outboundTrafficPolicy", "egressProxy")
            report(sidecar, where, "egressProxy is deprecated and has no effect")
    for rule in mesh.of(DESTINATION_RULE):
        for path, policy in _policies(rule.spec):
            if part(policy, "loadBalancer").get("warmupDurationSecs"):
                where = (*path, "loadBalancer", "warmupDurationSecs")
                report(rule, where, "warmupDurationSecs is deprecated; use warmup.duration")


def _policies(spec: Object) -> Iterator[tuple[Path, Object]]:
    """Each traffic policy of a DestinationRule: its own, those of subsets, and those of their ports."""
    owners: list[tuple[Path, Object]] = [(("spec",), spec)]
    owners += [(("spec", "subsets", index), subset) for index, subset in items(spec, "subsets")]
    for path, owner in owners:
        policy = part(owner, "trafficPolicy")
        where = (*path, "trafficPolicy")
        yield where, policy
        for index, port in items(policy, "portLevelSettings"):
            yield (*where, "portLevelSettings", index), port
