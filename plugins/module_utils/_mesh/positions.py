# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Line and column of keys and items.

Most manifests are in plain block style, whose positions are found here: PyYAML takes as long to import as a small file
to validate. What is not certain is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path

_KEY = re.compile(r"([A-Za-z0-9_][\w./-]*):(?: +|$)")
_COMMENT = r" *(?: #.*)?$"
_QUOTED = re.compile(rf"""(?:'[^']*'|"[^"\\]*"){_COMMENT}""")
_BLOCK_SCALAR = re.compile(rf"[|>][-+]?{_COMMENT}")
_FLOW = re.compile(rf"""(?:\[[^"'#]*\]|\{{[^"'#]*\}}){_COMMENT}""")
# A plain value begins with none of these, and has no key of its own.
_PLAIN = re.compile(r"(?![-?:] |[-?:]$|[&*!|>'\"%@`{}\[\],#])(?:(?!: |:$).)+$")
# Other ends of a line, and columns that depend on the reader.
_UNCERTAIN = re.compile("[\t\r\x85\u2028\u2029\ufeff]")


class _Uncertain(Exception):
    pass


class _Node:
    __slots__ = ("children", "column", "in_flow", "line")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        self.children: dict[str | int, _Node] = {}
        self.in_flow = False


class _Collection:
    """A mapping or sequence that is not closed yet. ``column``: of its keys, or of its dashes."""

    __slots__ = ("children", "column", "is_list")

    def __init__(self, node: _Node, column: int, is_list: bool) -> None:
        self.children = node.children
        self.column = column
        self.is_list = is_list


def positions(text: str, first_line: int, paths: Sequence[Path]) -> list[tuple[int, int]]:
    """As exact_yaml.positions."""
    found = block_positions(text, first_line, paths)
    if found is None:
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import exact_yaml

        found = exact_yaml.positions(text, first_line, paths)
    return found


def block_positions(text: str, first_line: int, paths: Sequence[Path]) -> list[tuple[int, int]] | None:
    """The same. None if the document has other forms than plain ones."""
    if _UNCERTAIN.search(text):
        return None
    try:
        root = _Outline().of(text)
        return [_position(root, first_line, path) for path in paths]
    except _Uncertain:
        return None


def _position(root: _Node, first_line: int, path: Path) -> tuple[int, int]:
    node = root
    for step in path:
        if node.in_flow:
            raise _Uncertain
        is_list = 0 in node.children
        child = node.children.get(step if is_list else str(step))
        if child is None:
            break
        node = child
    return first_line + node.line, node.column + 1


class _Outline:
    def __init__(self) -> None:
        self._open: list[_Collection] = []
        # The key or item without a value so far.
        self._pending: _Node | None = None

    def of(self, text: str) -> _Node:
        """The document's root, with all keys and items below it."""
        root: _Node | None = None
        scalar_column: int | None = None
        for number, line in enumerate(text.split("\n")):
            content = line.lstrip(" ")
            column = len(line) - len(content)
            if not content or (scalar_column is not None and column > scalar_column) or content[0] == "#":
                continue
            if root is None:
                if line.rstrip() == "---":
                    continue
                root = self._pending = _Node(number, column)
            elif column == 0 and line.startswith(("---", "...")):
                raise _Uncertain
            scalar_column = self._read(number, column, content)
        if root is None:
            raise _Uncertain
        return root

    def _read(self, number: int, column: int, content: str) -> int | None:
        """Of a block scalar that begins here, the column that all of its lines lie behind."""
        holder: _Node | None = None
        parent = column
        while content.startswith("- "):
            items = self._collection(column, is_list=True)
            rest = content[2:].lstrip(" ")
            parent, column, content = column, column + len(content) - len(rest), rest
            items.children[len(items.children)] = holder = self._pending = _Node(number, column)
        if key := _KEY.match(content):
            keys = self._collection(column, is_list=False)
            parent = column
            holder = self._pending = _Node(number, column)
            # Of a key that is written twice, the first one counts.
            keys.children.setdefault(key[1], holder)
            content = content[key.end() :]
            if not content or content[0] == "#":
                return None
        if holder is None:
            raise _Uncertain
        self._pending = None
        if _BLOCK_SCALAR.match(content):
            return parent
        holder.in_flow = _is_flow(content)
        if not holder.in_flow and not _PLAIN.match(content) and not _QUOTED.match(content):
            raise _Uncertain
        return None

    def _collection(self, column: int, is_list: bool) -> _Collection:
        """The one with keys or dashes in this column, which may begin here."""
        while self._open and self._open[-1].column > column:
            self._open.pop()
            self._pending = None
        # A list may begin in the column of its own key, and ends with the next key there.
        if not is_list and self._open and self._open[-1].is_list and self._open[-1].column == column:
            self._open.pop()
        if self._open and self._open[-1].column == column and self._open[-1].is_list is is_list:
            return self._open[-1]
        if self._pending is None:
            raise _Uncertain
        self._open.append(_Collection(self._pending, column, is_list))
        return self._open[-1]


def _is_flow(content: str) -> bool:
    """Whether the value is in brackets that are closed on the same line."""
    if not _FLOW.match(content):
        return False
    return content.count("[") == content.count("]") and content.count("{") == content.count("}")
