# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Objects that the input defines more than once: the overridden copies, and the mesh with each of them."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Kind, Resource

# Each alternative costs as much as the mesh itself.
MOST_ALTERNATIVES = 8
Identity = tuple[Kind, str, str]


def overruled(mesh: Mesh) -> list[Mesh]:
    """The copies that a later definition of the same object overrides; no mesh contains two of one object."""
    layers: list[list[Resource]] = []
    for found in mesh.definitions.values():
        for place, resource in enumerate(found[:-1]):
            if place == len(layers):
                layers.append([])
            layers[place].append(resource)
    return [Mesh(layer, mesh.settings, mesh) for layer in layers]


def contested(mesh: Mesh) -> dict[Identity, list[Resource]]:
    """For objects whose definitions differ: those that differ from the one in the mesh, each content once.

    At most MOST_ALTERNATIVES + 1 for each object.
    """
    found: dict[Identity, list[Resource]] = {}
    for identity, definitions in mesh.definitions.items():
        others: list[Resource] = []
        for resource in definitions[:-1]:
            known = (definitions[-1], *others)
            if len(others) <= MOST_ALTERNATIVES and not any(resource.obj == other.obj for other in known):
                others.append(resource)
        if others:
            found[identity] = others
    return found


def alternatives(mesh: Mesh, others: dict[Identity, list[Resource]]) -> list[Mesh]:
    """The mesh with each object's first other definition, with its second, and so on.

    Folders of several environments repeat all objects in the same order, so each of these is one environment.
    """
    rounds = max(map(len, others.values()))
    return [
        Mesh([_nth(others.get(resource.identity, ()), turn, resource) for resource in mesh.all()], mesh.settings, mesh)
        for turn in range(rounds)
    ]


def _nth(others: list[Resource] | tuple[()], turn: int, resource: Resource) -> Resource:
    return others[turn] if turn < len(others) else resource
