"""kill -9 before and after each write of a run, and everything that an API server can do to one."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ..integration.support.api_faults import ApiFaults, Fault
from ..integration.support.canary_lab import FINAL, ROOT, VIRTUAL_SERVICES, Call, Lab
from ..integration.support.canary_records import failed, read
from .conftest import Report

# Runs that write often and die often.
SHORT = {"steps": [10, 50], "step_duration": "1s", "drain": "1s", "lease_duration": 3}
WRITES = "PUT|PATCH|POST"
# The n-th write to a VirtualService, or to a Deployment or HorizontalPodAutoscaler, and whether it came through.
MOMENTS = [("/virtualservices/", n, after) for n in range(1, 7) for after in (False, True)]
MOMENTS += [("/deployments/|/horizontalpodautoscalers/", n, after) for n in range(1, 5) for after in (False, True)]


@pytest.mark.parametrize("recovery", ["again", "reconcile"])
@pytest.mark.parametrize(
    "moment", MOMENTS, ids=lambda m: f"{m[0].split('/')[1]} {m[1]} {'after' if m[2] else 'before'}"
)
def test_death_at_a_write(
    lab: Lab, report: Report, tmp_path: Path, moment: tuple[str, int, bool], recovery: str
) -> None:
    stable, canary, tag = lab.stable, lab.canary, lab.tag()
    before = lab.workloads()
    calls: list[Call] = []
    path, nth, after = moment
    with ApiFaults(lab.kubeconfig) as faults, lab.sightings() as sightings, lab.load() as load:

        def kill() -> None:
            calls[0].kill()

        faults.add(Fault(WRITES, path, nth=nth, call=kill, reset=True, after=after))
        calls.append(lab.call(image_tag=tag, kubeconfig=faults.kubeconfig(tmp_path), **SHORT))
        code = calls[0].wait()
        if code != -signal.SIGKILL:
            pytest.fail(f"the run ended before there was such a write: {calls[0].tail}")
        left = lab.now()
        if recovery == "again":
            second = lab.call(image_tag=tag, **SHORT)
        else:
            time.sleep(SHORT["lease_duration"] + 1)  # type: ignore[operator]
            second = lab.call("reconciled")
        assert second.wait() == 0, second.tail
        time.sleep(1)
    now = lab.now()
    report(f"died in {left.state.get('phase', 'nothing')} at {left.weights}, {recovery}: {now.state.get('phase')}")
    assert [sighting for sighting in sightings.seen if not sighting.agrees] == []
    assert not failed(read(load.output))
    if recovery == "again":
        assert now.weights == {stable: 0, canary: 100}
        assert now.state["phase"] == "Succeeded"
    else:
        assert now.state.get("phase", "Failed") in FINAL
    finished(lab, before)


def finished(lab: Lab, before: dict[str, tuple[int, str]]) -> None:
    """The stable side has its pods, the other one none, and the autoscaler has no target any more."""
    stable, idle = lab.stable, lab.canary
    lab.until("the idle side's pods are gone", lambda: not lab.pods(idle))
    assert len(lab.pods(stable)) == max(replicas for replicas, __ in before.values())
    scaler = lab.scaler()
    assert scaler["spec"]["minReplicas"] == 2
    assert scaler["spec"]["scaleTargetRef"]["name"] == lab.workload(stable)
    assert not [name for name in scaler["metadata"].get("annotations", {}) if name.endswith("pinned-min-replicas")]


@pytest.mark.parametrize(
    "fault",
    [
        {"verb": "PUT", "path": "/virtualservices/", "status": 409},
        {"status": 429},
        {"status": 500},
        {"reset": True},
        {"reset": True, "after": True},
    ],
    ids=["409", "429", "500", "reset", "reset after it was done"],
)
def test_an_api_server_that_fails_one_request_of_five(
    lab: Lab, report: Report, tmp_path: Path, fault: dict[str, Any]
) -> None:
    stable, canary = lab.stable, lab.canary
    with ApiFaults(lab.kubeconfig) as faults, lab.sightings() as sightings, lab.load() as load:
        kubeconfig = faults.kubeconfig(tmp_path)
        call = lab.call(image_tag=lab.tag(), kubeconfig=kubeconfig, **{**SHORT, "lease_duration": 15})
        lab.until("the start", lambda: lab.now().state.get("phase") == "Initialized", 60)
        entry = faults.add(Fault(probability=0.2, times=0, **fault))
        code = call.wait()
    report(f"{entry.hits} of {entry.seen} requests failed; {call.result['phase']}")
    assert entry.hits
    assert code == 0, call.tail
    assert lab.now().weights == {stable: 0, canary: 100}
    assert [sighting for sighting in sightings.seen if not sighting.agrees] == []
    assert not failed(read(load.output))


@pytest.mark.parametrize("fault", [{"status": 409}, {"status": 500}, {"reset": True}], ids=["409", "500", "reset"])
def test_the_rollback_retries_at_once(lab: Lab, report: Report, tmp_path: Path, fault: dict[str, Any]) -> None:
    """Half of the writes fail exactly when the canary does."""
    stable, canary = lab.stable, lab.canary
    with ApiFaults(lab.kubeconfig) as faults, lab.sightings() as sightings, lab.load():
        call = lab.call(image_tag=lab.tag(), kubeconfig=faults.kubeconfig(tmp_path), steps=[25], step_duration="60s")
        lab.until("25 %", lambda: lab.now().weights[canary] == 25, 120)
        time.sleep(2)
        faults.add(Fault("PUT", "/virtualservices/", times=4, **fault))
        begin = lab.fault(service=lab.service, version=canary, error_rate=1)
        assert call.wait() != 0
    zero = sightings.first({stable: 100, canary: 0}, begin)
    report(f"fault to weight 0 {zero - begin:.2f} s with four refused writes")
    assert call.result["phase"] == "Failed"
    assert lab.now().weights == {stable: 100, canary: 0}


def test_an_api_server_that_restarts(lab: Lab, report: Report) -> None:
    stable, canary = lab.stable, lab.canary
    with lab.load() as load:
        call = lab.call(image_tag=lab.tag(), steps=[10, 50], step_duration="5s")
        lab.until("the first step", lambda: lab.now().weights[canary] == 10, 120)
        pid = json.loads((lab.kubeconfig.parent / "run/kube-apiserver.json").read_text(encoding="utf-8"))["pid"]
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        time.sleep(3)
        settings = str(lab.kubeconfig.parent / "settings.json")
        argv = [sys.executable, "-m", "meshlab", "--settings", settings, "up"]
        subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(ROOT / "roles/lab/files")}, check=True)
        seconds = time.monotonic() - begin
        assert call.wait() == 0, call.tail
    report(f"away for {seconds:.1f} s; {call.result['phase']}")
    assert lab.now().weights == {stable: 0, canary: 100}
    assert not failed(read(load.output))


def test_an_istiod_that_restarts(lab: Lab, report: Report) -> None:
    stable, canary = lab.stable, lab.canary
    with lab.load() as load, lab.sightings() as sightings:
        call = lab.call(image_tag=lab.tag(), steps=[10, 50], step_duration="6s")
        lab.until("the first step", lambda: lab.now().weights[canary] == 10, 120)
        for pod in lab.core.list_namespaced_pod("istio-system", label_selector="app=istiod").items:
            lab.core.delete_namespaced_pod(pod.metadata.name, "istio-system")
        code = call.wait()
    report(f"{call.result['phase']}: {call.result['reason']}")
    assert code == 0, call.tail
    assert lab.now().weights == {stable: 0, canary: 100}
    assert [sighting for sighting in sightings.seen if not sighting.agrees] == []
    assert not failed(read(load.output))


@pytest.mark.parametrize(("policy", "code", "share"), [("rollback", 2, 0), ("reassert", 0, 100), ("fail", 2, 30)])
def test_a_split_that_is_changed_by_hand(lab: Lab, report: Report, policy: str, code: int, share: int) -> None:
    stable, canary = lab.stable, lab.canary
    with lab.load() as load:
        call = lab.call(image_tag=lab.tag(), steps=[10, 50], step_duration="5s", on_drift=policy)
        lab.until("the first step", lambda: lab.now().weights[canary] == 10, 120)
        for attempt in itertools.count():
            live = lab.objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, lab.service)
            for entry in live["spec"]["http"][0]["route"]:
                entry["weight"] = 30 if entry["destination"]["subset"] == canary else 70
            try:
                lab.objects.replace_namespaced_custom_object(*VIRTUAL_SERVICES, lab.service, live)
                break
            except Exception:
                assert attempt < 20
        found = call.wait()
    report(f"{call.result['phase']}: {call.result['reason'] or call.result.get('msg', '')}")
    assert found == code, call.tail
    assert lab.now().weights == {stable: 100 - share, canary: share}
    assert not failed(read(load.output))
    if policy == "fail":
        live = lab.objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, lab.service)
        for entry in live["spec"]["http"][0]["route"]:
            entry["weight"] = 0 if entry["destination"]["subset"] == canary else 100
        lab.objects.replace_namespaced_custom_object(*VIRTUAL_SERVICES, lab.service, live)
