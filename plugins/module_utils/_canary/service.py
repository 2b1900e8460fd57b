# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What each state of module canary does, but for undone and reconciled."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import moment
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.options import (
    metrics_of,
    rates_of,
    source_of,
    target_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.adopter import Adopter
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.configuration import Configuration
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import Observation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.ends import (
    RECONCILE,
    rolled_back,
    safe_for,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    State,
    Stored,
    Unreadable,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import (
    approved,
    nothing_to_abort,
    paused,
    promotion_requested,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure, NoRoute
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.force import (
    forced,
    unexplained,
    unreadable_problem,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import (
    Held,
    Lease,
    LeaseHeld,
    identity,
    lease_ref,
    safe_subset,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.log import RunLog, transition
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.measuring import Watch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.observe import (
    PodObserver,
    propagation_of,
    with_pods,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import (
    COPY,
    DETACHED,
    holder,
    interval_of,
    options_of,
    policy_of,
    refuse_problems,
    wanted_target,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.retries import PERMANENT, explained
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.rights import (
    lacking_for_proof,
    lacking_for_run,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.route_names import route_names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.runner import Result, Rollback, Runner
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.starting import (
    Start,
    new_start,
    refuse_another_run,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.target import watch_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import SPLIT, Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import Way
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import OF_CANARIES
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, MeshCluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

_FOLLOW = 0.5


class CanaryService:
    """One service's canary, with the options of a call."""

    def __init__(
        self, cluster: MeshCluster, params: Mapping[str, Any], log: Callable[[str], None], cancelled: Callable[[], str]
    ) -> None:
        self._cluster, self._params, self._log, self._cancelled = cluster, params, log, cancelled
        self._service: str = params["service"].partition(".")[0]
        self._namespace: str = params["namespace"]
        self._actor = holder(params)
        self._identity = identity(self._actor)

    @cached_property
    def objects(self) -> CanaryObjects:
        """Those of the call. Once it drives a run, those of the run."""
        params = self._params
        where = route_names(self._cluster, self._namespace, self._service, params["routes"], params["route_kind"])
        subsets = [params[side].get("subset") or "" for side in ("stable", "canary")]
        return CanaryObjects(self._cluster, self._namespace, params["service"], where, params["container"], subsets)

    def planned(self) -> Start | None:
        """The run that a call would start, or None. Writes nothing."""
        existing = self.state()
        if existing and not existing.final:
            refuse_another_run(existing, self._params)
            return Start(existing)
        return new_start(self.objects, self._params)

    def state(self) -> State | None:
        """The newest run. Raises CanaryFailure if its state is unreadable."""
        return self._readable(self.objects.stored())

    def _readable(self, found: Stored) -> State | None:
        if isinstance(found, Unreadable):
            raise CanaryFailure(unreadable_problem(self._service, found))
        return found

    def progress(self) -> Result:
        with self._lock() as lease:
            state = self.state()
            if state and not state.final:
                lease.unfinished = True
                refuse_another_run(state, self._params)
                self._log(f"run {state.run} resumes: {state.phase}, {state.weight} % to {state.canary.subset}")
                return self._drive(state, lease)
            start = new_start(self.objects, self._params)
            if start is None:
                return Result(None, False, "the image is already the stable one")
            Configuration(self._cluster, self._namespace, self._service).make(start.contents)
            self.objects.write(state, start.state)
            self._log(f"run {start.state.run}: {start.state.reason}")
            for line in start.remarks:
                self._log(line)
            return self._drive(start.state, lease, changed=True)

    def pause(self) -> Result:
        return self._request(lambda state: paused(state, time.time(), self._actor, self._reason("requested")))

    def resume(self) -> Result:
        """Open the gate, or end the pause, or resume an orphaned run by its own terms."""
        state = self.state()
        if state and state.phase in (Phase.INITIALIZED, Phase.PROGRESSING, Phase.PROMOTING):
            with self._lock() as lease:
                self._log(f"run {state.run} resumes: {state.phase}")
                return self._drive(state, lease)
        if state:
            # A call that could not measure the next steps must not open the gate.
            self._watch(state)
        done = self._request(lambda state: approved(state, time.time(), self._actor, self._reason("requested")))
        return self._run_to_end(done, follow=False)

    def promote(self) -> Result:
        reason = self._reason("promotion requested")
        done = self._request(lambda state: promotion_requested(state, time.time(), self._actor, reason))
        return self._run_to_end(done)

    def abort(self) -> Result:
        """Roll back. Always possible, also while another process runs the canary. Changes nothing without a run."""
        begin = time.time()
        if self._params["force"] and (found := self._unexplained()):
            return self._force(found, self._params["stable"].get("subset") or "", begin)
        state, nothing = self.to_abort()
        if state and state.phase == Phase.SUCCEEDED and not self._params["begun_before"]:
            way = "Start a new run of" if state.undoes else "Use state=undone to return to"
            raise CanaryFailure(f"run {state.run} has ended: {state.reason}. {way} {state.stable.image}.")
        if state is None and self._begun_before() is None and (found := self._unexplained()):
            raise CanaryFailure(unreadable_problem(self._service, found))
        if state is None or nothing:
            return Result(state, False, nothing)
        done = self._request(self._aborted)
        if done.state and done.state.phase != Phase.ROLLING_BACK:
            # The run ended meanwhile, or another one began.
            return replace(done, note=nothing_to_abort(done.state, self._begun_before()))
        rollback = Rollback(begin, time.time())
        end = self._finished(done)
        if not end.changed:
            return replace(end, note=end.note or f"it was already rolling back: {state.reason}")
        return replace(end, rollback=end.rollback if end.rollback and end.rollback.decided_at else rollback)

    def to_abort(self) -> tuple[State | None, str]:
        """The newest run, and why there is nothing to roll back. Empty if there is."""
        before = self._begun_before()
        try:
            state = self.state()
        except NoRoute:
            if before is None:
                raise
            state = None
        return state, nothing_to_abort(state, before)

    def _begun_before(self) -> float | None:
        return moment(self._params["begun_before"], "begun_before")

    def _aborted(self, state: State) -> State:
        if state.phase == Phase.ROLLING_BACK or nothing_to_abort(state, self._begun_before()):
            return state
        return self._rolled_back(state, self._reason("requested"))

    def _rolled_back(self, state: State, why: str) -> State:
        """Needs the state only. In Finalising the stable side may have no pods, so only then are they observed."""
        seen = Observation(time.time(), state)
        if state.phase == Phase.FINALISING:
            found = PodObserver(self.objects).observe(state)
            if isinstance(found, str):
                self._log(f"the pods cannot be observed, so {state.canary.subset} keeps the traffic for now: {found}")
            else:
                seen = with_pods(seen, found)
        return rolled_back(seen, self._actor, why)

    def _unexplained(self) -> Unreadable | None:
        return unexplained(self.objects, self._service)

    def _force(self, unreadable: Unreadable, named: str, begin: float) -> Result:
        """Give all traffic to the stable subset, and continue as in any rollback."""
        if not named:
            with contextlib.suppress(ApiFailure):
                named = safe_subset(self._lease())
        done = self._forced(unreadable, named)
        rollback = Rollback(begin, time.time())
        return replace(self._finished(done), changed=True, rollback=rollback)

    def _forced(self, unreadable: Unreadable, subset: str) -> Result:
        reason = self._reason(f"forced, since the state of the previous run is unreadable ({unreadable.problem}),")
        found = forced(self.objects, self._service, subset, self._actor, reason)
        self.objects.write(unreadable if unreadable.text else None, found.state, split=found.split)
        self._log(transition(found.state))
        return Result(found.state, True)

    # -----------------------------------------------------------------------------------------------------------------

    def _request(self, change: Callable[[State], State]) -> Result:
        """Write a request into the state, also while another process runs the canary."""

        def wanted(found: Stored) -> State:
            state = self._readable(found)
            if state is None:
                raise CanaryFailure(f"{self._service} has no run in namespace {self._namespace}.")
            return change(state)

        state, written = self.objects.change(wanted)
        if written:
            self._log(transition(state))
        return Result(state, written)

    def _lease(self) -> Object | None:
        return self._cluster.get(lease_ref(self._namespace, self._service))

    def _finished(self, done: Result) -> Result:
        """Complete a rollback. If that is blocked, the weight is set already: report what is left."""
        begin, patience = time.monotonic(), interval_of(self._params, "wait_timeout")
        while True:
            try:
                return self._run_to_end(done)
            except (ApiFailure, CanaryFailure) as failure:
                passing = isinstance(failure, ApiFailure) and failure.status not in PERMANENT
                if not passing or time.monotonic() - begin > patience:
                    weight = done.state.weight if done.state else 0
                    why = explained(failure) if isinstance(failure, ApiFailure) else str(failure)
                    note = f"the weight is {weight}, and the rest is not complete: {why}; {RECONCILE}"
                    return replace(done, note=note, unfinished=True)
            time.sleep(_FOLLOW)

    def _run_to_end(self, done: Result, follow: bool = True) -> Result:
        """Run the canary to its end here, or follow the process that does."""
        state = done.state
        while state is not None and not state.final:
            try:
                with self._lock(quiet=True) as lease:
                    return self._drive(state, lease, changed=done.changed)
            except LeaseHeld as held:
                if not follow:
                    return replace(done, note=str(held))
            time.sleep(_FOLLOW)
            found = self.state()
            if found and state and found.history != state.history:
                self._log(transition(found))
            state = found
        return replace(done, state=state, unfinished=False)

    def _drive(self, state: State, lease: Lease, changed: bool = False) -> Result:
        # Any failure from here on orphans the run.
        lease.keep = lease.unfinished = True
        # The terms and objects of the run, not those of this call.
        params = options_of(state, self._params)
        self.objects = self.objects_of(state)
        watch = self._watch(state)
        policy = policy_of(params)
        state = Adopter(self.objects, params, policy, self._log, self._cancelled).adopted(state)
        runner = Runner(
            self.objects,
            policy,
            lease,
            propagation_of(self.objects, state, Way.of(params), interval_of(params, "unproven_wait")),
            watch,
            interval_of(params),
            RunLog(self._log, params["progress_details"]),
            self._cancelled,
            params["notice"],
        )
        lease.remember(safe_for(state))
        end = runner.run(state)
        lease.keep, lease.unfinished = False, not end.final
        note = f"{end.reason}; {runner.left}" if runner.left else ""
        return Result(end, changed or runner.changed, note, rollback=runner.rollback, watch=watch)

    def objects_of(self, state: State) -> CanaryObjects:
        """Those of a run."""
        container = options_of(state, self._params)["container"]
        sides = (state.stable.subset, state.canary.subset)
        return CanaryObjects(self._cluster, self._namespace, state.service, state.where, container, sides)

    def _watch(self, state: State) -> Watch | None:
        return watch_of(
            options_of(state, self._params), self._namespace, state, self._cluster, self.objects.backends.subsets
        )

    def check_rights(self) -> str:
        """Raises CanaryFailure if rights for a run are missing. Returns those missing to query istiod, in words."""
        if lacking := self.lacking_rights():
            raise CanaryFailure(f"{lacking}\nNothing was changed.")
        return lacking_for_proof(self._cluster, self._params)

    def lacking_rights(self) -> str:
        """The rights that the account lacks for a run, in words. Empty if it has all."""
        # Of every service's run at once, or of an account that may not even look for the route.
        where = RouteNames(OF_CANARIES[0].kind, (self._service,))
        with contextlib.suppress(ApiFailure):
            where = self.objects.where if self._service else where
        return lacking_for_run(self._cluster, self._params, where, self._copies())

    def _copies(self) -> bool:
        """Whether the call is about a copy of a Deployment: it starts one, or the service's run has one."""
        if wanted_target(self._params)["way"] == COPY or self._params["state"] == DETACHED:
            return True
        with contextlib.suppress(ApiFailure, CanaryFailure):
            found = self.objects.stored() if self._service else None
            return isinstance(found, State) and found.copy is not None
        return False

    def check_options(self) -> None:
        """Refuse invalid options that need no cluster to detect, before anything is changed."""
        refuse_problems(self._params)
        rates_of(self._params)
        if self._params["strategy"] != SPLIT:
            sides = {side: {**self._params[side]} for side in ("stable", "canary")}
            full = {**self._params, **sides, "since": str(time.time())}
            source_of(full, self._cluster, metrics_of(full), target_of(full))

    def _reason(self, otherwise: str) -> str:
        return f"{otherwise} by {self._actor}{': ' if self._params['reason'] else ''}{self._params['reason']}"

    def _lock(self, quiet: bool = False) -> Held:
        lease = Lease(self._cluster, self._namespace, self._service, self._identity, self._params["lease_duration"])
        return Held(lease, self._log if not quiet else lambda __: None)
