# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The plan of a run: its strategy as steps, its gates, and the traffic of each state."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import AnalysisFailure, seconds
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Slot, State, Step
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    AB,
    BLUE_GREEN,
    MIRROR,
    SPLIT,
    WEIGHT,
    header_route,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    Affinity,
    MatchRoute,
    Mirror,
    Split,
)

START, INCREASE, PROMOTION, END = GATES = ("start", "increase", "promotion", "end")
HOLD, RETURN, URL = GATE_TYPES = ("hold", "return", "url")
_FOR_EXAMPLE = "for example [5, 25, 100]"
_URL = re.compile("https?://.")


class PlanFailure(MeshError):
    """The options do not describe a valid run. The message names the option and a fix."""


@dataclass(frozen=True)
class Gate:
    """What must open before the run continues. ``at`` is one of GATES."""

    at: str
    type: str
    url: str = ""
    timeout: float = 0


def steps_of(
    strategy: str, given: Sequence[Any], duration: float, mirror_percentage: float, match: Mapping[str, Any]
) -> tuple[Step, ...]:
    """The steps of a strategy. ``given``: weights, or mappings with ``weight``, ``duration`` and ``mirror``.

    The caller has refused what plan_problems finds.
    """
    steps = [_step(entry, duration) for entry in given]
    full = Step(100, duration, capacity=100)
    if strategy == AB:
        return (Step(0, duration, matched=True, capacity=100), full)
    if strategy == BLUE_GREEN:
        return (full,)
    if strategy == MIRROR:
        percentage = mirror_percentage
        first = Step(0, duration, mirror=percentage, capacity=math.ceil(percentage))
        return (first, *(steps or [full]))
    return tuple(steps)


def plan_problems(strategy: str, given: Sequence[Any], match: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The problems of a plan, one sentence each. ``prefix``: precedes the name of each option."""
    invalid = [problem for entry in given for problem in _step_problems(entry, prefix)]
    yield from invalid
    if not invalid:
        yield from _order_problems(given, prefix)
    if strategy == AB and not (match.get("headers") or match.get("cookie")):
        yield (
            f"{prefix}strategy is ab, and {prefix}match selects no requests for the new version: give headers or a "
            'cookie, for example {"headers": {"x-tester": {"exact": "yes"}}}.'
        )
    if strategy != AB and match:
        yield f"{prefix}match is set, and {prefix}strategy is {strategy}: it belongs to strategy ab."
    if strategy in (WEIGHT, SPLIT) and not given:
        yield f"{prefix}steps is empty: give at least one weight, {_FOR_EXAMPLE}."
    elif strategy == SPLIT and len(given) != 1:
        yield (
            f"{prefix}strategy is split, and {prefix}steps has {len(given)} weights: a split has the one that it "
            "leaves, for example [20]."
        )


def _order_problems(given: Sequence[Any], prefix: str) -> Iterator[str]:
    steps = [_step(entry, 0) for entry in given]
    for before, after in pairwise(steps):
        if after.weight <= before.weight and not (before.mirror or before.matched):
            yield (
                f"{prefix}steps has {after.weight} after {before.weight}: each weight must be more than the one "
                f"before, {_FOR_EXAMPLE}."
            )


def _step_problems(entry: Any, prefix: str) -> Iterator[str]:
    given = _as_mapping(entry)
    for key in sorted(map(str, set(given) - {"weight", "duration", "mirror"})):
        yield f"{prefix}steps: {key} is unknown; a step has weight, duration and mirror."
    weight, mirror = str(given.get("weight", 0)), given.get("mirror") or 0
    percentage = _percentage(mirror)
    if percentage is None:
        yield f"{prefix}steps has mirror '{mirror}', which is not a valid percentage: give 0 to 100."
    if not weight.isdecimal() or int(weight) > 100 or (int(weight) == 0 and percentage == 0):
        yield f"{prefix}steps has '{weight}': each weight must be a whole number from 1 to 100, {_FOR_EXAMPLE}."
    if given.get("duration"):
        yield from time_problems(f"{prefix}steps has duration", given["duration"])


def _percentage(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if 0 <= found <= 100 else None


def _as_mapping(entry: Any) -> Mapping[str, Any]:
    return entry if isinstance(entry, Mapping) else {"weight": entry}


def _step(entry: Any, duration: float) -> Step:
    """The step of a valid entry."""
    given = _as_mapping(entry)
    weight, mirror = int(given.get("weight", 0)), float(given.get("mirror") or 0)
    lasts = seconds(given["duration"], "steps: duration") if given.get("duration") else duration
    return Step(weight, lasts, mirror=mirror, capacity=max(weight, math.ceil(mirror)))


def time_problems(name: str, value: Any, example: str = "30s, 5m or 1h") -> Iterator[str]:
    """``name``: of the option, and the verb of the sentence."""
    try:
        seconds(value, name)
    except AnalysisFailure:
        yield f"{name} '{value}', which is not a valid time: write for example {example}."


def gates_of(given: Sequence[Mapping[str, Any]]) -> tuple[Gate, ...]:
    for problem in gate_problems(given):
        raise PlanFailure(problem)
    return tuple(
        Gate(entry["at"], entry["type"], entry["url"] or "", seconds(entry["timeout"], "gates: timeout"))
        for entry in given
    )


def gate_problems(given: Sequence[Any], prefix: str = "", types: Sequence[str] = GATE_TYPES) -> Iterator[str]:
    """As plan_problems. ``types``: the types that a gate may have."""
    places = []
    for entry in given:
        at, kind = (entry.get("at"), entry.get("type")) if isinstance(entry, Mapping) else (None, None)
        if at not in GATES or kind not in types:
            yield (
                f"{prefix}gates has {json.dumps(entry)}: a gate has `at` ({', '.join(GATES)}) and `type` "
                f"({', '.join(types)})."
            )
            continue
        places.append(at)
        gate, url = f"{prefix}gates has a gate of type {kind} at {at}", entry.get("url") or ""
        if kind == URL and not _URL.match(url):
            yield f"{gate} with url '{url}': give the address that must answer 200."
        if kind != URL and url:
            yield f"{gate} with url '{url}': only a gate of type url has one."
        if kind != URL and at == END:
            yield (
                f"{gate}, where all traffic is the new version's and the old pods only wait to go: the last place for "
                "a question is promotion."
            )
        if timeout := entry.get("timeout"):
            yield from time_problems(f"{gate} with timeout", timeout, "30m")
    for at, count in Counter(places).items():
        if count > 1:
            yield f"{prefix}gates has more than one gate at {at}: leave one of them."


def pods_for(capacity: int, stable_pods: int, min_ready: int) -> int:
    """How many ready pods the canary needs beside ``stable_pods``. ``capacity``: in percent of those."""
    return max(min_ready, math.ceil(capacity * stable_pods / 100))


def traffic(state: State, host: str) -> Split:
    """The split of a state. What the run may have added before, and this state does not need, is named as absent.

    Before the route names the subsets, there is none: requests flow as they did.
    """
    if not state.adopted:
        return Split(host)
    step = state.current if state.gets_traffic and not state.phase.decided else None
    mirrored = any(entry.mirror for entry in state.steps)
    mirror = match = affinity = None
    if mirrored:
        mirror = Mirror(state.canary.subset, step.mirror) if step and step.mirror else Mirror(present=False)
    if state.match:
        there = bool(step and step.matched)
        match = MatchRoute(header_route(state.service), state.canary.subset, state.match.get("headers") or {},
                           state.match.get("cookie") or {}, present=there)  # fmt: skip
    if state.affinity:
        there = bool(step and 0 < state.weight < 100)
        # Each run has its own value, so the clients of this version do not stick to the next one in the slot.
        affinity = Affinity(
            state.affinity["cookie_name"],
            state.canary.subset,
            state.affinity["max_age"],
            there,
            value=state.run,
            moved=_moved(state) if there else None,
            secure=state.affinity.get("secure", True),
            same_site=state.affinity.get("same_site", "Lax"),
        )
    return Split(
        host=host,
        weights={state.stable.subset: 100 - state.weight, state.canary.subset: state.weight},
        mirror=mirror,
        match_routes=[match] if match else [],
        affinity=affinity,
        base=state.stable.subset,
    )


def _moved(state: State) -> tuple[int, ...]:
    """For each previous step: how many percent of the clients that stayed with the stable side then move now.

    The canary keeps its clients, so only as many of the others move as the step's weight needs.
    """
    before = [step.weight for step in state.steps[: state.step]]
    return tuple(round(100 * (state.weight - weight) / (100 - weight)) for weight in before)


def describe_plan(state: State, min_ready: int) -> list[str]:
    """The run in words, for check mode."""
    lines = [_versions(state.stable, state.canary)]
    if state.copy:
        lines.append(
            f"{state.canary.workload} runs it, with the pod template of {state.stable.workload} and the change"
        )
    for number, step in enumerate(state.steps, 1):
        what = [f"weight {step.weight} %"] if step.weight or not (step.mirror or step.matched) else []
        if step.mirror:
            where = "" if step.weight else " (measured at the receiving proxies: clients' proxies do not count copies)"
            what.append(f"a copy of {step.mirror:g} % of the requests{where}")
        if step.matched:
            what.append("the requests that match")
        pods = pods_for(step.capacity, state.capacity, min_ready)
        lines.append(f"step {number}/{len(state.steps)}: {', '.join(what)} for {step.duration:g} s, {pods} ready pods")
    if state.strategy != SPLIT:
        lines.append(f"then all traffic to {state.canary.subset}{_end(state)}")
    return lines


def _end(state: State) -> str:
    original, canary = state.stable.workload, state.canary.workload
    if not state.returns:
        return f", and {left_pods(state.stable)}"
    return (
        f"; {original} gets the tested pod template, and all traffic as soon as its pods are ready; {canary} to 0 pods"
    )


def left_pods(slot: Slot) -> str:
    """What a side has once it no longer gets requests by the routes of the run, in words."""
    if not slot.idle:
        return f"{slot.workload} to 0 pods"
    return f"{slot.workload} to {slot.idle} pods, because other routes send requests to {slot.subset}"


def _versions(stable: Slot, canary: Slot) -> str:
    return f"{canary.image} in subset {canary.subset} beside {stable.image} in subset {stable.subset}"
