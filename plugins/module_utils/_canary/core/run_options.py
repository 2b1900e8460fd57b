# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The plan of a run from its options, and the problems of options before there is a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import seconds
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import (
    GATE_TYPES,
    PlanFailure,
    gate_problems,
    plan_problems,
    steps_of,
    time_problems,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Step
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import BLUE_GREEN, SPLIT, WEIGHT

TIMES = (
    "step_duration",
    "interval",
    "no_data_timeout",
    "error_timeout",
    "deadline",
    "ready_timeout",
    "drain",
    "wait_timeout",
    "unproven_wait",
)
# The options that these rules judge.
JUDGED = (*TIMES, "strategy", "steps", "match", "session_affinity", "mirror_percentage", "min_ready", "gates")


def problems(
    params: Mapping[str, Any], begins: bool, prefix: str = "", gate_types: Sequence[str] = GATE_TYPES
) -> Iterator[str]:
    """All problems of the options of JUDGED, one sentence each.

    ``begins``: whether they start a new run. A run in progress keeps its own deadline, regardless of the call's.
    ``prefix``: precedes the name of each option. ``gate_types``: the types that a gate may have.
    """
    wrong = [*_time_problems(params, prefix), *_plan_problems(params, prefix)]
    yield from wrong
    yield from gate_problems(params["gates"], prefix, gate_types)
    if begins and not wrong:
        yield from _deadline_problems(params, prefix)


def _time_problems(params: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for option in TIMES:
        # By default, it is the time that the deadline leaves.
        if option == "no_data_timeout" and not params[option]:
            continue
        try:
            seconds_for(params, option, prefix)
        except PlanFailure as failure:
            yield str(failure)


def _plan_problems(params: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    strategy = params["strategy"]
    yield from plan_problems(strategy, _steps(params), params["match"] or {}, prefix)
    if params["session_affinity"] and strategy != WEIGHT:
        yield f"{prefix}session_affinity is set, and {prefix}strategy is {strategy}: it belongs to strategy weight."
    if params["min_ready"] < 1:
        yield f"{prefix}min_ready is {params['min_ready']}: give 1 or more."


def _deadline_problems(params: Mapping[str, Any], prefix: str) -> Iterator[str]:
    lasts = sum(step.duration for step in _plan(params))
    # A split has no time to wait.
    if params["strategy"] != SPLIT and lasts >= seconds_for(params, "deadline"):
        yield (
            f"{prefix}deadline is {params['deadline']}, and the steps alone take {lasts:g} s: every run would be "
            "rolled back. Give it more time, or the steps less."
        )


def plan_of(params: Mapping[str, Any]) -> tuple[Step, ...]:
    for problem in _plan_problems(params):
        raise PlanFailure(problem)
    return _plan(params)


def _plan(params: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps of options without a problem."""
    steps = steps_of(
        params["strategy"],
        _steps(params),
        seconds_for(params, "step_duration"),
        params["mirror_percentage"],
        params["match"] or {},
    )
    # Clients that stay with the canary may exceed its weight.
    return tuple(replace(step, capacity=100) for step in steps) if params["session_affinity"] else steps


def _steps(params: Mapping[str, Any]) -> Sequence[Any]:
    given: Sequence[Any] = [] if params["strategy"] == BLUE_GREEN else params["steps"]
    return given


def seconds_for(params: Mapping[str, Any], option: str, prefix: str = "") -> float:
    """ "0s" is valid too, and means no wait."""
    text = str(params[option]).strip()
    if text.rstrip("msh") in ("0", "0.0"):
        return 0.0
    for problem in time_problems(f"{prefix}{option} is", text):
        raise PlanFailure(problem)
    return seconds(text, option)
