# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every check fires where it should and is silent where it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog

from ....support import validate_harness as harness

LOADED = harness.load_cases()


@pytest.mark.parametrize(("code", "case"), LOADED, ids=[f"{code}: {case['name']}" for code, case in LOADED])
def test_case(code: str, case: dict[str, Any]) -> None:
    checks = [check for check in catalog.all_checks() if check.enabled or check.rule.code == code]
    outcome = harness.run(case["input"], harness.settings_of(case.get("settings", {})), checks)
    found = [finding.as_dict() for finding in outcome.findings]
    mine = [finding for finding in found if finding["code"] == code]
    assert [
        {key: finding[key] for key in wanted} for finding, wanted in zip(mine, case["finds"], strict=False)
    ] == case["finds"]
    assert len(mine) == len(case["finds"]), mine
    allowed = {code, *case.get("others", ())}
    assert [finding for finding in found if finding["code"] not in allowed] == []


@pytest.mark.parametrize("code", sorted({check.rule.code for check in catalog.all_checks()}))
def test_every_code_has_a_firing_and_a_silent_case(code: str) -> None:
    cases = [case for name, case in LOADED if name == code]
    assert [case for case in cases if case["finds"]], f"cases/{code}.yaml has no firing case"
    assert [case for case in cases if not case["finds"]], f"cases/{code}.yaml has no silent case"


def test_no_cases_for_codes_that_no_check_has() -> None:
    assert {code for code, _case in LOADED} <= {check.rule.code for check in catalog.all_checks()}


def test_the_page_of_codes_equals_the_checks() -> None:
    root = Path(__file__).resolve().parents[5]
    done = subprocess.run(
        [sys.executable, "tools/validation_codes.py", "--check"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
