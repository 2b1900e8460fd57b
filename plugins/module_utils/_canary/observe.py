# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a run observes apart from the route and the state. Each query may fail or hang without blocking the run."""

from __future__ import annotations

import http.client
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Measurement, Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.autoscaler import scaler
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import Observation, Scaler
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.ends import wanted_scaler
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import URL, Gate
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.measuring import Watch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.pods import Pods
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.aside import Aside
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.http import http_get
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import Istiods, Way
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.propagation import Propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.sent_routes import WrittenRoutes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import has_sidecar, is_ready, living

# The loop continues without an observation that takes longer.
_OBSERVE_SECONDS = 2.0
# Queries that run beside the observation of the pods have mostly finished when it ends.
_MOMENT = 0.05
_GATE_SECONDS = 2.0


@dataclass(frozen=True)
class ObservedPods:
    stable: Pods
    canary: Pods
    scaler: Scaler | None


def with_pods(seen: Observation, found: ObservedPods) -> Observation:
    state, stable, canary = seen.state, found.stable, found.canary
    return replace(
        seen,
        stable_ready=stable.ready,
        canary_ready=canary.ready,
        stable_wanted=stable.wanted,
        canary_wanted=canary.wanted,
        stable_pods=stable.existing,
        canary_pods=canary.existing,
        canary_rolled_out=canary.rolled_out,
        canary_problem=canary.problem,
        stable_gone=stable.gone,
        canary_gone=canary.gone,
        stable_image=stable.image,
        stable_template=stable.template,
        canary_image=canary.image,
        canary_template=canary.template,
        stable_rolled_out=stable.rolled_out,
        stable_given=state.copy is not None and stable.given == state.run,
        image_given=canary.run == state.run,
        autoscaler_settled=found.scaler in (None, wanted_scaler(state, seen.acknowledged)),
        autoscaler_released=found.scaler in (None, Scaler(False, state.stable.workload)),
    )


class PodObserver:
    """Observes the pods and the autoscaler."""

    def __init__(self, objects: CanaryObjects) -> None:
        self._objects = objects
        self._state: State | None = None
        self._question = Aside(self._ask)
        self._acted = 0.0

    def acted(self) -> None:
        """Earlier observations are outdated."""
        self._acted = time.monotonic()

    def observe(self, state: State) -> ObservedPods | str:
        """The pods, or why they cannot be observed."""
        self._state = state
        try:
            return self._question.answer(self._acted, _OBSERVE_SECONDS) or "the API server does not answer"
        except ApiFailure as failure:
            return str(failure)

    def _ask(self) -> ObservedPods:
        state = self._state
        if state is None:
            raise AssertionError("observe has set it")
        stable, canary = self._objects.both(state)
        return ObservedPods(stable, canary, scaler(self._objects.cluster, self._objects.namespace, state))


def propagation_of(objects: CanaryObjects, state: State, way: Way, unproven_wait: float) -> Propagation:
    """The propagation of the routes that the run shifts."""
    return Propagation(
        Istiods(objects.cluster, way),
        lambda: WrittenRoutes(objects.routes()),
        unproven_wait,
        objects.protocols(state),
        connected=lambda: sidecars(objects, {objects.namespace, way.namespace}),
    )


def sidecars(objects: CanaryObjects, namespaces: Iterable[str]) -> set[str]:
    """Keys of the proxies in ready pods: a sidecar becomes ready with its first routes. Proxies of other namespaces are
    known only while an istiod knows them."""
    return {
        f"{namespace}/{pod['metadata']['name']}"
        for namespace in namespaces
        for pod in living(objects.cluster.list("v1", "Pod", namespace))
        if is_ready(pod) and has_sidecar(pod)
    }


class Acknowledgements:
    """Whether every proxy has the weights of the last write.

    ``proven``: istiod has answered in this run. Then its silence is a fault of istiod, and no wait replaces its answer.
    Otherwise istiod may be unreachable from here.
    """

    def __init__(self, propagation: Propagation, proven: bool) -> None:
        self.sync, self.proven = propagation, proven
        self._question = Aside(self._ask)
        self._written = time.monotonic()
        self._begun: float | None = None
        self._write_pending = False
        self._since: float | None = None

    def written(self, begun: float | None = None) -> None:
        """``begun``: when the write began, by time.monotonic. None if another process wrote."""
        self._begun = begun
        self._written, self._write_pending, self._since = time.monotonic(), True, None

    def begin(self) -> None:
        if self._since is None:
            self._question.begin()

    def observe(self) -> bool:
        if self._since is None and self._question.answer(self._written, _MOMENT):
            if self.proven and self.sync.problem and not self.sync.proxies:
                # Only time has passed. Query again.
                self._write_pending = True
            else:
                self._since = time.monotonic()
        self.proven = self.proven or self.sync.proxies > 0
        return self._since is not None

    @property
    def waited(self) -> float:
        """Seconds since the write, or since this call began."""
        return time.monotonic() - self._written

    @property
    def age(self) -> float:
        """Seconds since every proxy has the weights."""
        return math.inf if self._since is None else time.monotonic() - self._since

    @property
    def behind(self) -> str:
        """The proxies that do not have them, in words."""
        if self.sync.behind:
            return self.sync.stragglers
        return f"istiod does not answer{': ' if self.sync.problem else ''}{self.sync.problem}"

    def _ask(self) -> bool:
        # The only user of the propagation, which is thus never in two threads.
        if self._write_pending:
            self._write_pending = False
            self.sync.written(self._begun)
        return self.sync.acknowledged()


@dataclass(frozen=True)
class Measured:
    """The state of the measurements of a step."""

    step: tuple[Any, ...] = ()
    outcome: Outcome | None = None
    # Seconds between two scrapes, if known.
    scrape_interval: float | None = None
    tallies: Mapping[str, Any] | None = None
    # The last one of each metric.
    latest: Sequence[Measurement] = ()


class Measuring:
    """The rounds of measurements."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._of: tuple[State, bool] | None = None
        self._question = Aside(self._ask)
        self._last = Measured()

    def begin(self, state: State, acknowledged: bool) -> None:
        self._of = (state, acknowledged)
        self._question.begin()

    def news(self) -> list[Measurement]:
        """The measurements since the last call."""
        found = self._question.answer(0, _MOMENT) if self._question.asked else None
        if found is None:
            return []
        self._last, measurements = found
        return measurements

    def of(self, state: State) -> Measured:
        """Empty if the last round was of another step."""
        return self._last if self._last.step == _step(state) else replace(self._last, step=(), outcome=None)

    def _ask(self) -> tuple[Measured, list[Measurement]]:
        if self._of is None:
            raise AssertionError("begin has set it")
        state, acknowledged = self._of
        watch = self._watch
        watch.enter(state)
        found = watch.observe(acknowledged)
        return Measured(_step(state), watch.outcome(), watch.scrape_interval, watch.stored(), watch.latest), found


def _step(state: State) -> tuple[Any, ...]:
    return (state.run, state.step, state.weight)


class Gates:
    """The URLs of gates, each queried from time to time."""

    def __init__(self, gates: Iterable[Gate]) -> None:
        self._gates = [gate for gate in gates if gate.type == URL]
        self._questions = {gate.url: Aside(partial(_is_open, gate.url)) for gate in self._gates}
        self._asked = dict.fromkeys(self._questions, -math.inf)

    def open(self, state: State) -> frozenset[str]:
        """The URLs that answer 200, of the gate at which the run waits. Others are not queried."""
        place = state.gate.partition(" ")[0] or ("end" if state.phase == Phase.PROMOTING else "")
        found = set()
        for gate in self._gates:
            if gate.at == place and time.monotonic() - self._asked[gate.url] >= _GATE_SECONDS:
                is_open = self._questions[gate.url].answer(0, _MOMENT)
                if is_open is not None:
                    self._asked[gate.url] = time.monotonic()
                if is_open:
                    found.add(gate.url)
        return frozenset(found)


def _is_open(url: str) -> bool:
    try:
        return http_get(url, {}, timeout=5).status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
