# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""EnvoyFilters: patches that Envoy's configuration may not accept, and those that reach too far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import has_target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import ENVOY_FILTER, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_ROUTES = ("ROUTE_CONFIGURATION", "HTTP_ROUTE")
_REPLACEABLE = ("NETWORK_FILTER", "HTTP_FILTER", "VIRTUAL_HOST")
_RELATIVE = ("INSERT_BEFORE", "INSERT_AFTER", "REMOVE", "REPLACE")
# What Istio itself generates, and differently in each release.
_INTERNAL = (
    "BOOTSTRAP",
    "CLUSTER",
    "FILTER_CHAIN",
    "LISTENER",
    "LISTENER_FILTER",
    "NETWORK_FILTER",
    "ROUTE_CONFIGURATION",
)


class Patch(NamedTuple):
    """One of an EnvoyFilter's patches. name: of the filter that it patches, empty if it patches none."""

    path: Path
    apply_to: str
    operation: str
    name: str
    proxy_version: bool

    @property
    def is_relative(self) -> bool:
        """Whether it needs something to exist already, and is valid for its target."""
        if self.operation == "REPLACE":
            return self.apply_to in _REPLACEABLE
        return self.operation in _RELATIVE and not (self.operation == "REMOVE" and self.apply_to in _ROUTES)


@check(
    code="IST0151",
    level="warning",
    title="Relative patch without priority",
    why="The patch depends on something that another patch may add, and without priorities their order is undefined.",
    remedy="Set spec.priority, or use INSERT_FIRST or ADD.",
)
def relative_without_priority(mesh: Mesh, report: Report) -> None:
    versioned = _versioned(mesh)
    for resource, patch in _patches(mesh):
        if patch.is_relative and not resource.spec.get("priority") and not _has_versioned_twin(patch, versioned):
            report(resource, patch.path, f"{patch.operation} without a priority")


@check(
    code="IST0155",
    level="warning",
    title="Relative patch without priority, with a proxy version",
    why="While proxies of two versions run, the filter is patched for only some of them, and the order is undefined.",
    remedy="Set spec.priority, or use INSERT_FIRST or ADD.",
)
def relative_with_version(mesh: Mesh, report: Report) -> None:
    versioned = _versioned(mesh)
    for resource, patch in _patches(mesh):
        if patch.is_relative and not resource.spec.get("priority") and _has_versioned_twin(patch, versioned):
            message = (
                f"{patch.operation} of {patch.name!r} without a priority, and another patch of it has a proxyVersion"
            )
            report(resource, patch.path, message)


@check(
    code="IST0152",
    level="error",
    title="REPLACE where nothing can be replaced",
    why="Istio ignores the patch: only filters and virtual hosts can be replaced.",
    remedy="Use MERGE, or REMOVE and ADD.",
    alone=True,
)
def wrong_replace(mesh: Mesh, report: Report) -> None:
    for resource, patch in _patches(mesh):
        if patch.operation == "REPLACE" and patch.apply_to not in _REPLACEABLE:
            report(resource, patch.path, f"REPLACE has no effect on {patch.apply_to or 'nothing'}")


@check(
    code="IST0153",
    level="error",
    title="ADD where nothing can be added",
    why="Istio ignores the patch.",
    remedy="Use INSERT_FIRST, INSERT_BEFORE or INSERT_AFTER for routes, and MERGE for a route configuration.",
    alone=True,
)
def wrong_add(mesh: Mesh, report: Report) -> None:
    for resource, patch in _patches(mesh):
        if patch.operation == "ADD" and patch.apply_to in _ROUTES:
            report(resource, patch.path, f"ADD has no effect on {patch.apply_to}")


@check(
    code="IST0154",
    level="error",
    title="REMOVE where nothing can be removed",
    why="Istio ignores the patch.",
    remedy="Remove the route where it is declared, or MERGE its replacement.",
    alone=True,
)
def wrong_remove(mesh: Mesh, report: Report) -> None:
    for resource, patch in _patches(mesh):
        if patch.operation == "REMOVE" and patch.apply_to in _ROUTES:
            report(resource, patch.path, f"REMOVE has no effect on {patch.apply_to}")


@check(
    code="MESH502",
    level="info",
    title="EnvoyFilter for the whole mesh",
    why="In the root namespace and without a selector it patches every proxy: one mistake stops all traffic.",
    remedy="Add a workloadSelector or targetRefs, or move it to the namespace that needs it.",
    alone=True,
)
def patches_every_proxy(mesh: Mesh, report: Report) -> None:
    for resource in mesh.of(ENVOY_FILTER):
        everywhere = resource.namespace == mesh.settings.root_namespace
        selects = part(resource.spec, "workloadSelector", "labels") or has_target(resource)
        if everywhere and not selects and items(resource.spec, "configPatches"):
            report(resource, ("metadata", "namespace"), "it patches every proxy of the mesh")


@check(
    code="MESH503",
    level="info",
    title="Patch of Istio's internals for every version",
    why="Istio generates what the patch changes, and the next release may differ: the patch then fails silently.",
    remedy="Set match.proxy.proxyVersion to the versions it was tested with, and test it before each upgrade.",
    alone=True,
)
def patches_internals(mesh: Mesh, report: Report) -> None:
    for resource, patch in _patches(mesh):
        if (
            patch.operation in ("MERGE", "REMOVE", "REPLACE")
            and patch.apply_to in _INTERNAL
            and not patch.proxy_version
        ):
            report(resource, patch.path, f"{patch.operation} of {patch.apply_to} without a proxyVersion")


def _patches(mesh: Mesh) -> Iterator[tuple[Resource, Patch]]:
    for resource in mesh.of(ENVOY_FILTER):
        for index, entry in items(resource.spec, "configPatches"):
            patch = part(entry, "patch")
            if not patch:
                continue
            chain_filter = part(entry, "match", "listener", "filterChain", "filter")
            name = (
                part(patch, "value").get("name")
                or part(chain_filter, "subFilter").get("name")
                or chain_filter.get("name")
            )
            yield (
                resource,
                Patch(
                    ("spec", "configPatches", index, "patch", "operation"),
                    str(entry.get("applyTo") or ""),
                    str(patch.get("operation") or ""),
                    str(name or ""),
                    bool(part(entry, "match", "proxy").get("proxyVersion")),
                ),
            )


def _versioned(mesh: Mesh) -> Counter[str]:
    """How many patches of each filter have a proxyVersion."""
    return Counter(patch.name for _resource, patch in _patches(mesh) if patch.proxy_version and patch.name)


def _has_versioned_twin(patch: Patch, versioned: Counter[str]) -> bool:
    # Its own does not count.
    return versioned[patch.name] > (1 if patch.proxy_version else 0)
