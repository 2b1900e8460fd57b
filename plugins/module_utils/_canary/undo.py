# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The undo of a promotion, as a run of its own: all pods of the previous version, then all traffic, unmeasured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import left_pods
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Slot, State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import RequestRefused
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import holder, new_run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.runner import Result
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import BLUE_GREEN, Phase

# The previous version was good a moment ago, and an undo is urgent.
_AT_ONCE: dict[str, Any] = {
    "strategy": BLUE_GREEN,
    "match": None,
    "session_affinity": None,
    "gates": [],
    "metrics": [],
    "whole_service_guard": None,
}


class Reversible(CanaryService):
    """One service's canary, with the undo of its last promotion."""

    def undo(self) -> Result:
        """Return all traffic to the version before the last promotion, at once."""
        if (found := self.state()) and found.returns and found.phase == Phase.FINALISING:
            # The promotion is decided, and its rest takes less time than a wait for an operator.
            self._run_to_end(Result(found, False))
        state, new = self.to_undo()
        if state and new is None:
            end = self._run_to_end(Result(state, False))
            return end if end.changed else replace(end, note=already_undone(end.state))
        with self._lock() as lease:
            state, new = self.to_undo()
            if new is None:
                return Result(state, False, already_undone(state))
            self.objects.write(state, new)
            self._log(f"run {new.run}: {new.reason}")
            return self._drive(new, lease, changed=True)

    def to_undo(self) -> tuple[State | None, State | None]:
        """The newest run, and the run that undoes it. None if that one is in progress or has ended.

        Raises RequestRefused and CanaryFailure if nothing was promoted, or if the promotion is no longer in effect.
        """
        state = self.state()
        if state and state.undoes and not state.final:
            return state, None
        if state is None:
            raise RequestRefused(f"{self._service} has had no run, so there is no promotion to undo.")
        promoted, before = sides_to_undo(state)
        self._refuse_other_traffic(state, promoted)
        if already_undone(state):
            return state, None
        now = self._slot_of(promoted) if state.copy else self.objects.slot(promoted.subset)
        if now.image not in (promoted.image, state.stored_image):
            raise CanaryFailure(
                f"the image of Deployment {now.workload} was changed to {now.image} after run {state.run}, which ended "
                f"with {promoted.image}. An undo would discard it. Start a run of {before.image} instead."
            )
        if problem := self.objects.owners_problem([now.workload, before.workload], self._params["managed_by_others"]):
            raise CanaryFailure(problem)
        if not state.copy:
            now, before = self.objects.kept_pods(now, before)
        (pods,) = self._of(state).pods(now)
        return state, undoing(self._params, state, now, before, pods.wanted, pods.template, time.time())

    def _of(self, state: State) -> CanaryObjects:
        return self.objects_of(state) if state.copy else self.objects

    def _slot_of(self, slot: Slot) -> Slot:
        deployment = self.objects.workloads.get(slot.workload)
        container = self.objects.workloads.container(deployment)
        return replace(slot, image=str(container["image"]) if container else slot.image)

    def _refuse_other_traffic(self, state: State, promoted: Slot) -> None:
        """The promotion is no longer in effect if the traffic has moved since."""
        live = self._of(state).live_weights()
        if any(route.get(promoted.subset) != 100 for route in live.values()):
            raise CanaryFailure(
                f"run {state.run} ended with all traffic in subset {promoted.subset}, but the weights are {live} now. "
                "Its promotion is no longer in effect. Give one subset all traffic, for example with module "
                "traffic_shift, then start a run of the other version."
            )


def already_undone(state: State | None) -> str:
    """Why an undo has nothing left to do, or empty."""
    if state is None or state.phase != Phase.SUCCEEDED or not state.undoes:
        return ""
    return f"the promotion of {state.stable.image} is already undone: {state.canary.image} has all traffic"


def sides_to_undo(state: State) -> tuple[Slot, Slot]:
    """The promoted slot, and the one to return to. Raises RequestRefused if the last run promoted nothing."""
    run = f"run {state.run} of {state.service}"
    if not state.final:
        raise RequestRefused(f"{run} is {state.phase} and has promoted nothing yet. Roll it back with state=aborted.")
    promoted, before = (state.canary, state.stable) if state.phase == Phase.SUCCEEDED else (state.stable, state.canary)
    if state.phase == Phase.SUCCEEDED and state.returns:
        # The original has what was tested in the copy. The previous version starts in a copy again.
        promoted = replace(state.stable, image=state.canary.image)
        before = replace(state.canary, image=state.stable.image)
    if state.phase == Phase.FAILED and not state.undoes:
        raise RequestRefused(
            f"{run} was rolled back, so {state.stable.image} was never replaced. Only the promotion of the last run "
            "can be undone. For any other version, start a new run."
        )
    if not before.image:
        raise RequestRefused(f"{run} did not store the previous image. Start a run of that image instead.")
    return promoted, before


def undoing(
    params: Mapping[str, Any], undone: State, promoted: Slot, before: Slot, pods: int, template: str, now: float
) -> State:
    """The run that undoes. ``pods``: of the promoted slot. ``template``: their fingerprint."""
    options = {**params, **_AT_ONCE}
    state = replace(
        new_run(options, undone.where, promoted, before, max(1, pods), now),
        stable_template=template,
        undoes=undone.undoes or undone.run,
        copy=undone.copy if undone.returns else None,
        history=(),
    )
    why = f": {params['reason']}" if params["reason"] else ""
    reason = f"back to {before.image}, the version before {promoted.image}{why}"
    return state.moved(now, holder(params), reason, promotion_requested=True)


def describe_undo(state: State) -> list[str]:
    """In words, for check mode."""
    return [
        f"{state.canary.image} in subset {state.canary.subset} again, instead of {state.stable.image} in subset "
        f"{state.stable.subset}",
        f"{state.capacity} ready pods of {state.canary.workload}, then all traffic to them at once, without steps and "
        "unmeasured",
        f"then {left_pods(state.stable)}",
    ]
