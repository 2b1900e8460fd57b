# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The first part of a run by copy: both sides get a place in the mesh, before the route names them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.adoption import ATTEMPTS, Adoption
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.copies import Copies
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import Change
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import Observation, Policy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.ends import rolled_back
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure, Changed
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import interval_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import Istiods, Way
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.propagation import Propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.sent_routes import WrittenRoutes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import CONFLICT

_TICK = 0.1


class Adopter:
    """Of one run. ``params``: the call's options, with the run's terms."""

    def __init__(
        self,
        objects: CanaryObjects,
        params: Mapping[str, Any],
        policy: Policy,
        log: Callable[[str], None],
        cancelled: Callable[[], str],
    ) -> None:
        self._objects, self._params, self._policy = objects, params, policy
        self._log, self._cancelled = log, cancelled

    def adopted(self, state: State) -> State:
        """The run, with routes that name its subsets. If that fails, the run rolls back; nothing has moved yet."""
        while not (state.adopted or state.final or state.phase.ending):
            try:
                return self._adopt(state)
            except Changed:
                state = self._present(state)
        return state

    def _adopt(self, state: State) -> State:
        adoption, template = Adoption(self._objects), state.canary_template
        if state.copy and state.canary.workload == state.copy.name:
            # Before the subset: validators report one without a workload as an error.
            template = Copies(self._objects).give(state, state.copy.name)
        for change in adoption.adopt(state):
            self._log(f"{described(change)} for the split")
        why = self._cancelled() or self._until_known("the subsets")
        if not why and state.copy:
            new = replace(state, copy=replace(state.copy, adopted=True), canary_template=template)
            try:
                self._objects.write(state, new, safely=True)
                return new
            except TrafficFailure as failure:
                why = str(failure)
        back = rolled_back(Observation(time.time(), state), self._policy.actor, why)
        self._objects.write(state, back)
        return back

    def detach(self, state: State | None) -> list[str]:  # pylint: disable=unsupported-binary-operation
        """Restore or remove what adoption made or changed. Returns it. Raises TrafficFailure if proxies are missing."""
        adoption, done = Adoption(self._objects), []
        for _attempt in range(ATTEMPTS):
            routes, rest = adoption.detaching(state)
            try:
                for change in routes:
                    adoption.write(change)
                    done.append(described(change))
                # Until then, proxies may send requests by the previous routes.
                if rest and (why := self._until_known("the routes")):
                    raise TrafficFailure(f"{why}. The rest is not detached yet: repeat the call.")
                for change in rest:
                    adoption.write(change)
                    done.append(described(change))
            except ApiFailure as failure:
                if failure.status != CONFLICT:
                    raise
                continue
            return done
        raise CanaryFailure("another writer changed the objects at each attempt: repeat the call.")

    def _until_known(self, what: str) -> str:
        """Wait until every proxy has what was written. A route must not name a subset that a proxy does not know."""
        way = Way.of(self._params)
        propagation = Propagation(
            Istiods(self._objects.cluster, way),
            lambda: WrittenRoutes([]),
            interval_of(self._params, "unproven_wait"),
            protocols=(),
        )
        begin = time.monotonic()
        while not propagation.acknowledged():
            if why := self._cancelled():
                return why
            if time.monotonic() - begin > self._policy.sync_timeout:
                return f"not every proxy has {what}: {propagation.stragglers}"
            time.sleep(_TICK)
        return ""

    def _present(self, state: State) -> State:
        """Another process has changed the run."""
        found = self._objects.state()
        if found is None or found.run != state.run:
            raise CanaryFailure(f"run {state.run} was replaced by another process.")
        return found


def described(change: Change) -> str:
    """What happens to an object, in words."""
    verb = "removed" if change.after is None else "made" if change.before is None else "changed"
    return f"{change.ref}: {verb}"
