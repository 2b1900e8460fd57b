# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The options of module canary, and what they mean."""

from __future__ import annotations

import getpass
import socket
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.options import options as analysis_options
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.configuration import (
    KINDS,
    configuration_problems,
    digest_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.copying import patch_problems
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import (
    GIVE_UP,
    IGNORE,
    PAUSE,
    REASSERT,
    ROLLBACK,
    WATCH,
    Policy,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import (
    GATE_TYPES,
    GATES,
    PlanFailure,
    gates_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.run_options import (
    plan_of,
    problems,
    seconds_for,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    KEEPS,
    ORIGINAL,
    RouteNames,
    Slot,
    State,
    Step,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.terms import (
    completed,
    differences,
    terms_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.owners import ACCEPT, REFUSE
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.route_names import ROUTE_KIND
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    STRATEGIES,
    Phase,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import ISTIOD_OPTIONS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import COOKIE_OPTIONS

PROGRESSED, PAUSED, RESUMED, PROMOTED, ABORTED, UNDONE, RECONCILED, DETACHED = STATES = (
    "progressed",
    "paused",
    "resumed",
    "promoted",
    "aborted",
    "undone",
    "reconciled",
    "detached",
)
SLOTS, COPY = WAYS = ("slots", "copy")
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
        "routes": {"type": "list", "elements": "str", "default": []},
        "route_kind": ROUTE_KIND,
        "target": {
            "type": "dict",
            "options": {
                "deployment": _TEXT,
                "way": {"type": "str", "choices": list(WAYS), "default": SLOTS},
                "keep": {"type": "str", "choices": list(KEEPS), "default": ORIGINAL},
            },
        },
        "patch": {"type": "dict", "default": {}},
        "configuration": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "kind": {"type": "str", "choices": list(KINDS), "required": True},
                "name": {"type": "str", "required": True},
                "data": {"type": "dict", "required": True},
            },
        },
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
                **COOKIE_OPTIONS,
            },
        },
        "mirror_percentage": {"type": "float", "default": 100},
        "step_duration": _time("30s"),
        "interval": _time("5s"),
        "min_share": {"type": "float", "default": 0.3},
        "no_data_timeout": _TEXT,
        "error_timeout": _time("3m"),
        "on_no_data": {"type": "str", "choices": [PAUSE, ROLLBACK], "default": PAUSE},
        "on_inconclusive": {"type": "str", "choices": [PAUSE, ROLLBACK], "default": PAUSE},
        "on_drift": {"type": "str", "choices": [ROLLBACK, REASSERT, GIVE_UP], "default": ROLLBACK},
        "on_pause": {"type": "str", "choices": [WATCH, "return"], "default": WATCH},
        "on_stable_change": {"type": "str", "choices": [ROLLBACK, PAUSE, IGNORE], "default": ROLLBACK},
        "managed_by_others": {"type": "str", "choices": [REFUSE, ACCEPT], "default": REFUSE},
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
        "force": {"type": "bool", "default": False},
        "wait_timeout": _time("1m"),
        "unproven_wait": _time("5s"),
        "progress_file": {"type": "path", "default": ""},
        "progress_details": {"type": "bool", "default": True},
        "notice": _TEXT,
    }


def holder(params: Mapping[str, Any]) -> str:
    """The name of the caller, for people."""
    if params["holder"]:
        return str(params["holder"])
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        # The user of a container may not have a name.
        return socket.gethostname()


def wanted_target(params: Mapping[str, Any]) -> dict[str, str]:
    """What the run is about, with defaults."""
    given = {key: value for key, value in (params["target"] or {}).items() if value}
    return {"deployment": "", "way": SLOTS, "keep": ORIGINAL, **given}


def policy_of(params: Mapping[str, Any]) -> Policy:
    return Policy(
        actor=holder(params),
        gates=gates_of(params["gates"]),
        one_step=params["scope"] == "step",
        ready_timeout=seconds_for(params, "ready_timeout"),
        sync_timeout=seconds_for(params, "wait_timeout"),
        no_data_timeout=seconds_for(params, "no_data_timeout") if params["no_data_timeout"] else None,
        error_timeout=seconds_for(params, "error_timeout"),
        drain=seconds_for(params, "drain"),
        **{
            key: params[key]
            for key in (
                "min_ready",
                "on_no_data",
                "on_inconclusive",
                "on_drift",
                "on_pause",
                "on_stable_change",
            )
        },
    )


def refuse_problems(params: Mapping[str, Any]) -> None:
    """Raise PlanFailure with all problems at once."""
    if found := [*_target_problems(params), *problems(params, begins=params["state"] == PROGRESSED)]:
        raise PlanFailure("\n".join(found))


def _target_problems(params: Mapping[str, Any]) -> Iterator[str]:
    target = wanted_target(params)
    if target["way"] == COPY and not target["deployment"]:
        yield "target.way is copy, and target.deployment is empty: name the Deployment to copy."
    if params["patch"] and target["way"] != COPY:
        yield "patch is set, and target.way is slots, where only the image can change: set target.way to copy."
    if params["configuration"] and target["way"] != COPY:
        yield "configuration is set, and target.way is slots, where only the image can change: set target.way to copy."
    yield from patch_problems(params["patch"] or {})
    yield from configuration_problems(params["configuration"])


def new_run(
    params: Mapping[str, Any], where: RouteNames, stable: Slot, canary: Slot, capacity: int, now: float
) -> State:
    """The state before the first step."""
    affinity = params["session_affinity"] or {}
    started = datetime.fromtimestamp(now, UTC)
    state = State(
        run=f"{started:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}",
        service=params["service"],
        where=where,
        phase=Phase.INITIALIZED,
        stable=stable,
        canary=canary,
        steps=plan_of(params),
        started=now,
        deadline=now + seconds_for(params, "deadline"),
        capacity=capacity,
        strategy=params["strategy"],
        match=params["match"] or {},
        affinity=affinity,
        terms=terms_of(params),
    )
    return state.moved(now, holder(params), f"{canary.image} beside {stable.image}")


def options_of(state: State, params: Mapping[str, Any]) -> dict[str, Any]:
    """A call's options for an existing run: its terms are the run's, the rest is the call's."""
    return {**params, **completed(state.terms, options())}


def changed_terms(state: State, params: Mapping[str, Any]) -> dict[str, str]:
    """Option -> how the options of a call differ from those of the run in progress.

    Empty if they do not, or if a version without terms began the run.
    """
    if not state.terms:
        return {}
    found = differences(completed(state.terms, options()), completed(terms_of(params), options()))
    wanted = {
        "strategy": (state.strategy, params["strategy"]),
        "match": (state.match, params["match"] or {}),
        "session_affinity": (state.affinity, params["session_affinity"] or {}),
        "target": (_target_words(state), _target_words_of(params)),
        "patch": (state.patch, params["patch"] or {}),
    }
    found |= {name: _both(*both) for name, both in wanted.items() if both[0] != both[1]}
    if state.configuration_digest != digest_of(params["configuration"]):
        # Their contents may be secret.
        found["configuration"] = "the run has other contents than this call"
    steps = [[_step_words(step) for step in plan] for plan in (state.steps, plan_of(params))]
    # Another strategy always has other steps.
    if steps[0] != steps[1] and "strategy" not in found:
        found["steps"] = _both(*(", ".join(words) for words in steps))
    return found


def _target_words(state: State) -> str:
    copy = state.copy
    return f"a copy of {copy.original}, keep {copy.keep}" if copy else SLOTS


def _target_words_of(params: Mapping[str, Any]) -> str:
    target = wanted_target(params)
    return f"a copy of {target['deployment']}, keep {target['keep']}" if target["way"] == COPY else SLOTS


def _both(of_run: Any, of_call: Any) -> str:
    return f"the run has {of_run or 'none'}, this call has {of_call or 'none'}"


def _step_words(step: Step) -> str:
    return f"{step.weight} % for {step.duration:g} s{f' with a copy of {step.mirror:g} %' if step.mirror else ''}"


def interval_of(params: Mapping[str, Any], option: str = "interval") -> float:
    return seconds_for(params, option)
