# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Objects that the files define more than once."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from itertools import pairwise

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import SERVICE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.variants import Variants, variants_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.selection import is_annotated

_CODE = "MESH219"
_SHOWN = 3
_FOR_TRACES = ("tracing", "zipkin")
_OPPOSITES = (("bad", "good"), ("invalid", "valid"), ("wrong", "right"), ("denied", "allowed"), ("broken", "fixed"))


@check(
    code=_CODE,
    level="warning",
    title="Object defined twice",
    why="The one that is applied last wins, and the other one is silently lost. The checks use the last one, too. "
    "Findings that do not hold with each definition are left out, and their checks are undecided.",
    remedy="Keep one of the two. Validate files for different clusters separately.",
)
def repeated_object(mesh: Mesh, report: Report) -> None:
    """One line for a pair of files, however many objects they share."""
    by_files: dict[tuple[str, str], list[tuple[Resource, Resource]]] = defaultdict(list)
    variants = variants_of(mesh.whole)
    for found in mesh.whole.definitions.values():
        for earlier, later in pairwise(found):
            # The same text in two places does no harm, nor do two environments.
            if earlier.obj != later.obj and (_share_folder(earlier, later) or not variants.are_apart(earlier, later)):
                by_files[earlier.source.file, later.source.file].append((earlier, later))
    for pairs in by_files.values():
        milder = _may_be_meant(*pairs[0], variants)
        if len(pairs) == 1:
            _report_one(report, *pairs[0], milder=milder)
        elif meant := [pair for pair in pairs if not is_annotated(pair[1], (_CODE,))]:
            _report_many(report, meant, milder=milder)


def _share_folder(earlier: Resource, later: Resource) -> bool:
    return os.path.dirname(earlier.source.file) == os.path.dirname(later.source.file)


def _may_be_meant(earlier: Resource, later: Resource, variants: Variants) -> bool:
    """Steps of a canary, what is laid over a base, or folders that may be for different clusters or namespaces."""
    return (
        not _share_folder(earlier, later)
        or variants.of(earlier) != variants.of(later)
        or _are_opposites(earlier.source.file, later.source.file)
        or _is_for_traces(later)
    )


def _is_for_traces(service: Resource) -> bool:
    """Jaeger, Zipkin and SkyWalking, of which each brings the same Services among Istio's addons."""
    return service.kind == SERVICE and service.name in _FOR_TRACES and service.namespace.startswith("istio-")


def _are_opposites(one: str, other: str) -> bool:
    """Examples of what is right and what is wrong: good-namespace.yaml and bad-namespace.yaml."""
    words, others = (set(re.split(r"[-_./]", file.lower())) for file in (one, other))
    return any({*words} ^ {*others} == {*pair} for pair in _OPPOSITES)


def _report_one(report: Report, earlier: Resource, later: Resource, *, milder: bool) -> None:
    fields = sorted(str(key) for key in {*earlier.obj, *later.obj} if earlier.obj.get(key) != later.obj.get(key))
    where = f"{earlier.source.file}:{earlier.source.line}" if earlier.source.file else "the cluster"
    text = f"{later!r} is already defined in {where}, with another {', '.join(fields)}"
    report(later, ("metadata", "name"), text, milder=milder)


def _report_many(report: Report, pairs: list[tuple[Resource, Resource]], *, milder: bool) -> None:
    earlier, later = pairs[0]
    shown = [f"{item!r} (line {item.source.line}, there {first.source.line})" for first, item in pairs[:_SHOWN]]
    if len(pairs) > _SHOWN:
        shown.append(f"{len(pairs) - _SHOWN} more")
    message = f"{len(pairs)} objects are already defined in {earlier.source.file or 'the cluster'}, with other content"
    # A finding of the file: none of the objects stands for the others.
    file = Resource({}, later.source)
    file.namespace = ""
    report(file, ("metadata", "name"), f"{message}: {', '.join(shown)}", milder=milder)
