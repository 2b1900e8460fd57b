# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The loop of a run: observe, measure, decide, act, until the run ends or must wait without a process.

Each round reads the route and the state first, and a rollback needs nothing else.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.autoscaler import autoscale
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.copies import Copies
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decide import at_once, decide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import (
    Abandon,
    Action,
    Autoscale,
    Decision,
    Observation,
    Policy,
    Restore,
    Return,
    Scale,
    Scaler,
    SetImage,
    SetTemplate,
    Wait,
    Write,
    effort_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.ends import safe_for
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import traffic
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    State,
    Stored,
    Unreadable,
    stored,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure, Changed
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import Lease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.log import RunLog
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.measuring import Watch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.observe import (
    Acknowledgements,
    Gates,
    Measuring,
    ObservedPods,
    PodObserver,
    with_pods,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.pods import Pods
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.retries import explained
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.propagation import Propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route, TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure

_TICK = 0.5
_RETRY = 0.2
_MOMENT = 0.05
# How long to wait for an API server that fails or refuses to return the route. The written state stays.
_PATIENCE, _PATIENCE_REFUSED = 300.0, 60.0


@dataclass
class Rollback:
    """The times of a rollback, by this machine's clock."""

    decided_at: float = 0
    weight_zero_at: float = 0


@dataclass(frozen=True)
class Result:
    """How a call ended. ``state``: None if the service has never had a run."""

    state: State | None
    changed: bool
    note: str = ""
    rollback: Rollback | None = None
    watch: Watch | None = None
    # There is more to do.
    unfinished: bool = False


class Runner:
    def __init__(
        self,
        objects: CanaryObjects,
        policy: Policy,
        lease: Lease,
        propagation: Propagation,
        watch: Watch | None,
        interval: float,
        run_log: RunLog,
        cancelled: Callable[[], str],
        notice: str = "",
    ) -> None:
        self._objects, self._policy, self._lease = objects, policy, lease
        self._copies = Copies(objects)
        self._propagation, self._run_log, self._cancelled = propagation, run_log, cancelled
        self._notice = notice
        self._interval = min(interval, _TICK)
        self._measuring = Measuring(watch) if watch else None
        self._gates, self._pods = Gates(policy.gates), PodObserver(objects)
        self._acks = Acknowledgements(propagation, proven=False)
        self._stored: Stored = None
        self._observed_pods: ObservedPods | None = None
        self._unsafe = ""
        self._entered = 0
        self._hindrance, self._hindered_since = "", 0.0
        self._tried, self._tried_in = Counter[str](), ""
        self._scaled_at = float("-inf")
        self._proxies_logged = False
        self._by_hand = ""
        self.changed = False
        self.rollback = Rollback()
        # What is left to do, if the call ended before the run.
        self.left = ""

    def run(self, state: State) -> State:
        """Returns the state in which the call ends."""
        self._stored = state
        self._acks.proven = state.proven
        failing_since = 0.0
        while True:
            if self._lease.lost:
                raise CanaryFailure("another process took the run over, since this one could not renew its lock.")
            try:
                state, decision, pause = self._tick(state)
                failing_since = 0.0
            except Changed:
                time.sleep(_MOMENT)
                continue
            except ApiFailure as failure:
                now = time.monotonic()
                failing_since = failing_since or now
                patience = _PATIENCE_REFUSED if failure.status in (401, 403) else _PATIENCE
                if now - failing_since > patience:
                    raise
                wait = Wait(f"the API server, which fails: {explained(failure)}")
                self._run_log.waits(wait, at_once=True)
                time.sleep(_RETRY)
                continue
            if self._notice and state.gets_traffic and not state.final:
                self._run_log.log(self._notice)
                self._notice = ""
            if isinstance(decision, Return):
                self.left = decision.left
                if decision.left:
                    self._run_log.log(decision.left)
                return state
            if pause:
                time.sleep(self._interval)

    def _tick(self, believed: State) -> tuple[State, Decision, bool]:
        """One round. Returns the new state, the decision, and whether to pause before the next round.

        There is no pause after a new state. There is one after an action, so that the run does not race another
        controller that undoes it.
        """
        live = self._objects.route()
        state, broken = self._current(believed, live)
        if state.probe:
            state = self._answer(state)
        drift = self._objects.drift(state, live)
        seen = self._observe_route(state, drift, broken)
        back = at_once(seen, self._policy)
        if isinstance(back, Write):
            return self._write(state, back.state), back, False
        seen = self._observe(seen, live)
        decision = decide(seen, self._policy)
        effort = effort_of(decision, state)
        match decision:
            case Write(new):
                written = self._write(state, new)
                if effort:
                    self._count(effort, state)
                    self._acks.written()
                return written, decision, bool(effort)
            case Abandon(new):
                self._objects.write(self._stored, new, keep_traffic=True)
                self.changed = True
                self._run_log.transition(new)
                return new, decision, False
            case Wait():
                self._run_log.waits(decision)
            case Scale() | SetImage() | SetTemplate() | Restore() | Autoscale():
                try:
                    state = self._act(decision, state)
                except ApiFailure as failure:
                    self._hindered(str(failure))
                    return state, decision, True
                self._count(effort, state)
        if not seen.blind:
            self._hindrance, self._hindered_since = "", 0.0
        return state, decision, True

    def _act(self, decision: Action, state: State) -> State:
        self._pods.acted()
        self.changed = True
        match decision:
            case Scale(workload, replicas):
                self._run_log.detail(f"{workload}: {replicas} pods")
                self._objects.workloads.scale(workload, replicas)
                if workload == state.canary.workload:
                    self._scaled_at = time.monotonic()
            case SetImage():
                self._run_log.detail(f"{state.canary.workload}: image {state.canary.image}")
                made = self._objects.workloads.set_image(state)
                if made not in state.images:
                    self._run_log.log(f"the API server stored the image as {made}")
                    return self._write(state, replace(state, stored_image=made))
            case SetTemplate(workload):
                self._run_log.detail(f"{workload}: the pod template of the run")
                fingerprint = self._copies.give(state, workload)
                if workload == state.canary.workload:
                    return self._write(state, replace(state, canary_template=fingerprint))
            case Restore(workload):
                self._run_log.detail(f"{workload}: the previous pod template")
                self._copies.restore(state)
            case Autoscale(pinned, workload):
                autoscale(self._objects.cluster, self._objects.namespace, state, Scaler(pinned, workload))
        return state

    def _count(self, effort: str, state: State) -> None:
        if state.phase != self._tried_in:
            self._tried_in = state.phase
            self._tried.clear()
        self._tried[effort] += 1

    def _hindered(self, why: str) -> None:
        self._hindrance = why
        self._hindered_since = self._hindered_since or time.monotonic()

    def _current(self, believed: State, live: Route) -> tuple[State, str]:
        """The run in the cluster, and why it is not valid. Empty if it is."""
        found = stored(live.obj, self._objects.service)
        self._stored = found
        if found is None:
            return believed, f"the run's state was removed from the {live.kind} by hand"
        if isinstance(found, Unreadable):
            return believed, f"the run's state on the {live.kind} was changed by hand: {found.problem}"
        if found.run != believed.run:
            raise CanaryFailure(f"run {believed.run} was replaced by run {found.run} of another process.")
        if found != believed and found.history != believed.history:
            event = found.history[-1]
            self._run_log.log(f"{event.actor}: {event.phase}{': ' if event.reason else ''}{event.reason}")
            self._pods.acted()
        if traffic(found, self._objects.service) != traffic(believed, self._objects.service):
            self._acks.written()
            self._proxies_logged = False
        return found, ""

    def _answer(self, state: State) -> State:
        """Answer a probe for this process. The traffic stays unchanged, even if it was changed by hand."""
        answered = replace(state, probe="")
        self._objects.write(self._stored, answered, keep_traffic=True)
        self._stored = answered
        return answered

    def _observe_route(self, state: State, drift: str, broken: str) -> Observation:
        """An observation of the route alone. The rest is that of the previous round."""
        looked = self._observed_pods
        stable, canary = (looked.stable, looked.canary) if looked else (Pods(), Pods())
        measured = self._measuring.of(state) if self._measuring and state.gets_traffic else None
        now = time.monotonic()
        return Observation(
            now=time.time(),
            state=state,
            stable_ready=stable.ready,
            canary_ready=canary.ready,
            drift=drift,
            unsafe=self._unsafe,
            broken=broken or self._lease.expired,
            restate=self._stored != state,
            cancelled=self._cancelled() if state.phase != Phase.ROLLING_BACK else "",
            outcome=measured.outcome if measured else None,
            scrape_interval=measured.scrape_interval if measured else None,
            hindrance=self._hindrance,
            hindered_for=now - self._hindered_since if self._hindered_since else 0,
            scaled_for=now - self._scaled_at,
            tries=dict(self._tried) if state.phase == self._tried_in else {},
            steps_entered=self._entered,
        )

    def _observe(self, seen: Observation, live: Route) -> Observation:
        state, drift, broken = seen.state, seen.drift, seen.broken
        if not drift and not seen.restate:
            for name, other in self._objects.followers().items():
                if other is None:
                    broken = broken or f"{self._objects.called(name)} is gone"
                elif stored(other.obj, self._objects.service) != state:
                    # A process ended between two writes.
                    self._objects.write(self._stored, state)
                    self._acks.written()
                else:
                    drift = drift or self._objects.drift(state, other)
        self._note_edits(live)
        self._acks.begin()
        self._begin_measuring(state, self._acks.age < float("inf"))
        found = self._pods.observe(state)
        acknowledged = self._acks.observe()
        if acknowledged and not self._proxies_logged:
            self._proxies_logged = True
            self._run_log.proxies(self._propagation)
        self._run_log.measurements(self._measuring.news() if self._measuring else ())
        measured = self._measuring.of(state) if self._measuring and state.gets_traffic else None
        if measured:
            self._run_log.verdict(measured.step, measured.outcome, measured.latest)
        seen = replace(
            seen,
            acknowledged=acknowledged,
            acknowledged_for=self._acks.age,
            behind="" if acknowledged else self._acks.behind,
            waited=self._acks.waited,
            drift=drift,
            broken=broken,
            outcome=measured.outcome if measured else None,
            scrape_interval=measured.scrape_interval if measured else None,
            open_urls=self._gates.open(state),
        )
        if isinstance(found, str):
            self._hindered(found)
            since = time.monotonic() - self._hindered_since
            return replace(seen, blind=True, hindrance=found, hindered_for=since)
        self._observed_pods = found
        return with_pods(seen, found)

    def _begin_measuring(self, state: State, acknowledged: bool) -> None:
        if self._measuring and state.gets_traffic and not state.phase.ending:
            self._measuring.begin(state, acknowledged)

    def _write(self, state: State, new: State) -> State:
        tallies = self._measuring.of(new).tallies if self._measuring else None
        if tallies is not None:
            new = replace(new, tallies=tallies)
        new = replace(new, proven=new.proven or self._acks.proven)
        decided, begun = time.time(), time.monotonic()
        host = self._objects.service
        moves = traffic(new, host) != traffic(state, host)
        try:
            self._objects.write(
                self._stored, new, safely=moves and new.gets_traffic and new.phase != Phase.ROLLING_BACK
            )
        except TrafficFailure as failure:
            if new.phase == Phase.ROLLING_BACK:
                raise CanaryFailure(f"the rollback is blocked: {failure}") from failure
            self._unsafe = str(failure)
            return state
        self._stored, self.changed = new, True
        self._pods.acted()
        if moves:
            self._acks.written(begun)
            self._proxies_logged = False
        if new.phase == Phase.ROLLING_BACK and state.phase != Phase.ROLLING_BACK:
            self.rollback.decided_at = decided
        if new.phase == Phase.ROLLING_BACK and new.weight == 0 and not self.rollback.weight_zero_at:
            self.rollback.weight_zero_at = time.time()
        if new.step != state.step:
            self._entered += 1
        self._run_log.transition(new)
        self._lease.remember(safe_for(new))
        return new

    def _note_edits(self, live: Route) -> None:
        """Edits outside the split are kept, and logged once."""
        spec = self._objects.outside(self._stored, live)
        text = repr(spec)
        if self._by_hand and text != self._by_hand:
            self._run_log.log(f"{self._objects.called(live.name)} was edited outside the split. The edit is kept.")
        self._by_hand = text
