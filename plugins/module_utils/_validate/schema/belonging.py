# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where a field belongs that is in the wrong place of its object."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data.store import Node

# How far below a common parent to search. Farther away, a field of the same name is another one.
_DEPTH = 3
_SHOWN = 2


def place_of(nodes: list[Node], root: int, path: Path) -> str:
    """The end of the only path near ``path`` that has a field of the same name, as ``connectionPool.tcp``; or empty."""
    *above, name = path
    if not isinstance(name, str):
        return ""
    parents = list(_way(nodes, root, tuple(above)))
    for place in range(len(parents) - 1, -1, -1):
        names = tuple(step for step in above[:place] if isinstance(step, str))
        found = list(_holders(nodes, parents[place], name, names, _DEPTH))
        if names in found:
            found = [names]
        if found:
            return ".".join(found[0][-_SHOWN:]) if len(found) == 1 else ""
    return ""


def _way(nodes: list[Node], root: int, path: Path) -> Iterator[int]:
    """The root, and the node of each step as far as the schema has it."""
    index = root
    yield index
    for step in path:
        child = _child(nodes[index], step)
        if child is None:
            return
        index = child
        yield index


def _child(node: Node, step: str | int) -> int | None:
    found: int | None = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
    return found


def _holders(nodes: list[Node], index: int, name: str, names: tuple[str, ...], depth: int) -> Iterator[tuple[str, ...]]:
    """Names of the way to each mapping at or below the node that has the field."""
    node = nodes[index]
    while "items" in node:
        node = nodes[node["items"]]
    fields: dict[str, int] = node.get("properties", {})
    if name in fields:
        yield names
    if depth:
        for step, child in fields.items():
            yield from _holders(nodes, child, name, (*names, step), depth - 1)
