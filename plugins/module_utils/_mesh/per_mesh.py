# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Indexes that only some checks need, built once for each mesh and freed with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Kind

Result = TypeVar("Result")


def once_per_mesh(function: Callable[[Mesh], Result]) -> Callable[[Mesh], Result]:
    """The result should not refer to the mesh: then both would be freed only by Python's collector."""

    @wraps(function)
    def cached(mesh: Mesh) -> Result:
        kept: dict[Callable[[Mesh], Result], Result] = mesh.kept
        if function not in kept:
            kept[function] = function(mesh)
        return kept[function]

    return cached


@once_per_mesh
def _namespaces_by_kind(mesh: Mesh) -> dict[Kind, set[str]]:
    return {kind: {resource.namespace for resource in mesh.of(kind)} for kind in mesh.kinds}


def knows_in(mesh: Mesh, kind: Kind, namespace: str) -> bool:
    """Whether the absence of an object of the kind in the namespace means something.

    The files of one team contain the Services and Secrets of its own namespaces only.
    """
    return kind in mesh.settings.listed or namespace in _namespaces_by_kind(mesh).get(kind, ())
