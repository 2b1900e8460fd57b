# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Edits of YAML that change single tokens, so that comments, quotes and layout stay as they are."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.exact_yaml import Token, composed, tokens
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import parse
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path


class Edit(NamedTuple):
    """A change of one field of a document. What is empty stays as it is.

    key: its new name. below: the value moves into an object, below this name. value: its new text.
    """

    path: Path
    key: str = ""
    below: str = ""
    value: str = ""


def edited(lines: Sequence[str], first: int, document: str, edits: Sequence[Edit]) -> list[str] | None:
    """The lines of a file with the edits of its document, which begins at line ``first``, from 0.

    None if the document with the edits would have any other difference than theirs, or has no single token to edit.
    """
    before = parse(document)
    node = composed(document)
    if before.problems or node is None:
        return None
    changes: list[tuple[Token, str]] = []
    for edit in edits:
        changed = _changes(node, edit)
        if changed is None:
            return None
        changes += changed
    wanted = copy.deepcopy(before.value)
    # The deepest first: the paths of others may lead through a key that is renamed.
    if not all(_apply(wanted, edit) for edit in sorted(edits, key=lambda edit: -len(edit.path))):
        return None
    result = list(lines)
    texts = document.split("\n")
    for token, text in sorted(changes, key=lambda change: change[0], reverse=True):
        line = first + token.line
        # Of the document's first line, the file has what separates it from the one before.
        begin = 0 if token.line else token.begin
        if line >= len(result) or result[line].removesuffix("\r")[begin:] != texts[token.line][begin:]:
            return None
        result[line] = result[line][: token.begin] + text + result[line][token.end :]
        texts[token.line] = texts[token.line][: token.begin] + text + texts[token.line][token.end :]
    after = parse("\n".join(texts))
    return result if not after.problems and after.value == wanted else None


def _changes(document: Any, edit: Edit) -> list[tuple[Token, str]] | None:
    found = tokens(document, edit.path)
    if found is None:
        return None
    key, value = found
    changes = [(key, f"{key.quote}{edit.key}{key.quote}")] if edit.key else []
    if edit.below:
        if value is None:
            return None
        # A brace before the value and one after it: the value itself keeps its form.
        start, end = value._replace(end=value.begin), value._replace(begin=value.end)
        changes += [(start, f"{{{edit.below}: "), (end, "}")]
    elif edit.value:
        if value is None:
            return None
        changes.append((value, f"{value.quote}{edit.value}{value.quote}"))
    return changes


def _apply(value: Any, edit: Edit) -> bool:
    """Whether the edit could be made of the parsed document."""
    for step in edit.path[:-1]:
        value = value[step]
    name = edit.path[-1]
    if not isinstance(value, dict) or name not in value or (edit.key and edit.key in value):
        return False
    old = value.pop(name)
    content = edit.value or old
    value[edit.key or name] = {edit.below: content} if edit.below else content
    return True
