"""Each role reports all bad variables at once, with the name, the error and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..support.role_variables import ROLES, answers, problems

CASES = Path(__file__).parent / "problems"


def cases() -> list[tuple[str, dict[str, Any], list[str]]]:
    """Role and case, the variables, and the lines."""
    found = []
    for path in sorted(CASES.glob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for case in content["cases"]:
            given = {} if case.get("alone") else content.get("given", {})
            found.append((f"{path.stem}: {case['case']}", {**given, **case["variables"]}, case["problems"]))
    return found


def test_what_each_role_reports() -> None:
    expected = {name: lines for name, __, lines in cases()}
    # All in one process, whose start takes longer than ten cases.
    found = answers([problems(name.partition(":")[0], variables) for name, variables, __ in cases()])
    assert dict(zip(expected, found, strict=True)) == expected


def test_every_role_that_checks_its_variables_has_cases() -> None:
    checking = {path.parts[-3] for path in ROLES.glob("*/templates/problems.txt.j2")}
    # Role release checks what all components have: each of them has cases of it.
    assert checking - {"release"} <= {path.stem for path in CASES.glob("*.yml")}
