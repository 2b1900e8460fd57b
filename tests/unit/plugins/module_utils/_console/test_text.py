# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings as a reader at a terminal sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.text import statistics, text
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.catalog import all_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.style import Style
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import Validated

SUMMARY = {"error": 0, "warning": 0, "info": 0, "objects": 3, "files": 2, "suppressed": 0, "known": 0, "undecided": 0}


def finding(**values: Any) -> dict[str, Any]:
    usual = {"code": "IST0101", "aliases": [], "level": "error", "kind": "VirtualService", "namespace": "shop"}
    usual |= {"name": "cart", "file": "a.yaml", "line": 1, "column": 1, "field": "spec", "title": "Unknown host"}
    return {**usual, "message": "host x", "why": "", "remedy": "", "docs": "", **values}


def shown(*findings: dict[str, Any], undecided: dict[str, list[str]] | None = None, **style: bool) -> list[str]:
    summary = dict(SUMMARY, undecided=len(undecided or {}))
    for item in findings:
        summary[item["level"]] += 1
    return text(Validated(list(findings), summary, undecided or {}, []), Style(**style)).splitlines()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_and_findings_begin_with_the_worst() -> None:
    lines = shown(
        finding(file="a.yaml", line=1, level="info", message="one"),
        finding(file="b.yaml", line=1, level="warning", message="two"),
        finding(file="b.yaml", line=9, message="three"),
    )
    assert lines[:5] == [
        "b.yaml:9:1: error IST0101 VirtualService shop/cart: three",
        "b.yaml:1:1: warning IST0101 VirtualService shop/cart: two",
        "",
        "a.yaml:1:1: info IST0101 VirtualService shop/cart: one",
        "",
    ]
    assert lines[5] == "1 error, 1 warning, 1 info in 3 objects of 2 files"


def test_the_line_is_shown_with_a_mark_below(folder: Path) -> None:
    (folder / "a.yaml").write_text("a: 1\n  host: cart, x\n")
    assert shown(finding(line=2, column=9))[1:3] == ["  2 |   host: cart, x", "    |         ^^^^"]


@pytest.mark.parametrize("column", [1, 150, 290, 301])
def test_a_long_line_is_cut_around_the_mark(folder: Path, column: int) -> None:
    (folder / "a.yaml").write_text("".join(f"{number:>9} " for number in range(30)) + "\n")
    _head, line, mark = shown(finding(column=column))[:3]
    assert max(map(len, (line, mark))) <= 110
    assert mark.strip(" |").startswith("^")


def test_a_line_of_control_characters_does_not_move_the_cursor(folder: Path) -> None:
    (folder / "a.yaml").write_text("a: \x1b[2J\tb\n")
    assert "\x1b" not in "".join(shown(finding(message="\x1b[31mred")))


@pytest.mark.parametrize(("file", "line"), [("gone.yaml", 1), ("a.yaml", 7), ("a.yaml (rendered)", 1), ("", 0)])
def test_without_a_source_there_is_no_line(folder: Path, file: str, line: int) -> None:
    (folder / "a.yaml").write_text("a: 1\n")
    assert shown(finding(file=file, line=line))[1] == ""


def test_the_same_words_are_one_finding_with_a_count() -> None:
    lines = shown(*(finding(file=f"{name}.yaml", line=3) for name in "abcdef"))
    assert lines[0] == "a.yaml:3:1: error IST0101 VirtualService shop/cart: host x (6 times)"
    assert lines[1] == "  also b.yaml:3:1, c.yaml:3:1, d.yaml:3:1 and 2 more"
    assert sum("host x" in line for line in lines) == 1


def test_the_remedy_is_shown_once_for_a_code() -> None:
    lines = shown(finding(message="one", remedy="Fix it."), finding(message="two", remedy="Fix it.", line=2))
    assert lines.count("  -> Fix it.") == 1


def test_statistics_count_codes_and_say_what_to_add() -> None:
    undecided = {all_checks()[0].rule.name: ["Service", "Pod"], "cel_SHOP001": ["Namespace"]}
    result = Validated([finding(), finding(message="y"), finding(level="info", code="MESH1")], SUMMARY, undecided, [])
    lines = statistics(result, all_checks(), Style()).splitlines()
    assert "       2  error    IST0101  Unknown host" in lines
    assert f"  Service, Pod: {all_checks()[0].rule.code}" in lines
    assert "  Namespace: cel_SHOP001" in lines


def test_colours_change_no_word() -> None:
    plain, coloured = shown(finding()), shown(finding(), coloured=True)
    assert plain != coloured
    assert [_without_colours(line) for line in coloured] == plain


def _without_colours(line: str) -> str:
    for number in ("1;31", "1;33", "1;36", "1", "2", "32", "0"):
        line = line.replace(f"\x1b[{number}m", "")
    return line
