# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""YAML as Kubernetes reads it.

Kubernetes converts YAML to JSON: keys and dates are strings, ``yes`` and ``on`` are true, 010 is 8, 1e3 is a number.
The exact reader does the same with libyaml's nodes. The fast one, ryaml, is three times as fast and differs in a few
forms. Documents with such a form, and documents that it refuses, go to the exact reader, which also knows the line of
a fault.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsed import (
    DEPTH,
    Parsed,
    has_too_many_nodes,
    is_deeper,
    may_be_deep,
)

_fast: Callable[[str], Any] | None
try:
    import ryaml

    _fast = getattr(ryaml, "loads")  # noqa: B009  (its type stub does not export it)
except ImportError:
    _fast = None

# Forms in which the two readers differ, or whose size only the exact one sees. Too many hits only cost time.
# Each pattern begins with a literal, which Python's re finds ten times as fast as an alternation, and its match of
# spaces is possessive: otherwise a line that begins with ten spaces would be tried ten times.
_DIFFERS = r"""(?:
      (?:[Yy]es|YES|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF)\s*(?:$|[,\]}\#\n])
    | [-+]?(?:0[0-9_]|[1-9][0-9]*_|[0-9]{19}|[0-9.]+[eE][-+]?[0-9]{3}|\.(?:inf|Inf|INF|nan|NaN|NAN))
    )"""
_NO_TEXT_KEY = r"(?:[-+]?[0-9.][0-9.xob_a-fA-F+-]*|true|True|TRUE|false|False|FALSE|null|Null|NULL|~)[ ]*:(?:\s|$)"
_EXACT_ONLY = [
    re.compile(pattern, re.VERBOSE)
    for pattern in (
        rf":[ ]++{_DIFFERS}",
        rf"-[ ]++(?:{_DIFFERS}|{_NO_TEXT_KEY})",
        # Most lines do not begin with the first character of any of these forms.
        rf"\n[ ]*+(?=[-+.0-9yYnNoOtTfF~?])(?:{_DIFFERS}|{_NO_TEXT_KEY}|\?)",
    )
]
# Likewise, and characters with a meaning of their own, if the text has them at all.
_EXACT_IF = [
    ("[", re.compile(rf"[\[,]\s*{_DIFFERS}", re.VERBOSE)),
    ("{", re.compile(rf"[{{,]\s*(?:{_NO_TEXT_KEY}|\?)", re.VERBOSE)),
    ("&", re.compile(r"(?:^|[\s\[{,:-])&[^\s]")),
    ("*", re.compile(r"(?:^|[\s\[{,:-])\*[^\s]")),
    ("!", re.compile(r"(?:^|[\s\[{,:-])!")),
    ("<<", re.compile(r"<<\s*:")),
    ("\t", re.compile(r"\t")),
    ("%", re.compile(r"^%", re.MULTILINE)),
]

_LONGEST_INTEGER = 400


def parse(text: str) -> Parsed:
    """The value of one document."""
    if has_too_many_nodes(text):
        return parse_exactly(text)
    if text.lstrip()[:1] == "{" and (found := read_json(text)) is not None:
        return Parsed(found)
    # The fast reader has no limit of depth, and its time grows with the square of it.
    if _fast is not None and not may_be_deep(text) and not _needs_exactness(text):
        try:
            value = _fast(text)
            if text.count("[") + text.count("{") <= DEPTH // 2 or not is_deeper(value, DEPTH):
                return Parsed(value)
        # Its own exception, and PanicException, which is not an Exception.
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
                raise
    return parse_exactly(text)


def read_json(text: str) -> dict[str, Any] | None:
    """The object, or None if the text is not JSON or has what only the exact reader judges.

    Such as a key that appears twice, a number that is too large, half of a character, and too many levels.
    """
    if "\\ud" in text or "\\uD" in text:
        return None
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_int=_integer, parse_float=_finite, parse_constant=_finite
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not is_deeper(value, DEPTH) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(text)
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _needs_exactness(text: str) -> bool:
    # A line break before the first line, as before all others.
    lines = text if text.startswith("\n") else f"\n{text}"
    for pattern in _EXACT_ONLY:
        if pattern.search(lines):
            return True
    # Generators for any() would cost as much as the search.
    for mark, pattern in _EXACT_IF:  # noqa: SIM110
        if mark in text and pattern.search(text):
            return True
    return False


def load_one(text: str) -> Any:
    """The value of one document, or None if it is not valid YAML."""
    return parse(text).value


def parse_exactly(text: str) -> Parsed:
    """The same by libyaml alone."""
    # Here, because PyYAML takes as long to import as a small file to validate.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.exact_yaml import read_exactly

    return read_exactly(text)
