# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A report as it is read, in any form: sections of facts, tables and a picture. Texts are not escaped yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

GOOD, INFO, WARNING, ERROR = "good", "info", "warning", "error"


@dataclass(frozen=True)
class Cell:
    """tone: GOOD, INFO, WARNING, ERROR or none; the text expresses it, too. code: a literal name."""

    text: str
    tone: str = ""
    code: bool = False


@dataclass(frozen=True)
class Column:
    name: str
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """The first cell of a row names the row. folded: what a page shows until the reader opens the table; paper has only
    this. Empty for a table that is always open.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    folded: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    pairs: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Picture:
    """svg: our own markup. A table of the document has the same content, for forms without pictures."""

    svg: str


@dataclass(frozen=True)
class Section:
    """notes: what could not be read. blocks may be empty; then ``nothing`` names what is missing."""

    key: str
    title: str
    blocks: Sequence[Table | Facts | Picture] = ()
    nothing: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Document:
    """overview: one line for each section that can be good or bad, with that section's key."""

    title: str
    subtitle: str
    change: str
    overview: Sequence[tuple[str, str, Cell]] = ()
    sections: Sequence[Section] = field(default_factory=list)
