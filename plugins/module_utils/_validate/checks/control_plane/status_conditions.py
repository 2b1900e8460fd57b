# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What istiod has written to the status of objects."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    GRPC_ROUTE,
    HTTP_ROUTE,
    K8S_GATEWAY,
    SERVICE,
    SERVICE_ENTRY,
    WORKLOAD_ENTRY,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_BOUND = {"istio.io/WaypointBound"}
_PROGRAMMED = {"Accepted", "Programmed", "ResolvedRefs"}
_CONDITIONS = {
    SERVICE: _BOUND,
    SERVICE_ENTRY: _BOUND,
    WORKLOAD_ENTRY: _BOUND,
    AUTHORIZATION_POLICY: {"WaypointAccepted", "ZtunnelAccepted"},
    K8S_GATEWAY: _PROGRAMMED,
    HTTP_ROUTE: _PROGRAMMED,
    GRPC_ROUTE: _PROGRAMMED,
}


@check(
    code="IST0171",
    level="warning",
    title="Object that istiod does not accept",
    why="istiod itself reports that the object, or part of it, has no effect.",
    remedy="See the reason and the message of the condition.",
)
def negative_condition(mesh: Mesh, report: Report) -> None:
    """Checks that find the cause themselves have IST0171 as an alias, so it is not reported twice."""
    for kind, wanted in _CONDITIONS.items():
        for resource in mesh.of(kind):
            for path, condition in _conditions(resource) if resource.status else ():
                if str(condition.get("type")) in wanted and _is_negative(condition, resource):
                    text = f"{condition.get('type')} is {condition.get('status')}: {condition.get('reason')}"
                    message = " ".join(str(condition.get("message") or "").split())
                    report(resource, path, f"{text}, {message}" if message else text)


def _conditions(resource: Resource) -> Iterator[tuple[Path, Object]]:
    for index, condition in items(resource.status, "conditions"):
        yield ("status", "conditions", index), condition
    for place, parent in items(resource.status, "parents"):
        for index, condition in items(parent, "conditions"):
            yield ("status", "parents", place, "conditions", index), condition


def _is_negative(condition: Object, resource: Resource) -> bool:
    generation, observed = part(resource.obj, "metadata").get("generation"), condition.get("observedGeneration")
    # About an earlier generation of the object.
    if isinstance(generation, int) and isinstance(observed, int) and 0 < observed < generation:
        return False
    partly = resource.kind == AUTHORIZATION_POLICY and condition.get("reason") == "PartiallyInvalid"
    return condition.get("status") == "False" or (partly and condition.get("type") == "WaypointAccepted")
