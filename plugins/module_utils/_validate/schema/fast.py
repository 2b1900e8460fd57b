# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a value fits its schema, as fast as Python allows: no reasons are collected.

Each node becomes a function of a value when it is first needed. True is certain. False only means that explain.py must
check, so rare things (null, 1.0 for a whole number) are left to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data.store import Node
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import cel, go, regex

Fits = Callable[[Any], bool]

_LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
    "minProperties": lambda value, limit: len(value) >= limit,
    "maxProperties": lambda value, limit: len(value) <= limit,
}
# What only explain.py checks.
_RARE = ("oneOf", "anyOf", "allOf", "not", "set", "keys")
_ACCOUNTS = frozenset({"serviceAccounts", "notServiceAccounts"})
_NO_ACCOUNTS = frozenset({"principals", "notPrincipals", "namespaces", "notNamespaces"})
# The rules that nearly every object meets, without the detour through CEL.
_FREQUENT: dict[str, Fits] = {
    "duration(self) >= duration('1ms')": lambda value: (go.duration(value) or 0) >= go.MILLISECOND,
    "0 < self && self <= 65535": lambda value: 0 < value <= 65535,
    '!self.contains("*")': lambda value: "*" not in value,
    'self.all(key, !key.contains("*"))': lambda value: not any("*" in key for key in value),
    "self.all(key, key.size() != 0)": lambda value: "" not in value,
    'self != "*"': lambda value: value != "*",
    "(has(self.selector) ? 1 : 0) + (has(self.targetRef) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1": (
        lambda value: ("selector" in value) + ("targetRef" in value) + ("targetRefs" in value) <= 1
    ),
    "(has(self.serviceAccounts) || has(self.notServiceAccounts)) ? (!has(self.principals) && !has(self.notPrincipals) "
    "&& !has(self.namespaces) && !has(self.notNamespaces)) : true": (
        lambda value: _ACCOUNTS.isdisjoint(value) or _NO_ACCOUNTS.isdisjoint(value)
    ),
}


def rule(text: str) -> Fits | None:
    return _FREQUENT.get(text) or cel.compiled(text)


class Compiler:
    """Functions of the nodes of one table."""

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._made: dict[int, Fits] = {}

    def fits(self, index: int) -> Fits:
        if index not in self._made:
            self._made[index] = self._function(self._nodes[index])
        return self._made[index]

    def _function(self, node: Node) -> Fits:
        kind = node.get("type")
        if kind == "object":
            return self._object(node)
        if kind == "array":
            return self._array(node)
        return _scalar(node)

    def _object(self, node: Node) -> Fits:
        fields = {name: self._nodes[child] for name, child in node.get("properties", {}).items()}
        # A field's function is built when a value first has the field.
        known: dict[str, Fits | None] = dict.fromkeys(fields)
        places: dict[str, int] = node.get("properties", {})
        others = self.fits(node["additionalProperties"]) if "additionalProperties" in node else None
        is_open = bool(node.get("open")) or (others is None and not fields)
        required: list[str] = node.get("required", [])
        more = [*_limits(node), *_rules(node), *_exclusive(node), *_rare(node)]

        def fits(value: Any) -> bool:
            if value.__class__ is not dict:
                return False
            for name, item in value.items():
                check = known.get(name, others)
                if check is None:
                    if name in places:
                        check = known[name] = self.fits(places[name])
                    elif is_open:
                        continue
                    else:
                        return False
                if not check(item):
                    return False
            for name in required:
                if name not in value:
                    return False
            # A generator for all() would cost more than everything done here.
            for condition in more:  # noqa: SIM110
                if not condition(value):
                    return False
            return True

        return fits

    def _array(self, node: Node) -> Fits:
        item_fits = self.fits(node["items"])
        more = [*_limits(node), *_rules(node)]
        # A single item cannot be a duplicate.
        single = any(key in node for key in ("set", "keys"))

        def fits(value: Any) -> bool:
            if value.__class__ is not list or (single and len(value) > 1):
                return False
            for item in value:
                if not item_fits(item):
                    return False
            # A generator for all() would cost more than everything done here.
            for condition in more:  # noqa: SIM110
                if not condition(value):
                    return False
            return True

        return fits


def _scalar(node: Node) -> Fits:
    kind = node.get("type")
    wanted = {"string": str, "integer": int, "boolean": bool, "number": float}.get(str(kind))
    if wanted is None:
        return (lambda value: value.__class__ in (int, str)) if kind == "intOrString" else (lambda value: True)
    more = [*_limits(node), *_rules(node), *_rare(node)]
    if "enum" in node:
        allowed = frozenset(node["enum"])
        more.append(lambda value: value in allowed)
    if pattern := regex.compiled(node["pattern"]) if "pattern" in node else None:
        search = pattern.search
        more.append(lambda value: search(value) is not None)
    if node.get("format") == "int32":
        more.append(lambda value: -(2**31) <= value < 2**31)
    if kind == "number":
        return lambda value: value.__class__ in (int, float) and all(condition(value) for condition in more)
    if not more:
        return lambda value: value.__class__ is wanted
    if len(more) == 1:
        only = more[0]
        return lambda value: value.__class__ is wanted and only(value)
    return lambda value: value.__class__ is wanted and all(condition(value) for condition in more)


def _limits(node: Node) -> list[Fits]:
    return [_limit(_LIMITS[key], node[key]) for key in _LIMITS if key in node]


def _limit(keeps: Callable[[Any, Any], bool], limit: Any) -> Fits:
    return lambda value: keeps(value, limit)


def _rules(node: Node) -> list[Fits]:
    return [found for text, _message in node.get("rules", ()) if (found := rule(text))]


def _exclusive(node: Node) -> list[Fits]:
    return [_at_most_one(names) for names in node.get("exclusive", ())]


def _at_most_one(names: list[str]) -> Fits:
    return lambda value: sum(name in value for name in names) < 2


def _rare(node: Node) -> list[Fits]:
    return [lambda value: False] if any(key in node for key in _RARE) else []
