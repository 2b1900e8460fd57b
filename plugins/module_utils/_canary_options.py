# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The options of module canary, and what they ask for."""

from __future__ import annotations

import getpass
import socket
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import AnalysisFailure, seconds
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_options import options as analysis_options
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_decision import (
    GIVE_UP,
    PAUSE,
    REASSERT,
    ROLLBACK,
    WATCH,
    Policy,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_plan import (
    BLUE_GREEN,
    GATE_TYPES,
    GATES,
    STRATEGIES,
    PlanFailure,
    gates_of,
    steps_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import INITIALIZED, Side, State, Step
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istiod import ISTIOD_OPTIONS

PROGRESSED, PAUSED, RESUMED, PROMOTED, ABORTED, RECONCILED = STATES = (
    "progressed",
    "paused",
    "resumed",
    "promoted",
    "aborted",
    "reconciled",
)
_TEXT = {"type": "str", "default": ""}


def _time(default: str) -> dict[str, Any]:
    return {"type": "str", "default": default}


def options() -> dict[str, Any]:
    """For an argument spec."""
    shared = analysis_options()
    del shared["since"]
    return {
        **shared,
        **ISTIOD_OPTIONS,
        "service": _TEXT,
        "state": {"type": "str", "choices": list(STATES), "default": PROGRESSED},
        "scope": {"type": "str", "choices": ["run", "step"], "default": "run"},
        "virtual_services": {"type": "list", "elements": "str", "default": []},
        "image_tag": _TEXT,
        "image": _TEXT,
        "container": _TEXT,
        "strategy": {"type": "str", "choices": list(STRATEGIES), "default": "weight"},
        "steps": {"type": "list", "elements": "raw", "default": [5, 10, 25, 50, 100]},
        "match": {
            "type": "dict",
            "options": {"headers": {"type": "dict", "default": {}}, "cookie": {"type": "dict", "default": {}}},
        },
        "session_affinity": {
            "type": "dict",
            "options": {
                "cookie_name": {"type": "str", "required": True},
                "max_age": {"type": "int", "default": 86400},
            },
        },
        "mirror_percentage": {"type": "float", "default": 100},
        "step_duration": _time("30s"),
        "checks": {"type": "int", "default": 3},
        "interval": _time("5s"),
        "min_share": {"type": "float", "default": 0.3},
        "no_data_timeout": _time("60s"),
        "on_no_data": {"type": "str", "choices": [ROLLBACK, PAUSE], "default": ROLLBACK},
        "on_inconclusive": {"type": "str", "choices": [PAUSE, ROLLBACK], "default": PAUSE},
        "on_drift": {"type": "str", "choices": [ROLLBACK, REASSERT, GIVE_UP], "default": ROLLBACK},
        "on_pause": {"type": "str", "choices": [WATCH, "return"], "default": WATCH},
        "deadline": _time("1h"),
        "ready_timeout": _time("5m"),
        "min_ready": {"type": "int", "default": 1},
        "drain": _time("30s"),
        "gates": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "at": {"type": "str", "choices": list(GATES), "required": True},
                "type": {"type": "str", "choices": list(GATE_TYPES), "required": True},
                "url": _TEXT,
                "timeout": _time("30m"),
            },
        },
        "lease_duration": {"type": "int", "default": 30},
        "holder": _TEXT,
        "reason": _TEXT,
        "begun_before": _TEXT,
        "wait_timeout": _time("1m"),
        "unproven_wait": _time("5s"),
        "progress_file": {"type": "path", "default": ""},
        "notice": _TEXT,
    }


def holder(params: Mapping[str, Any]) -> str:
    """Who runs it, for people."""
    if params["holder"]:
        return str(params["holder"])
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        # A container's user need not have a name.
        return socket.gethostname()


def policy_of(params: Mapping[str, Any]) -> Policy:
    return Policy(
        actor=holder(params),
        gates=gates_of(params["gates"]),
        one_step=params["scope"] == "step",
        ready_timeout=_seconds(params, "ready_timeout"),
        sync_timeout=_seconds(params, "wait_timeout"),
        no_data_timeout=_seconds(params, "no_data_timeout"),
        drain=_seconds(params, "drain"),
        **{
            key: params[key] for key in ("checks", "min_ready", "on_no_data", "on_inconclusive", "on_drift", "on_pause")
        },
    )


def plan_of(params: Mapping[str, Any]) -> tuple[Step, ...]:
    strategy, match = params["strategy"], params["match"] or {}
    if match and not (match.get("headers") or match.get("cookie")):
        raise PlanFailure("match has neither headers nor a cookie.")
    if params["session_affinity"] and strategy != "weight":
        raise PlanFailure(f"session_affinity belongs to strategy weight, and strategy is {strategy}.")
    if params["checks"] < 1 or params["min_ready"] < 1:
        raise PlanFailure("checks and min_ready have to be 1 or more.")
    given = [] if strategy == BLUE_GREEN else params["steps"]
    return steps_of(strategy, given, _seconds(params, "step_duration"), params["mirror_percentage"], match)


def new_run(params: Mapping[str, Any], stable: Side, canary: Side, capacity: int, now: float) -> State:
    """The state before the first step."""
    affinity = params["session_affinity"] or {}
    started = datetime.fromtimestamp(now, UTC)
    state = State(
        run=f"{started:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}",
        service=params["service"],
        virtual_services=tuple(params["virtual_services"] or [params["service"].partition(".")[0]]),
        phase=INITIALIZED,
        stable=stable,
        canary=canary,
        steps=plan_of(params),
        started=now,
        deadline=now + _seconds(params, "deadline"),
        capacity=capacity,
        strategy=params["strategy"],
        match=params["match"] or {},
        affinity=affinity,
    )
    return state.moved(now, holder(params), f"{canary.image} beside {stable.image}")


def _seconds(params: Mapping[str, Any], option: str) -> float:
    """ "0s" is a time too: no waiting at all."""
    text = str(params[option]).strip()
    if text.rstrip("msh") in ("0", "0.0"):
        return 0.0
    try:
        return seconds(text, option)
    except AnalysisFailure as error:
        raise PlanFailure(str(error)) from error


def interval_of(params: Mapping[str, Any], option: str = "interval") -> float:
    return _seconds(params, option)
