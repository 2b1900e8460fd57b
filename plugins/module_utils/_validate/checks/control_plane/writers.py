# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Two managers of one object, as the API server records them in managedFields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# Field managers of people who edit by hand.
_HANDS = (
    "kubectl-edit",
    "kubectl-patch",
    "kubectl-replace",
    "kubectl-set",
    "kubectl-label",
    "k9s",
    "node-fetch",
    "Lens",
)
_MANAGED_BY = "app.kubernetes.io/managed-by"
_ARGO = "argocd.argoproj.io/tracking-id"
_FLUX = "kustomize.toolkit.fluxcd.io/name"
_GROUPS = ("istio.io", "gateway.networking.k8s.io")


@check(
    code="MESH540",
    level="warning",
    title="Manual change to a managed object",
    why="The owner writes its own state at its next run, and the manual change is lost.",
    remedy="Make the change in the owner's source.",
    live=True,
)
def changed_by_hand(mesh: Mesh, report: Report) -> None:
    for resource in _with_managers(mesh):
        owner = _owner(resource)
        if not owner:
            continue
        for manager, fields in _spec_fields(resource):
            if manager.startswith(_HANDS):
                path = min(fields, key=len)
                report(resource, path, f"{owner} owns the object, and {manager} wrote this field")
                break


@check(
    code="MESH541",
    level="warning",
    title="Two appliers of one field",
    why="Both declare the field. As soon as they differ, each reverts what the other wrote.",
    remedy="Let one of them declare it, and remove it from the other's manifest.",
    live=True,
)
def applied_twice(mesh: Mesh, report: Report) -> None:
    for resource in _with_managers(mesh):
        appliers: dict[Path, set[str]] = defaultdict(set)
        for manager, fields in _spec_fields(resource, "Apply"):
            for path in fields:
                appliers[path].add(manager)
        for path, managers in appliers.items():
            if len(managers) > 1:
                report(resource, path, f"{' and '.join(sorted(managers))} both declare this field")
                break


def _with_managers(mesh: Mesh) -> list[Resource]:
    """The mesh's objects that state who wrote their fields, as those of files seldom do."""
    return [
        resource
        for kind in mesh.kinds
        if kind.group.endswith(_GROUPS)
        for resource in mesh.of(kind)
        if part(resource.obj, "metadata").get("managedFields")
    ]


def _owner(resource: Resource) -> str:
    if resource.labels.get(_MANAGED_BY) == "Helm":
        return "helm"
    if _ARGO in resource.annotations:
        return "Argo CD"
    return "Flux" if _FLUX in resource.labels else ""


def _spec_fields(resource: Resource, operation: str = "") -> Iterator[tuple[str, list[Path]]]:
    """Each manager and the fields below spec that it owns."""
    for _index, entry in items(part(resource.obj, "metadata"), "managedFields"):
        if entry.get("subresource") or (operation and entry.get("operation") != operation):
            continue
        fields = list(_leaves(part(entry, "fieldsV1", "f:spec"), ("spec",)))
        if fields:
            yield str(entry.get("manager")), fields


def _leaves(fields: dict[str, Any], path: Path, depth: int = 0) -> Iterator[Path]:
    """``{"f:http": {}}`` is the field http. List items, which are named by their keys, count as the list."""
    inner = {key: value for key, value in fields.items() if isinstance(value, dict) and str(key).startswith("f:")}
    if not inner or depth > 50:
        yield path
        return
    for key, value in inner.items():
        yield from _leaves(value, (*path, key[2:]), depth + 1)
