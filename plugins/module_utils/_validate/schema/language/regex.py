# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Regular expressions of RE2, the only ones that Envoy, istiod and the API server accept.

``error`` returns what RE2 refuses, by reading the expression as Go's regexp/syntax does: Python's own parser accepts
what RE2 does not (lookarounds, backreferences) and refuses what RE2 accepts. ``compiled`` is for patterns of schemas.
"""

from __future__ import annotations

import re
from functools import lru_cache

_REPEAT = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_GROUP_NAME = re.compile(r"\(\?P?<([A-Za-z0-9_]+)>")
_FLAGS = re.compile(r"\(\?([imsU]*)(-[imsU]+)?([:)])")
_CLASS_NAME = re.compile(r"\[:(\^?[a-z]*):\]")
_POSIX = {
    *("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper"),
    *("word", "xdigit"),
}
_HEX = re.compile(r"x([0-9A-Fa-f]{2}|\{([0-9A-Fa-f]+)\})")
_UNICODE = re.compile(r"[pP](\^?[A-Z]|\{\^?[A-Za-z_0-9]+\})")
_LARGEST_REPEAT = 1000
_LARGEST_RUNE = 0x10FFFF


class _Refused(Exception):
    pass


@lru_cache(maxsize=4096)
def error(expression: str) -> str:
    """Why RE2 refuses the expression; empty if it does not."""
    if not re.search(r"[\\()\[*+?{|]", expression):
        return ""
    try:
        _read(expression)
    except _Refused as refused:
        return str(refused)
    return ""


def _read(text: str) -> None:
    place, depth = 0, 0
    # What the next repetition would repeat: nothing, something, or already a repetition.
    operand = ""
    names: set[str] = set()
    while place < len(text):
        character = text[place]
        if character == "(":
            place, opened = _group(text, place, names)
            depth += opened
            # A flag between an operand and its repetition is transparent.
            operand = "" if opened or not operand else "some"
            continue
        if character == ")":
            depth -= 1
            if depth < 0:
                raise _Refused("a closing parenthesis without an opening one")
            operand = "some"
        elif character == "|":
            operand = ""
        elif character in "*+?" or (character == "{" and _REPEAT.match(text, place)):
            place = _repetition(text, place, operand)
            operand = "repeated"
            continue
        elif character == "[":
            place = _character_class(text, place)
            operand = "some"
            continue
        elif character == "\\":
            if text.startswith(r"\Q", place):
                end = text.find(r"\E", place)
                operand = "some" if end != place + 2 else operand
                place = len(text) if end < 0 else end + 2
                continue
            place = _escape(text, place, "AbBdDsSwWz")
            operand = "some"
            continue
        else:
            operand = "some"
        place += 1
    if depth:
        raise _Refused("an opening parenthesis without a closing one")


def _group(text: str, place: int, names: set[str]) -> tuple[int, int]:
    """The index after the group's head, and whether a group was opened at all: ``(?i)`` only sets a flag."""
    if not text.startswith("(?", place):
        return place + 1, 1
    if found := _GROUP_NAME.match(text, place):
        if found[1] in names:
            raise _Refused(f"two groups are named {found[1]}")
        names.add(found[1])
        return found.end(), 1
    found = _FLAGS.match(text, place)
    if not found or (found[0] == "(?)" or ((found[0] == "(?:") is False and not found[1] and not found[2])):
        raise _Refused(f"{text[place : place + 4]!r} is not supported by RE2 (it has no lookaround)")
    return found.end(), 1 if found[3] == ":" else 0


def _repetition(text: str, place: int, operand: str) -> int:
    counted = _REPEAT.match(text, place)
    sign = counted[0] if counted else text[place]
    if not operand:
        raise _Refused(f"{sign!r} has nothing to repeat")
    if operand == "repeated":
        raise _Refused(f"{sign!r} repeats a repetition")
    end = place + len(sign)
    if counted:
        low = int(counted[1])
        high = int(counted[3]) if counted[3] else low
        if max(low, high) > _LARGEST_REPEAT or high < low:
            raise _Refused(f"{sign!r} is not a valid number of repetitions; the limit is {_LARGEST_REPEAT}")
    return end + 1 if text.startswith("?", end) else end


def _escape(text: str, place: int, classes: str) -> int:
    if place + 1 >= len(text):
        raise _Refused("a backslash at the end")
    character = text[place + 1]
    if character in classes or character in "afnrtv" or (ord(character) < 128 and not character.isalnum()):
        return place + 2
    if found := _UNICODE.match(text, place + 1):
        return found.end()
    if found := _HEX.match(text, place + 1):
        if found[2] and int(found[2], 16) > _LARGEST_RUNE:
            raise _Refused(f"{found[0]} is not a valid character")
        return found.end()
    if character == "0" or (character in "1234567" and text[place + 2 : place + 3] in tuple("01234567")):
        end = place + 2
        while end < place + 4 and text[end : end + 1] in tuple("01234567"):
            end += 1
        return end
    if character in "123456789":
        raise _Refused(f"'\\{character}' is a backreference, which RE2 does not support")
    raise _Refused(f"'\\{character}' is not supported by RE2")


def _character_class(text: str, place: int) -> int:
    begin = place
    place += 2 if text.startswith("[^", place) else 1
    first = True
    while place < len(text):
        if text[place] == "]" and not first:
            return place + 1
        # A hyphen between two others is not a range.
        if text[place] == "-" and not first and text[place + 1 : place + 2] not in ("", "]"):
            raise _Refused(f"a range without a beginning: {text[place : place + 2]!r}")
        first = False
        if found := _CLASS_NAME.match(text, place):
            if found[1].lstrip("^") not in _POSIX:
                raise _Refused(f"{found[0]!r} is not a valid character class")
            place = found.end()
            continue
        low, place, is_class = _class_character(text, place)
        if is_class or not text.startswith("-", place) or text[place + 1 : place + 2] in ("", "]"):
            continue
        high, place, is_class = _class_character(text, place + 1)
        if is_class or high < low:
            raise _Refused(f"the range to {chr(high)!r} is invalid")
    raise _Refused(f"{text[begin : begin + 8]!r} has no closing bracket")


def _class_character(text: str, place: int) -> tuple[int, int, bool]:
    """The character, the index after it, and whether it was a class such as ``\\d``."""
    if text[place] != "\\":
        return ord(text[place]), place + 1, False
    end = _escape(text, place, "dDsSwW")
    escaped = text[place + 1 : end]
    if escaped[0] in "dDsSwWpP":
        return 0, end, True
    if escaped[0] == "x":
        return int(escaped[1:].strip("{}"), 16), end, False
    if escaped[0].isdigit():
        return int(escaped, 8), end, False
    named = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
    return named.get(escaped, ord(escaped[-1])), end, False


@lru_cache(maxsize=1024)
def compiled(expression: str) -> re.Pattern[str] | None:
    """For Python's engine; None if it cannot. RE2's ``$`` is the very end, not the position before a last newline."""
    flags = re.ASCII | (re.IGNORECASE if "(?i)" in expression else 0)
    text = re.sub(r"(?<!\\)\$(?=$|\)|\|)", r"\\Z", expression.replace("(?i)", ""))
    try:
        return re.compile(text, flags)
    except (re.error, RecursionError, OverflowError):
        return None
