# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A run as text and as return values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import Event, State


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def report(state: State) -> dict[str, Any]:
    """What module canary returns of a run."""
    step = state.current
    return {
        "run_id": state.run,
        "phase": state.phase,
        "reason": state.reason,
        "image": state.canary.image,
        "stable_image": state.stable.image,
        "subsets": {"stable": state.stable.subset, "canary": state.canary.subset},
        "weights": {"stable": 100 - state.weight, "canary": state.weight},
        "step": {"index": state.step + 1, "total": len(state.steps), "weight": step.weight if step else 0},
        "gate": state.gate,
        "started": stamp(state.started),
        "deadline": stamp(state.deadline),
        "history": [{**event.__dict__, "at": stamp(event.at)} for event in state.history],
    }


def table(state: State, warnings: Sequence[str] = ()) -> list[str]:
    """What happened and why, a line for each change."""
    lines = [
        f"{state.service}: {state.canary.image} in {state.canary.subset} beside {state.stable.image} in "
        f"{state.stable.subset}, run {state.run}"
    ]
    previous = state.started
    for event in state.history:
        lines.append(_line(event, event.at - previous))
        previous = event.at
    lines.append(f"{'':8} {'':>7}  {state.phase}: {state.reason or 'under way'}")
    return [*lines, *(f"warning: {text}" for text in warnings)]


def _line(event: Event, seconds: float) -> str:
    at = datetime.fromtimestamp(event.at, UTC)
    return f"{at:%H:%M:%S} {seconds:>+6.1f}s  {event.phase:<16} {event.weight:>3} %  {event.reason}".rstrip()
