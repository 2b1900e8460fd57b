# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""JUnit's XML: one failed test per finding, so that CI servers show them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.table import what, where

# XML 1.0 cannot hold them at all, not even escaped.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def junit(findings: Sequence[Mapping[str, Any]], fail_on: Sequence[str], checks: int) -> str:
    """``fail_on``: levels that count as failures; other findings are passed tests with their text as output."""
    failures = [finding for finding in findings if finding["level"] in fail_on]
    cases = [_case(finding, finding["level"] in fail_on) for finding in findings]
    if not cases:
        cases = [f'  <testcase name="{checks} checks found nothing" classname="mesh_validate"/>']
    head = f'<testsuite name="mesh_validate" tests="{len(cases)}" failures="{len(failures)}" errors="0" skipped="0">'
    body = "\n".join(["<testsuites>", head, *cases, "</testsuite>", "</testsuites>"])
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _case(finding: Mapping[str, Any], failed: bool) -> str:
    text = _CONTROL.sub("?", f"{finding['message']}\n{where(finding)}\n{finding['remedy']}")
    name, group = f"{what(finding)} {finding['field']}".strip(), f"mesh_validate.{finding['code']}"
    attributes = f"name={_quoted(name)} classname={_quoted(group)}"
    if finding["file"]:
        attributes += f' file={_quoted(finding["file"])} line="{finding["line"]}"'
    if failed:
        inner = (
            f"<failure message={_quoted(finding['message'])} type={_quoted(finding['level'])}>{escape(text)}</failure>"
        )
    else:
        inner = f"<system-out>{escape(finding['level'] + ': ' + text)}</system-out>"
    return f"  <testcase {attributes}>{inner}</testcase>"


def _quoted(text: str) -> str:
    return '"' + escape(_CONTROL.sub("?", text)).replace("\n", "&#10;") + '"'
