# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The splits that the state machine decides on, in an HTTPRoute whose slots are Services.

The machine knows no API, and a Route takes each of its splits. What a canary lacks for this kind is around it: slots
that are Services, rights, and places for its state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import steps_of, traffic
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import RouteNames, Slot, State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_route import HTTPRoute
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import TrafficFailure

from .....support.gateway_cluster import CANARY, STABLE, route, rule

MATCH = {"headers": {"x-tester": {"exact": "yes"}}}


def states(strategy: str) -> Iterator[State]:
    """A run from its start over each step to its promotion, and then a rollback from there."""
    match = MATCH if strategy == "ab" else {}
    steps = steps_of(strategy, [] if strategy in ("ab", "blue_green") else [10, 50], 10, 25, match)

    def state(phase: Phase, step: int, weight: int) -> State:
        stable, canary = Slot(STABLE, STABLE, "orders:1"), Slot(CANARY, CANARY, "orders:2")
        return State(
            run="r", service="orders", where=RouteNames("HTTPRoute", ("orders",)), phase=phase, stable=stable,
            canary=canary, steps=steps, started=0, deadline=60, capacity=1, strategy=strategy, match=match, step=step,
            weight=weight,
        )  # fmt: skip

    yield state(Phase.INITIALIZED, 0, 0)
    for number, step in enumerate(steps):
        yield state(Phase.PROGRESSING, number, step.weight)
    yield state(Phase.FINALISING, len(steps) - 1, 100)
    yield state(Phase.ROLLING_BACK, 0, 0)


@pytest.mark.parametrize("strategy", ["weight", "ab", "blue_green", "mirror"])
def test_an_http_route_takes_every_split_of_a_run(strategy: str) -> None:
    before = HTTPRoute(route(rule(name="primary")))
    current, added = before, set()
    for state in states(strategy):
        split = traffic(state, "orders")
        current = current.shifted(split)
        assert current.weights(split) == {"primary": {STABLE: 100 - state.weight, CANARY: state.weight}}
        assert current.shifted(split) == current
        added |= {each["name"] for each in current.obj["spec"]["rules"]} - {"primary"}
        added |= {"a mirror"} if current.mirrored() else set()
    assert added == {"ab": {"canary-orders"}, "mirror": {"a mirror"}}.get(strategy, set())
    assert current == before


def test_a_run_that_keeps_clients_is_refused() -> None:
    before, step, *__ = (
        replace(state, affinity={"cookie_name": "canary", "max_age": 60}) for state in states("weight")
    )
    HTTPRoute(route()).shifted(traffic(before, "orders"))
    with pytest.raises(TrafficFailure, match="session_affinity is not available for HTTPRoute"):
        HTTPRoute(route()).shifted(traffic(step, "orders"))
