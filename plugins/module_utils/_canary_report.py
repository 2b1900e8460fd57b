# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How a service's canary stands: what its run says of itself, and what the cluster shows that the run does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import (
    FAILED,
    FINALISING,
    INITIALIZED,
    PROMOTING,
    ROLLING_BACK,
    SUCCEEDED,
    Side,
    State,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_table import report, table


@dataclass(frozen=True)
class Slot:
    """A subset and the Deployment behind it, as they are."""

    side: Side
    wanted: int
    ready: int


@dataclass(frozen=True)
class Holder:
    """Who has the lock."""

    name: str
    alive: bool
    seconds_left: float


@dataclass(frozen=True)
class Autoscaler:
    name: str
    target: str
    # It holds on to the number of pods that the stable side had when a run started.
    pinned: bool


@dataclass(frozen=True)
class View:
    """One service at one moment."""

    service: str
    now: float
    state: State | None = None
    slots: Mapping[str, Slot] = field(default_factory=dict)
    # VirtualService -> route -> subset -> weight.
    routes: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    holder: Holder | None = None
    autoscaler: Autoscaler | None = None
    # Of VirtualServices whose split, or whose copy of the state, is not the run's.
    edits: tuple[str, ...] = ()


def live_weights(view: View) -> dict[str, int]:
    """Subset -> weight, where every route agrees; of the first route otherwise, and then there is a drift to tell."""
    found = [dict(weights) for routes in view.routes.values() for weights in routes.values()]
    return found[0] if found else {}


def stable_subset(view: View) -> str:
    """The slot that has all the traffic, or that takes it back."""
    state = view.state
    if state is not None:
        return state.canary.subset if state.phase in (SUCCEEDED, FINALISING) else state.stable.subset
    return next((subset for subset, weight in live_weights(view).items() if weight == 100), "")


def drift(view: View) -> list[str]:
    """What differs from what the run has written, each as a sentence."""
    found = list(view.edits)
    live = live_weights(view)
    for name, routes in view.routes.items():
        for route, weights in routes.items():
            if dict(weights) != live:
                found.append(f"route {route} of VirtualService {name} has weights {dict(weights)}, others have {live}")
    if view.state is not None:
        found += _images(view.state, view.slots)
        if view.state.final:
            found += _left_over(view, view.state)
    elif view.autoscaler and view.autoscaler.pinned:
        found.append(f"HorizontalPodAutoscaler {view.autoscaler.name} is pinned, and there is no run")
    return found


def _images(state: State, slots: Mapping[str, Slot]) -> list[str]:
    expected = {} if state.phase == INITIALIZED else {state.canary.subset: state.canary}
    if state.phase == SUCCEEDED:
        # The old version's slot is idle: whatever is deployed there harms nobody.
        sides = expected
    elif state.phase == FAILED:
        sides = {state.stable.subset: state.stable}
    else:
        sides = {**expected, state.stable.subset: state.stable}
    return [
        f"Deployment {side.workload} has image {slots[subset].side.image}, and the run has {side.image}"
        for subset, side in sides.items()
        if subset in slots and slots[subset].side.image != side.image
    ]


def _left_over(view: View, state: State) -> list[str]:
    """What a run that has ended should not have left."""
    found = []
    stable, idle = (state.canary, state.stable) if state.phase == SUCCEEDED else (state.stable, state.canary)
    scaler = view.autoscaler
    if scaler and scaler.pinned:
        found.append(f"HorizontalPodAutoscaler {scaler.name} is still pinned for the run, which has ended")
    if scaler and scaler.target != stable.workload:
        found.append(f"HorizontalPodAutoscaler {scaler.name} is for {scaler.target}, and {stable.workload} is stable")
    slot = view.slots.get(idle.subset)
    if slot and slot.wanted > 0 and live_weights(view).get(idle.subset, 0) == 0:
        found.append(f"Deployment {idle.workload} gets no traffic and has {slot.wanted} pods")
    return found


def described(view: View) -> dict[str, Any]:
    """One service, as module canary_info returns it."""
    live, stable = live_weights(view), stable_subset(view)
    others = [subset for subset in view.slots if subset != stable]
    slot = view.slots.get(stable)
    run: dict[str, Any] = (
        report(view.state)
        if view.state is not None
        else {
            "run_id": "",
            "phase": "",
            "reason": "there has been no canary",
            "image": slot.side.image if slot else "",
            "stable_image": slot.side.image if slot else "",
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
        "service": view.service,
        "weights": {side: live.get(subset, 0) for side, subset in subsets.items()},
        "routes": {
            name: {route: dict(found) for route, found in routes.items()} for name, routes in view.routes.items()
        },
        "stable_now": stable,
        "previous_image": view.state.stable.image if view.state is not None and view.state.phase == SUCCEEDED else "",
        "slots": {
            subset: {
                "workload": slot.side.workload,
                "image": slot.side.image,
                "wanted": slot.wanted,
                "ready": slot.ready,
            }
            for subset, slot in view.slots.items()
        },
        "holder": view.holder.name if view.holder else "",
        "holder_alive": bool(view.holder and view.holder.alive),
        "seconds_left": round(max(0.0, view.state.deadline - view.now)) if view.state and not view.state.final else 0,
        "drift": drift(view),
    }


def summary(view: View) -> str:
    """One line for people."""
    live = live_weights(view)
    shares = ", ".join(f"{subset} {weight} %" for subset, weight in sorted(live.items())) or "no route to a subset"
    state = view.state
    if state is None:
        slot = view.slots.get(stable_subset(view))
        return f"{view.service}: no canary yet; {shares}{f' ({slot.side.image})' if slot else ''}"
    step = f" step {state.step + 1}/{len(state.steps)}" if not state.final and state.step >= 0 else ""
    return f"{view.service}: {state.phase}{step}; {shares}; {_image(view, state)}"


def _image(view: View, state: State) -> str:
    if state.phase in (SUCCEEDED, FAILED):
        slot = view.slots.get(stable_subset(view))
        return f"stable is {slot.side.image}" if slot else "stable is unknown"
    return f"{state.canary.image} beside {state.stable.image}"


def lines(view: View, full: bool) -> list[str]:
    """The service for people: a line for each fact; ``full`` with the run's history."""
    found = [summary(view)]
    for subset, slot in sorted(view.slots.items()):
        if full:
            found.append(
                f"  {subset}: {slot.side.workload}, {slot.side.image}, {slot.ready} of {slot.wanted} pods ready"
            )
    state = view.state
    if state is not None and not state.final:
        found.append(f"  {_carried(view)}; {_time_left(view, state)}")
    found += [f"  drift: {text}" for text in drift(view)]
    if full and state is not None:
        found += [f"  {line}" for line in table(state)]
    return found


def _carried(view: View) -> str:
    if view.holder is None:
        return "nobody carries it on"
    if view.holder.alive:
        return f"{view.holder.name} carries it on"
    return f"{view.holder.name} is dead: canary.yml goes on, canary_reconcile.yml takes it back"


def _time_left(view: View, state: State) -> str:
    left = state.deadline - view.now
    if state.phase in (PROMOTING, FINALISING, ROLLING_BACK):
        return "what was decided is being carried out"
    return f"{left:.0f} s to its deadline" if left > 0 else f"its deadline is over since {-left:.0f} s"
