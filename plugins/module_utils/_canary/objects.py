# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The cluster's objects of a canary: reads all of them at one moment, and writes each on condition."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.backends import (
    Backends,
    Members,
    RuleSubsets,
    Services,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import traffic
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    Slot,
    State,
    Stored,
    dump,
    state_of,
    stored,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import (
    CanaryFailure,
    Changed,
    NoRoute,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.owners import (
    autoscaler_problem,
    owners_problem,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.pods import (
    Pods,
    pods_of,
    template_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.workloads import Workloads
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.adopted import adopted
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    Phase,
    annotation,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    Route,
    Split,
    TrafficFailure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import kind_called
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import (
    FIELD_MANAGER,
    refuse_dropped_fields,
    refuse_unsafe,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import MeshCluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import Written, conditional_put
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref


class CanaryObjects:
    """Routes, Deployments and autoscaler of one service.

    ``where``: the routes that are shifted; the first one's state counts. ``subsets``: those that the run is about, as
    far as they are known.
    """

    def __init__(
        self,
        cluster: MeshCluster,
        namespace: str,
        service: str,
        where: RouteNames,
        container: str = "",
        subsets: Sequence[str] = (),
    ) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.workloads = Workloads(cluster, namespace, service, container)
        self.service, self.where, self.kind = service, where, kind_called(where.kind)
        self._named = tuple(subsets)
        self.backends = self._backends()

    def _backends(self) -> Backends:
        if self.kind.by_service:
            return Services(self.cluster, self.namespace, self.service, self._named, self.route)
        return RuleSubsets(self.cluster, self.namespace, self.service)

    def forget_backends(self) -> None:
        """They were changed a moment ago."""
        self.backends = self._backends()

    # -----------------------------------------------------------------------------------------------------------------
    # Reading

    def route(self) -> Route:
        """The first one, whose state counts."""
        name = self.where.names[0]
        return self._there(self.cluster.get(self._route_ref(name)), name)

    def _there(self, obj: Object | None, name: str) -> Route:
        if obj is None:
            raise NoRoute(f"{self._route_ref(name)} does not exist: correct routes, or deploy it first.")
        return self.kind(obj)

    def followers(self) -> dict[str, Route | None]:
        """Those after the first one, by name. None for one that is gone."""
        found = {name: self.cluster.get(self._route_ref(name)) for name in self.where.names[1:]}
        return {name: self.kind(obj) if obj else None for name, obj in found.items()}

    def refuse_missing(self) -> None:
        """Raise NoRoute if one of those after the first one does not exist."""
        for name in self.where.names[1:]:
            self._there(self.cluster.get(self._route_ref(name)), name)

    def called(self, name: str) -> str:
        """The name of one of them in messages."""
        return f"{self.kind.kind} {name}"

    def state(self) -> State | None:
        """Raises StateFailure if it is unreadable."""
        return state_of(self.route().obj, self.service)

    def stored(self) -> Stored:
        return stored(self.route().obj, self.service)

    def live_weights(self) -> dict[str, dict[str, int]]:
        """Route -> subset -> weight, of the first route object."""
        return self.route().weights(self._any_split())

    def protocols(self, state: State) -> set[str]:
        """The protocols of the routes that the run shifts, in all objects."""
        return {protocol for each in self.routes() for protocol in each.protocols(traffic(state, self.service))}

    def routes(self) -> list[Route]:
        """Those that exist."""
        found = (self.cluster.get(self._route_ref(name)) for name in self.where.names)
        return [self.kind(each) for each in found if each]

    def owners_problem(self, workloads: Sequence[str], managed_by_others: str, others: Sequence[Object] = ()) -> str:
        """Why another program would undo a canary of these Deployments. Empty if none would."""
        autoscalers = self.cluster.list("autoscaling/v2", "HorizontalPodAutoscaler", self.namespace)
        objects = [*others, *(each.obj for each in self.routes()), *filter(None, map(self.workloads.find, workloads))]
        return autoscaler_problem(autoscalers, workloads) or owners_problem(objects, managed_by_others)

    def _any_split(self) -> Split:
        """To read weights: covers every route to one of the service's subsets."""
        return Split(self.service, weights=dict.fromkeys(self.backends.subsets(), 0))

    def stable_side(self, given: str, canary: str) -> str:
        """The stable subset: as given, or by the present traffic. Routes for some clients only do not decide.

        ``canary``: the canary's subset as given. Raises CanaryFailure if it is open.
        """
        every = self._any_split()
        live = self.route().weights(every)
        where = self.called(f"{self.namespace}/{self.where.names[0]}")
        if not live:
            raise CanaryFailure(
                f"{where} has no route to a subset of {self.service}, so it has no side without the canary: name the "
                "subset in the route. Or set target.deployment and target.way=copy, which adds the subsets."
            )
        some = self.route().for_some(every)
        general = {name: weights for name, weights in live.items() if name not in some} or live
        full = {subset for route in general.values() for subset, weight in route.items() if weight == 100} - {canary}
        if not given and len(full) != 1:
            raise CanaryFailure(
                f"{where} already splits the traffic ({live}), without a run. Give one subset all traffic "
                "first, for example with module traffic_shift. Or set stable.subset, if some routes are to stay as "
                "they are."
            )
        return given or full.pop()

    def canary_side(self, stable: str, given: str, image: str) -> str:
        """The canary's subset: as given, the only other one, or the only one that has the image already.

        Raises CanaryFailure if it is open, or if the stable one does not have all the traffic of their routes.
        """
        known = self.backends.subsets()
        others = sorted(set(known) - {stable})
        if given:
            others = [given] if given in others else []
        if len(others) > 1:
            others = [subset for subset in others if self._has_image(subset, image)] or others
        if stable not in known or len(others) != 1:
            raise CanaryFailure(
                f"{self.backends.known()}. With {stable} as the stable one, the canary's subset is ambiguous: set "
                "canary.subset."
            )
        meant = self.route().weights(self._between(stable, others[0]))
        if any(route.get(stable) != 100 for route in meant.values()):
            where = f"{self.namespace}/{self.where.names[0]}"
            raise CanaryFailure(
                f"stable.subset is {stable}, but {where} routes traffic elsewhere, without a run: {meant}. "
                f"Give {stable} all traffic first, for example with module traffic_shift."
            )
        return others[0]

    def _between(self, stable: str, canary: str) -> Split:
        """The split before a run's first step."""
        return Split(self.service, weights={stable: 100, canary: 0}, base=stable)

    def _has_image(self, subset: str, image: str) -> bool:
        with contextlib.suppress(CanaryFailure):
            return self.slot(subset).image == image
        return False

    def kept_pods(self, stable: Slot, canary: Slot) -> tuple[Slot, Slot]:
        """The sides, each with the pods that it keeps because routes that the run does not shift use it."""
        used = self._used_elsewhere(stable.subset, canary.subset)
        return self._keeping(stable, used), self._keeping(canary, used)

    def _used_elsewhere(self, stable: str, canary: str) -> set[str]:
        every, between, used = self._any_split(), self._between(stable, canary), set[str]()
        for route in self.routes():
            ours = route.weights(between)
            others = (weights for name, weights in route.weights(every).items() if name not in ours)
            used |= {subset for weights in others for subset, weight in weights.items() if weight}
        return used

    def _keeping(self, slot: Slot, used: set[str]) -> Slot:
        pods = self.workloads.get(slot.workload)["spec"].get("replicas", 1) if slot.subset in used else 0
        return replace(slot, idle=pods)

    def slot(self, subset: str) -> Slot:
        deployment = self._workload(subset)
        container = self.workloads.needed_container(deployment)
        return Slot(subset, deployment["metadata"]["name"], str(container["image"]))

    def both(self, state: State) -> tuple[Pods, Pods]:
        stable, canary = self.pods(state.stable, state.canary)
        return stable, canary

    def pods(self, *slots: Slot) -> list[Pods]:
        """The pods of each slot. A slot without its Deployment or its subset has none."""
        members = self.backends.members([slot.subset for slot in slots])
        return [self._pods_of(slot, members[slot.subset]) for slot in slots]

    def _pods_of(self, slot: Slot, members: Members) -> Pods:
        deployment = self.workloads.find(slot.workload)
        if deployment is None:
            return Pods(gone=f"Deployment {self.namespace}/{slot.workload or '(unknown)'} is gone")
        container = self.workloads.container(deployment)
        labels = self.backends.labels(slot.subset)
        found = pods_of(deployment, str(container["image"]) if container else "", labels, members.pods, members.slices)
        return replace(found, gone="" if labels is not None else self.backends.gone(slot.subset))

    def template(self, workload: str) -> str:
        """Fingerprint of the Deployment's pods."""
        return template_of(self.workloads.get(workload))

    def drift(self, state: State, live: Route) -> str:
        """How the split of one route object differs from the state's. Empty if it does not."""
        split = traffic(state, self.service)
        if not split.weights:
            return ""
        changed = f"{self.called(live.name)} was changed by hand"
        try:
            if live.shifted(split).obj["spec"] == live.obj["spec"]:
                return ""
        except TrafficFailure as failure:
            return f"{changed}: {failure}"
        return f"{changed} during the run: its weights are {live.weights(split)}, not {dict(split.weights)}"

    def outside(self, state: Stored, live: Route) -> Any:
        """The object's spec without the split, for comparison."""
        if not isinstance(state, State):
            return None
        with contextlib.suppress(TrafficFailure):
            split = traffic(replace(state, weight=0, phase=Phase.ROLLING_BACK), self.service)
            return live.shifted(split).obj["spec"]
        return None

    # -----------------------------------------------------------------------------------------------------------------
    # Writing

    def write(
        self,
        believed: Stored,
        new: State,
        safely: bool = False,
        keep_traffic: bool = False,
        dry_run: bool = False,
        split: Split | None = None,
    ) -> None:
        """Write state and traffic in one request for each route object. The first one counts. Others may be gone.

        ``split``: the traffic, if it differs from the state's.
        Raises Changed if the state in the cluster is not the believed one, TrafficFailure if the target is unsafe.
        """
        if split is None:
            split = Split(self.service) if keep_traffic else traffic(new, self.service)

        def as_believed(before: Route) -> Object:
            if stored(before.obj, self.service) not in (believed, new):
                raise Changed
            return self._edited(before, new, split)

        self._put(self.where.names[0], as_believed, split if safely else None, dry_run)
        self._put_followers(new, split, safely, dry_run)

    def try_out(self, state: State) -> None:
        """Raise TrafficFailure if the cluster does not use these routes, or would store another split than a step's.

        Writes nothing. A VirtualService has neither status nor several definitions.
        """
        if not self.kind.versions:
            return
        for route in self.routes():
            if lacking := "; ".join(route.unaccepted(self.cluster.get)):
                raise TrafficFailure(f"{self.called(route.name)} is not in effect: {lacking}. Fix that first.")
            for number, step in enumerate(state.steps):
                then = replace(state, phase=Phase.PROGRESSING, step=number, weight=step.weight)
                self._try_split(route.name, traffic(then, self.service))

    def _try_split(self, name: str, split: Split) -> None:
        tried = self._put(name, lambda before: before.shifted(split).obj, dry_run=True)
        refuse_dropped_fields(self._route_ref(name), self.kind(tried.after), split)

    def change(self, wanted: Callable[[Stored], State]) -> tuple[State, bool]:
        """Write the state that ``wanted`` makes of the present one, with its traffic. Nothing if it is the same.

        Returns the state, and whether it was written.
        """

        def as_wanted(before: Route) -> Object:
            found = stored(before.obj, self.service)
            new = wanted(found)
            return before.obj if new == found else self._edited(before, new, traffic(new, self.service))

        done = self._put(self.where.names[0], as_wanted)
        state = state_of(done.after, self.service)
        if state is None:
            raise AssertionError("wanted returns a state")
        if done.changed:
            self._put_followers(state, traffic(state, self.service))
        return state, done.changed

    def _put_followers(self, new: State, split: Split, safely: bool = False, dry_run: bool = False) -> None:
        for name in self.where.names[1:]:
            with contextlib.suppress(NoRoute):
                self._put(name, lambda before: self._edited(before, new, split), split if safely else None, dry_run)

    def _edited(self, before: Route, new: State, split: Split) -> Object:
        """One route object with the state and the split."""
        if new.copy and new.copy.adopted:
            before = adopted(before, self.service, new.side_of(new.copy.original).subset)
        after = before.shifted(split).obj if split.weights else before.obj
        annotations = {**(after["metadata"].get("annotations") or {}), annotation(self.service): dump(new)}
        return {**after, "metadata": {**after["metadata"], "annotations": annotations}}

    def _put(
        self, name: str, edit: Callable[[Route], Object], safe: Split | None = None, dry_run: bool = False
    ) -> Written:
        """``safe``: a split that is written only if its target is safe."""

        def refuse(before: Object) -> None:
            if safe:
                refuse_unsafe(self.cluster, self.kind(before), safe, min_ready=1)

        return conditional_put(
            self.cluster,
            self._route_ref(name),
            lambda found: edit(self._there(found, name)),
            FIELD_MANAGER,
            refuse,
            dry_run,
        )

    # -----------------------------------------------------------------------------------------------------------------

    def _route_ref(self, name: str) -> Ref:
        return Ref(self.kind.api_version, self.kind.kind, self.namespace, name)

    def _workload(self, subset: str) -> Object:
        if missing := self.backends.missing_service():
            raise CanaryFailure(missing)
        labels = self.backends.labels(subset)
        if labels is None:
            raise CanaryFailure(f"{self.backends.gone(subset)}.")
        return self.workloads.selected(subset, labels)
