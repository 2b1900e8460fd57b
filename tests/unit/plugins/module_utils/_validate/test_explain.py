# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""--explain: every code, from the checks and their cases."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import (
    INPUT_RULES,
    Loaded,
    load_text,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import explain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.catalog import all_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.engine import run_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.style import Style
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import FAMILY

ROOT = Path(__file__).resolve().parents[5]
EXAMPLES = explain._examples()


def codes_in(text: str, code: str) -> set[str]:
    settings = explain._UPGRADE if code.startswith(FAMILY) else None
    loaded = Loaded()
    load_text(text, "example", "default", loaded)
    found = [*loaded.findings, *run_checks(Mesh(loaded.resources, settings), all_checks()).findings]
    return {finding.rule.code for finding in found}


def test_every_code_is_explained() -> None:
    for rule in (*INPUT_RULES, *(check.rule for check in all_checks())):
        shown = " ".join(explain.explained(rule.code, {}, Style()).split())
        assert rule.title in shown
        assert rule.remedy in shown


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_wrong_example_fires_and_the_right_one_does_not(code: str) -> None:
    assert code in codes_in(EXAMPLES[code]["wrong"], code)
    assert code not in codes_in(EXAMPLES[code].get("right", ""), code)


def test_the_finding_is_beside_the_examples_line() -> None:
    lines = explain.explained("IST0128", {}, Style()).splitlines()
    mark = next(number for number, line in enumerate(lines) if "^" in line)
    assert lines[mark - 1].index("mode") == lines[mark].index("^")


def test_an_alias_is_explained_by_its_code() -> None:
    assert explain.explained("KIA1107", {}, Style()).startswith("IST0101 (KIA1107) error: Unknown subset")


def test_own_checks_are_explained() -> None:
    own = {"code": "SHOP001", "kinds": ["VirtualService"], "expression": "true", "message": "m", "why": "The reason."}
    assert "The reason." in explain.explained("SHOP001", {"cel": [own]}, Style())


def test_an_unknown_code_is_refused_with_similar_ones() -> None:
    with pytest.raises(InputError, match="Did you mean IST0101"):
        explain.explained("IST0101X", {}, Style())


def test_the_examples_are_those_of_the_cases() -> None:
    command = [sys.executable, "tools/validation_examples.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
