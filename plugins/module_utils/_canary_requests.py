# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What each state of module canary asks for, from start to cleaning up after the dead."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_options import (
    metrics_of,
    source_of,
    target_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_run import moment
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_commands import (
    approved,
    nothing_to_abort,
    paused,
    promotion_requested,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_decision import Seen
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_lease import (
    Lease,
    LeaseHeld,
    holder_of,
    identity,
    is_dead,
    lease_ref,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_machine import rolled_back
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_objects import (
    CanaryFailure,
    CanaryObjects,
    Changed,
    Cluster,
    NoRoute,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_options import (
    holder,
    interval_of,
    new_run,
    plan_of,
    policy_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_plan import SPLIT, image_with
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_rights import (
    lacking_for_proof,
    lacking_for_run,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_run import Rollback, Runner
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import (
    FINALISING,
    HELD,
    PROMOTING,
    ROLLING_BACK,
    SUCCEEDED,
    State,
    states_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_sync import Propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_watch import Watch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istiod import Way, connected_proxies
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic_shift import NETWORKING

_FOLLOW = 0.5
_ATTEMPTS = 20
_PATIENCE = 120
# Answers that will be the same the next time.
_FOR_GOOD = (400, 401, 403, 404, 422)


@dataclass(frozen=True)
class Result:
    """How a call ended. ``state`` is None where the service has never had a run."""

    state: State | None
    changed: bool
    note: str = ""
    rollback: Rollback | None = None
    watch: Watch | None = None


class Canary:
    """One service's canary, as the options of a call describe it."""

    def __init__(
        self, cluster: Cluster, params: Mapping[str, Any], say: Callable[[str], None], cancelled: Callable[[], str]
    ) -> None:
        self._cluster, self._params, self._say, self._cancelled = cluster, params, say, cancelled
        self._service: str = params["service"].partition(".")[0]
        self._namespace: str = params["namespace"]
        names = params["virtual_services"] or [self._service]
        self.objects = CanaryObjects(cluster, self._namespace, params["service"], names, params["container"])
        self._actor = holder(params)

    def planned(self) -> State | None:
        """The run that would be started; None where there is none to start. Nothing is written."""
        existing = self.objects.state()
        if existing and not existing.final:
            self._refuse_other_image(existing)
            return existing
        return self._new()

    def progress(self) -> Result:
        with self._lock() as lease:
            state = self.objects.state()
            if state and not state.final:
                self._refuse_other_image(state)
                self._say(
                    f"run {state.run} goes on where it was: {state.phase}, {state.weight} % to {state.canary.subset}"
                )
                return self._drive(state, lease)
            new = self._new()
            if new is None:
                return Result(None, False, "the image is the stable one already")
            self.objects.write(state, new)
            self._say(f"run {new.run}: {new.reason}")
            return self._drive(new, lease, changed=True)

    def pause(self) -> Result:
        return self._request(lambda state: paused(state, time.time(), self._actor, self._reason("asked for")))

    def resume(self) -> Result:
        done = self._request(lambda state: approved(state, time.time(), self._actor, self._reason("asked for")))
        return self._carry_on(done, follow=False)

    def promote(self) -> Result:
        reason = self._reason("promotion asked for")
        done = self._request(lambda state: promotion_requested(state, time.time(), self._actor, reason))
        return self._carry_on(done)

    def abort(self) -> Result:
        """Always legal, whoever runs it; where nothing runs there is nothing to do."""
        state, nothing = self.to_abort()
        if state and state.phase == SUCCEEDED and not self._params["begun_before"]:
            raise CanaryFailure(
                f"run {state.run} has ended: {state.reason}. To go back, run a canary to {state.stable.image}."
            )
        if state is None or nothing:
            return Result(state, False, nothing)
        begin = time.time()
        done = self._request(self._aborted)
        if done.state and done.state.phase != ROLLING_BACK:
            # It ended meanwhile, or another run began.
            return replace(done, note=nothing_to_abort(done.state, self._begun_before()))
        rollback = Rollback(begin, time.time())
        end = self._carry_on(done)
        if not end.changed:
            return replace(end, note=f"it was on its way back already: {state.reason}")
        return replace(end, rollback=end.rollback if end.rollback and end.rollback.decided_at else rollback)

    def to_abort(self) -> tuple[State | None, str]:
        """The newest run, and why there is nothing to take back; empty where there is."""
        before = self._begun_before()
        try:
            state = self.objects.state()
        except NoRoute:
            if before is None:
                raise
            state = None
        return state, nothing_to_abort(state, before)

    def _begun_before(self) -> float | None:
        return moment(self._params["begun_before"], "begun_before")

    def _aborted(self, state: State) -> State:
        if state.phase == ROLLING_BACK or nothing_to_abort(state, self._begun_before()):
            return state
        stable, canary = self.objects.both(state)
        seen = Seen(time.time(), state, stable_ready=stable.ready, canary_ready=canary.ready)
        return rolled_back(seen, self._actor, self._reason("asked for"))

    def reconcile(self) -> Result:
        """Roll back what nobody carries on, and finish what was decided."""
        state = self.objects.state()
        if state is None or state.final:
            return Result(state, False, "no run is under way")
        lease = self._cluster.get(lease_ref(self._namespace, self._service))
        now = time.time()
        dead = lease is not None and bool(holder_of(lease)) and is_dead(lease, now)
        alone = lease is None or not holder_of(lease) or dead
        over = now >= state.deadline
        if not alone and not over:
            return Result(state, False, f"{holder_of(lease)} carries it on")
        if state.phase in (PROMOTING, FINALISING, ROLLING_BACK):
            return self._carry_on(Result(state, False)) if alone else Result(state, False, "its holder finishes it")
        if not over and not dead:
            waits = f"waits for {state.reason}" if state.phase in HELD else "is between two steps"
            return Result(state, False, f"nobody holds it, and its deadline is not over: it {waits}")
        why = "the deadline of the run is over" if over else f"its holder {holder_of(lease)} is dead"
        self._say(f"run {state.run} of {self._service}: {why}")
        return self._carry_on(self._request(lambda found: self._rolled_back_because(found, why)))

    def _rolled_back_because(self, state: State, why: str) -> State:
        if state.phase in (PROMOTING, FINALISING, ROLLING_BACK) or state.final:
            return state
        stable, canary = self.objects.both(state)
        seen = Seen(time.time(), state, stable_ready=stable.ready, canary_ready=canary.ready)
        return rolled_back(seen, self._actor, why)

    # -----------------------------------------------------------------------------------------------------------------

    def _new(self) -> State | None:
        """Raises where the service is not in a state to have a canary."""
        params = self._params
        if bool(params["image_tag"]) == bool(params["image"]):
            raise CanaryFailure("give image_tag or image, and not both.")
        given = [params[side].get("subset") or "" for side in ("stable", "canary")]
        names = self.objects.sides(*given)
        stable, canary = (self.objects.side(subset) for subset in names)
        image = params["image"] or image_with(stable.image, params["image_tag"])
        if image == stable.image:
            return None
        state = new_run(params, stable, replace(canary, image=image), 0, time.time())
        pods, __ = self.objects.both(state)
        if pods.wanted == 0 or pods.ready < pods.wanted:
            raise CanaryFailure(
                f"the stable side is not whole: Deployment {stable.workload} has {pods.ready} of {pods.wanted} pods "
                "ready, and it has to take all traffic back if the canary fails. Mend that first."
            )
        return replace(state, capacity=pods.ready)

    def _refuse_other_image(self, state: State) -> None:
        image = self._params["image"] or (
            image_with(state.stable.image, self._params["image_tag"]) if self._params["image_tag"] else ""
        )
        if image and image != state.canary.image:
            raise CanaryFailure(
                f"run {state.run} of {self._service} is {state.phase} with {state.canary.image}. End it first, with "
                f"canary_promote.yml or canary_abort.yml; then {image} can have its own run."
            )

    def _request(self, change: Callable[[State], State]) -> Result:
        """Write what somebody asks for into the state, whoever carries the run on."""
        for __ in range(_ATTEMPTS):
            state = self.objects.state()
            if state is None:
                raise CanaryFailure(f"{self._service} has no run in namespace {self._namespace}.")
            new = change(state)
            if new == state:
                return Result(state, False)
            try:
                self.objects.write(state, new)
            except Changed:
                continue
            self._say(f"{new.phase}, {new.weight} % to {new.canary.subset}: {new.reason}")
            return Result(new, True)
        raise CanaryFailure(f"the run of {self._service} changed at every attempt to write to it; try again.")

    def _carry_on(self, done: Result, follow: bool = True) -> Result:
        """Bring it to its end here, or watch whoever does."""
        state = done.state
        while state is not None and not state.final:
            try:
                with self._lock(quiet=True) as lease:
                    return self._drive(state, lease, changed=done.changed)
            except LeaseHeld as held:
                if not follow:
                    return replace(done, note=str(held))
            time.sleep(_FOLLOW)
            found = self.objects.state()
            if found and state and found.history != state.history:
                self._say(f"{found.phase}, {found.weight} % to {found.canary.subset}: {found.reason}")
            state = found
        return replace(done, state=state)

    def _drive(self, state: State, lease: Lease, changed: bool = False) -> Result:
        params = self._params
        # The objects that the run began with, whatever this call names.
        self.objects = CanaryObjects(
            self._cluster, self._namespace, state.service, state.virtual_services, params["container"]
        )
        watch = self._watch(state)
        ask = partial(connected_proxies, self._cluster, Way.of(params))
        policy = policy_of(params)
        runner = Runner(
            self.objects,
            policy,
            lease,
            Propagation(ask, interval_of(params, "unproven_wait"), self.objects.protocols()),
            watch,
            interval_of(params),
            self._say,
            self._cancelled,
            params["notice"],
        )
        lease.keep = True
        end = runner.run(state)
        lease.keep = False
        return Result(end, changed or runner.changed, rollback=runner.rollback, watch=watch)

    def _watch(self, state: State) -> Watch | None:
        params = self._params
        # Whoever takes a run back may not know where its metrics are.
        if state.phase in (FINALISING, ROLLING_BACK):
            return None
        if not params["metrics"] and (state.strategy == SPLIT or params["state"] not in ("progressed", "resumed")):
            return None
        named = {
            "stable": {**params["stable"], "subset": state.stable.subset},
            "canary": {**params["canary"], "subset": state.canary.subset},
            "since": str(state.since or state.started),
        }
        full = {**params, **named}
        metrics = metrics_of(full)
        source = source_of(full, self._cluster, metrics)
        return Watch(metrics, target_of(full), source, interval_of(params), params["min_share"])

    def check_rights(self) -> str:
        """Raise CanaryFailure where a run lacks rights. Returns what lacks to ask istiod, empty where it can."""
        if lacking := lacking_for_run(self._cluster, self._params):
            raise CanaryFailure(f"{lacking}\nNothing was changed.")
        return lacking_for_proof(self._cluster, self._params)

    def check_options(self) -> None:
        """All that can be refused without a cluster, before anything is touched."""
        policy_of(self._params)
        plan_of(self._params)
        if self._params["strategy"] != SPLIT:
            sides = {side: {**self._params[side]} for side in ("stable", "canary")}
            full = {**self._params, **sides, "since": str(time.time())}
            source_of(full, self._cluster, metrics_of(full))

    def _reason(self, otherwise: str) -> str:
        return f"{otherwise} by {self._actor}{': ' if self._params['reason'] else ''}{self._params['reason']}"

    def _lock(self, quiet: bool = False) -> _Held:
        lease = Lease(
            self._cluster, self._namespace, self._service, identity(self._actor), self._params["lease_duration"]
        )
        return _Held(lease, self._say if not quiet else lambda __: None)


class _Held:
    """The lock for the length of a with statement."""

    def __init__(self, lease: Lease, say: Callable[[str], None]) -> None:
        self._lease, self._say = lease, say

    def __enter__(self) -> Lease:
        earlier = self._lease.acquire()
        if earlier:
            self._say(f"{earlier} is dead: the run is taken over")
        return self._lease

    def __exit__(self, *__: Any) -> None:
        # After a failure in the middle of a run nobody carries it on: it looks dead, and reconcile finds it.
        self._lease.release()


def services_with_runs(cluster: Cluster, namespace: str) -> list[tuple[str, tuple[str, ...]]]:
    """(service, VirtualServices) of every run in the namespace that has not ended."""
    found = []
    for virtual_service in cluster.list(NETWORKING, "VirtualService", namespace):
        for state in states_of(virtual_service).values():
            if not state.final and state.virtual_services[0] == virtual_service["metadata"]["name"]:
                found.append((state.service, state.virtual_services))
    return found


def patiently(request: Callable[[], Result], say: Callable[[str], None]) -> Result:
    """Through an API server that is busy or away for a while. A request that was half done goes on where it is."""
    begin = time.monotonic()
    while True:
        try:
            return request()
        except ApiFailure as failure:
            if failure.status in _FOR_GOOD or time.monotonic() - begin > _PATIENCE:
                raise
            say(f"the API server does not answer as it should, trying again: {failure}")
        time.sleep(_FOLLOW)
