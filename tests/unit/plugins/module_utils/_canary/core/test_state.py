"""A canary's plan, its state as text, its lock, its waiting for the proxies, and its share of the traffic."""

from __future__ import annotations

import copy
import os
import time
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.case import LIMIT, STABLE, Stage
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import SHARE, Compare, Metric
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import (
    PlanFailure,
    describe_plan,
    gates_of,
    pods_for,
    steps_of,
    traffic,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.run_options import plan_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    StateFailure,
    dump,
    load,
    state_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import (
    Lease,
    LeaseHeld,
    holder_of,
    is_dead,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.measuring import share_at, stage_at
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase, annotation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref

from .....support.canary_cluster import params
from .test_decide import a_run


@pytest.mark.parametrize(
    ("strategy", "given", "match", "message"),
    [
        ("weight", [], {}, "steps is empty"),
        ("weight", [10, 5], {}, "5 after 10"),
        ("weight", [10, 10], {}, "10 after 10"),
        ("weight", [0, 10], {}, "whole number from 1"),
        ("weight", [101], {}, "whole number from 1"),
        ("weight", ["5.5"], {}, "whole number from 1"),
        ("weight", [{"weight": 5, "time": 3}], {}, "time is unknown"),
        ("weight", [{"weight": 5, "duration": "soon"}], {}, "steps has duration 'soon'"),
        ("weight", [{"weight": 5, "mirror": 120}], {}, "mirror '120', which is not a valid percentage"),
        (
            "weight",
            [10],
            {"headers": {"a": {"exact": "b"}}},
            "strategy is weight: it belongs to strategy ab",
        ),
        ("ab", [], {}, "match selects no requests"),
        ("split", [5, 10], {}, "steps has 2 weights: a split has the one"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(strategy: str, given: list[Any], match: Any, message: str) -> None:
    with pytest.raises(PlanFailure, match=message):
        plan_of(params(strategy=strategy, steps=given, match=match))


def test_steps_are_what_the_strategy_says() -> None:
    assert [step.weight for step in steps_of("weight", ["5", 25, {"weight": 100, "duration": "2m"}], 30, 0, {})] == [
        5,
        25,
        100,
    ]
    assert steps_of("weight", [{"weight": 100, "duration": "2m"}], 30, 0, {})[0].duration == 120
    mirror, *rest = steps_of("mirror", [10], 30, 20, {})
    assert (mirror.weight, mirror.mirror, mirror.capacity, len(rest)) == (0, 20, 20, 1)
    first, last = steps_of("ab", [], 30, 0, {"cookie": {"a": "b"}})
    assert (first.matched, first.weight, last.weight) == (True, 0, 100)


@pytest.mark.parametrize(
    ("capacity", "stable", "least", "pods"), [(5, 4, 1, 1), (50, 3, 1, 2), (100, 3, 1, 3), (5, 4, 2, 2)]
)
def test_pods_follow_the_weight(capacity: int, stable: int, least: int, pods: int) -> None:
    assert pods_for(capacity, stable, least) == pods


def test_gates_are_checked() -> None:
    gate = {"at": "start", "type": "url", "url": "http://gate.example.com", "timeout": "1m"}
    assert gates_of([gate])[0].timeout == 60
    with pytest.raises(PlanFailure, match="more than one gate"):
        gates_of([gate, gate])
    with pytest.raises(PlanFailure, match="gate of type url at start with url ''"):
        gates_of([{**gate, "url": ""}])


def test_traffic_is_a_function_of_the_state() -> None:
    mirroring = replace(a_run("mirror"), phase=Phase.PROGRESSING, step=0)
    split = traffic(mirroring, "order-service")
    assert split.weights == {"v1": 100, "v2": 0}
    assert split.mirror
    assert (split.mirror.present, split.mirror.percentage) == (True, 100)
    back = traffic(replace(mirroring, phase=Phase.ROLLING_BACK), "order-service").mirror
    assert back
    assert not back.present
    testing = traffic(replace(a_run("ab"), phase=Phase.PROGRESSING, step=0), "order-service")
    assert [entry.present for entry in testing.match_routes] == [True]
    plain = traffic(replace(a_run(), phase=Phase.PROGRESSING, step=0, weight=5), "order-service")
    assert (plain.weights, plain.mirror, list(plain.match_routes)) == ({"v1": 95, "v2": 5}, None, [])


def test_the_plan_can_be_read() -> None:
    lines = describe_plan(a_run(), 2)
    assert lines[0] == "order-service:2 in subset v2 beside order-service:1 in subset v1"
    assert lines[1] == "step 1/3: weight 5 % for 10 s, 2 ready pods"
    assert lines[-1] == "then all traffic to v2, and order-service to 0 pods"


def test_a_state_comes_back_as_it_was() -> None:
    state = a_run("ab", tallies={"request-duration": {"limit": {"blocks": 1}}, "until": 4.5}).moved(
        5.25, "me", "why", weight=5, passed_gates=("start",)
    )
    assert load(dump(state)) == state
    shop = {"metadata": {"annotations": {annotation("order-service.shop.svc.cluster.local"): dump(state)}}}
    assert state_of(shop, "order-service") == state
    assert state_of({"metadata": {}}, "order-service") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1}', '{"format": 2, "run": "r"}', '{"format": 1, "new": 1}']
)
def test_a_text_that_is_not_a_state_is_reported(text: str) -> None:
    with pytest.raises(StateFailure):
        load(text)


def test_history_does_not_grow_without_end() -> None:
    state = a_run()
    for number in range(100):
        state = state.moved(float(number), "me")
    assert len(state.history) == 40
    assert state.history[-1].at == 99


class Store:
    """One object on an API server that knows versions."""

    def __init__(self) -> None:
        self.obj: dict[str, Any] | None = None
        self.version = 0
        self.refuse = 0

    def get(self, ref: Ref) -> dict[str, Any] | None:
        return copy.deepcopy(self.obj)

    def path(self, ref: Ref) -> str:
        return ref.name

    def request(self, method: str, path: str, body: Any = None, query: Any = ()) -> Any:
        if self.refuse:
            self.refuse -= 1
            raise ApiFailure(409, "Conflict", "another writer was faster")
        if method == "put" and self.obj and body["metadata"].get("resourceVersion") != str(self.version):
            raise ApiFailure(409, "Conflict", "another writer was faster")
        self.version += 1
        self.obj = copy.deepcopy(body)
        assert self.obj is not None
        self.obj["metadata"]["resourceVersion"] = str(self.version)
        return self.obj


def a_lease(store: Store, holder: str) -> Lease:
    return Lease(store, "shop", "order-service", holder, 30)  # type: ignore[arg-type]


def test_only_one_holds_the_lock_and_gives_it_back() -> None:
    store = Store()
    first, second = a_lease(store, "first"), a_lease(store, "second")
    assert first.acquire() == ""
    with pytest.raises(LeaseHeld, match="first runs a canary"):
        second.acquire()
    first.release()
    assert holder_of(store.obj) == ""
    assert second.acquire() == ""
    second.release()


def test_a_lock_is_not_given_back_after_a_failure() -> None:
    store = Store()
    lease = a_lease(store, "first")
    lease.acquire()
    lease.keep = True
    lease.release()
    assert holder_of(store.obj) == "first"


def test_conflicts_are_tried_again() -> None:
    store = Store()
    store.refuse = 2
    lease = a_lease(store, "first")
    assert lease.acquire() == ""
    lease.release()


def test_a_dead_holder_is_known_by_its_process_or_by_the_time() -> None:
    store = Store()
    lease = a_lease(store, "first")
    lease.acquire()
    lease.unfinished = True
    lease.release()
    held = store.obj
    assert held
    held["spec"]["holderIdentity"] = "first"
    now = time.time()
    assert not is_dead(held, now)
    assert is_dead(held, now + 31)
    process = "canary.service-mesh.corpv3.com/process"
    place, __, number = held["metadata"]["annotations"][process].rpartition("/")
    assert number.startswith(f"{os.getpid()}@")
    held["metadata"]["annotations"][process] = f"{place}/{os.getpid()}@1"
    assert is_dead(held, now), "the number is that of another process by now"
    held["metadata"]["annotations"][process] = f"elsewhere/{os.getpid()}@1"
    assert not is_dead(held, now), "of another machine nothing is known but the time"


def test_the_share_is_required_only_where_it_can_be_measured() -> None:
    metrics = [Metric("request-success-rate", window=5, minimum=99, compare=Compare(max_ratio=2))]
    share = share_at(metrics, 5, 0.3, since=7.0)
    assert share
    assert (share.name, share.minimum, share.only_fails, share.since) == (SHARE, 1.5, True, 7.0)
    assert share_at(metrics, 0, 0.3, 7.0) is None
    assert share_at([*metrics, Metric(SHARE, minimum=1)], 5, 0.3, 7.0) is None


@pytest.mark.parametrize(
    ("strategy", "step", "weight", "expected"),
    [
        ("weight", 0, 5, Stage(True, 10, frozenset())),
        ("weight", 1, 50, Stage(True, 1, frozenset({STABLE}))),
        ("weight", 2, 100, Stage(False, 1, frozenset({LIMIT}))),
        ("blue_green", 0, 100, Stage(False, 1, frozenset({LIMIT}))),
        ("ab", 0, 0, Stage(True, 1, frozenset({STABLE}))),
        ("mirror", 0, 0, Stage(True, 1, frozenset(), copies_only=True)),
    ],
)
def test_what_a_step_must_show(strategy: str, step: int, weight: int, expected: Stage) -> None:
    assert stage_at(a_run(strategy, step=step, weight=weight, phase=Phase.PROGRESSING)) == expected
