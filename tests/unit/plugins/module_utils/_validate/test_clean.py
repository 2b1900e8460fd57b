# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole valid meshes: no check reports anything, not even as information.

Each file of cases_clean is one case without ``name`` and ``finds``, see harness.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog

from ....support import validate_harness as harness

CLEAN = sorted((Path(__file__).parent / "cases_clean").glob("*.yaml"))


@pytest.mark.parametrize("path", CLEAN, ids=[path.stem for path in CLEAN])
def test_nothing_is_found(path: Path) -> None:
    case = harness.certificates.with_secrets(yaml.safe_load(path.read_text()))
    checks = [check for check in catalog.all_checks() if check.enabled]
    outcome = harness.run(case["input"], harness.settings_of(case.get("settings", {})), checks)
    assert [finding.as_dict() for finding in outcome.findings] == []


def test_there_are_clean_meshes() -> None:
    assert CLEAN
