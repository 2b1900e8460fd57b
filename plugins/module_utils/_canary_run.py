# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Carrying a run on: look, measure, decide, do, and again, until it has ended or has to wait for somebody."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_decision import (
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
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_lease import Lease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_machine import decide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_objects import (
    CanaryFailure,
    CanaryObjects,
    Changed,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_plan import URL, traffic
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import (
    FINALISING,
    PROMOTING,
    ROLLING_BACK,
    State,
    state_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_sync import Propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_watch import Watch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke import http_get
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic import TrafficFailure, shifted

_TICK = 0.5
_RETRY = 0.2
_REMIND = 15.0
# A server that is away is waited for so long before the call gives up; the run stays as it is written.
_PATIENCE = 300.0


@dataclass
class Rollback:
    """Times of a way back, by this machine's clock."""

    decided_at: float = 0
    weight_zero_at: float = 0


class Runner:
    def __init__(
        self,
        objects: CanaryObjects,
        policy: Policy,
        lease: Lease,
        propagation: Propagation,
        watch: Watch | None,
        interval: float,
        say: Callable[[str], None],
        cancelled: Callable[[], str],
        notice: str = "",
    ) -> None:
        self._objects, self._policy, self._lease = objects, policy, lease
        self._propagation, self._watch, self._say, self._cancelled = propagation, watch, say, cancelled
        self._notice = notice
        self._interval = min(interval, _TICK)
        self._stored: State | None = None
        self._unsafe = ""
        self._entered = 0
        self._said, self._said_at = "", 0.0
        self._told_proxies = False
        self._by_hand = ""
        self.changed = False
        self.rollback = Rollback()

    def run(self, state: State) -> State:
        """Returns the state in which the call ends."""
        self._stored = state
        failing_since = 0.0
        while True:
            if self._lease.lost:
                raise CanaryFailure("another process has taken the run over: this one could not renew its lock.")
            try:
                state, decision = self._tick(state)
                failing_since = 0.0
            except Changed:
                continue
            except ApiFailure as failure:
                now = time.monotonic()
                failing_since = failing_since or now
                if failure.status in (401, 403) or now - failing_since > _PATIENCE:
                    raise
                self._tell(f"the API server does not answer as it should, trying again: {failure}")
                time.sleep(_RETRY)
                continue
            if self._notice and state.gets_traffic and not state.final:
                self._tell(self._notice)
                self._notice = ""
            if isinstance(decision, Return):
                return state
            if isinstance(decision, Wait):
                time.sleep(self._interval)

    def _tick(self, believed: State) -> tuple[State, Decision]:
        live = self._objects.virtual_service(self._objects.virtual_services[0])
        state, drift = self._current(believed, live)
        seen = self._look(state, live, drift)
        decision = decide(seen, self._policy)
        if isinstance(decision, Write):
            return self._write(state, decision.state), decision
        if isinstance(decision, Abandon):
            self._objects.write(self._stored, decision.state, keep_traffic=True)
            self.changed = True
            self._tell(transition(decision.state))
            return decision.state, decision
        if isinstance(decision, Scale):
            self._tell(f"{decision.workload}: {decision.replicas} pods")
            self._objects.scale(decision.workload, decision.replicas)
            self.changed = True
            self._wait_for_pods()
        elif isinstance(decision, SetImage):
            self._tell(f"{state.canary.workload}: image {state.canary.image}")
            self._objects.set_image(state.canary, state.canary.image)
            self.changed = True
        elif isinstance(decision, Autoscale):
            self._objects.autoscale(state, decision.pinned, decision.workload)
            self.changed = True
        elif isinstance(decision, Wait):
            self._remind(decision)
        return state, decision

    def _wait_for_pods(self) -> None:
        """The controllers need a moment before the numbers say anything."""
        time.sleep(self._interval)

    def _current(self, believed: State, live: Object) -> tuple[State, str]:
        """The run as the cluster has it, and what somebody did to it by hand."""
        found = state_of(live, self._objects.service)
        self._stored = found
        if found is None:
            return believed, "the run's state was taken from the VirtualService by hand"
        if found.run != believed.run:
            raise CanaryFailure(f"run {believed.run} was replaced by run {found.run} of another process.")
        if found != believed and found.history != believed.history:
            event = found.history[-1]
            self._tell(f"{event.actor}: {event.phase}{': ' if event.reason else ''}{event.reason}")
        return found, self._objects.drift(found, live)

    def _look(self, state: State, live: Object, drift: str) -> Seen:
        if not drift:
            for name in self._objects.virtual_services[1:]:
                other = self._objects.virtual_service(name)
                if state_of(other, self._objects.service) != state:
                    # Ours ended between two writes.
                    self._objects.write(self._stored, state)
                    self._propagation.written()
                else:
                    drift = drift or self._objects.drift(state, other)
        self._note_edits(live)
        stable, canary = self._objects.both(state)
        acknowledged = self._propagation.acknowledged()
        if acknowledged and not self._told_proxies:
            self._told_proxies = True
            self._tell_proxies()
        self._measure(state, acknowledged)
        pinned = state.phase not in (FINALISING, ROLLING_BACK)
        target = state.canary.workload if state.phase == FINALISING else state.stable.workload
        watch = self._watch
        return Seen(
            now=time.time(),
            state=state,
            acknowledged=acknowledged,
            stable_ready=stable.ready,
            canary_ready=canary.ready,
            stable_wanted=stable.wanted,
            canary_wanted=canary.wanted,
            stable_pods=stable.existing,
            canary_pods=canary.existing,
            canary_rolled_out=canary.rolled_out,
            canary_image=canary.image,
            drift=drift,
            unsafe=self._unsafe,
            cancelled=self._cancelled() if state.phase != ROLLING_BACK else "",
            outcome=watch.outcome() if watch and state.gets_traffic else None,
            passes=watch.passes if watch else 0,
            open_urls=self._open_urls(state),
            autoscaler_settled=self._objects.autoscaler_settled(state, pinned, target),
            autoscaler_released=not drift or self._objects.autoscaler_settled(state, False, state.stable.workload),
            steps_entered=self._entered,
        )

    def _measure(self, state: State, acknowledged: bool) -> None:
        if self._watch is None or not state.gets_traffic or state.phase in (FINALISING, ROLLING_BACK):
            return
        self._watch.enter(state)
        for measurement in self._watch.look(acknowledged):
            self._tell(f"  {measurement.judgement.verdict:<12} {measurement.judgement.reason}")

    def _write(self, state: State, new: State) -> State:
        if self._watch is not None:
            new = replace(new, tallies=self._watch.stored())
        decided = time.time()
        host = self._objects.service
        moves = traffic(new, host) != traffic(state, host)
        try:
            self._objects.write(self._stored, new, safely=moves and new.gets_traffic and new.phase != ROLLING_BACK)
        except TrafficFailure as failure:
            if new.phase == ROLLING_BACK:
                raise CanaryFailure(f"the way back is barred: {failure}") from failure
            self._unsafe = str(failure)
            return state
        self._stored, self.changed = new, True
        if moves:
            self._propagation.written()
            self._told_proxies = False
        if new.phase == ROLLING_BACK and state.phase != ROLLING_BACK:
            self.rollback.decided_at = decided
        if new.phase == ROLLING_BACK and new.weight == 0 and not self.rollback.weight_zero_at:
            self.rollback.weight_zero_at = time.time()
        if new.step != state.step:
            self._entered += 1
        self._tell(transition(new))
        return new

    def _open_urls(self, state: State) -> frozenset[str]:
        """The gates' URLs that answer 200 now; nobody else's are asked."""
        place = state.gate.partition(" ")[0] or ("end" if state.phase == PROMOTING else "")
        found = set()
        for gate in self._policy.gates:
            if gate.type == URL and gate.at == place:
                try:
                    if http_get(gate.url, {}, timeout=5).status == 200:
                        found.add(gate.url)
                except (OSError, http.client.HTTPException):
                    continue
        return frozenset(found)

    def _note_edits(self, live: Object) -> None:
        """Somebody else's edits outside the split are kept, and said once."""
        spec: Any = shifted_out(live, self._stored, self._objects.service)
        text = repr(spec)
        if self._by_hand and text != self._by_hand:
            self._tell(f"VirtualService {live['metadata']['name']} was edited by somebody outside the split: kept")
        self._by_hand = text

    def _tell_proxies(self) -> None:
        sync = self._propagation
        if sync.problem and not sync.proxies:
            self._tell(f"  istiod cannot be asked ({sync.problem}): {sync.seconds:.0f} s have to do instead of proof")
        else:
            self._tell(f"  all {sync.proxies} proxies have it after {sync.seconds:.1f} s")

    def _remind(self, wait: Wait) -> None:
        """What is waited for, when that changes and from time to time."""
        now = time.monotonic()
        if wait.what == self._said and now - self._said_at < _REMIND:
            return
        self._said, self._said_at = wait.what, now
        left = f" ({wait.left:.0f} s left)" if wait.left is not None else ""
        self._tell(f"  waiting for {wait.what}{left}")

    def _tell(self, text: str) -> None:
        self._say(f"{datetime.now(UTC):%H:%M:%S} {text}")


def shifted_out(live: Object, state: State | None, service: str) -> Any:
    """The VirtualService's spec with the split taken out, for a comparison."""
    if state is None:
        return None
    try:
        return shifted(live, traffic(replace(state, weight=0, phase=ROLLING_BACK), service))["spec"]
    except TrafficFailure:
        return None


def transition(state: State) -> str:
    """One line about where a run has come to."""
    step = f" step {state.step + 1}/{len(state.steps)}," if state.phase == "Progressing" and state.step >= 0 else ""
    current = state.current if state.phase == "Progressing" else None
    what = [f"{state.weight} % to {state.canary.subset}"]
    if current and current.mirror:
        what.append(f"a copy of {current.mirror:g} %")
    if current and current.matched:
        what.append("the requests that match")
    reason = f": {state.reason}" if state.reason else ""
    return f"{state.phase},{step} {' and '.join(what)}{reason}"
