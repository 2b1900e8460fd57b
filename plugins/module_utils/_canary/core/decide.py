# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The next decision of a canary's run, from its state and an observation. Nothing here accesses a cluster."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import NO_DATA
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import (
    GIVE_UP,
    IGNORE,
    PAUSE,
    REASSERT,
    ROLLBACK,
    WATCH,
    Abandon,
    Autoscale,
    Decision,
    Observation,
    Policy,
    Return,
    Scale,
    Wait,
    Write,
    change_of,
    effort_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.ends import (
    finish_promotion,
    finish_rollback,
    rolled_back,
    set_back,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.gates import (
    at_gate,
    closed_gate,
    held,
    wait_at,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import (
    END,
    INCREASE,
    PROMOTION,
    START,
    URL,
    pods_for,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State, Step
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import (
    passed,
    paused,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import SPLIT, Phase

# Attempts in one phase of one call at a change that another controller undoes. The weights of a rollback get more.
_TRIES, _TRIES_BACK = 10, 60
# A step lasts at least two scrapes of its own, after the one that also covers the time before it.
_SCRAPES = 3


def decide(seen: Observation, policy: Policy) -> Decision:
    """The next decision of a run. The first rule that applies decides, in this order:

    1. A run that has ended needs nothing. One in RollingBack or Finalising is brought to its end (module ends).
    2. With on_drift: fail, weights that were changed by hand end the run, and the traffic stays as it is.
    3. The run rolls back if it was cancelled; then if its state or objects are broken; then for drift; then past its
       deadline; then if the target is unsafe.
    4. While the canary gets traffic, the run also rolls back if the analysis failed, and if nothing but the route
       could be reached for hindered_timeout. Rules 3 and 4 need a fresh view of the route only: see at_once.
    5. It rolls back for its pods: a side that is gone, an image or a template that was changed, no ready pod left.
    6. If the pods cannot be observed, it waits. Nothing below is decided blindly.
    7. A changed stable side that the policy allows is adopted, or pauses the run.
    8. The canary grows with the stable side.
    9. What is left is the phase's own: drain in Promoting; the autoscaler, drift to reassert, a requested promotion;
       the gate in Waiting; the pause; the first image; the step.

    Where another controller undoes the same effort again and again, the run gives up on it instead (set_back).
    """
    decision = _decided(seen, policy)
    effort = effort_of(decision, seen.state)
    most = _TRIES_BACK if isinstance(decision, Write) and seen.state.phase == Phase.ROLLING_BACK else _TRIES
    if effort and seen.tries.get(effort, 0) >= most:
        return set_back(seen, policy, effort)
    return decision


def at_once(seen: Observation, policy: Policy) -> Decision | None:
    """A rollback that needs no fresh view of anything but the route."""
    if seen.state.final or seen.state.phase.ending or _gives_up(seen, policy):
        return None
    why = _trouble(seen, policy)
    return Write(rolled_back(seen, policy.actor, why)) if why else None


def _gives_up(seen: Observation, policy: Policy) -> bool:
    return bool(seen.drift) and policy.on_drift == GIVE_UP and not seen.cancelled and not seen.broken


def _decided(seen: Observation, policy: Policy) -> Decision:
    state = seen.state
    if state.final:
        return Return()
    if state.phase == Phase.ROLLING_BACK:
        return finish_rollback(seen, policy)
    if state.phase == Phase.FINALISING:
        return finish_promotion(seen, policy)
    if _gives_up(seen, policy):
        if not seen.autoscaler_released and not seen.blind:
            return Autoscale(False, state.stable.workload)
        return Abandon(state.moved(seen.now, policy.actor, f"{seen.drift}; left as it is", phase=Phase.FAILED))
    trouble = _trouble(seen, policy) or ("" if seen.blind else _trouble_of_pods(seen, policy))
    if trouble:
        return Write(rolled_back(seen, policy.actor, trouble))
    if seen.blind:
        return Wait(f"the API server to show the pods ({seen.hindrance})", policy.hindered_timeout - seen.hindered_for)
    if _stable_change(seen):
        return Write(_with_new_stable(seen, policy))
    grown = _grown(seen, policy)
    if grown:
        return grown
    if state.phase == Phase.PROMOTING:
        return _drain_stable(seen, policy)
    if not seen.autoscaler_settled:
        return Autoscale(True, state.stable.workload)
    if seen.drift and policy.on_drift == REASSERT:
        return Write(state)
    if state.promotion_requested:
        return _promote(seen, policy)
    if state.phase in (Phase.WAITING, Phase.WAITING_PROMOTION):
        return at_gate(seen, policy)
    if state.phase == Phase.PAUSED:
        over = policy.on_pause != WATCH or state.strategy == SPLIT or seen.now >= state.deadline
        return Return() if over else Wait(f"paused: {state.reason}", state.deadline - seen.now, planned=True)
    if state.phase == Phase.INITIALIZED:
        return _advance(seen, policy) if seen.has_change else change_of(state)
    return _progress(seen, policy)


def _trouble(seen: Observation, policy: Policy) -> str:
    """Why the run must roll back, regardless of its pods. Empty if it need not."""
    state = seen.state
    if seen.cancelled:
        return seen.cancelled
    if seen.broken:
        return seen.broken
    if seen.drift and policy.on_drift == ROLLBACK:
        return seen.drift
    if seen.now >= state.deadline and not state.lacks_evidence:
        return f"the run exceeded its deadline, {state.deadline - state.started:.0f} s after its start"
    if seen.unsafe:
        return seen.unsafe
    if not state.gets_traffic and state.phase != Phase.PROMOTING:
        return ""
    if seen.outcome and seen.outcome.should_roll_back:
        return seen.outcome.reason
    if seen.hindered_for > policy.hindered_timeout:
        return f"the run could not continue for {seen.hindered_for:.0f} s: {seen.hindrance}"
    return ""


def _trouble_of_pods(seen: Observation, policy: Policy) -> str:
    state = seen.state
    # A copy is made with its template.
    if seen.canary_gone and (state.copy is None or state.canary_template):
        return seen.canary_gone
    # At 100 %, only a rollback needs the stable side.
    if seen.stable_gone and state.phase != Phase.PROMOTING:
        return seen.stable_gone
    begun = state.step >= 0 or state.weight
    if state.copy and begun and not seen.has_change:
        return f"the pod template of Deployment {state.canary.workload} was changed during the run"
    if state.copy is None and (seen.image_given or begun) and not seen.has_change:
        return (
            f"the image of Deployment {state.canary.workload} was changed to {seen.canary_image} during the run of "
            f"{state.canary.image}"
        )
    change = _stable_change(seen)
    pausable = policy.on_stable_change == PAUSE and state.phase != Phase.PROMOTING
    if change and policy.on_stable_change != IGNORE and not pausable:
        return change
    if state.weight and seen.canary_ready == 0:
        return _with_problem(f"subset {state.canary.subset} no longer has a ready pod", seen)
    return ""


def _stable_change(seen: Observation) -> str:
    """How the stable side's pods changed since the run started. Empty if they did not, or if that is unknown."""
    state, deployment = seen.state, f"Deployment {seen.state.stable.workload}"
    if seen.stable_image and seen.stable_image != state.stable.image:
        return f"the image of {deployment} was changed from {state.stable.image} to {seen.stable_image} during the run"
    if seen.stable_template and state.stable_template and seen.stable_template != state.stable_template:
        return f"the pod template of {deployment} was changed during the run"
    return ""


def _with_new_stable(seen: Observation, policy: Policy) -> State:
    """The run continues beside the changed stable side, or pauses."""
    change, state = _stable_change(seen), seen.state
    stable = replace(state.stable, image=seen.stable_image or state.stable.image)
    adopted = replace(state, stable=stable, stable_template=seen.stable_template)
    if policy.on_stable_change == PAUSE:
        return paused(adopted, seen.now, policy.actor, f"{change}; if resumed, the run continues beside it")
    return adopted


def _pods_needed(seen: Observation, policy: Policy, capacity: int) -> int:
    """For ``capacity`` percent of the stable side's pods: those of now, or of the start if those were more."""
    return pods_for(capacity, max(seen.state.capacity, seen.stable_wanted), policy.min_ready)


def _grown(seen: Observation, policy: Policy) -> Decision | None:
    """More pods for the current weight, if the stable side has grown meanwhile."""
    state = seen.state
    if not state.gets_traffic and state.phase != Phase.PROMOTING:
        return None
    capacity = 100 if state.phase == Phase.PROMOTING else state.current.capacity if state.current else 0
    needed = _pods_needed(seen, policy, capacity)
    return Scale(state.canary.workload, needed) if seen.canary_wanted < needed else None


def _progress(seen: Observation, policy: Policy) -> Decision:
    """Whether the run may leave its current step."""
    state, step = seen.state, seen.state.current
    if step is None:
        raise AssertionError("a progressing run is in one of its steps")
    since = seen.now - state.step_at
    if not seen.acknowledged:
        # A call that resumes a step, or has rewritten its routes, has only just begun to query the proxies.
        waited = min(since, seen.waited)
        if waited > policy.sync_timeout:
            return Write(
                rolled_back(
                    seen,
                    policy.actor,
                    f"not every proxy has the routes of weight {state.weight} % after {waited:.0f} s"
                    f"{': ' if seen.behind else ''}{seen.behind}",
                )
            )
        return Wait("proxies", policy.sync_timeout - waited)
    if state.strategy == SPLIT:
        return Write(held(seen, policy.actor, Phase.PAUSED, "the split is as requested"))
    if seen.outcome and seen.outcome.blind > policy.error_timeout:
        text = f"nothing could be measured for {seen.outcome.blind:.0f} s: {seen.outcome.reason}"
        return Write(_without_evidence(seen, policy, text))
    lasts = _lasts(step, seen)
    left = lasts - since
    if left > 0:
        return Wait("analysis", left, planned=True)
    if seen.outcome and seen.outcome.should_promote:
        return Return() if policy.one_step and seen.steps_entered else _advance(seen, policy)
    return _undecided(seen, policy, seen.outcome, seen.now - max(state.step_at + lasts, state.changed_at))


def _lasts(step: Step, seen: Observation) -> float:
    """Seconds, at least. Its duration, if that covers enough scrapes to judge by."""
    return max(step.duration, _SCRAPES * (seen.scrape_interval or 0))


def _undecided(seen: Observation, policy: Policy, outcome: Outcome | None, over: float) -> Decision:
    """The step has lasted its duration without evidence for or against the canary. It continues while there is time."""
    reason = outcome.reason if outcome else "nothing has been measured yet"
    # A step's verdict is known with the next scrape after its time.
    scrape = seen.scrape_interval or 0
    rest = sum(_lasts(step, seen) + scrape for step in seen.state.steps[seen.state.step + 1 :]) + policy.drain
    left = seen.state.deadline - rest - seen.now
    if policy.no_data_timeout is not None:
        left = min(left, policy.no_data_timeout - over)
    if left > 0:
        return Wait("evidence", left, reason)
    text = f"still no evidence for or against the canary {over:.0f} s after the step's duration: {reason}"
    action = policy.on_no_data if outcome is None or outcome.verdict == NO_DATA else policy.on_inconclusive
    if action == ROLLBACK:
        return Write(rolled_back(seen, policy.actor, text))
    return Write(_without_evidence(seen, policy, text))


def _without_evidence(seen: Observation, policy: Policy, text: str) -> State:
    """The run pauses and its deadline is suspended: a lack of traffic does not justify a rollback."""
    paused = held(seen, policy.actor, Phase.PAUSED, text)
    # A resumed step gets its duration again, but scrapes may take longer.
    step = seen.state.current
    longer = _lasts(step, seen) - step.duration if step else 0
    return replace(paused, lacks_evidence=True, deadline=paused.deadline + longer)


def _advance(seen: Observation, policy: Policy) -> Decision:
    """Enter the next step, or promote after the last one."""
    state, step = seen.state, seen.state.next
    if step is None:
        return _promote(seen, policy)
    place = START if state.step < 0 else INCREASE
    closed = closed_gate(state, policy, place)
    if closed:
        return wait_at(seen, policy, closed, Phase.WAITING)
    pods = _pods(seen, policy, step.capacity)
    if pods:
        return pods
    return Write(entered(seen, policy.actor, step))


def entered(seen: Observation, actor: str, step: Step) -> State:
    state = seen.state
    since = state.since if state.since is not None else seen.now
    return state.moved(
        seen.now,
        actor,
        phase=Phase.PROGRESSING,
        step=state.step + 1,
        step_at=seen.now,
        weight=step.weight,
        since=since,
        resume_phase="",
        gate="",
    )


def _promote(seen: Observation, policy: Policy) -> Decision:
    state = seen.state
    closed = None if state.promotion_requested else closed_gate(state, policy, PROMOTION)
    if closed:
        return wait_at(seen, policy, closed, Phase.WAITING_PROMOTION)
    pods = _pods(seen, policy, 100)
    if pods:
        return pods
    why = "requested" if state.promotion_requested else "every step passed"
    since = state.since if state.since is not None else seen.now
    return Write(state.moved(seen.now, policy.actor, why, phase=Phase.PROMOTING, weight=100, since=since))


def _pods(seen: Observation, policy: Policy, capacity: int) -> Decision | None:
    """What the canary's pods still need before it may get more traffic."""
    state = seen.state
    if not seen.has_change:
        return change_of(state)
    needed = _pods_needed(seen, policy, capacity)
    if seen.canary_wanted < needed:
        return Scale(state.canary.workload, needed)
    if seen.canary_ready >= needed and seen.canary_rolled_out:
        return None
    # The duration of the step does not count against the pods.
    spent = min(seen.now - state.changed_at - (state.current.duration if state.current else 0), seen.scaled_for)
    if spent > policy.ready_timeout:
        why = f"{seen.canary_ready} of {needed} pods of {state.canary.workload} are ready after {spent:.0f} s"
        return Write(rolled_back(seen, policy.actor, _with_problem(why, seen)))
    ready = f"{seen.canary_ready} of {needed} ready"
    return Wait(f"pods of {state.canary.workload}, {ready}", policy.ready_timeout - spent, detail=seen.canary_problem)


def _with_problem(text: str, seen: Observation) -> str:
    return f"{text}: {seen.canary_problem}" if seen.canary_problem else text


def _drain_stable(seen: Observation, policy: Policy) -> Decision:
    """The canary has all traffic. The old pods stay until every proxy has the routes and their requests have ended."""
    state = seen.state
    if not seen.acknowledged:
        # Both sides have all their pods, so the run may wait until its deadline.
        return Wait(f"proxies: {seen.behind}" if seen.behind else "proxies", state.deadline - seen.now)
    # The autoscaler follows the traffic before the drain and the gate, which may take long.
    if not seen.autoscaler_settled:
        return Autoscale(True, state.canary.workload)
    since = min(seen.now - state.changed_at, seen.acknowledged_for)
    if since < policy.drain:
        return Wait("drain of the old version", policy.drain - since, planned=True)
    if seen.outcome and seen.outcome.blind and not state.promotion_requested:
        # Without the old pods, a rollback is slow, and the effect of all traffic on the new version is unknown.
        what = "a measurement of the new version at 100 %, before the old pods go (state=promoted skips it)"
        return Wait(what, state.deadline - seen.now, seen.outcome.reason)
    closed = closed_gate(state, policy, END)
    if closed:
        if closed.type == URL and closed.url in seen.open_urls:
            return Write(passed(state, END))
        if closed.type == URL and since > policy.drain + closed.timeout:
            return Write(rolled_back(seen, policy.actor, f"gate {closed.url} before the end did not open"))
        if closed.type == URL:
            return Wait(f"gate {closed.url}", policy.drain + closed.timeout - since)
    return Write(state.moved(seen.now, policy.actor, "the old version no longer gets requests", phase=Phase.FINALISING))
