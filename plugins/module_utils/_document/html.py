# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The report as one page for a change record: light and dark, printable, without scripts, accessible."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import visible
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.document import (
    Cell,
    Column,
    Document,
    Facts,
    Picture,
    Section,
    Table,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.page import page

_STYLE = """
body { max-width: 76rem; }
header p { margin: .3rem 0; } header p.when { color: var(--faint); }
h2 { border-bottom: 1px solid var(--line); font-size: 1.15rem; margin: 2.2rem 0 .8rem; padding-bottom: .2rem;
  break-after: avoid; }
ul.overview { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); list-style: none;
  margin: 1.2rem 0; padding: 0; }
ul.overview a { background: var(--raised); border: 1px solid var(--line); border-left: .3rem solid var(--level);
  border-radius: .3rem; color: inherit; display: block; height: 100%; box-sizing: border-box; padding: .5rem .8rem;
  text-decoration: none; }
ul.overview a:hover strong, ul.overview a:focus strong { text-decoration: underline; }
ul.overview strong { display: block; font-size: .8rem; font-weight: 600; color: var(--faint); }
ul.overview a { --level: var(--line); } ul.overview a.good { --level: var(--good); }
ul.overview a.info { --level: var(--info); } ul.overview a.warning { --level: var(--warning); }
ul.overview a.error { --level: var(--error); }
p.note { border-left: .3rem solid var(--warning); margin: .6rem 0; padding-left: .8rem; }
dl { display: grid; gap: .2rem 1rem; grid-template-columns: max-content 1fr; margin: .6rem 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { margin: .8rem 0 1.4rem; overflow-x: auto; } table code { overflow-wrap: break-word; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
caption { font-weight: 600; padding: .3rem 0; text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top;
  overflow-wrap: break-word; }
thead th { color: var(--faint); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; }
th.number, td.number { font-variant-numeric: tabular-nums; padding-right: 1.6rem; text-align: right;
  white-space: nowrap; }
th.number:last-child, td.number:last-child { padding-right: 0; }
.good { color: var(--good); } .info { color: var(--info); } .warning { color: var(--warning); }
.error { color: var(--error); } td.warning, td.error, dd.warning, dd.error { font-weight: 600; }
figure { margin: .8rem 0; overflow-x: auto; }
figure svg { display: block; height: auto; max-width: 100%; }
summary { cursor: pointer; }
:focus-visible { outline: 2px solid var(--info); outline-offset: 2px; }
/* A phone has no room for columns: each row becomes a paragraph, in which every cell has its column's name. */
@media screen and (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; }
  ul.overview { grid-template-columns: 1fr 1fr; } figure svg { max-width: none; }
  .scroll { overflow-x: visible; } thead { clip-path: inset(50%); position: absolute; }
  table, caption, tbody, tr, tbody th { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  tbody th, td, td.number { border: 0; overflow-wrap: anywhere; padding: 0; text-align: left; white-space: normal; }
  tbody th { font-weight: 600; } td, td.number { display: inline-block; margin-right: 1rem; max-width: 100%; }
  td.none { display: none; }
  td::before { color: var(--faint); content: attr(data-column) " "; font-weight: 400; } }
@page { margin: 12mm; size: landscape; }
@media print { body { font-size: 9.5pt; margin: 0; max-width: none; padding: 0; } .scroll, figure { overflow: visible; }
  h2 { margin-top: 1.2rem; } .scroll { margin: .4rem 0 .8rem; }
  figure svg { max-height: 80mm; min-width: 0 !important; }
  table { font-size: 8pt; } th, td { padding: .15rem .5rem .15rem 0; } thead th { white-space: normal; }
  table code { overflow-wrap: anywhere; } th, td { min-width: 4.5em; } th.number, td.number { padding-right: .8rem; }
  tr, figure, ul.overview li, p.note, .short { break-inside: avoid; }
  caption, thead { break-after: avoid; } tbody tr:first-child { break-before: avoid; }
  ul.overview { grid-template-columns: repeat(7, 1fr); }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
# Tables with at most this many rows are not broken across pages. More would leave pages half empty.
_SHORT = 5


def html(document: Document) -> str:
    change = f"<p>{_text(document.change)}</p>" if document.change else ""
    overview = "".join(
        f'<li><a href="#{escape(key)}"{_class(cell.tone)}><strong>{_text(name)}</strong>{_text(cell.text)}</a></li>'
        for key, name, cell in document.overview
    )
    body = [
        f'<header><h1>{_text(document.title)}</h1>\n<p class="when">{_text(document.subtitle)}</p>{change}</header>',
        f'<main>\n<nav aria-label="Overview"><ul class="overview">{overview}</ul></nav>',
        *(line for section in document.sections for line in _section(section)),
        "</main>",
    ]
    return page(visible(document.title), "\n".join(body), _STYLE)


def _section(section: Section) -> Iterator[str]:
    key = escape(section.key)
    yield f'<section id="{key}" aria-labelledby="{key}-title">\n<h2 id="{key}-title">{_text(section.title)}</h2>'
    for note in section.notes:
        yield f'<p class="note">Note: {_text(note)}</p>'
    for place, block in enumerate(section.blocks):
        if isinstance(block, Facts):
            yield _facts(block)
        elif isinstance(block, Table):
            yield from _table(block, f"{key}-{place}")
        elif isinstance(block, Picture):
            # Its texts are escaped already.
            yield "\n".join(["<figure>", *map(visible, block.svg.splitlines()), "</figure>"])
    if section.nothing:
        yield f"<p>{_text(section.nothing)}</p>"
    yield "</section>"


def _facts(facts: Facts) -> str:
    pairs = "".join(f"<dt>{_text(name)}</dt><dd{_class(cell.tone)}>{_content(cell)}</dd>" for name, cell in facts.pairs)
    return f"<dl>{pairs}</dl>"


def _table(table: Table, key: str) -> Iterator[str]:
    # A scrollable region must be reachable with the keyboard and have a name.
    classes = _class("scroll", "short" if len(table.rows) <= _SHORT else "")
    if table.folded:
        yield f"<details><summary>{_text(table.folded)}</summary>"
    yield f'<div{classes} role="region" aria-labelledby="{key}" tabindex="0">'
    yield f'<table><caption id="{key}">{_text(table.caption)}</caption><thead><tr>'
    yield "".join(f'<th scope="col"{_class(_side(column))}>{_text(column.name)}</th>' for column in table.columns)
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = [f'<th scope="row">{_content(cell)}</th>' for cell in row[:1]]
        cells += [_cell(cell, column) for cell, column in zip(row[1:], table.columns[1:], strict=True)]
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>" + ("</details>" if table.folded else "")


def _cell(cell: Cell, column: Column) -> str:
    none = "none" if cell.text in ("", "-") else ""
    return f'<td{_class(_side(column), cell.tone, none)} data-column="{_text(column.name)}">{_content(cell)}</td>'


def _side(column: Column) -> str:
    return "number" if column.is_number else ""


def _class(*names: str) -> str:
    wanted = " ".join(name for name in names if name)
    return f' class="{escape(wanted)}"' if wanted else ""


def _content(cell: Cell) -> str:
    return f"<code>{_text(cell.text)}</code>" if cell.code and cell.text else _text(cell.text)


def _text(text: str) -> str:
    return escape(visible(text))
