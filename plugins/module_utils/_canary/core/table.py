# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A run as text and as return values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Event, State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcome_of(moment: Event | State) -> str:
    """The phase in words. A rolled back run may have failed, or may only have been unwanted: see its reason."""
    if moment.phase != Phase.FAILED:
        return moment.phase.value
    return "Given up" if moment.weight else "Rolled back"


def report(state: State) -> dict[str, Any]:
    """A run as module canary returns it."""
    step = state.current
    return {
        "run_id": state.run,
        "phase": state.phase.value,
        "outcome": outcome_of(state),
        "reason": state.reason,
        "image": state.canary.image,
        "stable_image": state.stable.image,
        "subsets": {"stable": state.stable.subset, "canary": state.canary.subset},
        "weights": {"stable": 100 - state.weight, "canary": state.weight},
        "step": {"index": state.step + 1, "total": len(state.steps), "weight": step.weight if step else 0},
        "gate": state.gate,
        "started": stamp(state.started),
        "deadline": stamp(state.deadline),
        "history": [
            {**event.__dict__, "at": stamp(event.at), "phase": event.phase.value, "outcome": outcome_of(event)}
            for event in state.history
        ],
    }


def summary(state: State, reason: str = "") -> str:
    """How a run ended, or its present state, in one line. ``reason``: replaces the state's own."""
    took = f" after {state.changed_at - state.started:.0f} s" if state.final else ""
    slot, weight = (state.canary, state.weight) if state.weight else (state.stable, 100)
    # The reason of a promotion names the image.
    image = "" if state.phase == Phase.SUCCEEDED else f", with {slot.image}"
    has = f"{slot.subset} has {weight} % of the traffic{image}"
    return f"{state.service}: {outcome_of(state)}{took}: {reason or state.reason}; {has}"


def table(state: State) -> list[str]:
    """What happened and why, one line for each change."""
    lines = [
        f"{state.service}: {state.canary.image} in {state.canary.subset} beside {state.stable.image} in "
        f"{state.stable.subset}, run {state.run}"
    ]
    previous = state.started
    for event in state.history:
        lines.append(_line(event, event.at - previous))
        previous = event.at
    lines.append(f"{'':8} {'':>7}  {outcome_of(state)}: {state.reason or 'in progress'}")
    return lines


def _line(event: Event, seconds: float) -> str:
    at = datetime.fromtimestamp(event.at, UTC)
    return f"{at:%H:%M:%S} {seconds:>+6.1f}s  {outcome_of(event):<16} {event.weight:>3} %  {event.reason}".rstrip()
