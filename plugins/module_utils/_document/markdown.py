# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The report as Markdown, for pull requests and wikis. Foreign text stays text there as well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import visible
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.document import (
    Cell,
    Document,
    Facts,
    Section,
    Table,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$]|:(?=//))")
_MARKS = {"error": "❌ ", "warning": "⚠️ "}


def markdown(document: Document) -> str:
    lines = [f"# {_text(document.title)}", "", _text(document.subtitle), ""]
    if document.change:
        lines += [_text(document.change), ""]
    lines += [f"- {_text(name)}: {_cell(cell)}" for _key, name, cell in document.overview]
    for section in document.sections:
        lines += ["", *_section(section)]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {_text(section.title)}"
    for note in section.notes:
        yield from ("", f"> Note: {_text(note)}")
    for block in section.blocks:
        if isinstance(block, Facts):
            yield ""
            yield from (f"- {_text(name)}: {_cell(cell)}" for name, cell in block.pairs)
        elif isinstance(block, Table):
            yield ""
            yield from _table(block)
    if section.nothing:
        yield from ("", _text(section.nothing))


def _table(table: Table) -> Iterator[str]:
    yield f"**{_text(table.caption)}**"
    yield ""
    yield _row([_text(column.name) for column in table.columns])
    yield _row(["--:" if column.is_number else "---" for column in table.columns])
    for row in table.rows:
        yield _row([_cell(cell) for cell in row])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    return _MARKS.get(cell.tone, "") + (_code(cell.text) if cell.code and cell.text else _text(cell.text))


def _text(text: str) -> str:
    """Escapes every character with a meaning in Markdown; a link stays text."""
    return _SPECIAL.sub(r"\\\1", visible(text)).replace("&", "&amp;")


def _code(text: str) -> str:
    """A code span, which ends with as many backticks as it begins with; a table's bar would end the cell even there."""
    shown = visible(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{shown}{space}{fence}".replace("|", "\\|")
