# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a text was read as, and how large it may be."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

# Levels of lists and objects in one another, and nodes of one document.
DEPTH = 100
NODES = 2_000_000

# In block style, a column holds at most two levels, an object and its list: fewer columns hold fewer than DEPTH levels.
# Of a text that begins with a line break: an alternative to that would take Python's re five times as long.
_FAR_IN = re.compile(rf"\n[ ?-]{{{DEPTH // 2}}}")
# Fewer brackets than these take no time, however deep they are.
_FEW_BRACKETS = 200
_TEXT = re.compile(r"""[^\[\]{}"']+""")
_QUOTED = re.compile(r""""[^"\n]*"|'[^'\n]*'""")


class Problem(NamedTuple):
    """A fault in a text. ``fault``: syntax, duplicate, number or size. Line and column from 1."""

    fault: str
    message: str
    line: int = 1
    column: int = 1


class Parsed:
    def __init__(self, value: Any = None, *problems: Problem) -> None:
        self.value = value
        self.problems = list(problems)


def may_be_deep(text: str) -> bool:
    """Whether it may have many levels, in linear time. If it only seems so, because of strings, that costs some time.

    Brackets in strings may hide levels, so they are counted both with and without.
    """
    if _FAR_IN.search(f"\n{text}"):
        return True
    if text.count("[") + text.count("{") <= _FEW_BRACKETS:
        return False
    return _depth(_TEXT.sub("", text)) > DEPTH or _depth(_TEXT.sub("", _QUOTED.sub("", text))) > DEPTH


def _depth(brackets: str) -> int:
    """The most that are open at once, up to one more than DEPTH."""
    deepest = depth = 0
    for bracket in brackets:
        if bracket in "[{":
            depth += 1
            if depth > deepest:
                deepest = depth
                if depth > DEPTH:
                    break
        elif depth and bracket in "]}":
            depth -= 1
    return deepest


def is_deeper(value: Any, levels: int) -> bool:
    """Whether there are more than so many lists and objects in one another."""
    if not isinstance(value, (dict, list)):
        return False
    children = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(is_deeper(child, levels - 1) for child in children)


def has_too_many_nodes(text: str) -> bool:
    """By what separates nodes, so only roughly."""
    return len(text) > NODES and sum(map(text.count, "\n,[{")) > NODES
