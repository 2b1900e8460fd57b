# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Findings for people at a terminal: a line each, the worst first, with the source's line and a mark."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import LEVELS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.style import Style
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.table import (
    conclusion,
    in_one_line,
    what,
    where,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import FAMILY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import Validated

_WIDTH = 100
_MOST_PLACES = 3
# What a mark is drawn under: a word of YAML.
_WORD = re.compile(r"""[^\s,:\]}#]+|.""")


def text(
    result: Validated,
    style: Style,
    content: str | None = None,
    *,
    folder: str = "",
    verdict: bool = True,
    hints: bool = True,
) -> str:
    """``content``: what came from standard input, which is file ``-``. ``folder``: where relative paths start.

    verdict: whether the last line is the conclusion. hints: whether options of the program are named.
    """
    sources = _Sources(content, folder)
    lines: list[str] = []
    advised: set[tuple[str, str]] = set()
    for group in _by_file(_folded(result.findings)):
        for places in group:
            lines += _finding(places, sources, style, advised)
        lines.append("")
    summary = conclusion(result.summary)
    worst = next((level for level in LEVELS if result.summary[level]), "good")
    if verdict:
        lines.append(style(worst, summary))
    if not hints:
        return "".join(f"{line}\n" for line in lines)
    if result.undecided:
        lines.append(style("faint", "--statistics lists what undecided checks lack, --explain CODE explains a code."))
    elif result.findings:
        lines.append(style("faint", "--explain CODE explains a code."))
    return "".join(f"{line}\n" for line in lines)


Finding = Mapping[str, Any]


def _folded(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings with the same words about different places, as one."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding["level"], finding["code"], finding["message"]), []).append(finding)
    return list(groups.values())


def _by_file(folded: Iterable[list[Finding]]) -> list[list[list[Finding]]]:
    """Files in the order of their worst finding, and in each file the worst first."""
    files: dict[str, list[list[Finding]]] = {}
    for places in folded:
        files.setdefault(places[0]["file"], []).append(places)
    for group in files.values():
        group.sort(key=lambda places: (LEVELS.index(places[0]["level"]), places[0]["line"], places[0]["column"]))
    return sorted(files.values(), key=lambda group: LEVELS.index(group[0][0]["level"]))


def _finding(places: Sequence[Finding], sources: _Sources, style: Style, advised: set[tuple[str, str]]) -> list[str]:
    first = places[0]
    place = where(first) if first["file"] else what(first)
    named = f"{what(first)}: " if first["file"] and first["name"] else ""
    count = style("faint", f" ({len(places)} times)") if len(places) > 1 else ""
    head = f"{style('place', place)}: {style(first['level'], first['level'])} {first['code']}"
    lines = [f"{head} {named}{in_one_line(first['message'])}{count}"]
    lines += sources.shown(first, style)
    others = [where(finding) if finding["file"] else what(finding) for finding in places[1:]]
    if others:
        more = f" and {len(others) - _MOST_PLACES} more" if len(others) > _MOST_PLACES else ""
        lines.append(style("faint", f"  also {', '.join(others[:_MOST_PLACES])}{more}"))
    if first["remedy"] and (first["code"], first["remedy"]) not in advised:
        advised.add((first["code"], first["remedy"]))
        lines.append(f"  {style('good', '->')} {first['remedy']}")
        if first["code"].startswith(FAMILY):
            lines.append(style("faint", f"  see {first['docs']}"))
    return lines


class _Sources:
    """Lines of the files, each file read once."""

    def __init__(self, content: str | None, folder: str = "") -> None:
        self._folder = folder
        self._files: dict[str, list[str]] = {} if content is None else {"-": content.splitlines()}

    def shown(self, finding: Finding, style: Style) -> list[str]:
        """The line with a mark below, shortened around it; nothing for what has no file, such as a chart's output."""
        number, column = finding["line"], finding["column"]
        lines = self._lines(finding["file"])
        if not 0 < number <= len(lines):
            return []
        line = re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", lines[number - 1])
        begin = max(0, column - 1 - _WIDTH // 2) if len(line) > _WIDTH else 0
        cut = line[begin : begin + _WIDTH]
        at = min(max(column - 1 - begin, 0), len(cut))
        word = _WORD.match(cut, at)
        mark = "^" * (len(word[0]) if word else 1)
        margin = " " * len(str(number))
        return [
            f"  {style('faint', f'{number} |')} {cut}",
            f"  {style('faint', f'{margin} |')} {' ' * at}{style(finding['level'], mark)}",
        ]

    def _lines(self, file: str) -> list[str]:
        if file not in self._files:
            self._files[file] = []
            path = os.path.join(self._folder, file)
            if os.path.isfile(path):
                try:
                    with open(path, encoding="utf-8", errors="replace") as stream:
                        self._files[file] = stream.read().splitlines()
                except OSError:
                    # Readable when it was checked; the finding does not need it.
                    pass
        return self._files[file]


def statistics(result: Validated, checks: Iterable[Check], style: Style) -> str:
    """How often each code was found, and for undecided checks what to add to the input."""
    counts = Counter((finding["level"], finding["code"], finding["title"]) for finding in result.findings)
    lines = ["", "Findings by code"] if counts else []
    for (level, code, title), number in sorted(
        counts.items(), key=lambda entry: (LEVELS.index(entry[0][0]), -entry[1], entry[0][1])
    ):
        lines.append(f"  {number:>6}  {style(level, f'{level:<7}')}  {code}  {title}")
    codes = {check.rule.name: check.rule.code for check in checks}
    lacking: dict[str, list[str]] = {}
    for name, missing in result.undecided.items():
        lacking.setdefault(", ".join(missing), []).append(codes.get(name, name))
    if lacking:
        lines += ["", "Undecided, because the input does not have"]
    for kinds, undecided in sorted(lacking.items(), key=lambda entry: -len(entry[1])):
        lines.append(f"  {kinds}: {', '.join(sorted(set(undecided)))}")
    return "".join(f"{line}\n" for line in lines)
