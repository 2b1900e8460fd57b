# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The status of a service's canary: the state of its run, and what the cluster shows beyond that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Slot, State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.table import outcome_of, report, table
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase


@dataclass(frozen=True)
class SlotStatus(Slot):
    """A slot in the cluster: its replicas, and how many of its pods are ready."""

    wanted: int
    ready: int


@dataclass(frozen=True)
class Holder:
    """The holder of the lock."""

    name: str
    alive: bool
    seconds_left: float


@dataclass(frozen=True)
class Autoscaler:
    name: str
    target: str
    # It keeps at least the pods that the stable side had at the start of a run.
    pinned: bool


@dataclass(frozen=True)
class CanaryStatus:
    """One service at one moment."""

    service: str
    now: float
    state: State | None = None
    slots: Mapping[str, SlotStatus] = field(default_factory=dict)
    # Object -> route -> subset -> weight.
    routes: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    holder: Holder | None = None
    autoscaler: Autoscaler | None = None
    # Differences of the route's objects: a split, or a copy of the state, that is not the run's.
    edits: tuple[str, ...] = ()


def live_weights(status: CanaryStatus) -> dict[str, int]:
    """Subset -> weight. If the routes differ, those of the first one, and drift reports the others."""
    found = [dict(weights) for routes in status.routes.values() for weights in routes.values()]
    return found[0] if found else {}


def stable_subset(status: CanaryStatus) -> str:
    """The slot that has all traffic, or gets it in a rollback."""
    state = status.state
    if state is not None:
        return state.kept.subset
    return next((subset for subset, weight in live_weights(status).items() if weight == 100), "")


def drift(status: CanaryStatus) -> list[str]:
    """The differences from what the run has written, each as a sentence."""
    found = list(status.edits)
    live = live_weights(status)
    for name, routes in status.routes.items():
        for route, weights in routes.items():
            if dict(weights) != live:
                found.append(f"route {route} of {name} has weights {dict(weights)}, others have {live}")
    if status.state is not None:
        found += _images(status.state, status.slots)
        if status.state.final:
            found += _left_over(status, status.state)
    elif status.autoscaler and status.autoscaler.pinned:
        found.append(f"HorizontalPodAutoscaler {status.autoscaler.name} is pinned, and there is no run")
    return found


def _images(state: State, slots: Mapping[str, SlotStatus]) -> list[str]:
    expected = {} if state.phase == Phase.INITIALIZED else {state.canary.subset: state.canary}
    if state.phase == Phase.SUCCEEDED:
        # The old version's slot is idle, so any image may be deployed there.
        wanted = expected
    elif state.phase == Phase.FAILED:
        wanted = {state.stable.subset: state.stable}
    else:
        wanted = {**expected, state.stable.subset: state.stable}
    return [
        f"Deployment {slot.workload} has image {slots[subset].image}, and the run has {slot.image}"
        for subset, slot in wanted.items()
        if subset in slots and slots[subset].image != slot.image
    ]


def _left_over(status: CanaryStatus, state: State) -> list[str]:
    """What an ended run should not have left."""
    found = []
    stable = state.kept
    idle = state.stable if stable is state.canary else state.canary
    scaler = status.autoscaler
    if scaler and scaler.pinned:
        found.append(f"HorizontalPodAutoscaler {scaler.name} is still pinned for the run, which has ended")
    if scaler and scaler.target != stable.workload:
        found.append(f"HorizontalPodAutoscaler {scaler.name} is for {scaler.target}, and {stable.workload} is stable")
    slot = status.slots.get(idle.subset)
    if slot and slot.wanted > 0 and live_weights(status).get(idle.subset, 0) == 0:
        found.append(f"Deployment {idle.workload} gets no traffic and has {slot.wanted} pods")
    return found


def described(status: CanaryStatus) -> dict[str, Any]:
    """One service, as module canary_info returns it."""
    live, stable = live_weights(status), stable_subset(status)
    others = [subset for subset in status.slots if subset != stable]
    slot = status.slots.get(stable)
    run: dict[str, Any] = (
        report(status.state)
        if status.state is not None
        else {
            "run_id": "",
            "phase": "",
            "outcome": "",
            "reason": "there has been no canary",
            "image": slot.image if slot else "",
            "stable_image": slot.image if slot else "",
            "subsets": {"stable": stable, "canary": others[0] if len(others) == 1 else ""},
            "step": {"index": 0, "total": 0, "weight": 0},
            "gate": "",
            "started": "",
            "deadline": "",
            "history": [],
        }
    )
    subsets = run["subsets"]
    return {
        **run,
        "service": status.service,
        "weights": {side: live.get(subset, 0) for side, subset in subsets.items()},
        "routes": {
            name: {route: dict(found) for route, found in routes.items()} for name, routes in status.routes.items()
        },
        "stable_now": stable,
        "previous_image": status.state.stable.image
        if status.state is not None and status.state.phase == Phase.SUCCEEDED
        else "",
        "slots": {
            subset: {
                "workload": slot.workload,
                "image": slot.image,
                "wanted": slot.wanted,
                "ready": slot.ready,
            }
            for subset, slot in status.slots.items()
        },
        "holder": status.holder.name if status.holder else "",
        "holder_alive": bool(status.holder and status.holder.alive),
        "seconds_left": round(max(0.0, status.state.deadline - status.now))
        if status.state and not status.state.final
        else 0,
        "drift": drift(status),
    }


def summary(status: CanaryStatus) -> str:
    """One line for people."""
    live = live_weights(status)
    shares = ", ".join(f"{subset} {weight} %" for subset, weight in sorted(live.items())) or "no route to a subset"
    state = status.state
    if state is None:
        slot = status.slots.get(stable_subset(status))
        return f"{status.service}: no canary yet; {shares}{f' ({slot.image})' if slot else ''}"
    step = f" step {state.step + 1}/{len(state.steps)}" if not state.final and state.step >= 0 else ""
    why = f": {state.reason}" if state.phase == Phase.FAILED else ""
    return f"{status.service}: {outcome_of(state)}{why}{step}; {shares}; {_image(status, state)}"


def _image(status: CanaryStatus, state: State) -> str:
    if state.phase.final:
        slot = status.slots.get(stable_subset(status))
        return f"stable is {slot.image}" if slot else "stable is unknown"
    return f"{state.canary.image} beside {state.stable.image}"


def lines(status: CanaryStatus, full: bool) -> list[str]:
    """The service for people: a line for each fact; ``full`` with the run's history."""
    found = [summary(status)]
    for subset, slot in sorted(status.slots.items()):
        if full:
            found.append(f"  {subset}: {slot.workload}, {slot.image}, {slot.ready} of {slot.wanted} pods ready")
    state = status.state
    if state is not None and not state.final:
        found.append(f"  {_carried(status)}; {_time_left(status, state)}")
    found += [f"  drift: {text}" for text in drift(status)]
    if full and state is not None:
        found += [f"  {line}" for line in table(state)]
    return found


def _carried(status: CanaryStatus) -> str:
    if status.holder is None:
        return "no process runs it"
    if status.holder.alive:
        return f"{status.holder.name} runs it"
    return f"{status.holder.name} is dead: the next call resumes the run, state=reconciled rolls it back"


def _time_left(status: CanaryStatus, state: State) -> str:
    left = state.deadline - status.now
    if state.phase.decided:
        return "its decision is being carried out"
    return f"{left:.0f} s to its deadline" if left > 0 else f"its deadline expired {-left:.0f} s ago"
