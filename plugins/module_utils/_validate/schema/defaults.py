# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the API server does to an object before it is judged: it fills in defaults and drops nulls."""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data import store


class Defaulter:
    def __init__(self, nodes: list[store.Node]) -> None:
        self._nodes = nodes
        self._concerned: dict[int, bool] = {}

    def value(self, index: int, value: Any) -> Any:
        if not self._has_defaults(index):
            return value
        node = self._nodes[index]
        if isinstance(value, list) and "items" in node:
            return [self.value(node["items"], item) for item in value]
        if not isinstance(value, dict):
            return value
        fields: dict[str, int] = node.get("properties", {})
        filled = dict(value)
        for name, child in fields.items():
            if filled.get(name) is None and "default" in self._nodes[child]:
                filled[name] = self._nodes[child]["default"]
            if name in filled:
                filled[name] = self.value(child, filled[name])
        if "additionalProperties" in node:
            for name in filled.keys() - fields.keys():
                filled[name] = self.value(node["additionalProperties"], filled[name])
        return filled

    def _has_defaults(self, index: int) -> bool:
        if index not in self._concerned:
            node = self._nodes[index]
            children = [*node.get("properties", {}).values()]
            children += [node[key] for key in ("items", "additionalProperties") if key in node]
            self._concerned[index] = "default" in node or any(map(self._has_defaults, children))
        return self._concerned[index]


class Pruner:
    """Removes null fields whose schema does not allow null, as the API server does."""

    def __init__(self, nodes: list[store.Node]) -> None:
        self._nodes = nodes

    def value(self, index: int, value: Any) -> Any:
        node = self._nodes[index]
        if isinstance(value, list) and "items" in node:
            return [self.value(node["items"], item) for item in value]
        if not isinstance(value, dict):
            return value
        fields: dict[str, int] = node.get("properties", {})
        others = node.get("additionalProperties")
        kept = {}
        for name, item in value.items():
            child = fields.get(name, others)
            if child is None:
                kept[name] = item
            elif item is not None or self._nodes[child].get("nullable"):
                kept[name] = self.value(child, item)
        return kept
