# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a code means: its check in words, and an example of its cases with the check's own finding."""

from __future__ import annotations

import base64
import json
import textwrap
import zlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import Finding, Rule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import TARGET_VERSION, Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import is_slip
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import (
    INPUT_RULES,
    Loaded,
    load_text,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.catalog import all_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.custom import cel_checks, python_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.data.examples import DATA
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.engine import run_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.style import Style
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import NEWEST, written

# For the examples of checks that are about an upgrade; no other check reads it.
_UPGRADE = Settings(facts={TARGET_VERSION: written(NEWEST)})
_WIDTH = 100
_INDENT = "  "


def explained(code: str, policy: Mapping[str, Any], style: Style) -> str:
    """``code``: of a check, or its alias. ``policy``: with the user's own checks. Raises InputError."""
    checks = [*all_checks(), *python_checks(policy.get("python") or ()), *cel_checks(policy.get("cel") or ())]
    rules: list[tuple[Rule, Check | None]] = [(rule, None) for rule in INPUT_RULES]
    rules += [(check.rule, check) for check in checks]
    chosen = [(rule, check) for rule, check in rules if rule.code == code]
    chosen = chosen or [(rule, check) for rule, check in rules if code in rule.aliases]
    if not chosen:
        known = sorted({rule.code for rule, _check in rules})
        near = [one for one in known if is_slip(code, one)][:5]
        hint = (
            f"Did you mean {' or '.join(near)}?" if near else "docs/validation-codes.md of the collection lists them."
        )
        raise InputError(f"--explain: '{code}' is not a valid code. {hint}")
    lines: list[str] = []
    for rule, check in chosen:
        lines += _described(rule, check, style)
    # An alias may stand for one of several faults of its code, and the example for another one.
    if chosen[0][0].code == code:
        lines += _example(_examples().get(code, {}), code, checks, style)
    return "".join(f"{line}\n" for line in lines)


def explained_if_known(code: str) -> str:
    """Without colours; empty for a code of the user's own checks."""
    try:
        return explained(code, {}, Style())
    except InputError:
        return ""


def _described(rule: Rule, check: Check | None, style: Style) -> list[str]:
    aliases = f" ({', '.join(rule.aliases)})" if rule.aliases else ""
    lines = [f"{style('place', rule.code)}{aliases} {style(rule.level, rule.level)}: {style('place', rule.title)}"]
    lines += _paragraph("Why", rule.why) + _paragraph("Remedy", rule.remedy) + _paragraph("More", rule.docs)
    if check is not None:
        needs = ", ".join(str(kind) for kind in check.needs)
        lines += _paragraph("Needs", f"{needs} in the input; undecided without" if needs else "")
        lines += _paragraph("Only", "a running cluster can show it: --live" if check.live else "")
        lines += _paragraph("Off", "unless policy.enable or policy.levels names it" if not check.enabled else "")
    return [*lines, ""]


def _paragraph(name: str, words: str) -> list[str]:
    if not words:
        return []
    begin = f"{_INDENT}{name + ':':<8}"
    # A link stays in one piece.
    return textwrap.wrap(
        words,
        _WIDTH,
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _examples() -> dict[str, dict[str, str]]:
    """Code -> name, wrong and right, as tools/validation_examples.py wrote them."""
    found: dict[str, dict[str, str]] = json.loads(zlib.decompress(base64.b85decode(DATA)))
    return found


def _example(example: Mapping[str, str], code: str, checks: list[Check], style: Style) -> list[str]:
    lines: list[str] = []
    if "wrong" in example:
        lines += [f"{_INDENT}{style('error', 'Wrong')}: {example['name']}", ""]
        lines += [*_marked(example["wrong"], code, checks, style), ""]
    if "right" in example:
        lines += [f"{_INDENT}{style('good', 'Right')}:", ""]
        lines += [*(f"{_INDENT * 2}{line}".rstrip() for line in example["right"].splitlines()), ""]
    return lines


def _marked(text: str, code: str, checks: list[Check], style: Style) -> list[str]:
    """The example with what the check finds, at its lines."""
    loaded = Loaded()
    load_text(text, "example", "default", loaded)
    own = [check for check in checks if check.rule.code == code]
    found: dict[int, list[Finding]] = {}
    for finding in [*loaded.findings, *run_checks(Mesh(loaded.resources, _UPGRADE), own).findings]:
        if finding.rule.code == code:
            found.setdefault(finding.line, []).append(finding)
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        lines.append(f"{_INDENT * 2}{line}".rstrip())
        for finding in found.get(number, ()):
            mark = style(finding.severity, f"^ {finding.message}")
            lines.append(f"{_INDENT * 2}{' ' * max(finding.column - 1, 0)}{mark}")
    return lines
