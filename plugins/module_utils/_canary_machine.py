# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a canary's run does next. State and observation in, one decision out; nothing here touches a cluster."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import INCONCLUSIVE, NO_DATA, PASS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_run import Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_commands import approved, passed
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_decision import (
    GIVE_UP,
    REASSERT,
    ROLLBACK,
    WATCH,
    Abandon,
    Autoscale,
    Decision,
    Policy,
    Return,
    Scale,
    Seen,
    SetImage,
    Wait,
    Write,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_plan import (
    END,
    INCREASE,
    PROMOTION,
    RETURN,
    SPLIT,
    START,
    URL,
    Gate,
    pods_for,
)
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
    Step,
)


def decide(seen: Seen, policy: Policy) -> Decision:
    state = seen.state
    if state.final:
        return Return()
    if state.phase == ROLLING_BACK:
        return _finish_rollback(seen, policy)
    if state.phase == FINALISING:
        return _finish_promotion(seen, policy)
    if seen.drift and policy.on_drift == GIVE_UP and not seen.cancelled:
        if not seen.autoscaler_released:
            return Autoscale(False, state.stable.workload)
        return Abandon(state.moved(seen.now, policy.actor, f"{seen.drift}; left as it is", phase=FAILED))
    trouble = _trouble(seen, policy)
    if trouble:
        return Write(rolled_back(seen, policy.actor, trouble))
    if state.phase == PROMOTING:
        return _drain_stable(seen, policy)
    if not seen.autoscaler_settled:
        return Autoscale(True, state.stable.workload)
    if seen.drift and policy.on_drift == REASSERT:
        return Write(replace(state))
    if state.promotion_requested:
        return _promote(seen, policy)
    if state.phase in (WAITING, WAITING_PROMOTION):
        return _at_gate(seen, policy)
    if state.phase == PAUSED:
        over = policy.on_pause != WATCH or state.strategy == SPLIT
        return Return() if over else Wait(f"paused: {state.reason}", state.deadline - seen.now)
    if state.phase == INITIALIZED:
        return SetImage() if seen.canary_image != state.canary.image else _advance(seen, policy)
    return _progress(seen, policy)


def rolled_back(seen: Seen, actor: str, reason: str) -> State:
    """Traffic goes back at once, unless the stable side has no pods to take it: those come first then."""
    state = seen.state
    weight = state.weight if seen.stable_ready == 0 and seen.canary_ready > 0 else 0
    return state.moved(seen.now, actor, reason, phase=ROLLING_BACK, weight=weight, promotion_requested=False)


def _trouble(seen: Seen, policy: Policy) -> str:
    """Why the run has to go back; empty where it has not."""
    state = seen.state
    if seen.cancelled:
        return seen.cancelled
    if seen.drift and policy.on_drift == ROLLBACK:
        return seen.drift
    if seen.now >= state.deadline:
        return f"the deadline of the run, {state.deadline - state.started:.0f} s after its start, is over"
    if seen.unsafe:
        return seen.unsafe
    if state.step >= 0 and seen.canary_image != state.canary.image:
        return (
            f"Deployment {state.canary.workload} was given image {seen.canary_image} during the run of "
            f"{state.canary.image}"
        )
    if not state.gets_traffic and state.phase != PROMOTING:
        return ""
    if seen.outcome and seen.outcome.should_roll_back:
        return seen.outcome.reason
    if state.weight and seen.canary_ready == 0:
        return f"subset {state.canary.subset} has no ready pod any more"
    return ""


def _progress(seen: Seen, policy: Policy) -> Decision:
    """A step is in force: when may it be left?"""
    state, step = seen.state, seen.state.current
    if step is None:
        raise AssertionError("a run that progresses is in one of its steps")
    since = seen.now - state.step_at
    if not seen.acknowledged:
        if since > policy.sync_timeout:
            return Write(
                rolled_back(
                    seen, policy.actor, f"after {since:.0f} s not every proxy has the routes of weight {state.weight} %"
                )
            )
        return Wait("proxies", policy.sync_timeout - since)
    if state.strategy == SPLIT:
        return Write(_held(seen, policy.actor, PAUSED, "the split is as asked for"))
    left = step.duration - since
    if left > 0:
        return Wait("analysis", left)
    if seen.outcome is None:
        return Wait("first measurement", step.duration)
    if seen.passes >= policy.checks:
        return Return() if policy.one_step and seen.steps_entered else _advance(seen, policy)
    if seen.outcome.verdict == PASS:
        return Wait("analysis", None)
    return _undecided(seen, policy, seen.outcome, -left)


def _undecided(seen: Seen, policy: Policy, outcome: Outcome, over: float) -> Decision:
    """The step's time is over, and the measurements neither pass nor fail."""
    action = policy.on_no_data if outcome.verdict == NO_DATA else policy.on_inconclusive
    patience = policy.no_data_timeout
    if over < patience:
        return Wait(f"evidence, so far {outcome.verdict}", patience - over)
    text = f"no decision within {patience:.0f} s after the step's time: {outcome.reason}"
    if action == ROLLBACK or outcome.verdict not in (NO_DATA, INCONCLUSIVE):
        return Write(rolled_back(seen, policy.actor, text))
    return Write(_held(seen, policy.actor, PAUSED, text))


def _advance(seen: Seen, policy: Policy) -> Decision:
    """On to the next step, or to the promotion after the last."""
    state, step = seen.state, seen.state.next
    if step is None:
        return _promote(seen, policy)
    place = START if state.step < 0 else INCREASE
    closed = _gate(state, policy, place)
    if closed:
        return _wait_at(seen, policy, closed, WAITING)
    pods = _pods(seen, policy, step.capacity)
    if pods:
        return pods
    return Write(entered(seen, policy.actor, step))


def entered(seen: Seen, actor: str, step: Step) -> State:
    state = seen.state
    since = state.since if state.since is not None else seen.now
    return state.moved(
        seen.now,
        actor,
        phase=PROGRESSING,
        step=state.step + 1,
        step_at=seen.now,
        weight=step.weight,
        since=since,
        resume_phase="",
        gate="",
    )


def _promote(seen: Seen, policy: Policy) -> Decision:
    state = seen.state
    closed = None if state.promotion_requested else _gate(state, policy, PROMOTION)
    if closed:
        return _wait_at(seen, policy, closed, WAITING_PROMOTION)
    pods = _pods(seen, policy, 100)
    if pods:
        return pods
    why = "asked for" if state.promotion_requested else "every step passed"
    since = state.since if state.since is not None else seen.now
    return Write(
        state.moved(seen.now, policy.actor, why, phase=PROMOTING, weight=100, since=since, promotion_requested=False)
    )


def _pods(seen: Seen, policy: Policy, capacity: int) -> Decision | None:
    """What is missing of the canary's pods before it may get more traffic."""
    state = seen.state
    needed = pods_for(capacity, state.capacity, policy.min_ready)
    if seen.canary_wanted < needed:
        return Scale(state.canary.workload, needed)
    if seen.canary_ready >= needed and seen.canary_rolled_out:
        return None
    # The time that the step had is not the pods' fault.
    spent = seen.now - state.changed_at - (state.current.duration if state.current else 0)
    if spent > policy.ready_timeout:
        return Write(
            rolled_back(
                seen,
                policy.actor,
                f"{state.canary.workload} has {seen.canary_ready} of {needed} pods ready after {spent:.0f} s",
            )
        )
    return Wait(f"pods of {state.canary.workload}, {seen.canary_ready} of {needed} ready", policy.ready_timeout - spent)


def _drain_stable(seen: Seen, policy: Policy) -> Decision:
    """All traffic is the canary's. The old pods stay until nobody can still be talking to them."""
    state = seen.state
    since = seen.now - state.changed_at
    if not seen.acknowledged and since < policy.sync_timeout:
        return Wait("proxies", policy.sync_timeout - since)
    if since < policy.drain:
        return Wait("drain of the old version", policy.drain - since)
    closed = _gate(state, policy, END)
    if closed:
        if closed.type == URL and closed.url in seen.open_urls:
            return Write(passed(state, END))
        if closed.type == URL and since > policy.drain + closed.timeout:
            return Write(rolled_back(seen, policy.actor, f"the gate before the end, {closed.url}, did not open"))
        if closed.type == URL:
            return Wait(f"gate {closed.url}", policy.drain + closed.timeout - since)
    return Write(state.moved(seen.now, policy.actor, "the old version gets no request any more", phase=FINALISING))


def _finish_promotion(seen: Seen, policy: Policy) -> Decision:
    state = seen.state
    if not seen.autoscaler_settled:
        return Autoscale(False, state.canary.workload)
    if seen.stable_wanted > 0:
        return Scale(state.stable.workload, 0)
    if seen.stable_pods and seen.now - state.changed_at < policy.ready_timeout:
        return Wait(f"{seen.stable_pods} pods of the old version to go")
    return Write(
        state.moved(seen.now, policy.actor, f"{state.canary.image} is the stable version now", phase=SUCCEEDED)
    )


def _finish_rollback(seen: Seen, policy: Policy) -> Decision:
    state = seen.state
    since = seen.now - state.changed_at
    if seen.stable_wanted < state.capacity:
        return Scale(state.stable.workload, state.capacity)
    if state.weight:
        if seen.stable_ready == 0 and since < policy.ready_timeout:
            return Wait("pods of the stable version", policy.ready_timeout - since)
        return Write(state.moved(seen.now, policy.actor, state.reason, weight=0))
    if seen.drift:
        return Write(replace(state))
    if not seen.acknowledged and since < policy.sync_timeout:
        return Wait("proxies", policy.sync_timeout - since)
    if since < policy.drain:
        return Wait("drain of the canary", policy.drain - since)
    if seen.canary_wanted > 0:
        return Scale(state.canary.workload, 0)
    if not seen.autoscaler_settled:
        return Autoscale(False, state.stable.workload)
    return Write(state.moved(seen.now, policy.actor, state.reason, phase=FAILED))


def gate_name(state: State, place: str) -> str:
    return f"{place} {state.step + 2}" if place == INCREASE else place


def _gate(state: State, policy: Policy, place: str) -> Gate | None:
    """The gate that still has to open there."""
    if gate_name(state, place) in state.passed_gates:
        return None
    return next((gate for gate in policy.gates if gate.at == place), None)


def _wait_at(seen: Seen, policy: Policy, gate: Gate, phase: str) -> Decision:
    name = gate_name(seen.state, gate.at)
    text = f"gate {name} waits for {gate.url or 'approval'}"
    held = _held(seen, policy.actor, phase, text)
    return Write(replace(held, gate=name))


def _at_gate(seen: Seen, policy: Policy) -> Decision:
    state = seen.state
    gate = next((entry for entry in policy.gates if state.gate.partition(" ")[0] == entry.at), None)
    if gate is None:
        # The gates of this call are others than those of the call that came here.
        return Return()
    since = seen.now - state.changed_at
    if gate.type == URL and gate.url in seen.open_urls:
        return Write(approved(state, seen.now, policy.actor, f"{gate.url} answered 200"))
    if gate.timeout and since > gate.timeout:
        return Write(rolled_back(seen, policy.actor, f"gate {state.gate} did not open within {gate.timeout:.0f} s"))
    if gate.type == RETURN:
        return Return()
    what = "answer 200 from " + gate.url if gate.type == URL else "approval"
    return Wait(f"{what} (gate {state.gate})", gate.timeout - since if gate.timeout else None)


def _held(seen: Seen, actor: str, phase: str, reason: str) -> State:
    state = seen.state
    return state.moved(seen.now, actor, reason, phase=phase, resume_phase=state.phase)
