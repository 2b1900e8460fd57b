# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Names and values of headers, as istiod's admission judges them."""

from __future__ import annotations

import re
from functools import lru_cache

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import Faults, some

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~A-Za-z0-9]+")
_PSEUDO = frozenset({":method", ":scheme", ":authority", ":path", ":status"})
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def is_authority(name: str) -> bool:
    return name.lower() in (":authority", "host")


def bad_matched_name(name: str) -> str:
    """Of a header that a rule matches."""
    if not name:
        return "the name of a header is empty"
    return "" if name in _PSEUDO or is_token(name) else f"{name!r} is not a valid header name"


def _bad_changed_name(name: str, authority: bool) -> str:
    """authority: whether the host may be changed this way."""
    if not name:
        return "the name of a header is empty"
    if is_authority(name) and authority:
        return ""
    if name.lower() == "host":
        return f"{name!r} cannot be changed here"
    return f"{name!r} cannot be changed: it begins with a colon" if name.startswith(":") else ""


def header_changes(faults: Faults, path: Path, headers: Object | None) -> None:
    for side in ("request", "response"):
        changes = (headers or {}).get(side) or {}
        for operation in ("set", "add"):
            for name, value in (changes.get(operation) or {}).items():
                where = (*path, side, operation, name)
                faults.error(where, _bad_changed_name(name, side == "request"))
                faults.error(where, bad_value(value))
        for index, name in enumerate(some(changes.get("remove"))):
            faults.error((*path, side, "remove", index), _bad_changed_name(name, False))


@lru_cache(maxsize=1024)
def bad_value(value: str) -> str:
    """What Envoy's parser of header values refuses: ``%`` begins a command (``%REQ(x-user)%``), ``%%`` is a ``%``."""
    if _CONTROL.search(value):
        return f"{value!r} contains control characters"
    return (
        "" if "%" not in value or _commands_end(value) else f"{value!r} has a % that begins no command; write %% for %"
    )


def _commands_end(value: str) -> bool:
    """Walks through the states of Envoy's parser: is every command well-formed and closed?"""
    state, place = "text", 0
    while place < len(value):
        character = value[place]
        if state == "text":
            if character == "%":
                if value[place + 1 : place + 2] == "%":
                    place += 1
                elif place + 1 == len(value):
                    return False
                else:
                    state = "name"
        elif state == "name":
            state = {"%": "text", "(": "arguments"}.get(character, state)
        elif state == "arguments":
            state = "item" if character == "[" else state if character == " " else "quoted"
        elif state == "item":
            if character not in ' "':
                return False
            state = "quoted" if character == '"' else state
        elif state == "quoted":
            if character == "\\":
                if place + 1 == len(value):
                    return False
                place += 1
            else:
                state = {")": "closing", '"': "more"}.get(character, state)
        elif state == "more":
            if character not in " ,]":
                return False
            state = {",": "item", "]": "end"}.get(character, state)
        elif state == "end":
            if character not in " )":
                return False
            state = "closing" if character == ")" else state
        elif character not in " %":
            return False
        elif character == "%":
            state = "text"
        place += 1
    return state == "text"
