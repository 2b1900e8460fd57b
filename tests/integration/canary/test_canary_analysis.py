"""canary_analysis by the counters of real Envoys and a real Prometheus."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from ..support.canary_lab import PROXIES, VIRTUAL_SERVICES
from ..support.order_slots import GATEWAY, Slots, primary, ready, slots
from ..support.playbooks import INVENTORY, RunPlaybook, lab_address

__all__ = ["ready", "slots"]

PROMETHEUS = {"url": "http://127.0.0.1:9090" if INVENTORY else lab_address(9090)}
TARGET = {"namespace": "restaurant-management", "service": "order-service"}
# Where the lab keeps the faults in effect.
FAULTS = "faults.json"
SUCCESS = {"name": "request-success-rate", "window": "5s", "threshold_range": {"min": 99}}


class Load:
    """A constant rate of orders while it is open."""

    def __init__(self, rate: float) -> None:
        self._pause = 1 / rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *__: Any) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"{GATEWAY}/api/v1/orders", headers={"Host": "restaurant.corpv3.com"})
        while not self._stop.wait(self._pause):
            with contextlib.suppress(urllib.error.HTTPError):
                opener.open(request, timeout=10).read()


class Analyst:
    """Runs the module as a task, and sets faults as a user would."""

    def __init__(self, run_playbook: RunPlaybook, slots: Slots) -> None:
        self.run_playbook = run_playbook
        self.canary = slots.spare
        self._sides = {"stable": {"subset": slots.stable}, "canary": {"subset": slots.spare}}

    def __call__(self, *analyses: dict[str, Any]) -> list[dict[str, Any]]:
        """The results of several tasks of one play."""
        tasks: list[dict[str, Any]] = []
        for number, options in enumerate(analyses):
            name = f"result_{number}"
            tasks += [
                {
                    "corpv3.service_mesh.canary_analysis": {
                        **TARGET,
                        **self._sides,
                        "provider": PROMETHEUS,
                        **options,
                    },
                    "register": name,
                    "ignore_errors": True,
                },
                {"ansible.builtin.debug": {"msg": f"RESULT<{{{{ {name} | to_json | b64encode }}}}>"}},
            ]
        play = {
            "hosts": "clusters",
            "gather_facts": False,
            "vars": {"service_mesh_auth_environment": {"K8S_AUTH_KUBECONFIG": "{{ service_mesh_kubeconfig }}"}},
            "environment": "{{ service_mesh_auth_environment }}",
            "tasks": tasks,
        }
        run = self.run_playbook(yaml.safe_dump([play]))
        # Where a task fails, the output also quotes the next one's template.
        packed = ["".join(text.split()) for text in re.findall(r"RESULT<([A-Za-z0-9+/=\s]+)>", run.stdout)]
        assert len(packed) == len(analyses), run.stdout
        return [json.loads(base64.b64decode(text)) for text in packed]

    def fault(self, **fault: Any) -> None:
        run = self.run_playbook(
            "lab_fault.yml", variables={"service": "order-service", "version": self.canary, **fault}
        )
        assert run.rc == 0, run.stdout

    def during_a_fault(self, *analyses: dict[str, Any], **fault: Any) -> list[dict[str, Any]]:
        self.fault(**fault)
        try:
            return self(*analyses)
        finally:
            self.fault(clear=True)


@pytest.fixture
def analyst(run_playbook: RunPlaybook, slots: Slots) -> Analyst:
    return Analyst(run_playbook, slots)


@pytest.fixture(scope="module")
def half(ready: None, api: client.ApiClient) -> Iterator[None]:
    """Both versions get half of the traffic."""
    objects = client.CustomObjectsApi(api)
    before: dict[str, Any] = objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, "order-service")
    live = json.loads(json.dumps(before))
    for destination in primary(live)["route"]:
        destination["weight"] = 50
    objects.replace_namespaced_custom_object(*VIRTUAL_SERVICES, "order-service", live)
    time.sleep(2)
    yield
    live = objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, "order-service")
    live["spec"] = before["spec"]
    objects.replace_namespaced_custom_object(*VIRTUAL_SERVICES, "order-service", live)


@pytest.mark.usefixtures("half")
def test_a_healthy_canary_passes_at_both_providers(analyst: Analyst) -> None:
    metrics = [
        {**SUCCESS, "threshold_range": {"min": 90}, "compare": {"max_delta": 10, "margin": 10}},
        {"name": "request-duration", "percentile": 90, "threshold_range": {"max": 1000}},
        {"name": "traffic-share", "threshold_range": {"min": 20}},
    ]
    with Load(40):
        time.sleep(3)
        by_prometheus, by_proxies = analyst(
            {
                "metrics": [
                    *metrics,
                    {**SUCCESS, "threshold_range": {"min": 90}, "reporter": "destination"},
                    {"name": "mine", "query": "vector(1)", "threshold_range": {"max": 1}},
                ],
                "whole_service_guard": {"max_error_rate": 1, "max_increase": 1, "window": "5s"},
                "since": str(time.time()),
                "no_data_timeout": "30s",
                "interval": "1s",
            },
            {
                "provider": PROXIES,
                "interval": "3s",
                "no_data_timeout": "30s",
                "metrics": metrics,
                "whole_service_guard": {"max_error_rate": 1},
            },
        )
    assert by_prometheus["verdict"] == "pass", by_prometheus
    assert by_proxies["verdict"] == "pass", by_proxies
    assert by_proxies["should_promote"]
    assert all(entry["samples"] >= 20 for entry in by_proxies["measurements"][-len(metrics) :])


@pytest.mark.usefixtures("half")
def test_errors_fail_and_are_forgotten_by_the_next_run(analyst: Analyst) -> None:
    with Load(40):
        time.sleep(2)
        failed, guarded = analyst.during_a_fault(
            {"metrics": [SUCCESS], "count": 10, "interval": "1s", "fail_on": ["fail"]},
            {"whole_service_guard": {"max_error_rate": 5}, "count": 20, "interval": "1s"},
            error_rate=0.5,
        )
        assert failed["failed"], "the task fails where that is asked for"
        assert failed["verdict"] == "fail"
        assert "request-success-rate is" in failed["reason"]
        assert "below 99 %" in failed["reason"]
        assert failed["should_roll_back"]
        assert guarded["verdict"] == "fail", guarded
        time.sleep(1)
        since = str(time.time())
        patient = {"no_data_timeout": "20s", "interval": "1s", "fail_on": []}
        long = {**SUCCESS, "window": "2m"}
        # Few requests show that a wide limit is kept, and few failures that a narrow one is not.
        wide = {**long, "threshold_range": {"min": 90}}
        again, still = analyst({"metrics": [wide], "since": since, **patient}, {"metrics": [long], **patient})
    assert again["verdict"] == "pass", again
    assert still["verdict"] == "fail", (
        "without since the window still has the old failures",
        still["measurements"][-1:],
    )


@pytest.mark.usefixtures("half")
def test_latency_fails(analyst: Analyst) -> None:
    metric = {"name": "request-duration", "percentile": 50}
    with Load(40):
        (result,) = analyst.during_a_fault(
            {
                "metrics": [{**metric, "threshold_range": {"max": 200}, "compare": {"max_ratio": 3}}],
                "count": 20,
                "interval": "1s",
                "provider": PROXIES,
            },
            latency_ms=400,
        )
    assert result["verdict"] == "fail", result
    assert "beyond 200 ms" in result["reason"]


@pytest.mark.usefixtures("half")
def test_a_fault_that_begins_while_both_providers_watch(analyst: Analyst, kubeconfig: str) -> None:
    """Fault to verdict, while the analysis runs."""
    for provider in (PROXIES, PROMETHEUS):
        watch = {
            "provider": provider,
            # The first failure ends it. On a slow machine the fault alone takes twenty seconds to be in effect.
            "count": 240,
            "interval": "500ms",
            "since": str(time.time()),
            "metrics": [{**SUCCESS, "threshold_range": {"min": 90}}],
        }
        results: list[dict[str, Any]] = []
        with Load(40):
            thread = threading.Thread(target=lambda watch=watch, results=results: results.extend(analyst(watch)))
            thread.start()
            # A slow machine takes some seconds to its first measurement.
            time.sleep(12)
            analyst.fault(error_rate=0.5)
            begin = (Path(kubeconfig).parent / FAULTS).stat().st_mtime
            thread.join()
            analyst.fault(clear=True)
        (result,) = results
        assert result["verdict"] == "fail", result
        assert any(entry["verdict"] == "pass" for entry in result["measurements"]), result
        seconds = datetime.fromisoformat(result["measurements"][-1]["at"]).timestamp() - begin
        print(f"{provider.get('type', 'prometheus')}: {seconds:.2f} s from the fault to the verdict")
        assert seconds > 0, result


@pytest.mark.usefixtures("half")
def test_without_evidence_nothing_is_promoted(analyst: Analyst) -> None:
    time.sleep(3)
    quick = {"metrics": [{**SUCCESS, "window": "2s"}]}
    down = {"metrics": [SUCCESS], "count": 5, "interval": "100ms"}
    quiet, quiet_proxies, gone, wrong, bad_query, broken = analyst(
        quick,
        {**quick, "provider": PROXIES, "interval": "1s"},
        {**down, "provider": {"url": "http://127.0.0.1:9"}},
        {**down, "provider": {"url": GATEWAY}},
        {"metrics": [{"name": "mine", "query": "sum(", "threshold_range": {"max": 1}}]},
        {"metrics": [{"name": "mine", "threshold_range": {"max": 1}}]},
    )
    assert [result["verdict"] for result in (quiet, quiet_proxies)] == ["no_data", "no_data"], (quiet, quiet_proxies)
    assert [result["verdict"] for result in (gone, wrong, bad_query)] == ["error", "error", "error"]
    assert not any(result["should_promote"] for result in (quiet, quiet_proxies, gone, wrong, bad_query))
    assert not any(result["should_roll_back"] for result in (gone, wrong, bad_query)), "missing data is not a failure"
    assert len(gone["measurements"]) == 5
    assert "parse error" in bad_query["reason"]
    assert broken["msg"].startswith("metrics: mine is not built in")
