# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What callers request of a run, as transitions of its state."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import PROMOTION
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.table import stamp
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase


class RequestRefused(MeshError):
    """The phase of the run does not allow the request."""


def approved(state: State, now: float, actor: str, reason: str) -> State:
    """Resume a waiting or paused run. Ending a pause does not open a gate."""
    if not state.phase.held:
        raise RequestRefused(f"the run of {state.service} is {state.phase}: there is nothing to resume.")
    if state.phase == Phase.PAUSED and state.gate:
        phase = Phase.WAITING_PROMOTION if state.gate == PROMOTION else Phase.WAITING
        return state.moved(now, actor, f"{reason}; gate {state.gate} is closed: resume again to open it", phase=phase)
    opened = passed(state, state.gate) if state.gate else state
    return opened.moved(now, actor, reason, phase=state.resume_phase or Phase.PROGRESSING, resume_phase="", gate="")


def paused(state: State, now: float, actor: str, reason: str) -> State:
    if state.phase == Phase.PAUSED:
        return state
    if state.phase not in (Phase.INITIALIZED, Phase.PROGRESSING, Phase.WAITING, Phase.WAITING_PROMOTION):
        raise RequestRefused(f"the run of {state.service} is {state.phase} and can no longer be paused.")
    resume = state.resume_phase if state.gate else state.phase
    return state.moved(now, actor, reason, phase=Phase.PAUSED, resume_phase=resume)


def promotion_requested(state: State, now: float, actor: str, reason: str) -> State:
    if state.phase.promoted or state.promotion_requested:
        return state
    if state.phase in (Phase.ROLLING_BACK, Phase.FAILED):
        raise RequestRefused(f"the run of {state.service} is {state.phase}: {state.reason}. Start a new run.")
    phase = state.resume_phase or state.phase
    asked = state.moved(now, actor, reason, phase=phase, promotion_requested=True, resume_phase="", gate="")
    # A drain that has begun does not begin again.
    return replace(asked, changed_at=state.changed_at) if phase == Phase.PROMOTING else asked


def nothing_to_abort(state: State | None, begun_before: float | None) -> str:
    """Why there is nothing to roll back, or empty. ``begun_before``: a Unix time."""
    if state is None or state.final:
        return "no run is in progress"
    if begun_before is not None and state.started >= begun_before:
        return f"its run began at {stamp(state.started)}, which is not before {stamp(begun_before)}"
    return ""


def passed(state: State, name: str) -> State:
    """The gate stays open for the rest of the run."""
    return replace(state, passed_gates=(*state.passed_gates, name))
