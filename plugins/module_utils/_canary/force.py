# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The rollback of a run whose state is unreadable: all traffic to one of the route's subsets."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import Observation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.ends import rolled_back
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    Slot,
    State,
    Unreadable,
    stored,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.observe import PodObserver, with_pods
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.aside import Aside
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    Phase,
    annotation,
    header_route,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    AFFINITY_SUFFIX,
    MatchRoute,
    Mirror,
    Route,
    Split,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure

# It has no effect, since the run rolls back already.
_DEADLINE = 3600.0
# Deployments that take longer to find are left out, and keep their pods.
_OBSERVE_SECONDS = 2.0


class Forced(NamedTuple):
    """The state that replaces the unreadable one, and its traffic."""

    state: State
    split: Split


def unreadable_problem(service: str, unreadable: Unreadable) -> str:
    """The message for an unreadable state without ``force``."""
    return (
        f"the state of the run in annotation {annotation(service)} of the route is unreadable "
        f"({unreadable.problem}). Run state=aborted with force=true for service {service}: it gives all traffic to the "
        "stable subset, which stable.subset names, and replaces the annotation."
    )


def unexplained(objects: CanaryObjects, service: str) -> Unreadable | None:
    """The unreadable state, or a stand-in for a missing one while the traffic is split. None otherwise.

    The text of a stand-in is empty.
    """
    route = objects.route()
    found = stored(route.obj, service)
    if isinstance(found, Unreadable):
        return found
    subsets = {subset for subset, __ in objects.backends.of(route)} - {""}
    live = route.weights(Split(service, weights=dict.fromkeys(subsets, 0)))
    split = any(sum(weight > 0 for weight in entry.values()) > 1 for entry in live.values())
    return Unreadable("", f"it is missing, but the traffic is split: {live}") if found is None and split else None


def forced(objects: CanaryObjects, service: str, subset: str, actor: str, reason: str) -> Forced:
    """All traffic to ``subset``. If it is empty, to the only possible one. Raises CanaryFailure if it is not valid.

    Pods and Deployments that cannot be observed are left out.
    """
    route = objects.route()
    found = sorted({subset for subset, __ in objects.backends.of(route)} - {""})
    stable = subset or _only(objects, service, found)
    others = [name for name in found if name != stable]
    if stable not in found:
        raise CanaryFailure(
            f"{objects.called(route.name)} has no destination with subset {stable} of {service}: set "
            f"stable.subset to one of {', '.join(found) or '(none)'}."
        )
    split = Split(service, weights={stable: 100, **dict.fromkeys(others, 0)})
    split = _without_extras(split, route, objects.backends.of(route), service, stable)
    canary = others[0] if others else stable
    live = route.weights(split)
    now = time.time()
    slots = Aside(lambda: [_slot(objects, stable), _slot(objects, canary)]).answer(0, _OBSERVE_SECONDS)
    slots = slots or [Slot(stable, "", ""), Slot(canary, "", "")]
    state = State(
        run=f"forced-{uuid.uuid4().hex[:8]}",
        service=service,
        where=objects.where,
        phase=Phase.PROGRESSING,
        stable=slots[0],
        canary=slots[1] if others else Slot("", "", ""),
        steps=(),
        started=now,
        deadline=now + _DEADLINE,
        capacity=1,
        weight=max((shares.get(canary, 0) for shares in live.values()), default=0) if others else 0,
    )
    seen = Observation(now, state)
    observed = PodObserver(objects).observe(state)
    if not isinstance(observed, str):
        seen = with_pods(seen, observed)
        state = replace(state, capacity=max(1, observed.stable.wanted))
    back = rolled_back(replace(seen, state=state), actor, reason)
    return Forced(back, replace(split, weights={}) if back.weight else split)


def _only(objects: CanaryObjects, service: str, subsets: Sequence[str]) -> str:
    """The only possible stable subset: no other subset of the route has ready pods."""
    ready = []
    for subset in subsets:
        try:
            ready += [subset] if objects.pods(objects.slot(subset))[0].ready else []
        except (CanaryFailure, ApiFailure):
            continue
    if len(subsets) == 1 or len(ready) == 1:
        return ready[0] if len(ready) == 1 else subsets[0]
    raise CanaryFailure(
        f"the stable subset of {service} is ambiguous: it may be {' or '.join(ready or subsets)}. Set "
        f"stable.subset, for example to {(ready or [*subsets, ''])[0]}."
    )


def _slot(objects: CanaryObjects, subset: str) -> Slot:
    try:
        return objects.slot(subset)
    except (CanaryFailure, ApiFailure):
        return Slot(subset, "", "")


def _without_extras(
    split: Split, route: Route, backends: Sequence[tuple[str, str]], service: str, stable: str
) -> Split:
    """Also without the mirror and the header routes that the run may have added."""
    away = dict.fromkeys(name for subset, name in backends if subset != stable)
    added = [name for name in away if name.endswith(AFFINITY_SUFFIX) or name == header_route(service)]
    return replace(
        split,
        match_routes=[MatchRoute(name, present=False) for name in added],
        mirror=Mirror(present=False) if route.mirrored() - {stable} else None,
    )
