"""M18 of the canary's review: after a promotion there is an undo, in one call, without steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import lease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State, dump
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import RequestRefused
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.reconcile import Reconcilable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.result import planned
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase, annotation

from ....support.canary_calls import SLOT, NothingYet, Running, leave, until
from ....support.canary_cluster import EDGE, SERVICE, FakeCluster, params
from .core.test_terms import GATE, RATE, Good

PROMOTED, BEFORE = {"v1": 0, "v2": 100}, {"v1": 100, "v2": 0}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """order-service:2 was promoted in v2 a moment ago, instead of order-service:1 in v1."""
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: Good())
    monkeypatch.setattr(lease, "_CHECK_SECONDS", 0.1)
    found = FakeCluster()
    Running(found, step_duration="0s").wait()
    assert found.weights() == PROMOTED == found.weights(EDGE)
    assert (found.replicas(SERVICE), found.replicas(SLOT)) == (0, 2)
    return found


def the_state(cluster: FakeCluster) -> State:
    found = cluster.state()
    assert found
    return found


def put_state(cluster: FakeCluster, state: State) -> None:
    for name in (SERVICE, EDGE):
        cluster.edit("VirtualService", name)["metadata"]["annotations"][annotation(SERVICE)] = dump(state)


def check_run(cluster: FakeCluster, **given: Any) -> dict[str, Any]:
    canary = Reconcilable(cluster, params(state="undone", **given), lambda __: None, lambda: "")
    return planned(canary, params(state="undone"))


def test_m18_an_undo_brings_the_version_before_back_at_once(cluster: FakeCluster) -> None:
    # The slot may have been given anything meanwhile, since it serves no traffic.
    container = cluster.edit("Deployment", SERVICE)["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "order-service:0"
    end = Running(cluster, "undo", reason="customers cannot pay", gates=[GATE], metrics=[RATE]).wait()
    assert end.state
    assert end.changed
    assert (end.state.phase, end.state.canary.image) == (Phase.SUCCEEDED, "order-service:1")
    assert cluster.weights() == BEFORE == cluster.weights(EDGE)
    assert cluster.image(SERVICE) == "order-service:1"
    assert (cluster.replicas(SERVICE), cluster.replicas(SLOT)) == (2, 0)
    phases = [event.phase for event in end.state.history]
    assert phases == [Phase.INITIALIZED, Phase.PROMOTING, Phase.FINALISING, Phase.SUCCEEDED], "no step, no gate"
    assert "back to order-service:1" in end.state.history[0].reason
    assert "customers cannot pay" in end.state.history[0].reason


def test_m18_a_second_undo_changes_nothing(cluster: FakeCluster) -> None:
    Running(cluster, "undo").wait()
    writes = list(cluster.writes)
    again = Running(cluster, "undo").wait()
    assert not again.changed
    assert again.note == "the promotion of order-service:2 is already undone: order-service:1 has all traffic"
    assert [write for write in cluster.writes[len(writes) :] if write[1] != "Lease"] == []
    shown = check_run(cluster)
    assert (shown["changed"], shown["reason"]) == (False, again.note)


def test_m18_check_mode_reports_what_an_undo_would_do_and_does_nothing(cluster: FakeCluster) -> None:
    writes = list(cluster.writes)
    shown = check_run(cluster)
    # The cluster in memory does not know dry runs.
    cluster.writes[:] = writes
    assert shown["changed"]
    assert shown["image"] == "order-service:1"
    assert shown["plan"] == [
        "order-service:1 in subset v1 again, instead of order-service:2 in subset v2",
        "2 ready pods of order-service, then all traffic to them at once, without steps and unmeasured",
        "then order-service-v2 to 0 pods",
    ]


def test_m18_pods_come_before_their_traffic_and_as_many_as_the_promoted_side_has(cluster: FakeCluster) -> None:
    cluster.edit("Deployment", SLOT)["spec"]["replicas"] = 5
    ready: list[int] = []
    cluster.reverts = lambda found: ready.append(found.replicas(SERVICE)) if found.weights() == BEFORE else None
    Running(cluster, "undo").wait()
    assert ready[0] == 5


def test_m18_an_undo_needs_no_ready_pod_of_the_bad_one(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = FakeCluster._slices

    def without_the_bad_ones(found: FakeCluster) -> Iterator[dict[str, Any]]:
        for answer in healthy(found):
            good = [each for each in answer["endpoints"] if SLOT not in each["targetRef"]["name"]]
            yield {**answer, "endpoints": good}

    monkeypatch.setattr(FakeCluster, "_slices", without_the_bad_ones)
    Running(cluster, "undo").wait()
    assert cluster.weights() == BEFORE


def test_m18_nothing_that_was_not_promoted_is_undone(cluster: FakeCluster) -> None:
    with pytest.raises(RequestRefused, match="has had no run"):
        Running(FakeCluster(), "undo").wait()
    state = the_state(cluster)
    put_state(cluster, replace(state, phase=Phase.FAILED, weight=0))
    for refused in (Running(cluster, "undo").wait, lambda: check_run(cluster)):
        with pytest.raises(RequestRefused, match="was rolled back, so order-service:1 was never replaced"):
            refused()
    put_state(cluster, replace(state, phase=Phase.PROMOTING))
    with pytest.raises(RequestRefused, match=r"is Promoting.*state=aborted"):
        Running(cluster, "undo").wait()


def test_m18_an_image_that_was_deployed_since_is_not_thrown_away(cluster: FakeCluster) -> None:
    container = cluster.edit("Deployment", SLOT)["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "order-service:2.0.1"
    with pytest.raises(CanaryFailure, match=r"changed to order-service:2.0.1 after run .* An undo would discard it"):
        Running(cluster, "undo").wait()
    container["image"] = "registry/order-service@sha256:12"
    put_state(cluster, replace(the_state(cluster), stored_image="registry/order-service@sha256:12"))
    assert Running(cluster, "undo").wait().changed, "what a webhook made of it is the run's"


@pytest.mark.parametrize("undone", [False, True])
def test_m18_a_promotion_that_is_not_in_effect_any_more_is_not_undone(cluster: FakeCluster, undone: bool) -> None:
    if undone:
        Running(cluster, "undo").wait()
    for name in (SERVICE, EDGE):
        route = cluster.edit("VirtualService", name)["spec"]["http"][0]["route"]
        route[0]["weight"], route[1]["weight"] = 50, 50
    with pytest.raises(CanaryFailure, match="Its promotion is no longer in effect"):
        Running(cluster, "undo").wait()


def test_m18_another_run_holds_an_undo_off(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    running = Running(cluster, image="order-service:3")
    until(lambda: the_state(cluster).phase == Phase.PROGRESSING)
    with pytest.raises(RequestRefused, match="is Progressing"):
        Running(cluster, "undo").wait()
    running.cancelled = "the test has ended"
    running.wait()


@pytest.mark.parametrize("call", ["undo", "reconcile", "resume"])
@pytest.mark.parametrize("phase", [Phase.INITIALIZED, Phase.PROMOTING])
def test_m18_an_undo_whose_process_died_is_carried_out(cluster: FakeCluster, call: str, phase: Phase) -> None:
    leave(cluster, lambda: the_state(cluster).phase == phase and the_state(cluster).undoes, call="undo", drain="1s")
    Running(cluster, call).wait()
    assert the_state(cluster).phase == Phase.SUCCEEDED
    assert cluster.weights() == BEFORE
    assert "is already undone" in Running(cluster, "undo").wait().note


def test_m18_an_undo_that_failed_is_tried_again(cluster: FakeCluster) -> None:
    running = Running(cluster, "undo", drain="3s")
    until(lambda: cluster.weights() == BEFORE)
    running.cancelled = "the process received SIGINT"
    assert running.wait().state.phase == Phase.FAILED  # type: ignore[union-attr]
    assert cluster.weights() == PROMOTED
    end = Running(cluster, "undo").wait().state
    assert end
    assert (end.phase, cluster.weights()) == (Phase.SUCCEEDED, BEFORE)


def test_m18_an_abort_after_the_promotion_names_the_undo(cluster: FakeCluster) -> None:
    with pytest.raises(CanaryFailure, match=r"Use state=undone to return to order-service:1"):
        Running(cluster, "abort").wait()
    Running(cluster, "undo").wait()
    with pytest.raises(CanaryFailure, match=r"Start a new run of order-service:2"):
        Running(cluster, "abort").wait()
