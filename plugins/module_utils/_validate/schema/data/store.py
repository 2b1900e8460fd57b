# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The schemas of the CustomResourceDefinitions, as tools/schemas.py keeps them in data_*.py.

A release is named by its minor version, 1.32. Of the Gateway API this is the experimental channel, which contains the
whole standard channel; the latter is 1.6-standard.

A node has the OpenAPI keywords for values, and some of its own:

open            fields that the node does not name are kept
exclusive       lists of fields of which at most one may be set
keys, set       a list whose items differ in these fields, or as a whole
rules           [CEL expression, message]
scope           of a root: Namespaced or Cluster
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data import (
    data_gateway1,
    data_istio1,
)

Node = dict[str, Any]
# Schemas by release and by "group/Kind/version".
Releases = dict[str, dict[str, Node]]

# By name, because Ansible ships the imports that it sees with a module. Parts that tools/schemas.py adds belong here.
_PARTS = {"istio": (data_istio1.DATA,), "gateway": (data_gateway1.DATA,)}
_CHILDREN = ("additionalProperties", "items")
_WIDTH = 112
_LINES = 360

_HEADER = '''\
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Made by tools/schemas.py from the CustomResourceDefinitions of {family}. Part {part} of {parts}.

Releases: {releases}.
"""

# JSON, compressed (zlib), as text (base85): see store.py.
DATA = (
{lines}
)
'''


class Table:
    """The nodes of one family of schemas, and where each kind begins."""

    def __init__(self, nodes: list[Node], roots: dict[str, dict[str, int]]) -> None:
        self.nodes = nodes
        self.roots = roots

    @property
    def releases(self) -> list[str]:
        """From the oldest to the newest; of one version the standard channel first, as it has less."""
        return sorted(self.roots, key=release_key)


def release_key(release: str) -> tuple[list[int], bool]:
    version, _dash, channel = release.partition("-")
    return [int(part) if part.isdigit() else 0 for part in version.split(".")], not channel


@cache
def table(family: str) -> Table:
    """``istio`` or ``gateway``."""
    content = json.loads(zlib.decompress(base64.b85decode("".join(_PARTS[family]))))
    return Table(content["nodes"], content["releases"])


def expanded(family: str) -> Releases:
    """Whole schemas, every node below its parent: the form that the script reads and writes."""
    known = table(family)

    def whole(index: int) -> Node:
        node = dict(known.nodes[index])
        if "properties" in node:
            node["properties"] = {name: whole(child) for name, child in node["properties"].items()}
        for key in _CHILDREN:
            if key in node:
                node[key] = whole(node[key])
        return node

    return {release: {kind: whole(root) for kind, root in roots.items()} for release, roots in known.roots.items()}


def modules(family: str, releases: Mapping[str, Mapping[str, Node]]) -> dict[str, str]:
    """Names and texts of the modules that hold the schemas."""
    nodes: list[Node] = []
    places: dict[str, int] = {}

    def place(node: Node) -> int:
        flat = dict(node)
        if "properties" in flat:
            flat["properties"] = {name: place(child) for name, child in sorted(flat["properties"].items())}
        for key in _CHILDREN:
            if key in flat:
                flat[key] = place(flat[key])
        text = json.dumps(flat, sort_keys=True)
        if text not in places:
            places[text] = len(nodes)
            nodes.append(flat)
        return places[text]

    roots = {
        release: {kind: place(schema) for kind, schema in sorted(releases[release].items())}
        for release in sorted(releases, key=release_key)
    }
    content = json.dumps({"nodes": nodes, "releases": roots}, sort_keys=True, separators=(",", ":"))
    text = base64.b85encode(zlib.compress(content.encode(), 9)).decode()
    rows = [text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)]
    parts = [rows[at : at + _LINES] for at in range(0, len(rows), _LINES)]
    named = ", ".join(roots)
    return {
        f"data_{family}{number}.py": _HEADER.format(
            family=family,
            releases=named,
            part=number,
            parts=len(parts),
            lines="\n".join(f'    "{row}"' for row in part),
        )
        for number, part in enumerate(parts, 1)
    }
