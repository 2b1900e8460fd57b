# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The two ends of a canary's run, promotion and rollback, once they are decided.

A side keeps its pods while a proxy may still send requests to it. Every wait has a limit: the call reports what it
could not finish, and state=reconciled completes it.
"""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import (
    Autoscale,
    Decision,
    Observation,
    Policy,
    Restore,
    Return,
    Scale,
    Scaler,
    SetTemplate,
    Wait,
    Write,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

RECONCILE = "state=reconciled completes it"


def rolled_back(seen: Observation, actor: str, reason: str) -> State:
    """All traffic returns to the stable side at once. Only if the stable side has no pods, those are started first.

    In Finalising they may be gone even if no pods could be observed, or have the tested template.
    """
    state = seen.state
    none_left = (seen.stable_ready == 0 or seen.stable_given) and (
        seen.canary_ready > 0 or state.phase == Phase.FINALISING
    )
    weight = state.weight if none_left else 0
    return state.moved(
        seen.now, actor, reason, phase=Phase.ROLLING_BACK, weight=weight, promotion_requested=False, gate=""
    )


def safe_for(state: State) -> str:
    """The subset that gets all traffic if the state is unreadable: the side that has the pods."""
    return state.kept.subset


def wanted_scaler(state: State, acknowledged: bool) -> Scaler:
    """The autoscaler follows the traffic: it stays with a side until every proxy sends all to the other one."""
    if state.phase == Phase.FINALISING:
        promoted = bool(state.weight) or not acknowledged
    else:
        promoted = state.phase == Phase.PROMOTING and acknowledged
    target = state.canary if promoted else state.stable
    return Scaler(pinned=not state.phase.ending, target=target.workload)


def finish_promotion(seen: Observation, policy: Policy) -> Decision:
    state = seen.state
    if seen.restate:
        return Write(state)
    back = state.returns
    idle, idle_wanted, idle_pods = (
        (state.canary, seen.canary_wanted, seen.canary_pods)
        if back
        else (state.stable, seen.stable_wanted, seen.stable_pods)
    )
    hindered = _hindered(seen, policy, f"{idle.workload} still has pods")
    if hindered:
        return hindered
    if not seen.autoscaler_settled:
        return Autoscale(False, wanted_scaler(state, seen.acknowledged).target)
    if back and (returning := _return(seen, policy)):
        return returning
    if idle_wanted > idle.idle:
        return Scale(idle.workload, idle.idle)
    if idle_pods > idle.idle and seen.now - state.changed_at < policy.ready_timeout:
        return Wait(f"{idle_pods} pods of {'the copy' if back else 'the old version'} to go", planned=True)
    reason = f"{state.canary.image} is the stable version now"
    if back:
        reason = f"{state.stable.workload} has the tested pod template, with {state.canary.image}"
    elif seen.canary_image and not seen.has_change:
        reason = f"{state.canary.image} was promoted, and the image of Deployment {state.canary.workload} was changed "
        reason += f"to {seen.canary_image} meanwhile"
    return Write(state.moved(seen.now, policy.actor, reason, phase=Phase.SUCCEEDED))


def _return(seen: Observation, policy: Policy) -> Decision | None:
    """The original gets what was tested, and then the traffic. The copy keeps it until the original's pods are ready.

    None once the copy is idle.
    """
    state, original = seen.state, seen.state.stable.workload
    keeps = f"{state.canary.workload} keeps the traffic"
    if state.weight == 0:
        return _drained(seen, policy, state.canary.workload)
    if seen.stable_gone:
        return Return(f"{seen.stable_gone}, so {keeps}; {RECONCILE} when it is back")
    if not seen.stable_given and not seen.has_change:
        return Return(f"the pod template of {state.canary.workload} was changed meanwhile, so {keeps}; {RECONCILE}")
    if not seen.stable_given:
        return SetTemplate(original)
    needed = max(1, state.capacity, seen.canary_wanted)
    if seen.stable_wanted < needed:
        return Scale(original, needed)
    if seen.stable_ready >= needed and seen.stable_rolled_out:
        return Write(state.moved(seen.now, policy.actor, f"{needed} pods of {original} are ready", weight=0))
    waited = min(seen.waited, seen.now - state.changed_at)
    what = f"{seen.stable_ready} of {needed} pods of {original} are ready with the tested template"
    if waited < policy.ready_timeout:
        return Wait(f"the original: {what}", policy.ready_timeout - waited, planned=True)
    return Return(f"{what} after {waited:.0f} s, so {keeps}; {RECONCILE}")


def finish_rollback(seen: Observation, policy: Policy) -> Decision:
    state = seen.state
    if state.weight:
        return _stable_first(seen, policy)
    if seen.drift or seen.restate:
        return Write(state)
    hindered = _hindered(seen, policy, f"the weight is 0, and {state.canary.workload} still has pods")
    if hindered:
        return hindered
    if not seen.autoscaler_settled:
        return Autoscale(False, state.stable.workload)
    if seen.stable_wanted < state.capacity and not seen.stable_gone:
        return Scale(state.stable.workload, state.capacity)
    if seen.stable_given:
        return Restore(state.stable.workload)
    if seen.canary_wanted > state.canary.idle:
        return _drained(seen, policy, state.canary.workload) or Scale(state.canary.workload, state.canary.idle)
    return Write(state.moved(seen.now, policy.actor, state.reason, phase=Phase.FAILED))


def _stable_first(seen: Observation, policy: Policy) -> Decision:
    """The stable side had no pods at the time of the decision. The canary keeps the traffic until there are some."""
    state = seen.state
    what = f"{state.stable.workload} has no ready pod, so {state.canary.subset} keeps the traffic"
    hindered = _hindered(seen, policy, what)
    if hindered:
        return hindered
    if not seen.autoscaler_settled:
        return Autoscale(False, state.stable.workload)
    if seen.stable_wanted < max(1, state.capacity) and not seen.stable_gone:
        return Scale(state.stable.workload, max(1, state.capacity))
    if seen.stable_given:
        return Restore(state.stable.workload)
    restored = state.copy is None or seen.stable_rolled_out
    if (seen.stable_ready > 0 and restored) or seen.canary_ready == 0:
        return Write(state.moved(seen.now, policy.actor, state.reason, weight=0))
    waited = min(seen.waited, seen.now - state.changed_at)
    if waited < policy.ready_timeout:
        return Wait("pods of the stable version", policy.ready_timeout - waited)
    return Return(f"{seen.stable_gone or what}; {RECONCILE} when the pods are ready")


def _drained(seen: Observation, policy: Policy, workload: str) -> Decision | None:
    """None once no proxy sends requests to the Deployment, and those in progress have had their time."""
    state = seen.state
    if not seen.acknowledged:
        if seen.waited < policy.sync_timeout:
            return Wait(f"proxies: {seen.behind}" if seen.behind else "proxies", policy.sync_timeout - seen.waited)
        return Return(
            f"the weight is 0, but not every proxy has acknowledged it: {seen.behind}. {workload} keeps its pods until "
            f"then; {RECONCILE}"
        )
    drained = min(seen.now - state.changed_at, seen.acknowledged_for)
    if drained < policy.drain:
        return Wait("drain of the canary", policy.drain - drained, planned=True)
    return None


def _hindered(seen: Observation, policy: Policy, what: str) -> Decision | None:
    """Everything but the route may be unreachable."""
    if seen.hindered_for >= policy.sync_timeout:
        return Return(f"{what}: {seen.hindrance}; {RECONCILE}")
    if seen.blind:
        return Wait(f"the API server to show the pods ({seen.hindrance})", policy.sync_timeout - seen.hindered_for)
    return None


def set_back(seen: Observation, policy: Policy, effort: str) -> Decision:
    """Another controller undoes the run's changes at every attempt."""
    text = f"another controller undoes the change of {effort} at every attempt"
    if seen.state.phase.ending:
        return Return(f"{text}, so {seen.state.phase} is not complete; {RECONCILE}")
    return Write(rolled_back(seen, policy.actor, text))
