# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's bill, and requests proposed by what a real Prometheus has recorded."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.usage import Window, missing, read_usage
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.server import Server
from kubernetes.client import ApiClient, CoreV1Api

from ..support.playbooks import RunPlaybook

MIB = 1024**2
SCRAPE = 60
DAYS = 2
APP = "restaurant-management"


def tool(name: str) -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpv3-service-mesh"
    found = shutil.which(name) or next(map(str, sorted(cache.glob(f"prometheus-*[0-9a-f]/{name}"))), None)
    if not found:
        pytest.skip(f"no {name} on PATH and none in {cache}; the lab builds it: make up")
    return found


def history(pods: list[str], end: int) -> str:
    """Two days of each pod: 40m and 100 MiB, in one hour of ten 400m and 200 MiB, and once 1 core and 300 MiB.

    As cAdvisor has them, a pod's own series is beside those of its containers.
    """
    cpu, memory = [], []
    for pod in pods:
        for container in ("order-service", ""):
            labels = f'namespace="{APP}",pod="{pod}",container="{container}"'
            seconds = 0.0
            for minute in range(DAYS * 1440 + 1):
                at = end - DAYS * 86400 + minute * SCRAPE
                cores, size = (0.4, 200) if minute % 600 < 60 else (0.04, 100)
                if 2000 <= minute < 2030:
                    cores, size = 1, 300
                seconds += SCRAPE * cores
                cpu.append(f"container_cpu_usage_seconds_total{{{labels}}} {seconds:.2f} {at}")
                memory.append(f"container_memory_working_set_bytes{{{labels}}} {size * MIB} {at}")
    lines = ["# TYPE container_cpu_usage_seconds counter", *cpu]
    return "\n".join([*lines, "# TYPE container_memory_working_set_bytes gauge", *memory, "# EOF\n"])


@contextlib.contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    """Scrapes nothing: it has what its folder contains."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "prometheus.yml").write_text("{}\n")
    options = {"config.file": folder / "prometheus.yml", "storage.tsdb.path": folder / "data"}
    options |= {"storage.tsdb.retention.time": "30d", "web.listen-address": address}
    command = [tool("prometheus"), *(f"--{name}={value}" for name, value in options.items())]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _until_ready(f"http://{address}/-/ready", folder / "log")
            yield f"http://{address}"
        finally:
            process.terminate()


def _until_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def pods(api: ApiClient) -> list[Any]:
    """Once those that an earlier test deleted are gone: until then they are on the bill."""
    deadline = time.monotonic() + 120
    while True:
        found: list[Any] = CoreV1Api(api).list_pod_for_all_namespaces().items
        going = [pod.metadata.name for pod in found if pod.metadata.deletion_timestamp]
        if not going:
            return found
        assert time.monotonic() < deadline, f"{', '.join(going)} should have left"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def orders(pods: list[Any]) -> list[str]:
    """Of one version: a canary of an earlier test may have left another one beside it."""
    found: dict[str, list[str]] = {}
    for pod in pods:
        labels = pod.metadata.labels or {}
        ours = pod.metadata.namespace == APP and labels.get("app") == "order-service"
        if ours and not pod.metadata.deletion_timestamp:
            found.setdefault(labels["version"], []).append(pod.metadata.name)
    assert found
    return next(iter(found.values()))


@pytest.fixture(scope="module")
def recorded(orders: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "series").write_text(history(orders, int(time.time())))
    command = [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "series", folder / "data"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with prometheus(folder) as url:
        yield url


def bill(run_playbook: RunPlaybook, tmp_path: Path, *arguments: str, **variables: Any) -> dict[str, Any]:
    reports = {form: str(tmp_path / form) for form in ("json", "markdown", "table")}
    run = run_playbook("cost.yml", *arguments, variables={"cost_reports": reports, **variables})
    assert (run.rc, run.changed) == (0, 0), run.stdout
    shown = (tmp_path / "table").read_text().splitlines()
    assert shown[-1] in run.text
    assert shown[-1] in (tmp_path / "markdown").read_text()
    found: dict[str, Any] = json.loads((tmp_path / "json").read_text())
    return found


def test_the_bill_has_what_the_cluster_has(run_playbook: RunPlaybook, pods: list[Any], tmp_path: Path) -> None:
    """From the lab's own Prometheus, which knows the pods that really run and no others."""
    own = {"cost_window": "2m", "cost_resolution": "10s", "cost_min_measured": "20s"}
    found = bill(run_playbook, tmp_path, "--check", **own)
    placed = [pod for pod in pods if pod.spec.node_name and pod.status.phase not in ("Succeeded", "Failed")]
    sidecars = sum(
        len(pod.spec.containers) > 1 and any(container.name == "istio-proxy" for container in pod.spec.containers)
        for pod in placed
    )
    assert found["totals"]["all"]["pods"] == len(placed)
    assert found["sidecars"]["count"] == sidecars > 0
    assert found["sidecars"]["used"]["containers"] > 0
    names = {item["component"] for item in found["components"]}
    assert {"istiod", "istio-ingressgateway", "prometheus", "grafana", "loki", "jaeger", "kiali"} <= names
    assert {item["name"] for item in found["load_balancers"]} >= {"istio-ingressgateway", "grafana"}
    assert {(item["name"], item["cost"]) for item in found["volumes"]} >= {("prometheus-server", 5.0)}
    assert all(item["saves"] is not None for item in found["optimizations"])
    judged = {(item["workload"], item["container"]): item["cpu"]["verdict"] for item in found["right_sizing"]}
    assert judged[("istiod", "discovery")] in ("lower", "raise", "fits")
    # Simulated, so not measured.
    assert judged[("grafana", "grafana")] == "no data"


def test_requests_are_proposed_by_what_was_recorded(
    run_playbook: RunPlaybook, recorded: str, orders: list[str], tmp_path: Path
) -> None:
    prices = tmp_path / "prices.yml"
    prices.write_text(
        "{currency: EUR, source: a test, date: 2026-11-01, hours_per_month: 100, cpu_core_hour: 1,\n"
        " memory_gib_hour: 0, volume_gib_month: {default: 1}, load_balancer_month: {default: 5}}\n"
    )
    found = bill(
        run_playbook, tmp_path, cost_prometheus={"url": recorded}, cost_window="2d", cost_price_file=str(prices)
    )
    (entry,) = [item for item in found["right_sizing"] if item["cpu"]["pods"]]
    cpu, memory = entry["cpu"], entry["memory"]
    assert (entry["container"], entry["pods"], cpu["pods"]) == ("order-service", len(orders), len(orders))
    assert cpu["seconds"] > 1.9 * 86400
    assert cpu["p95"] == pytest.approx(0.4, rel=0.01)
    assert cpu["peak"] == pytest.approx(1, rel=0.01)
    assert (memory["p95"], memory["peak"]) == (200 * MIB, 300 * MIB)
    # The application is scaled at 80 % of what it requests, and nothing may request more than its limit.
    assert entry["autoscaled"] == {"cpu": 0.8}
    assert (cpu["verdict"], memory["verdict"]) == ("raise", "raise")
    assert cpu["proposed"] == pytest.approx(min(0.5, cpu["limit"]), rel=0.01)
    assert memory["proposed"] == min(300 * MIB, memory["limit"])
    assert any(risk.startswith("OOM: its peak of 300Mi is") for risk in entry["risks"])
    assert entry["saves"] == pytest.approx((cpu["request"] - cpu["proposed"]) * 100 * len(orders), abs=0.02)
    others = [item for item in found["right_sizing"] if item is not entry]
    for resource in ("cpu", "memory"):
        assert {(item[resource]["verdict"], item[resource]["proposed"]) for item in others} == {("no data", None)}
    assert found["currency"] == "EUR"


def test_only_the_chosen_namespaces_are_asked_for(recorded: str, orders: list[str]) -> None:
    window = Window("1d", "5m")
    usage = read_usage(Server(url=recorded).fetch, window, [APP])
    places = {(APP, pod, "order-service") for pod in orders}
    assert (usage["cpu"].keys(), usage["memory"].keys()) == (places, places)
    assert read_usage(Server(url=recorded).fetch, window, ["elsewhere"]) == {"cpu": {}, "memory": {}}


def test_an_empty_prometheus_is_no_data(tmp_path: Path) -> None:
    window = Window("1d", "5m")
    with prometheus(tmp_path) as url:
        usage = read_usage(Server(url=url).fetch, window, [])
    assert usage == {"cpu": {}, "memory": {}}
    assert len(missing(usage, window)) == 2


def test_a_price_file_that_is_not_there_is_named(run_playbook: RunPlaybook) -> None:
    run = run_playbook("cost.yml", variables={"cost_price_file": "/nowhere/prices.yml"})
    assert run.rc != 0
    assert "price_file: /nowhere/prices.yml: No such file or directory" in run.text
