# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""EnvoyFilters whose patches stop with the upgrade, because their proxyVersion does not match the new proxies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import ENVOY_FILTER, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language.regex import compiled, error
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import (
    OLDEST,
    Release,
    is_crossed,
    page_of,
    source_of,
    target_of,
    written,
)

# Patch releases to try: a pattern may contain some of them only.
_PATCH_RELEASES = 30
_LONGEST = 1024


class Patch(NamedTuple):
    """target: what the patch is of. pattern: its proxyVersion, empty for every version."""

    resource: Resource
    path: Path
    target: tuple[str, ...]
    pattern: str


@check(
    code="MESH618",
    level="error",
    title="Upgrade: EnvoyFilter that no longer applies",
    why="The patch is only for proxies whose version matches proxyVersion. The new proxies do not, and nothing shows "
    "that the patch is missing.",
    remedy="Test the patch with the new version, then extend the pattern or add a patch for it.",
    docs="https://istio.io/latest/docs/reference/config/networking/envoy-filter/#EnvoyFilter-ProxyMatch",
)
def unmatched_patch(mesh: Mesh, report: Report) -> None:
    target = target_of(mesh)
    source = source_of(mesh)
    if target is None or (source is not None and source >= target):
        return
    patches = list(_patches(mesh))
    successors = {patch.target for patch in patches if not patch.pattern or _matches(patch.pattern, target)}
    earlier = [source] if source else [(1, minor) for minor in range(OLDEST[1] - 1, target[1])]
    for patch in patches:
        if not patch.pattern or patch.target in successors or _matches(patch.pattern, target) is not False:
            continue
        if any(_matches(patch.pattern, release) for release in earlier):
            text = f"proxyVersion '{patch.pattern}' does not match proxies of Istio {written(target)}"
            report(patch.resource, patch.path, text)


@check(
    code="MESH618",
    level="error",
    title="Upgrade: EnvoyFilter with a proxyVersion that is too long",
    why=f"Istio 1.31 refuses a proxyVersion of more than {_LONGEST} characters.",
    remedy="Write a shorter pattern, or several patches.",
    docs=page_of((1, 31), "change-notes"),
    alone=True,
)
def long_version(mesh: Mesh, report: Report) -> None:
    for patch in _patches(mesh) if is_crossed(mesh, (1, 31)) else ():
        if len(patch.pattern) > _LONGEST:
            report(patch.resource, patch.path, f"proxyVersion has {len(patch.pattern)} characters")


def _matches(pattern: str, release: Release) -> bool | None:
    """Whether the pattern matches a version of the release; None if it cannot be read."""
    expression = None if len(pattern) > _LONGEST or error(pattern) else compiled(pattern)
    if expression is None:
        return None
    return any(expression.search(f"{written(release)}.{patch}") for patch in range(_PATCH_RELEASES))


def _patches(mesh: Mesh) -> Iterator[Patch]:
    for resource in mesh.of(ENVOY_FILTER):
        for index, entry in items(resource.spec, "configPatches"):
            match, patch = part(entry, "match"), part(entry, "patch")
            chain_filter = part(match, "listener", "filterChain", "filter")
            names = (
                resource.namespace,
                entry.get("applyTo"),
                match.get("context"),
                patch.get("operation"),
                chain_filter.get("name"),
                part(chain_filter, "subFilter").get("name"),
                part(match, "cluster").get("name"),
                part(patch, "value").get("name"),
            )
            pattern = part(match, "proxy").get("proxyVersion")
            yield Patch(
                resource,
                ("spec", "configPatches", index, "match", "proxy", "proxyVersion"),
                tuple(str(name or "") for name in names),
                pattern if isinstance(pattern, str) else "",
            )
