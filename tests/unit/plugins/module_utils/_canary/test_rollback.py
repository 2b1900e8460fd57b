"""The review's findings by name: whole calls of module canary where things are gone, refused or set back."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import lease as lease_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import observe
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.autoscaler import scaler
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import (
    Lease,
    holder_of,
    is_dead,
    lease_ref,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.pods import pods_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.reconcile import (
    ReconcileFailure,
    reconcile,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase, annotation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure

from ....support.canary_calls import GONE, SLOT, Running, at_25, cluster, leave, leave_at_25, refusing, until
from ....support.canary_cluster import EDGE, NAMESPACE, SERVICE, FakeCluster, params
from .core.test_decide import a_run

__all__ = ["at_25", "cluster"]


def test_b1_what_istiod_has_proven_survives_a_takeover(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe.Acknowledgements, "observe", lambda self: setattr(self, "proven", True) or True)
    running = Running(cluster)
    until(lambda: cluster.weights()["v2"] == 25)
    state = cluster.state()
    running.cancelled = "the test has ended"
    running.wait()
    assert state
    assert state.proven


def test_b1_a_takeover_while_istiod_is_away_removes_no_pod(cluster: FakeCluster) -> None:
    cluster.proxies = {"api-7f.shop": True}
    running = Running(cluster)
    until(lambda: cluster.weights()["v2"] == 25)
    cluster.proxies = {}
    running.cancelled = "the process received SIGTERM"
    first = running.wait()
    second = Running(cluster, "reconcile").wait()
    for result in (first, second):
        assert "there is no pod of istiod" in result.note
        assert "keeps its pods until then; state=reconciled completes it" in result.note
    assert cluster.weights() == {"v1": 100, "v2": 0}
    assert cluster.replicas(SLOT) == 1
    cluster.proxies = {"api-7f.shop": True}
    end = Running(cluster, "reconcile").wait().state
    assert end
    assert (end.phase, cluster.replicas(SLOT)) == (Phase.FAILED, 0)


def test_b1_a_proxy_that_refuses_its_routes_is_named(cluster: FakeCluster) -> None:
    cluster.proxies = {"api-7f.shop": True, "web-1.shop": True}
    running = Running(cluster)
    until(lambda: cluster.weights()["v2"] == 25)
    cluster.proxies["web-1.shop"] = False
    running.cancelled = "the process received SIGTERM"
    note = running.wait().note
    assert "web-1.shop has not accepted route" in note
    assert "api-7f.shop" not in note
    assert cluster.replicas(SLOT) == 1


# A Lease that is gone is made again: see test_canary_holder.py.
@pytest.mark.parametrize("what", [what for what in GONE if what != "Lease"])
def test_b2_whatever_is_gone_the_running_process_rolls_the_weight_back(
    cluster: FakeCluster, at_25: Running, what: str
) -> None:
    GONE[what](cluster)
    took = until(lambda: cluster.weights() == {"v1": 100, "v2": 0})
    result = at_25.wait()
    assert took < 2
    assert result.state
    assert result.state.phase == Phase.FAILED, at_25.lines
    if what != "Deployment":
        assert cluster.replicas(SLOT) == 0
    if what != "secondary VirtualService":
        assert cluster.weights(EDGE) == {"v1": 100, "v2": 0}


@pytest.mark.parametrize("what", GONE)
def test_b2_whatever_is_gone_an_abort_rolls_the_weight_back(cluster: FakeCluster, what: str) -> None:
    leave_at_25(cluster)
    GONE[what](cluster)
    if what == "state":
        with pytest.raises(CanaryFailure, match=r"state=aborted with force=true for service order-service"):
            Running(cluster, "abort").wait()
        assert cluster.weights() == {"v1": 75, "v2": 25}
    result = Running(cluster, "abort", force=what == "state").wait()
    assert cluster.weights() == {"v1": 100, "v2": 0}
    assert result.state
    assert result.state.phase == Phase.FAILED
    if what != "Deployment":
        assert cluster.replicas(SLOT) == 0


@pytest.mark.parametrize("what", GONE)
def test_b2_whatever_is_gone_reconcile_rolls_the_weight_back(cluster: FakeCluster, what: str) -> None:
    leave_at_25(cluster)
    GONE[what](cluster)
    given = params(state="reconciled", service="", routes=[])
    results = reconcile(cluster, given, lambda __: None, lambda: "")
    assert cluster.weights() == {"v1": 100, "v2": 0}
    state = results[SERVICE].state
    assert state
    assert state.phase == Phase.FAILED
    assert reconcile(cluster, given, lambda __: None, lambda: "") == {}


@pytest.mark.parametrize("status", [403, 429, 503])
def test_b2_an_api_server_that_refuses_all_but_the_route_delays_no_rollback(
    cluster: FakeCluster, at_25: Running, status: int
) -> None:
    cluster.refuse = refusing(status)
    time.sleep(0.3)
    assert cluster.weights()["v2"] == 25, "a refusal is not a reason to roll back"
    at_25.cancelled = "the process received SIGTERM"
    assert until(lambda: cluster.weights() == {"v1": 100, "v2": 0}) < 2
    result = at_25.wait()
    assert result.state
    assert result.state.phase == Phase.ROLLING_BACK
    assert f"the test answers {status}" in result.note
    assert "state=reconciled" in result.note
    cluster.refuse = lambda *__: 0
    Running(cluster, "reconcile").wait()
    end = cluster.state()
    assert end
    assert end.phase == Phase.FAILED
    assert cluster.replicas(SLOT) == 0


@pytest.mark.parametrize("status", [403, 429, 503])
def test_b2_nor_does_it_delay_an_abort(cluster: FakeCluster, status: int) -> None:
    leave_at_25(cluster)
    cluster.refuse = refusing(status)
    abort = Running(cluster, "abort")
    assert until(lambda: cluster.weights() == {"v1": 100, "v2": 0}) < 1
    result = abort.wait()
    assert "the rest is not complete" in result.note
    assert result.rollback
    assert result.rollback.weight_zero_at


def test_b2_an_api_server_that_hangs_delays_no_rollback(cluster: FakeCluster, at_25: Running) -> None:
    cluster.hang = 30
    time.sleep(0.2)
    at_25.cancelled = "the process received SIGTERM"
    assert until(lambda: cluster.weights() == {"v1": 100, "v2": 0}) < 4


def test_b2_force_needs_a_name_where_both_sides_could_be_the_stable_one(cluster: FakeCluster) -> None:
    leave_at_25(cluster)
    cluster.spoil_state()
    cluster.remove("Lease", f"canary-{SERVICE}")
    with pytest.raises(CanaryFailure, match="ambiguous: it may be v1 or v2"):
        Running(cluster, "abort", force=True).wait()
    with pytest.raises(CanaryFailure, match=r"set stable\.subset to one of v1, v2"):
        Running(cluster, "abort", force=True, stable={"subset": "v3"}).wait()
    assert cluster.weights() == {"v1": 75, "v2": 25}
    Running(cluster, "abort", force=True, stable={"subset": "v1"}).wait()
    assert cluster.weights() == {"v1": 100, "v2": 0}
    assert cluster.replicas(SLOT) == 0


def test_b2_force_does_not_send_the_traffic_where_no_pod_is(cluster: FakeCluster) -> None:
    leave_at_25(cluster)
    cluster.spoil_state()
    cluster.edit("Deployment", SERVICE)["spec"]["replicas"] = 0
    Running(cluster, "abort", force=True, stable={"subset": "v1"}).wait()
    assert [write for write in cluster.writes if write[1] == "Deployment"][-2:] == [
        ("patch", "Deployment", f"{SERVICE}/scale"),
        ("patch", "Deployment", f"{SLOT}/scale"),
    ]
    assert cluster.replicas(SERVICE) == 1
    assert cluster.weights() == {"v1": 100, "v2": 0}


def test_b2_a_removed_state_has_a_remedy(cluster: FakeCluster) -> None:
    leave_at_25(cluster)
    del cluster.edit("VirtualService", SERVICE)["metadata"]["annotations"][annotation(SERVICE)]
    with pytest.raises(CanaryFailure, match=r"it is missing, but the traffic is split.*force=true"):
        Running(cluster, "abort").wait()
    result = Running(cluster, "abort", force=True).wait()
    assert result.state
    assert (result.state.phase, cluster.weights(), cluster.replicas(SLOT)) == (Phase.FAILED, {"v1": 100, "v2": 0}, 0)
    assert Running(cluster, "abort", force=True).wait().note == "no run is in progress"


def test_b2_force_on_a_state_that_can_be_read_is_an_abort(cluster: FakeCluster) -> None:
    leave_at_25(cluster)
    run = cluster.state()
    result = Running(cluster, "abort", force=True).wait()
    assert run
    assert result.state
    assert result.state.run == run.run


def test_b3_nor_does_a_promotion_of_a_dead_ones_run_send_traffic_to_the_old_image(cluster: FakeCluster) -> None:
    cluster.refuse = lambda verb, kind, name: 503 if (verb, kind, name) == ("patch", "Deployment", SLOT) else 0
    leave(cluster, cluster.state)
    state = cluster.state()
    assert state
    assert (state.phase, cluster.image(SLOT)) == (Phase.INITIALIZED, "order-service:0")
    images: set[str] = set()

    def note(found: FakeCluster) -> None:
        if found.weights()["v2"]:
            images.add(found.image(SLOT))

    cluster.reverts = note
    result = Running(cluster, "promote").wait()
    assert result.state
    assert result.state.phase == Phase.SUCCEEDED
    assert images == {"order-service:2"}


def test_b3_what_a_webhook_makes_of_the_image_is_taken_for_it(cluster: FakeCluster) -> None:
    pinned = "order-service@sha256:" + "2" * 64

    def pin(found: FakeCluster) -> None:
        container = found.objects["Deployment", SLOT]["spec"]["template"]["spec"]["containers"][0]
        if container["image"] == "order-service:2":
            container["image"] = pinned

    original = cluster._merge

    def merge(obj: dict[str, Any], body: dict[str, Any]) -> None:
        original(obj, body)
        pin(cluster)

    cluster._merge = merge  # type: ignore[method-assign]
    running = Running(cluster)
    until(lambda: cluster.weights()["v2"] == 25)
    assert cluster.image(SLOT) == pinned
    assert [write for write in cluster.writes if write == ("patch", "Deployment", SLOT)] == [
        ("patch", "Deployment", SLOT)
    ]
    running.cancelled = "the test has ended"
    running.wait()


def test_b3_pods_of_two_templates_are_not_proven(cluster: FakeCluster) -> None:
    def pod(name: str, template: str) -> dict[str, Any]:
        labels = {"app": SERVICE, "version": "v2", "pod-template-hash": template}
        return {"metadata": {"name": name, "labels": labels}}

    slot = cluster._live("Deployment", cluster.objects["Deployment", SLOT])
    labels = {"app": SERVICE, "version": "v2"}
    assert pods_of(slot, "i", labels, [pod("a", "1"), pod("b", "1")], []).rolled_out
    assert not pods_of(slot, "i", labels, [pod("a", "1"), pod("b", "2")], []).rolled_out


def test_b4_the_lock_survives_whatever_a_renewal_raises(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease(cluster, NAMESPACE, SERVICE, "me", 2)  # type: ignore[arg-type]
    lease.acquire()
    get, failures = cluster.get, iter([ValueError("not what it should be")] * 3)

    def broken(ref: Any) -> Any:
        failure = next(failures, None)
        if failure:
            raise failure
        return get(ref)

    cluster.get = broken  # type: ignore[method-assign]
    before = cluster.version
    until(lambda: cluster.version > before)
    assert not lease.lost
    assert not lease.expired
    lease.release()


def test_b4_a_lock_that_cannot_be_renewed_rolls_the_run_back(cluster: FakeCluster, at_25: Running) -> None:
    cluster.refuse = lambda verb, kind, name: 503 if kind == "Lease" else 0
    assert until(lambda: cluster.weights()["v2"] == 0) > 1
    state = cluster.state()
    assert state
    assert "the lock could not be renewed" in state.history[-1].reason + state.reason


def test_b4_a_lock_that_another_process_has_ends_the_call(cluster: FakeCluster, at_25: Running) -> None:
    cluster.edit("Lease", f"canary-{SERVICE}")["spec"]["holderIdentity"] = "another"
    with pytest.raises(CanaryFailure, match="another process took the run over"):
        at_25.wait()
    assert cluster.weights()["v2"] == 25


def test_m2_a_refusal_is_never_taken_for_no_run(cluster: FakeCluster) -> None:
    leave_at_25(cluster)
    cluster.refuse = lambda verb, kind, name: 403
    with pytest.raises(ApiFailure, match="403"):
        Running(cluster, "abort", begun_before=str(time.time() + 60)).wait()


def test_m5_it_is_observed_in_the_cluster(cluster: FakeCluster, at_25: Running) -> None:
    container = cluster.edit("Deployment", SERVICE)["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "FIX", "value": "1"}]
    until(lambda: cluster.weights()["v2"] == 0)
    state = at_25.wait().state
    assert state
    assert "the pod template of Deployment" in state.reason


def test_m9_two_autoscalers_are_left_alone(cluster: FakeCluster) -> None:
    def add(workload: str) -> None:
        target = {"kind": "Deployment", "name": workload}
        spec = {"minReplicas": 2, "scaleTargetRef": target}
        cluster.put("HorizontalPodAutoscaler", {"metadata": {"name": workload}, "spec": spec})

    add("order-service")
    assert scaler(cluster, NAMESPACE, a_run())  # type: ignore[arg-type]
    add("order-service-v2")
    assert scaler(cluster, NAMESPACE, a_run()) is None  # type: ignore[arg-type]


def test_m9_an_operator_that_sets_the_pods_back_ends_the_call_in_seconds(cluster: FakeCluster) -> None:
    leave_at_25(cluster)

    def operator(found: FakeCluster) -> None:
        found.objects["Deployment", SLOT]["spec"]["replicas"] = 1

    cluster.reverts = operator
    result = Running(cluster, "abort").wait()
    assert cluster.weights()["v2"] == 0
    assert "another controller undoes the change" in result.note
    assert len([write for write in cluster.writes if write[2] == f"{SLOT}/scale"]) < 20


def test_m12_a_process_is_only_judged_where_its_processes_can_be_seen(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease(cluster, NAMESPACE, SERVICE, "me", 30)  # type: ignore[arg-type]
    lease.acquire()
    found = cluster.get(lease_ref(NAMESPACE, SERVICE))
    lease.release()
    assert found
    process = "canary.service-mesh.corpv3.com/process"
    found["metadata"]["annotations"][process] = found["metadata"]["annotations"][process].rpartition("/")[0] + "/1@2"
    now = time.time()
    assert is_dead(found, now)
    monkeypatch.setattr(lease_module, "_place", lambda: "another boot/pid:[1]")
    assert not is_dead(found, now), "the same name of machine, and not the same processes"
    found["metadata"]["annotations"][process] = "host/1@2"
    assert not is_dead(found, now), "as an older version wrote it"


def test_m15_one_broken_run_stops_no_other(cluster: FakeCluster) -> None:
    leave_at_25(cluster)
    cluster.put(
        "VirtualService",
        {
            "metadata": {"name": "a-broken", "annotations": {"canary.service-mesh.corpv3.com/a-broken": "{"}},
            "spec": {"hosts": ["a-broken"], "http": []},
        },
    )
    given = params(state="reconciled", service="", routes=[])
    with pytest.raises(ReconcileFailure, match=r"a-broken: the state of the run in .* is unreadable") as raised:
        reconcile(cluster, given, lambda __: None, lambda: "")
    state = raised.value.results[SERVICE].state
    assert state
    assert state.phase == Phase.FAILED
    assert cluster.weights() == {"v1": 100, "v2": 0}
    assert holder_of(cluster.get(lease_ref(NAMESPACE, SERVICE))) == ""
