"""M3 of the canary's review: gates, metrics, policies and limits belong to the run, whichever command resumes it."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import PASS, AnalysisFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import lease, service
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    Slot,
    State,
    dump,
    load,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.terms import OtherTerms
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import (
    changed_terms,
    new_run,
    options_of,
    policy_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.starting import refuse_another_run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.target import watch_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase, annotation

from .....support.canary_calls import SLOT, NothingYet, Running, leave
from .....support.canary_cluster import SERVICE, FakeCluster, params

GATE = {"at": "promotion", "type": "return", "url": "", "timeout": "30m"}
# As Ansible fills it in.
RATE = {
    "name": "request-success-rate",
    "window": "30s",
    "error_codes": "",
    "query": "",
    "samples_query": "",
    "min_samples": None,
    "no_data": None,
    "failure_limit": None,
    "threshold_range": {"min": 99.0, "max": None, "margin": 0.0},
    "percentile": 99.0,
    "compare": None,
    "reporter": "source",
}
SLOW = {**RATE, "name": "request-duration", "threshold_range": {"min": None, "max": 500.0, "margin": 0.0}}
GUARD = {"max_error_rate": 5.0, "max_increase": None, "window": "5m", "error_codes": ""}


class Good(NothingYet):
    def outcome(self) -> Outcome:  # type: ignore[override]
        return Outcome(PASS, "all metrics pass")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: Good())
    monkeypatch.setattr(lease, "_CHECK_SECONDS", 0.1)
    return FakeCluster()


def a_run(**given: Any) -> State:
    stable, canary = Slot("v1", SERVICE, "order-service:1"), Slot("v2", SLOT, "order-service:2")
    where = RouteNames("VirtualService", (SERVICE,))
    return load(dump(new_run(params(**given), where, stable, canary, 2, time.time())))


@pytest.fixture
def left(cluster: FakeCluster) -> FakeCluster:
    """A run with a gate before its promotion, whose process was killed at its step."""
    leave(cluster, lambda: cluster.weights()["v2"] == 25, gates=[GATE], step_duration="2s")
    return cluster


def test_m3_a_takeover_without_the_runs_gate_is_refused(left: FakeCluster) -> None:
    before = left.state()
    with pytest.raises(OtherTerms) as raised:
        Running(left, step_duration="2s").wait()
    assert raised.value.result == {"differs": ["gates"]}
    text = str(raised.value)
    assert 'gates: the run has [{"at": "promotion", "type": "return", "timeout": "30m"}], this call has none.' in text
    for way_out in ("continue with state=resumed", "state=aborted"):
        assert way_out in text
    assert left.state() == before


def test_m3_a_call_that_is_refused_leaves_the_run_to_reconcile(left: FakeCluster) -> None:
    with pytest.raises(OtherTerms):
        Running(left, step_duration="2s", lease_duration=1).wait()
    time.sleep(1.1)
    end = Running(left, "reconcile").wait().state
    assert end
    assert (end.phase, left.weights()["v2"]) == (Phase.FAILED, 0)


def test_m3_a_call_that_is_refused_rolls_no_waiting_run_back(cluster: FakeCluster) -> None:
    Running(cluster, gates=[GATE]).wait()
    with pytest.raises(OtherTerms):
        Running(cluster, lease_duration=1).wait()
    time.sleep(1.1)
    waiting = Running(cluster, "reconcile").wait().state
    assert waiting
    assert waiting.phase == Phase.WAITING_PROMOTION


def test_m3_the_same_call_resumes_and_waits_at_the_gate(left: FakeCluster) -> None:
    end = Running(left, gates=[GATE], step_duration="2s").wait().state
    assert end
    assert (end.phase, end.gate) == (Phase.WAITING_PROMOTION, "promotion")


def test_m3_resume_continues_by_the_runs_own_terms(left: FakeCluster) -> None:
    waiting = Running(left, "resume").wait().state
    assert waiting
    assert (waiting.phase, waiting.gate) == (Phase.WAITING_PROMOTION, "promotion"), "it opened no gate"
    end = Running(left, "resume").wait().state
    assert end
    assert end.phase == Phase.SUCCEEDED


@pytest.mark.parametrize("call", ["resumed", "promoted", "reconciled", "aborted"])
def test_m3_every_other_call_judges_by_the_runs_terms(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    judged: list[dict[str, Any]] = []
    monkeypatch.setattr(service, "watch_of", lambda given, *__: judged.append(given))
    canary_of(FakeCluster(), call)._watch(a_run(metrics=[RATE], drain="7s", error_timeout="9m"))
    assert [metric["name"] for metric in judged[0]["metrics"]] == ["request-success-rate"]
    assert (judged[0]["drain"], judged[0]["error_timeout"]) == ("7s", "9m")
    assert judged[0]["provider"] == {"type": "envoy"}, "where it measures is its own"


def canary_of(cluster: FakeCluster, call: str) -> CanaryService:
    given = params(metrics=[SLOW], drain="1s", error_timeout="1m", provider={"type": "envoy"}, state=call)
    return CanaryService(cluster, given, lambda __: None, lambda: "")


def test_m3_a_gate_is_not_opened_by_who_cannot_measure_what_the_run_measures(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard compares with the time before the run, which only Prometheus knows."""
    Running(cluster, gates=[GATE], metrics=[RATE], whole_service_guard={**GUARD, "max_increase": 1.0}).wait()
    monkeypatch.undo()
    waiting = cluster.state()
    envoy = {"type": "envoy", "proxy_access": "pod_address", "clients": []}
    with pytest.raises(AnalysisFailure, match="max_increase"):
        Running(cluster, "resume", state="resumed", provider=envoy).wait()
    assert cluster.state() == waiting


@pytest.mark.parametrize(
    ("option", "of_run", "of_call"),
    [
        ("gates", [GATE], []),
        ("metrics", [RATE, SLOW], [RATE]),
        ("metrics", [RATE], [{**RATE, "threshold_range": {"min": 90.0, "max": None, "margin": 0.0}}]),
        ("whole_service_guard", GUARD, None),
        ("whole_service_guard", GUARD, {**GUARD, "max_error_rate": 50.0}),
        ("min_share", 0.3, 0.0),
        ("rollback_error_rate", 0.005, 0.1),
        ("promotion_error_rate", 0.01, 0.4),
        ("burst", 2, 50),
        ("error_timeout", "3m", "3h"),
        ("no_data_timeout", "30s", ""),
        ("on_drift", "rollback", "fail"),
        ("on_stable_change", "rollback", "ignore"),
        ("on_pause", "watch", "return"),
        ("deadline", "1h", "9h"),
        ("drain", "30s", "0s"),
        ("unproven_wait", "5s", "0s"),
        ("min_ready", 2, 1),
        ("steps", [5, 50, 100], [100]),
        ("session_affinity", {"cookie_name": "corp", "max_age": 60}, None),
        ("canary", {"workload": "order-service-next"}, {}),
    ],
)
def test_m3_whatever_differs_is_named_with_both_values(option: str, of_run: Any, of_call: Any) -> None:
    steps = {"steps": [5, 50, 100]}
    run = a_run(**{**steps, option: of_run})
    assert changed_terms(run, params(**{**steps, option: of_run})) == {}
    found = changed_terms(run, params(**{**steps, option: of_call}))
    assert list(found) == [option]
    assert found[option].startswith("the run has ")
    assert ", this call " in found[option]


def test_m3_of_lists_only_differences_are_reported_and_their_order_is_ignored() -> None:
    run = a_run(metrics=[RATE, SLOW])
    assert changed_terms(run, params(metrics=[SLOW, RATE])) == {}
    described = changed_terms(run, params(metrics=[SLOW]))["metrics"]
    assert "request-success-rate" in described
    assert "request-duration" not in described
    assert described.endswith("this call has none")


def test_m3_another_strategy_is_reported_once() -> None:
    assert list(changed_terms(a_run(), params(strategy="blue_green"))) == ["strategy"]


@pytest.mark.parametrize(
    ("phase", "refused"), [(Phase.PROMOTING, True), (Phase.FINALISING, False), (Phase.ROLLING_BACK, False)]
)
def test_m3_what_is_decided_is_carried_out_whatever_the_call_asks_for(
    cluster: FakeCluster, phase: Phase, refused: bool
) -> None:
    canary = CanaryService(cluster, params(image="order-service:2"), lambda __: None, lambda: "")
    state = a_run(gates=[GATE]).moved(time.time(), "me", phase=phase, weight=0 if phase == Phase.ROLLING_BACK else 100)
    with pytest.raises(OtherTerms) if refused else contextlib.nullcontext():
        refuse_another_run(state, canary._params)


def test_m3_a_run_of_an_older_version_is_read_and_takes_the_calls_options(cluster: FakeCluster) -> None:
    """As the version before this one wrote it."""
    written = json.loads(dump(a_run(gates=[GATE])))
    del written["terms"]
    cluster.edit("VirtualService", SERVICE)["metadata"]["annotations"] = {annotation(SERVICE): json.dumps(written)}
    found = cluster.state()
    assert found
    assert found.terms == {}
    assert changed_terms(found, params(drain="9s")) == {}
    assert options_of(found, params(drain="9s"))["drain"] == "9s"
    end = Running(cluster).wait().state
    assert end
    assert end.phase == Phase.SUCCEEDED, end.reason


def test_m3_what_a_newer_version_knows_besides_has_its_default() -> None:
    metric = {key: value for key, value in RATE.items() if key not in ("reporter", "percentile")}
    metric["threshold_range"] = {"min": 99.0}
    own = options_of(a_run(metrics=[metric], gates=[{"at": "start", "type": "hold"}]), params())
    assert own["metrics"] == [RATE]
    assert own["gates"] == [{"at": "start", "type": "hold", "url": "", "timeout": "30m"}]
    assert policy_of(own).gates[0].timeout == 1800


def test_m3_no_credentials_are_written_down() -> None:
    provider = {"type": "prometheus", "url": "http://prometheus", "token": "s3cret", "password": "s3cret"}
    assert "s3cret" not in dump(a_run(provider={**provider, "headers": {"X-Token": "s3cret"}}, metrics=[RATE]))


def test_m3_a_state_stays_far_below_what_annotations_may_have() -> None:
    """256 KiB together, of all annotations of an object."""
    run = a_run(metrics=[{**RATE, "name": f"own-{number}", "query": "x" * 500} for number in range(30)])
    for number in range(60):
        run = run.moved(float(number), "user@somewhere", "why " * 100, phase=Phase.PROGRESSING)
    assert len(dump(run)) < 64 * 1024


def test_m3_nothing_is_measured_where_the_run_measured_nothing() -> None:
    run = a_run(metrics=[])
    own = options_of(run, params(metrics=[RATE], state="promoted"))
    moved = run.moved(6, "me", phase=Phase.PROMOTING, weight=100)
    assert watch_of(own, "shop", moved, None, dict) is None  # type: ignore[arg-type]
