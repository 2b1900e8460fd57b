# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""YAML as Kubernetes reads it, from libyaml's nodes: every form, and the line of every fault and field."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsed import (
    DEPTH,
    NODES,
    Parsed,
    Problem,
    has_too_many_nodes,
    may_be_deep,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path

try:
    import yaml

    # PyYAML without libyaml takes eight times as long.
    _Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
except ImportError:
    # AnsibleK8SModule reports a missing PyYAML.
    _Loader = None

_EXPANDED_NODES = 200_000
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {word: True for text in ("true", "yes", "on") for word in (text, text.capitalize(), text.upper())}
_WORDS |= {word: False for text in ("false", "no", "off") for word in (text, text.capitalize(), text.upper())}
_NO_NUMBERS = re.compile(r"[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)$")


def read_exactly(text: str) -> Parsed:
    result = Parsed()
    if problem := _too_much(text):
        return Parsed(None, problem)
    try:
        node = _compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Parsed(None, Problem("syntax", words or "not valid YAML", *place))
    except (yaml.YAMLError, ValueError) as error:
        return Parsed(None, Problem("syntax", " ".join(str(error).split())))
    if node is not None:
        try:
            result.value = _Builder(text, result.problems).build(node)
        except _TooMuch as error:
            return Parsed(None, error.problem)
    return result


class _TooMuch(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Builder:
    """Values of libyaml's nodes. An alias costs what it stands for: a few lines must not become a billion objects."""

    def __init__(self, text: str, problems: list[Problem]) -> None:
        self._text = text
        self._has_tags = "!" in text
        self._problems = problems
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._repeated = 0

    def build(self, node: Any) -> Any:
        if self._repeated or id(node) in self._seen:
            self._repeated += 1
            if self._repeated > _EXPANDED_NODES:
                raise _TooMuch(_at(node, "size", f"aliases that stand for more than {_EXPANDED_NODES} nodes"))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise _TooMuch(_at(node, "size", "an alias within its own anchor: the document would never end"))
        if len(self._open) >= DEPTH:
            raise _TooMuch(_at(node, "size", f"more than {DEPTH} levels deep"))
        self._seen.add(id(node))
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item) for item in node.value]
            return self._mapping(node)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: Any) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problems.append(_at(key_node, "syntax", "a key that is a list or an object"))
                continue
            value = self.build(value_node)
            if key_node.value == "<<" and not key_node.style:
                for part in value if isinstance(value, list) else [value]:
                    if isinstance(part, dict):
                        merged = {**part, **merged}
                continue
            key = self._key(key_node)
            if key in result:
                self._problems.append(_at(key_node, "duplicate", f"the key '{key}' appears twice in one object"))
            result[key] = value
        return {**merged, **result} if merged else result

    def _key(self, node: Any) -> str:
        value = self._scalar(node)
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        return "null" if value is None else str(value)

    def _scalar(self, node: Any) -> Any:
        text: str = node.value
        if node.style or (self._has_tags and self._is_text_by_tag(node)):
            return text
        return self._plain(node, text)

    def _is_text_by_tag(self, node: Any) -> bool:
        """libyaml gives `!!str 1` and `1` the same tag, but the first one's start mark is at its tag."""
        begin = self._text[node.start_mark.index : node.start_mark.index + 1]
        written = self._text[node.start_mark.index : node.end_mark.index]
        return begin in ("!", "&") and bool(re.match(r"(?:&\S+\s+)?(?:!!str|!)\s", written))

    def _plain(self, node: Any, text: str) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        first = text[0]
        if first.isdigit() or first in "+-.":
            if _INT.match(text):
                return self._integer(node, text)
            if _FLOAT.match(text):
                number = float(text)
                if math.isinf(number):
                    self._problems.append(_at(node, "number", f"{text[:40]} is too large for a number"))
                    return text
                return number
            if _NO_NUMBERS.match(text):
                self._problems.append(_at(node, "number", f"{text} is not a number that Kubernetes accepts"))
        return text

    def _integer(self, node: Any, text: str) -> Any:
        if len(text) > 400:
            self._problems.append(_at(node, "number", f"a number of {len(text)} digits"))
            return text
        digits = text.replace("_", "")
        sign = -1 if digits[0] == "-" else 1
        digits = digits.lstrip("+-")
        try:
            if digits.startswith(("0b", "0x", "0o")):
                return sign * int(digits, 0)
            return sign * int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)
        except ValueError:
            return text


def _at(node: Any, fault: str, message: str) -> Problem:
    return Problem(fault, message, node.start_mark.line + 1, node.start_mark.column + 1)


def _too_much(text: str) -> Problem | None:
    """libyaml recurses once for each level and allocates an object for each node: both need a limit."""
    if has_too_many_nodes(text):
        return Problem("size", f"more than {NODES} nodes")
    if not may_be_deep(text):
        return None
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEPTH:
                    return _at(event, "size", f"more than {DEPTH} levels deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except (yaml.YAMLError, ValueError):
        # The composer reports it, with its position.
        return None
    return None


def position(text: str, first_line: int, path: Path) -> tuple[int, int]:
    """Line and column, from 1, of the field at the path, or of its nearest parent that exists.

    For an item of a list it is the item's position, for a key of a dict the key's.
    """
    return positions(text, first_line, [path])[0]


def positions(text: str, first_line: int, paths: Sequence[Path]) -> list[tuple[int, int]]:
    """The same for many fields of one document, which is parsed once."""
    document = composed(text)
    return [_position(document, first_line, path) for path in paths]


def composed(text: str) -> Any:
    """The node of one document, None if it is empty or not valid YAML."""
    try:
        return _compose(text)
    except (yaml.YAMLError, ValueError):
        return None


def _compose(text: str) -> Any:
    """The node of one document. An anchor that is defined again stands for the later node from there on.

    YAML allows it, and so does Kubernetes; PyYAML does not. Raises yaml.YAMLError and ValueError.
    """
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.composer.ComposerError as error:
        if "duplicate anchor" not in str(error.context):
            raise
    return _composer_of_repeated_anchors(text).get_single_node()


def _composer_of_repeated_anchors(text: str) -> Any:
    """PyYAML's composer in Python, on libyaml's events: that of libyaml keeps its anchors to itself."""
    events = _Loader(text)

    class Composer(yaml.composer.Composer, yaml.resolver.BaseResolver):
        check_event, peek_event, get_event = events.check_event, events.peek_event, events.get_event

        def compose_node(self, parent: Any, index: Any) -> Any:
            if not self.check_event(yaml.AliasEvent):
                self.anchors.pop(self.peek_event().anchor, None)
            return super().compose_node(parent, index)

    return Composer()


class Token(NamedTuple):
    """A key or a value of one line: where it begins and ends, from 0. quote: what surrounds it."""

    line: int
    begin: int
    end: int
    quote: str


def tokens(document: Any, path: Path) -> tuple[Token, Token | None] | None:
    """The key at the path and its value, None for a value that is not one scalar on the key's line.

    None if the field is not in the text itself, such as one that an alias or a merged key brings.
    """
    node = _node_at(document, path[:-1])
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value == path[-1] and (token := _token(key)):
            return token, _token(value) if isinstance(value, yaml.ScalarNode) else None
    return None


def plain_word(document: Any, path: Path) -> str:
    """The value at the path as it is written; empty if it is in quotes, or not in the text itself."""
    node = _node_at(document, path)
    return str(node.value) if isinstance(node, yaml.ScalarNode) and not node.style else ""


def _token(node: Any) -> Token | None:
    begin, end = node.start_mark, node.end_mark
    if begin.line != end.line or node.style not in (None, "", "'", '"'):
        return None
    return Token(begin.line, begin.column, end.column, node.style or "")


def _node_at(document: Any, path: Path) -> Any:
    """None if the path is not in the text itself."""
    node = document
    for step in path:
        found = _child(node, step)
        if found is None:
            return None
        node = found[1]
    return node


def _position(document: Any, first_line: int, path: Path) -> tuple[int, int]:
    if document is None:
        return first_line, 1
    node, mark = document, document.start_mark
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        mark, node = found
    return first_line + mark.line, mark.column + 1


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(step):
                return key.start_mark, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        value = node.value[step]
        return value.start_mark, value
    return None
