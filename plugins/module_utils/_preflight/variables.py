# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Variables that are set but never read, because their name has a typo."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The share of equal letters from which a name is meant to be another one: a letter or two, or a plural.
_ALIKE = 0.9


def names_in(texts: Iterable[str]) -> frozenset[str]:
    """Every identifier of the texts: what reads a variable has its name in it."""
    return frozenset(name for text in texts for name in _NAME.findall(text))


def misspelt(given: Mapping[str, Any], read: Collection[str], prefixes: Collection[str]) -> dict[str, str]:
    """Name -> the name that was probably meant, for each variable of ``given`` that nothing reads.

    ``given``: every variable of a host, with its value before templating. ``read``: the names that the collection
    reads. ``prefixes``: how its variables begin, with the underscore. A name that another variable's value contains
    is read, and one that is like none of ``read`` belongs to another program.
    """
    ours = {name for name in read if name.startswith(tuple(prefixes))}
    found = {}
    for name in sorted(name for name in given if name.startswith(tuple(prefixes)) and name not in read):
        near = difflib.get_close_matches(name, ours, 1, _ALIKE)
        if near and not _is_read(name, given):
            found[name] = near[0]
    return found


def _is_read(name: str, given: Mapping[str, Any]) -> bool:
    word = re.compile(rf"\b{name}\b")
    return any(word.search(text) for other, value in given.items() if other != name for text in _texts(value))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield str(key)
            yield from _texts(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _texts(entry)


def described(found: Mapping[str, str]) -> str:
    """One sentence for all of them."""
    named = ", ".join(f"{name} (did you mean {meant}?)" for name, meant in found.items())
    verb = "is" if len(found) == 1 else "are"
    return f"{named} {verb} set, but nothing reads {'it' if len(found) == 1 else 'them'}."
