# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Values that a role's argument specs do not accept, in words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

_TYPES = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "list": "a list",
    "dict": "a mapping",
    "str": "a string",
    "path": "a path",
}
# On the command line, Ansible reads these only from JSON.
_AS_JSON = {
    "bool": "On the command line, write it as JSON: -e '{\"%s\": true}'.",
    "list": "On the command line, write it as JSON: -e '{\"%s\": [...]}'.",
    "dict": "On the command line, write it as JSON: -e '{\"%s\": {...}}'.",
}
_LONGEST = 60


def problem(name: str, value: Any, option: Mapping[str, Any], errors: Sequence[str]) -> str:
    """What is wrong with a variable, and the remedy.

    ``option``: its entry in the argument specs. ``errors``: what Ansible says about it, at least one.
    """
    expected = str(option.get("type", "str"))
    choices = [str(choice) for choice in option.get("choices") or ()]
    if (isinstance(value, (list, tuple)) and expected == "list") or (isinstance(value, Mapping) and expected == "dict"):
        # An entry of it.
        return f"{name}: {'; '.join(errors)}."
    if choices:
        near = difflib.get_close_matches(str(value), choices, 1)
        meant = f" Did you mean {near[0]}?" if near else ""
        return f"{name} is {_quoted(value, option)}, which is not one of {', '.join(choices)}.{meant}"
    sentence = f"{name} is {_quoted(value, option)}, which is not {_TYPES.get(expected, expected)}."
    default = option.get("default")
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        return f"{sentence} The default is {default}."
    return f"{sentence} {_AS_JSON[expected] % name}" if expected in _AS_JSON else sentence


def _quoted(value: Any, option: Mapping[str, Any]) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if option.get("no_log") or option.get("type") in ("dict", "list"):
        return "a string" if isinstance(value, str) else "a value"
    text = str(value)
    return f"'{text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'}'"
