# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Orphaned runs: each is rolled back, or brought to the end that was decided."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    State,
    Stored,
    Unreadable,
    every_stored,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure, Changed
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.force import unreadable_problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import holder_of, is_dead, safe_subset
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.retries import with_retries
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.route_names import routes_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.runner import Result, Rollback
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.undo import Reversible
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.aside import Aside
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, MeshCluster, Readable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

# A Lease that takes longer to read counts as unreadable.
_LEASE_SECONDS = 2.0
# A process reads the state of its run twice a second. If the API server hangs, a round takes it up to two seconds.
_ANSWER_SECONDS = 3.0
_AGAIN = 0.1
# Runs that are reconciled in parallel.
_AT_ONCE = 16


@dataclass(frozen=True)
class Holder:
    """The process that runs a canary: ``name``, empty if there is none.

    orphaned: why its process is gone. unknown: why that is not certain. safe: the subset that gets all traffic if the
    run's state is unreadable, empty if the Lease does not name one.
    """

    name: str = ""
    orphaned: str = ""
    unknown: str = ""
    safe: str = ""

    @property
    def lives(self) -> bool:
        return bool(self.name) and not self.orphaned


class Reconcilable(Reversible):
    """One service's canary, whose run may be orphaned."""

    def reconcile(self) -> Result:
        """Roll back an orphaned run, or finish a decided one. Raises ReconcileFailure if that fails."""
        end = self.finish(self.roll_back())
        if end.unfinished:
            raise ReconcileFailure({self._service: end.note}, {self._service: end})
        return end

    def roll_back(self) -> Result:
        """The urgent part: set the weight to 0. The rest is left to :meth:`finish`."""
        begin = time.time()
        if _is_over(found := self.objects.stored()):
            return Result(found if isinstance(found, State) else None, False, "no run is in progress")
        holder = self._holder()
        found = self.objects.stored()
        if isinstance(found, Unreadable):
            return self._reconcile_unreadable(found, holder, begin)
        if found is None or found.final:
            return Result(found, False, "no run is in progress")
        return self._reconcile_readable(found, holder)

    def _reconcile_readable(self, state: State, holder: Holder) -> Result:
        over = time.time() >= state.deadline and not state.lacks_evidence
        if holder.lives and not over:
            return Result(state, False, f"{holder.name} runs it")
        if state.decided:
            note = "its holder completes it" if holder.lives else ""
            return Result(state, False, note, unfinished=not holder.lives)
        if not over and state.phase.held and holder.unknown:
            # A run may wait without a process. Then no process answers the probe.
            raise CanaryFailure(
                f"{self._service}'s canary is {state.phase}, and it is unknown if a process runs it: {holder.unknown}."
                " To roll it back anyway, use state=aborted."
            )
        if not over and not holder.orphaned:
            waits = state.reason if state.phase.held else "it is between two steps"
            deadline = "is suspended" if state.lacks_evidence else "has not expired"
            return Result(state, False, f"it has no holder, and its deadline {deadline}: {waits}")
        why = "the run exceeded its deadline" if over else holder.orphaned
        self._log(f"run {state.run} of {self._service}: {why}")
        begin = time.time()
        done = self._request(lambda found: self._rolled_back_because(found, why))
        return replace(done, rollback=Rollback(begin, time.time()), unfinished=True)

    def _reconcile_unreadable(self, found: Unreadable, holder: Holder, begin: float) -> Result:
        if holder.lives:
            return Result(None, False, f"{holder.name} runs it")
        if not holder.safe:
            raise CanaryFailure(unreadable_problem(self._service, found))
        done = self._forced(found, holder.safe)
        return replace(done, rollback=Rollback(begin, time.time()), unfinished=True)

    def finish(self, first: Result) -> Result:
        """The rest after the first part: drain, and remove the pods. Unfinished if that is blocked."""
        if not first.unfinished:
            return first
        end = self._finished(first)
        return replace(end, rollback=end.rollback if end.rollback and end.rollback.decided_at else first.rollback)

    def _rolled_back_because(self, state: State, why: str) -> State:
        if state.decided or state.final:
            return state
        return self._rolled_back(state, why)

    def _holder(self) -> Holder:
        """From the Lease. If it is gone or unreadable, from the answer to a probe in the run's state."""
        try:
            answer = Aside(lambda: [self._lease()]).answer(0, _LEASE_SECONDS)
        except ApiFailure as failure:
            unknown = f"its Lease is unreadable ({failure})"
        else:
            if answer and answer[0]:
                return _holder_by(answer[0])
            unknown = "" if answer else "its Lease is unreadable (the API server does not answer)"
        if self._answers():
            return Holder("a process without a Lease")
        found = self.objects.stored()
        if not unknown and isinstance(found, State) and found.phase.held:
            # Without a Lease it has no holder, and waits to be resumed.
            return Holder()
        return Holder("", f"{unknown or 'its Lease was deleted'}, and no process answers the probe", unknown)

    def _answers(self) -> bool:
        """Whether a process runs the canary. It answers a probe, and repairs an unreadable state."""
        begin, probe = time.monotonic(), uuid.uuid4().hex
        self._probe(probe)
        # If requests are slow here, they are slow for the holder too.
        deadline = time.monotonic() + _ANSWER_SECONDS + 2 * (time.monotonic() - begin)
        while time.monotonic() < deadline:
            found = self.objects.stored()
            if isinstance(found, State) and found.probe != probe:
                return True
            time.sleep(_AGAIN)
        return False

    def _probe(self, probe: str) -> None:
        while isinstance(found := self.objects.stored(), State):
            try:
                self.objects.write(found, replace(found, probe=probe), keep_traffic=True)
                return
            except Changed:
                continue


def _is_over(found: Stored) -> bool:
    return found is None or (isinstance(found, State) and found.final)


def _holder_by(lease: Object) -> Holder:
    name, safe = holder_of(lease), safe_subset(lease)
    dead = bool(name) and is_dead(lease, time.time())
    return Holder(name, f"its holder {name} is dead" if dead else "", safe=safe)


class ReconcileFailure(MeshError):
    """Some runs could not be reconciled. ``results``: those of the others, by service."""

    def __init__(self, failures: Mapping[str, str], results: Mapping[str, Result]) -> None:
        super().__init__("\n".join(f"{service}: {why}" for service, why in failures.items()))
        self.results = dict(results)


def reconcile(
    cluster: MeshCluster, params: Mapping[str, Any], log: Callable[[str], None], cancelled: Callable[[], str]
) -> dict[str, Result]:
    """Reconcile every run of the namespace: first all weights in parallel, then the rest of each run.

    A failed one does not stop the others. Raises ReconcileFailure at the end.
    """
    canaries = {
        service: Reconcilable(cluster, params_for(params, service, where), log, cancelled)
        for service, where in runs_in(cluster, params["namespace"], log).items()
    }
    results: dict[str, Result] = {}
    failures: dict[str, str] = {}

    def attempt(service: str, request: Callable[[], Result]) -> None:
        try:
            results[service] = with_retries(request, log)
        # ValueError: another program may have written anything into a Lease or an annotation.
        except (MeshError, ValueError) as failure:
            failures[service] = str(failure)
            log(f"{service}: {failure}")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [pool.submit(attempt, service, canary.roll_back) for service, canary in canaries.items()]
    for future in futures:
        future.result()
    for service, canary in canaries.items():
        if service not in failures:
            attempt(service, partial(canary.finish, results[service]))
    failures |= {service: found.note for service, found in results.items() if found.unfinished}
    if failures:
        raise ReconcileFailure(failures, results)
    return results


def params_for(params: Mapping[str, Any], service: str, where: RouteNames) -> dict[str, Any]:
    """The call's options, for one of several services."""
    return {**params, "service": service, "routes": list(where.names), "route_kind": where.kind}


def runs_in(cluster: Readable, namespace: str, unread: Callable[[str], None]) -> dict[str, RouteNames]:
    """The routes of every run in the namespace that has not ended or whose state is unreadable, by service.

    ``unread``: see routes_in.
    """
    found: dict[str, RouteNames] = {}
    readable: set[str] = set()
    unreadable: dict[str, list[Route]] = {}
    for route in routes_in(cluster, namespace, unread):
        for service, state in every_stored(route.obj).items():
            if isinstance(state, Unreadable):
                unreadable.setdefault(service, []).append(route)
            elif state.is_first(route.kind, route.name):
                readable.add(service)
                if not state.final:
                    found[state.service] = state.where
    for service, routes in unreadable.items():
        if service not in readable:
            found[service] = _unreadable_names(service, routes)
    return found


def _unreadable_names(service: str, routes: Sequence[Route]) -> RouteNames:
    """The object with the service's name is the first one, unless another was chosen."""
    kind = routes[0].kind
    names = [route.name for route in routes if route.kind == kind]
    return RouteNames(kind, tuple(sorted(names, key=lambda name: (name != service, name))))
