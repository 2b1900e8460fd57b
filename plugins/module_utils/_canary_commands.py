# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What people ask of a run, as changes of its state."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import (
    FAILED,
    FINALISING,
    INITIALIZED,
    PAUSED,
    PROGRESSING,
    PROMOTING,
    ROLLING_BACK,
    SUCCEEDED,
    WAITING,
    WAITING_PROMOTION,
    State,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_table import stamp


class RequestRefused(ValueError):
    """It makes no sense in the phase that the run is in."""


def approved(state: State, now: float, actor: str, reason: str) -> State:
    """A run that waits or is paused goes on where it was."""
    if state.phase not in (WAITING, WAITING_PROMOTION, PAUSED):
        raise RequestRefused(f"the run of {state.service} is {state.phase}, so there is nothing to resume.")
    opened = passed(state, state.gate) if state.gate else state
    return opened.moved(now, actor, reason, phase=state.resume_phase or PROGRESSING, resume_phase="", gate="")


def paused(state: State, now: float, actor: str, reason: str) -> State:
    if state.phase == PAUSED:
        return state
    if state.phase not in (INITIALIZED, PROGRESSING, WAITING, WAITING_PROMOTION):
        raise RequestRefused(f"the run of {state.service} is {state.phase} and cannot be paused any more.")
    resume = state.resume_phase if state.gate else state.phase
    return state.moved(now, actor, reason, phase=PAUSED, resume_phase=resume)


def promotion_requested(state: State, now: float, actor: str, reason: str) -> State:
    if state.phase in (PROMOTING, FINALISING, SUCCEEDED) or state.promotion_requested:
        return state
    if state.phase in (ROLLING_BACK, FAILED):
        raise RequestRefused(f"the run of {state.service} is {state.phase}: {state.reason}. Start a new one.")
    phase = state.resume_phase or state.phase
    return state.moved(now, actor, reason, phase=phase, promotion_requested=True, resume_phase="", gate="")


def nothing_to_abort(state: State | None, begun_before: float | None) -> str:
    """Why there is nothing to take back; empty where there is. ``begun_before`` is a Unix time."""
    if state is None or state.final:
        return "no run is under way"
    if begun_before is not None and state.started >= begun_before:
        return f"its run began at {stamp(state.started)}, which is not before {stamp(begun_before)}"
    return ""


def passed(state: State, name: str) -> State:
    """A gate that need not be asked for again."""
    return replace(state, passed_gates=(*state.passed_gates, name))
