# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Why a value does not fit its schema: every fault with its field. For the few values that fast.py does not accept."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import is_slip
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import fast
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data.store import Node
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import regex

_NAMES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "intOrString": "a whole number or a string",
}
_WRITTEN: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "a string"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "a mapping"),
)
_UNITS: dict[type, str] = {str: " characters", list: " items", dict: " fields"}
_SHOWN = 60


class Fault(NamedTuple):
    """unknown: a field that the schema does not have; the API server drops it.
    misspelt: the name of an unknown field is a known one with a typo, so it is not a new field.
    meant: the known name, if no other one is as near.
    unlisted: a value that is not among those of the schema.
    wrong_type: everything below it is unreadable.
    for_string: true or false, as it is shown, where a string is expected; empty for all other faults.
    warning: the API server or istiod accepts it, or may do so, and it may not be what is intended.
    known: as warning, but another release has it, and the version in use is not known.
    remedy: empty if the check's own says it all.
    """

    path: Path
    message: str
    unknown: bool = False
    wrong_type: bool = False
    for_string: str = ""
    warning: bool = False
    misspelt: bool = False
    unlisted: bool = False
    meant: str = ""
    known: bool = False
    remedy: str = ""


def unknown_field(path: Path, name: str, known: Iterable[str]) -> Fault:
    candidates = list(known)
    near = _nearest(name, candidates)
    slips = [item for item in candidates if is_slip(name, item)] if near else []
    meant = near if slips == [near] else ""
    return Fault(path, f"unknown field {name!r}{_hint(near)}", unknown=True, misspelt=near in slips, meant=meant)


class Explainer:
    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes

    def faults(self, index: int, value: Any, path: Path) -> Iterator[Fault]:
        node = self._nodes[index]
        kind = node.get("type")
        if kind is None:
            return
        if value is None and node.get("nullable"):
            return
        if not _is(kind, value):
            truth = shown(value) if kind == "string" and isinstance(value, bool) else ""
            message = f"{shown(value)} is {_what(value)}, expected {_NAMES[kind]}"
            yield Fault(path, message, wrong_type=True, for_string=truth)
            return
        before = 0
        for fault in self._within(node, value, path):
            before += 1
            yield fault
        for fault in _value_faults(node, value, path):
            before += 1
            yield fault
        # The API server does not evaluate the rules in this case either.
        if not before:
            yield from _broken_rules(node, value, path)

    def _within(self, node: Node, value: Any, path: Path) -> Iterator[Fault]:
        if isinstance(value, list):
            for place, item in enumerate(value):
                yield from self.faults(node["items"], item, (*path, place))
        elif isinstance(value, dict):
            fields: dict[str, int] = node.get("properties", {})
            others = node.get("additionalProperties")
            for name, item in value.items():
                child = fields.get(name, others)
                if child is None:
                    if fields and not node.get("open"):
                        yield unknown_field((*path, name), name, fields)
                # Null is the same as absent, except in a list.
                elif item is not None:
                    yield from self.faults(child, item, (*path, name))


def _value_faults(node: Node, value: Any, path: Path) -> Iterator[Fault]:
    if isinstance(value, dict):
        for name in node.get("required", ()):
            # The typo is reported already.
            if value.get(name) is None and name not in _meant(node, value):
                yield Fault((*path, name), f"the field {name!r} is missing")
        for names in node.get("exclusive", ()):
            there = [name for name in names if value.get(name) is not None]
            if len(there) > 1:
                yield Fault((*path, there[1]), f"only one of {', '.join(map(repr, there))} can be set")
    elif isinstance(value, list):
        yield from _repeated(node, value, path)
    if "enum" in node and value not in node["enum"]:
        allowed = [str(item) for item in node["enum"]]
        hint = nearest(str(value), allowed)
        yield Fault(path, f"{shown(value)} is not one of {', '.join(allowed)}{hint}", unlisted=True)
    if isinstance(value, str) and "pattern" in node:
        pattern = regex.compiled(node["pattern"])
        if pattern and not pattern.search(value):
            yield Fault(path, f"{shown(value)} does not have the form {node['pattern']}")
    yield from _out_of_limits(node, value, path)
    if not _combined(node, value):
        yield Fault(path, f"{shown(value)} matches none of the allowed alternatives")


def _meant(node: Node, value: dict[str, Any]) -> set[str]:
    """The fields that the unknown ones were meant to be."""
    fields: dict[str, int] = node.get("properties", {})
    unknown = [name for name in value if name not in fields]
    return {found for name in unknown if (found := _nearest(name, fields))}


def _out_of_limits(node: Node, value: Any, path: Path) -> Iterator[Fault]:
    size = len(value) if isinstance(value, (str, list, dict)) else value
    unit = _UNITS.get(type(value), "")
    what = f"{len(value)}{unit}" if unit else shown(value)
    for key, wrong in (("minimum", "less than"), ("minLength", "less than"), ("minItems", "less than")):
        if key in node and size < node[key]:
            yield Fault(path, f"{what} is {wrong} the smallest allowed, {node[key]}{unit}")
    if "minProperties" in node and size < node["minProperties"]:
        yield Fault(path, f"{what} is less than the smallest allowed, {node['minProperties']}{unit}")
    for key in ("maximum", "maxLength", "maxItems", "maxProperties"):
        if key in node and size > node[key]:
            yield Fault(path, f"{what} is more than the largest allowed, {node[key]}{unit}")
    if node.get("format") == "int32" and not -(2**31) <= value < 2**31:
        yield Fault(path, f"{shown(value)} is too large for a number")


def _repeated(node: Node, value: list[Any], path: Path) -> Iterator[Fault]:
    keys: list[str] = node.get("keys", [])
    if not keys and not node.get("set"):
        return
    seen: list[Any] = []
    for place, item in enumerate(value):
        if keys and not isinstance(item, dict):
            # Its wrong type is reported already.
            continue
        identity = [item.get(key) for key in keys] if keys else item
        if identity in seen:
            named = ", ".join(f"{key} {shown(item.get(key))}" for key in keys) if keys else shown(item)
            yield Fault((*path, place), f"{named} is in the list twice")
        seen.append(identity)


def _combined(node: Node, value: Any) -> bool:
    """oneOf, anyOf, allOf and not, which only restrict the value, never the types of its fields."""
    if "oneOf" in node and sum(_matches(part, value) for part in node["oneOf"]) != 1:
        return False
    if "anyOf" in node and not any(_matches(part, value) for part in node["anyOf"]):
        return False
    if not all(_matches(part, value) for part in node.get("allOf", ())):
        return False
    return "not" not in node or not _matches(node["not"], value)


def _matches(part: Node, value: Any) -> bool:
    if "enum" in part and value not in part["enum"]:
        return False
    if isinstance(value, dict):
        if any(value.get(name) is None for name in part.get("required", ())):
            return False
        for name, inner in part.get("properties", {}).items():
            if value.get(name) is not None and not _matches(inner, value[name]):
                return False
    if part.get("format") in ("ipv4", "ipv6") and not _is_address(value, part["format"]):
        return False
    return _combined(part, value)


def _is_address(value: Any, form: str) -> bool:
    try:
        return ipaddress.ip_address(value).version == (4 if form == "ipv4" else 6)
    except ValueError:
        return False


def _broken_rules(node: Node, value: Any, path: Path) -> Iterator[Fault]:
    for text, message in node.get("rules", ()):
        keeps = fast.rule(text)
        if keeps and not keeps(value):
            what = "" if isinstance(value, (dict, list)) else f"{shown(value)}: "
            yield Fault(path, what + (message or f"the rule {text} is violated"))


def _is(kind: str, value: Any) -> bool:
    if kind == "object":
        return isinstance(value, dict)
    if kind == "array":
        return isinstance(value, list)
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "intOrString" and isinstance(value, str):
        return True
    if kind in ("integer", "intOrString"):
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, str if kind == "string" else (int, float) if kind == "number" else bool)


def _what(value: Any) -> str:
    for kind, name in _WRITTEN:
        if isinstance(value, kind):
            return name
    return "empty"


def shown(value: Any) -> str:
    """The value for a message, on one line and not too long to read."""
    if isinstance(value, dict):
        return "{...}" if value else "{}"
    if isinstance(value, list):
        return "[...]" if value else "[]"
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 4] + "..." + text[-1]


def nearest(name: Any, known: Iterable[str]) -> str:
    """For the end of a message: the known name that the wrong one was probably meant to be, if there is one."""
    return _hint(_nearest(name, known))


def _hint(near: str) -> str:
    return f"; nearest known name: {near!r}" if near else ""


def _nearest(name: Any, known: Iterable[str]) -> str:
    text = str(name)
    candidates = list(known)
    lower = {item.lower(): item for item in candidates}
    if found := lower.get(text.replace("_", "").replace("-", "").lower()):
        return found
    import difflib

    return next(iter(difflib.get_close_matches(text, candidates, 1)), "")
