"""Whether a run has a process: by its Lease, or by the run's state where the Lease is gone or unreadable."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import (
    Lease,
    holder_of,
    lease_ref,
    safe_subset,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.reconcile import (
    ReconcileFailure,
    reconcile,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.result import ended
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

from ....support.canary_calls import SLOT, Running, at_25, cluster, leave, leave_at_25, refusing, until
from ....support.canary_cluster import NAMESPACE, SERVICE, FakeCluster, params

__all__ = ["at_25", "cluster"]

LEASE = f"canary-{SERVICE}"
AT_25, BACK = {"v1": 75, "v2": 25}, {"v1": 100, "v2": 0}
HOLD = {"gates": [{"at": "start", "type": "hold", "url": "", "timeout": "30m"}]}


def no_lease(verb: str, kind: str, name: str) -> int:
    return 403 if kind == "Lease" else 0


def holder(cluster: FakeCluster) -> str:
    return holder_of(cluster.objects.get(("Lease", LEASE)))


def test_a_lease_that_is_deleted_is_made_again_and_the_run_continues(cluster: FakeCluster, at_25: Running) -> None:
    before = holder(cluster)
    cluster.remove("Lease", LEASE)
    until(lambda: holder(cluster) == before)
    # Some looks later, too.
    time.sleep(0.3)
    assert Running(cluster, "reconcile").wait().note == f"{before} runs it"
    state = cluster.state()
    assert cluster.weights() == AT_25
    assert state
    assert not [event for event in state.history if event.phase == Phase.ROLLING_BACK]


def test_a_reconcile_in_between_is_answered_by_the_process(cluster: FakeCluster, at_25: Running) -> None:
    cluster.refuse = lambda verb, kind, name: 503 if (verb, kind) == ("post", "Lease") else 0
    cluster.remove("Lease", LEASE)
    assert Running(cluster, "reconcile").wait().note == "a process without a Lease runs it"
    assert cluster.weights() == AT_25


def test_of_two_that_make_the_lease_again_one_has_it(cluster: FakeCluster) -> None:
    first = Lease(cluster, NAMESPACE, SERVICE, "first", 2)  # type: ignore[arg-type]
    first.acquire()
    cluster.remove("Lease", LEASE)
    second = Lease(cluster, NAMESPACE, SERVICE, "second", 2)  # type: ignore[arg-type]
    second.acquire()
    until(lambda: first.lost)
    assert holder(cluster) == "second"
    second.release()


def test_the_safe_subset_is_noted_while_nothing_waits_for_it(cluster: FakeCluster) -> None:
    lease = Lease(cluster, NAMESPACE, SERVICE, "me", 30)  # type: ignore[arg-type]
    lease.acquire()
    cluster.hang = 0.5
    begin = time.monotonic()
    lease.remember("v1")
    assert time.monotonic() - begin < 0.4
    cluster.hang = 0
    until(lambda: safe_subset(cluster.get(lease_ref(NAMESPACE, SERVICE))) == "v1")
    lease.release()


@pytest.mark.parametrize("status", [403, 429, 503])
def test_b2_a_lease_that_cannot_be_read_delays_no_reconcile(cluster: FakeCluster, status: int) -> None:
    leave_at_25(cluster)
    cluster.refuse = refusing(status)
    found = Running(cluster, "reconcile")
    until(lambda: cluster.weights() == BACK)
    with pytest.raises(
        ReconcileFailure, match=f"the weight is 0, and the rest is not complete: the test answers {status}"
    ) as raised:
        found.wait()
    result = raised.value.results[SERVICE]
    assert result.rollback
    assert result.rollback.weight_zero_at
    state = cluster.state()
    assert state
    assert "its Lease is unreadable" in state.reason
    assert "no process answers the probe" in state.reason
    cluster.refuse = lambda *__: 0
    end = Running(cluster, "reconcile").wait().state
    assert end
    assert (end.phase, cluster.replicas(SLOT)) == (Phase.FAILED, 0)


def test_what_is_left_is_the_last_line_of_the_table(cluster: FakeCluster) -> None:
    leave_at_25(cluster)
    cluster.refuse = refusing(403)
    shown = ended(Running(cluster, "abort").wait())
    assert shown["table"][-1] == shown["reason"]
    assert "the weight is 0, and the rest is not complete: the test answers 403" in shown["reason"]


def test_b2_nor_does_one_whose_reading_hangs(cluster: FakeCluster) -> None:
    leave_at_25(cluster)
    cluster.hang = 30
    Running(cluster, "reconcile")
    until(lambda: cluster.weights() == BACK)


def test_b2_nor_one_of_the_whole_namespace(cluster: FakeCluster) -> None:
    leave_at_25(cluster)
    cluster.refuse = lambda verb, kind, name: 403 if kind != "VirtualService" else 0
    with pytest.raises(ReconcileFailure, match="the weight is 0, and the rest is not complete"):
        reconcile(cluster, params(state="reconciled", service="", routes=[]), lambda __: None, lambda: "")
    assert cluster.weights() == BACK


def test_a_process_answers_where_only_its_lease_cannot_be_read(cluster: FakeCluster) -> None:
    running = Running(cluster, lease_duration=60)
    until(lambda: cluster.weights() == AT_25)
    cluster.refuse = no_lease
    assert Running(cluster, "reconcile").wait().note == "a process without a Lease runs it"
    state = cluster.state()
    assert state
    assert not state.probe
    assert cluster.weights() == AT_25
    cluster.refuse = lambda *__: 0
    running.cancelled = "the test has ended"
    running.wait()


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "refused"])
def test_a_run_that_may_wait_without_a_process_is_left(cluster: FakeCluster, gone: bool) -> None:
    leave(cluster, lambda: (found := cluster.state()) and found.phase == Phase.WAITING, **HOLD)
    spec: dict[str, Any] = cluster.edit("VirtualService", SERVICE)["spec"]
    for entry in spec["http"][0]["route"]:
        entry["weight"] = 50
    if gone:
        cluster.remove("Lease", LEASE)
        note = Running(cluster, "reconcile").wait().note
        assert "it has no holder, and its deadline has not expired: gate start waits for" in note
    else:
        cluster.refuse = no_lease
        with pytest.raises(CanaryFailure, match=r"unknown if a process runs it: its Lease .* use state=aborted"):
            Running(cluster, "reconcile").wait()
    assert cluster.weights() == {"v1": 50, "v2": 50}, "a question moves no traffic"
