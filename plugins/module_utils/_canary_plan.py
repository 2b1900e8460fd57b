# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a run will do, before it does anything: its strategy as steps, and its gates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import AnalysisFailure, seconds
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import Side, State, Step
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic import Affinity, MatchRoute, Mirror, Split

WEIGHT, AB, BLUE_GREEN, MIRROR, SPLIT = STRATEGIES = ("weight", "ab", "blue_green", "mirror", "split")
START, INCREASE, PROMOTION, END = GATES = ("start", "increase", "promotion", "end")
HOLD, RETURN, URL = GATE_TYPES = ("hold", "return", "url")


class PlanFailure(ValueError):
    """What is asked for makes no run; the message names the option and the way out."""


@dataclass(frozen=True)
class Gate:
    """What has to be open before the run goes on. ``at`` is one of GATES."""

    at: str
    type: str
    url: str = ""
    timeout: float = 0


def steps_of(
    strategy: str, given: Sequence[Any], duration: float, mirror_percentage: float, match: Mapping[str, Any]
) -> tuple[Step, ...]:
    """The steps of a strategy. ``given`` are weights, or mappings with ``weight``, ``duration`` and ``mirror``."""
    steps = [_step(entry, duration) for entry in given]
    for before, after in pairwise(steps):
        if after.weight <= before.weight and not (before.mirror or before.matched):
            raise PlanFailure(f"steps: {after.weight} after {before.weight}; each weight has to be more than the last.")
    if (strategy == AB) != bool(match):
        raise PlanFailure(
            "strategy ab needs match: headers or a cookie by which requests are told apart."
            if strategy == AB
            else f"match belongs to strategy ab, and strategy is {strategy}."
        )
    full = Step(100, duration, capacity=100)
    if strategy == AB:
        return (Step(0, duration, matched=True, capacity=100), full)
    if strategy == BLUE_GREEN:
        return (full,)
    if strategy == MIRROR:
        percentage = mirror_percentage
        first = Step(0, duration, mirror=percentage, capacity=math.ceil(percentage))
        return (first, *(steps or [full]))
    if not steps:
        raise PlanFailure("steps is empty: give at least one weight, such as [5, 25, 100].")
    if strategy == SPLIT and len(steps) != 1:
        raise PlanFailure(f"strategy split has one step, the split itself, and steps has {len(steps)}.")
    return tuple(steps)


def _step(entry: Any, duration: float) -> Step:
    given: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {"weight": entry}
    unknown = set(given) - {"weight", "duration", "mirror"}
    if unknown:
        raise PlanFailure(f"steps: {sorted(unknown)[0]} is unknown; a step has weight, duration and mirror.")
    weight, mirror = str(given.get("weight", 0)), given.get("mirror") or 0
    try:
        percentage = float(mirror)
    except (TypeError, ValueError):
        percentage = -1
    if not weight.isdecimal() or int(weight) > 100 or (int(weight) == 0 and not percentage):
        raise PlanFailure(f"steps: weight {weight!r} has to be a whole number from 1 to 100.")
    if not 0 <= percentage <= 100:
        raise PlanFailure(f"steps: mirror {mirror!r} has to be a percentage.")
    try:
        lasts = seconds(given["duration"], "steps: duration") if given.get("duration") else duration
    except AnalysisFailure as error:
        raise PlanFailure(str(error)) from error
    return Step(int(weight), lasts, mirror=percentage, capacity=max(int(weight), math.ceil(percentage)))


def gates_of(given: Sequence[Mapping[str, Any]]) -> tuple[Gate, ...]:
    gates = []
    for entry in given:
        if (entry["type"] == URL) != bool(entry["url"]):
            raise PlanFailure(f"gates: a gate of type {entry['type']} has {'no' if entry['type'] == URL else 'a'} url.")
        if entry["at"] == END and entry["type"] != URL:
            raise PlanFailure("gates: at the end, where the old pods wait to go, only a gate of type url is possible.")
        gates.append(Gate(entry["at"], entry["type"], entry["url"] or "", seconds(entry["timeout"], "gates: timeout")))
    if len({gate.at for gate in gates}) != len(gates):
        raise PlanFailure("gates: there is more than one for the same place.")
    return tuple(gates)


def pods_for(capacity: int, stable_pods: int, min_ready: int) -> int:
    """How many ready pods the canary needs beside so many stable ones. ``capacity`` in percent of those."""
    return max(min_ready, math.ceil(capacity * stable_pods / 100))


def traffic(state: State, host: str) -> Split:
    """The split that belongs to a state. What the run may have added is named as absent where it is not to be."""
    step = (
        state.current if state.gets_traffic and state.phase not in ("Promoting", "Finalising", "RollingBack") else None
    )
    mirrored = any(entry.mirror for entry in state.steps)
    mirror = match = affinity = None
    if mirrored:
        mirror = Mirror(state.canary.subset, step.mirror) if step and step.mirror else Mirror(present=False)
    if state.match:
        there = bool(step and step.matched)
        match = MatchRoute(match_name(state), state.canary.subset, state.match.get("headers") or {},
                           state.match.get("cookie") or {}, present=there)  # fmt: skip
    if state.affinity:
        there = bool(step and 0 < state.weight < 100)
        affinity = Affinity(state.affinity["cookie_name"], state.canary.subset, state.affinity["max_age"], there)
    return Split(
        host=host,
        weights={state.stable.subset: 100 - state.weight, state.canary.subset: state.weight},
        mirror=mirror,
        match_routes=[match] if match else [],
        affinity=affinity,
    )


def match_name(state: State) -> str:
    return f"canary-{state.service.partition('.')[0]}"


def image_with(current: str, tag: str) -> str:
    """The image of another tag or digest in the same repository."""
    repository = current.partition("@")[0]
    # A colon before the last slash is a registry's port.
    if ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]
    return f"{repository}{'@' if tag.startswith('sha256:') else ':'}{tag}"


def describe_plan(state: State, min_ready: int) -> list[str]:
    """The run in words, for a check run."""
    lines = [_versions(state.stable, state.canary)]
    for number, step in enumerate(state.steps, 1):
        what = [f"weight {step.weight} %"] if step.weight or not (step.mirror or step.matched) else []
        if step.mirror:
            what.append(f"a copy of {step.mirror:g} % of the requests")
        if step.matched:
            what.append("the requests that match")
        pods = pods_for(step.capacity, state.capacity, min_ready)
        lines.append(f"step {number}/{len(state.steps)}: {', '.join(what)} for {step.duration:g} s, {pods} ready pods")
    if state.strategy != SPLIT:
        lines.append(f"then all traffic to {state.canary.subset}, and {state.stable.workload} to 0 pods")
    return lines


def _versions(stable: Side, canary: Side) -> str:
    return f"{canary.image} in subset {canary.subset} beside {stable.image} in subset {stable.subset}"
