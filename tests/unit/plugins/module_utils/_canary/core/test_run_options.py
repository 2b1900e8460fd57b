# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that cannot be is refused before it begins, with all that is wrong with it, for the module and for the role."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.corpv3.service_mesh.plugins.filter.canary_problems import FilterModule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import PlanFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.run_options import JUDGED, plan_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import options, refuse_problems

from .....support.canary_cluster import params

canary_problems = FilterModule().filters()["canary_problems"]
THREE = {"steps": [5, 25, 100], "step_duration": "1m"}


def problems_of(**given: Any) -> list[str]:
    """The module's objections, none where it accepts the run."""
    try:
        refuse_problems(params(**given))
    except PlanFailure as failure:
        return str(failure).splitlines()
    return []


def problems_of_variables(**given: Any) -> list[str]:
    asked = params(**given)
    found: list[str] = canary_problems({option: asked[option] for option in JUDGED})
    return found


def test_everything_is_reported_at_once() -> None:
    found = problems_of(
        steps=[50, 25], drain="soon", gates=[{"at": "end", "type": "hold", "url": "", "timeout": "30m"}]
    )
    assert [line.partition(" ")[0] for line in found] == ["drain", "steps", "gates"]


@pytest.mark.parametrize(
    "given",
    [
        {"steps": [50, 25]},
        {"steps": [], "drain": "soon"},
        {"strategy": "ab"},
        {"match": {"headers": {"a": {"exact": "b"}}}},
        {"strategy": "split", "steps": [5, 10]},
        {"strategy": "mirror", "session_affinity": {"cookie_name": "side"}},
        {"min_ready": 0},
        {**THREE, "deadline": "3m"},
    ],
)
def test_the_role_reports_the_same_for_its_variables(given: dict[str, Any]) -> None:
    names = re.compile(rf"\b({'|'.join(JUDGED)})(?= is| has| selects)")
    found = problems_of(**given)
    assert found
    assert problems_of_variables(**given) == [names.sub(r"canary_\1", line) for line in found]


@pytest.mark.parametrize(
    ("given", "lasts"),
    [
        (THREE, 180),
        ({**THREE, "strategy": "mirror"}, 240),
        ({**THREE, "strategy": "ab", "match": {"cookie": {"a": "b"}}}, 120),
        ({**THREE, "strategy": "blue_green"}, 60),
        ({"steps": [{"weight": 5, "duration": "2m"}, 100], "step_duration": "1m"}, 180),
    ],
)
def test_the_deadline_leaves_time_for_the_steps(given: dict[str, Any], lasts: int) -> None:
    (problem,) = problems_of(**given, deadline=f"{lasts}s")
    assert problem.startswith(f"deadline is {lasts}s, and the steps alone take {lasts} s: ")
    assert problems_of(**given, deadline=f"{lasts + 1}s") == []


def test_a_split_has_no_time_to_take() -> None:
    assert problems_of(strategy="split", steps=[20], step_duration="1m", deadline="10s") == []


def test_a_run_in_progress_keeps_its_own_deadline() -> None:
    assert problems_of(**THREE, deadline="10s", state="resumed") == []


def test_copies_may_come_before_the_first_weight() -> None:
    given: dict[str, Any] = {"steps": [{"weight": 0, "mirror": 50}, 5, 100]}
    assert problems_of(**given) == problems_of_variables(**given) == []
    assert [(step.weight, step.mirror) for step in plan_of(params(**given))] == [(0, 50), (5, 0), (100, 0)]


def test_gates_as_the_role_has_them() -> None:
    assert problems_of_variables(gates=[{"at": "start", "type": "prompt"}, {"at": "promotion", "type": "awx"}]) == []
    (problem,) = problems_of_variables(gates=["promotion"])
    assert problem == (
        'canary_gates has "promotion": a gate has `at` (start, increase, promotion, end) and `type` '
        "(prompt, awx, url, hold)."
    )


def test_what_is_judged_are_options_of_the_module() -> None:
    assert set(JUDGED) < set(options())


@pytest.mark.parametrize("given", [{}, {"steps": [5]}, "steps"])
def test_a_part_of_the_options_is_not_judged(given: Any) -> None:
    with pytest.raises(AnsibleFilterError):
        canary_problems(given)
