# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Findings as lines for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# Text from others must not move the reader's cursor.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

_MARKS = {"error": "ERROR", "warning": "WARN", "info": "INFO"}


def table(findings: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[str]:
    """Grouped by file or resource: what, where, why it matters in the code's words, how to fix it."""
    lines: list[str] = []
    for finding in findings:
        place = where(finding)
        code = finding["code"] + "".join(f" {alias}" for alias in finding["aliases"])
        lines.append(f"{_MARKS[finding['level']]:<5}  {code:<16}  {what(finding)}  {place}".rstrip())
        lines.append(f"       {in_one_line(finding['message'])}")
        if finding["remedy"]:
            lines.append(f"       -> {finding['remedy']}")
    lines.append(conclusion(summary))
    return lines


def in_one_line(text: str) -> str:
    return _CONTROL.sub("?", " ".join(text.split()))


def what(finding: Mapping[str, Any]) -> str:
    place = f"{finding['namespace']}/" if finding["namespace"] else ""
    return f"{finding['kind']} {place}{finding['name']}".strip() or finding["file"]


def where(finding: Mapping[str, Any]) -> str:
    if finding["file"]:
        return f"{finding['file']}:{finding['line']}:{finding['column']}"
    return str(finding["field"])


def conclusion(summary: Mapping[str, Any]) -> str:
    """``2 errors, 1 warning in 40 objects of 6 files, 3 meshes (3 suppressed, 1 in the baseline)``."""
    found = [_counted(summary[level], word) for level, word in _WORDS.items() if summary[level]]
    source = _counted(summary["objects"], "object") + (
        f" of {_counted(summary['files'], 'file')}" if summary["files"] else ""
    )
    if summary.get("meshes", 1) > 1:
        source += f", {summary['meshes']} meshes"
    rest = [f"{summary[key]} {word}" for key, word in _SILENT.items() if summary[key]]
    return f"{', '.join(found) or 'nothing found'} in {source}" + (f" ({', '.join(rest)})" if rest else "")


_WORDS = {"error": "error", "warning": "warning", "info": "info"}
_SILENT = {"suppressed": "suppressed", "known": "in the baseline", "undecided": "checks undecided"}


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 or word == "info" else f"{number} {word}s"
