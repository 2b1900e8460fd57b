"""Jaeger and Alertmanager with what the roles render: what they store, send and hold in memory.

What the other programs make of their configuration is in
tests/integration/observability/test_rendered_configuration.py.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..integration.observability.test_rendered_configuration import releases, rendered
from ..integration.support.database_servers import free_port
from ..integration.support.pinned import pinned
from .conftest import Report
from .memory import MIB, Memory, bytes_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = {
    "traceId": TRACE,
    "spanId": "00f067aa0ba902b7",
    "name": "GET /api/v1/orders",
    "kind": 2,
    "startTimeUnixNano": "",
    "endTimeUnixNano": "",
}
STREAM_SECONDS = 180
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with _OPENER.open(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def wait_for(url: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask(url)
        except (OSError, ValueError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@contextlib.contextmanager
def program(argv: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as file:
        started = subprocess.Popen(argv, env={**os.environ, **environment}, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(120)
        finally:
            started.kill()


def version(binary: str) -> tuple[int, ...]:
    """Jaeger's, where its build has one (docs/testing.md). Without, it is taken for the chart's."""
    done = subprocess.run([binary, "version"], capture_output=True, text=True, check=True)
    return tuple(int(number) for number in re.findall(r"\d+", json.loads(done.stdout)["gitVersion"])) or (2, 19)


def within(limit: str, config: dict[str, Any]) -> dict[str, Any]:
    """With the memory limiter's percentages as they are in a container: here they would be of the whole machine."""
    limiter = config.get("processors", {}).get("memory_limiter", {})
    for kind in ("limit", "spike_limit"):
        if f"{kind}_percentage" in limiter:
            limiter[f"{kind}_mib"] = bytes_of(limit) // MIB * limiter.pop(f"{kind}_percentage") // 100
    return config


def as_it_can_read(config: dict[str, Any], binary: str) -> dict[str, Any]:
    """Without the one key of the role's that came with 2.19: how large a message of the storage's may be."""
    for backend in config["extensions"]["jaeger_storage"]["backends"].values():
        if "grpc" in backend and version(binary) < (2, 19):
            del backend["grpc"]["max_recv_msg_size_mib"]
    return config


class Jaegers:
    """The releases' processes, with their ports on loopback and their files in a folder."""

    def __init__(self, binary: str, folder: Path, environment: str) -> None:
        self._binary, self._folder = binary, folder
        self.releases = {name: own for name, own in releases(environment).items() if name.startswith("jaeger")}
        self._ports: dict[tuple[str, str], int] = {}
        (folder / "badger").mkdir()

    def port(self, release: str, port: str) -> int:
        return self._ports.setdefault((release, port), free_port())

    def config(self, release: str) -> Path:
        """As rendered, but for addresses and the folder of the volume."""
        objects = self.releases[release]["extraObjects"]
        (text,) = [item["data"]["config.yaml"] for item in objects if item["kind"] == "ConfigMap"]
        limit = self.releases[release]["jaeger"]["resources"]["limits"]["memory"]
        config = within(limit, as_it_can_read(yaml.safe_load(text), self._binary))
        # The telemetry's own port is a field of its own.
        (reader,) = config["service"]["telemetry"]["metrics"]["readers"]
        reader["pull"]["exporter"]["prometheus"] |= {"host": "127.0.0.1", "port": self.port(release, "8888")}
        text = json.dumps(config).replace("/badger/", f"{self._folder}/badger/")
        text = re.sub(r"0\.0\.0\.0:(\d+)", lambda found: f"127.0.0.1:{self.port(release, found[1])}", text)
        storage = r"jaeger-storage\.istio-system\.svc\.cluster\.local:(\d+)"
        text = re.sub(storage, lambda found: f"127.0.0.1:{self.port('jaeger-storage', found[1])}", text)
        path = self._folder / f"{release}.json"
        path.write_text(text)
        return path

    @contextlib.contextmanager
    def running(self) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
        with contextlib.ExitStack() as stack:
            processes = {}
            for release in sorted(self.releases, key=lambda name: name != "jaeger-storage"):
                (limit,) = [entry["value"] for entry in self.releases[release]["jaeger"]["extraEnv"]]
                argv = [self._binary, "--config", str(self.config(release))]
                log = self._folder / f"{release}.log"
                processes[release] = stack.enter_context(program(argv, log, GOMEMLIMIT=limit))
                wait_for(f"http://127.0.0.1:{self.port(release, '13133')}/status")
            yield processes


ENVIRONMENTS = pytest.mark.parametrize(
    ("environment", "takes", "shows"),
    [("staging", "jaeger", "jaeger"), ("production", "jaeger-collector", "jaeger-query")],
    ids=["all-in-one", "split"],
)


@pytest.fixture
def binary() -> str:
    return str(pinned("jaeger"))


@ENVIRONMENTS
def test_a_span_is_found_again_after_a_restart(
    binary: str, environment: str, takes: str, shows: str, tmp_path: Path
) -> None:
    jaegers = Jaegers(binary, tmp_path, environment)
    now = time.time_ns()
    span = SPAN | {"startTimeUnixNano": str(now - 10**6), "endTimeUnixNano": str(now)}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "order-service"}}]}
    spans = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    with jaegers.running():
        ask(f"http://127.0.0.1:{jaegers.port(takes, '4318')}/v1/traces", spans)
        assert found(jaegers, shows) == ["GET /api/v1/orders"]
        # What the smoke test and Grafana ask.
        assert ask(f"http://127.0.0.1:{jaegers.port(shows, '16686')}/api/services")["data"] == ["order-service"]
    with jaegers.running():
        assert found(jaegers, shows) == ["GET /api/v1/orders"]


def found(jaegers: Jaegers, shows: str) -> list[str]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.HTTPError):
            traces = ask(f"http://127.0.0.1:{jaegers.port(shows, '16686')}/api/traces/{TRACE}")["data"]
            return [span["operationName"] for trace in traces for span in trace["spans"]]
        time.sleep(0.2)
    return []


def batch(size: int = 500) -> bytes:
    """Spans as a proxy sends them: with the request's and the pod's attributes."""
    now = time.time_ns()
    values = {
        "http.url": "http://order-service.restaurant-management:8080/api/v1/orders",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
        "upstream_cluster": "outbound|8080|v1|order-service.restaurant-management.svc.cluster.local",
        "guid:x-request-id": os.urandom(16).hex(),
        "istio.canonical_service": "order-service",
        "istio.namespace": "restaurant-management",
        "peer.address": "10.100.1.7",
        "response_flags": "-",
        "http.status_code": "200",
    }
    attributes = [{"key": name, "value": {"stringValue": value}} for name, value in values.items()]
    times = {"startTimeUnixNano": str(now - 10**7), "endTimeUnixNano": str(now)}
    spans = [
        SPAN | times | {"traceId": os.urandom(16).hex(), "spanId": os.urandom(8).hex(), "attributes": attributes}
        for __ in range(size)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "order-service"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()


def stream(url: str, seconds: float) -> tuple[int, int]:
    """Batches one after the other; how many were accepted, and how many refused."""
    accepted = refused = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        request = urllib.request.Request(url, batch(), {"Content-Type": "application/json"})
        try:
            with _OPENER.open(request, timeout=60):
                accepted += 1
        except urllib.error.HTTPError:
            refused += 1
    return accepted, refused


@ENVIRONMENTS
def test_jaeger_holds_less_than_its_limits(
    binary: str, environment: str, takes: str, shows: str, tmp_path: Path, report: Report
) -> None:
    """Two senders give it as many spans as it takes, and then a page asks for the newest."""
    jaegers = Jaegers(binary, tmp_path, environment)
    with jaegers.running() as processes:
        memories = {name: Memory(functools.partial(list, [process.pid])) for name, process in processes.items()}
        with contextlib.ExitStack() as stack, ThreadPoolExecutor() as pool:
            for memory in memories.values():
                stack.enter_context(memory)
            url = f"http://127.0.0.1:{jaegers.port(takes, '4318')}/v1/traces"
            counts = list(pool.map(lambda __: stream(url, STREAM_SECONDS), range(2)))
            query = "/api/traces?service=order-service&lookback=1h&limit=500"
            assert ask(f"http://127.0.0.1:{jaegers.port(shows, '16686')}{query}")["data"]
    accepted, refused = (500 * sum(numbers) for numbers in zip(*counts, strict=True))
    named = ".".join(map(str, version(binary)))
    report(f"Jaeger {named}, {accepted} spans in {STREAM_SECONDS} s, {refused} refused")
    assert accepted
    for name, memory in memories.items():
        limit = bytes_of(jaegers.releases[name]["jaeger"]["resources"]["limits"]["memory"])
        report(f"{name}: {memory.beside(limit)}")
        assert memory.held < limit


class _Hook(BaseHTTPRequestHandler):
    received: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def alerting(values: dict[str, Any], folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Alertmanager with what the chart makes of these values: its URL, and its process."""
    text = rendered("prometheus", "prometheus", values)["ConfigMap", "prometheus-alertmanager"]["data"]
    (folder / "alertmanager.yml").write_text(text["alertmanager.yml"])
    address = f"127.0.0.1:{free_port()}"
    argv = [str(pinned("alertmanager")), f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data"]
    with program([*argv, f"--web.listen-address={address}", "--cluster.listen-address="], folder / "log") as process:
        wait_for(f"http://{address}/api/v2/status")
        yield f"http://{address}", process


def test_a_critical_alert_reaches_its_receiver_and_silences_the_warning(tmp_path: Path) -> None:
    received: list[dict[str, Any]] = []
    hook = ThreadingHTTPServer(("127.0.0.1", 0), type("Hook", (_Hook,), {"received": received}))
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    values = releases("production")["prometheus"]
    # As prometheus_alertmanager_receivers and _routes would have it.
    receiver = {"name": "on-call", "webhook_configs": [{"url": f"http://127.0.0.1:{hook.server_port}"}]}
    values["alertmanager"]["config"]["receivers"] += [receiver]
    values["alertmanager"]["config"]["route"] |= {"receiver": "on-call", "group_wait": "1s"}
    common = {"alertname": "PostgresqlDown", "namespace": "database"}
    with alerting(values, tmp_path) as (url, _process):
        ask(
            f"{url}/api/v2/alerts",
            [{"labels": common | {"severity": severity}} for severity in ("critical", "warning")],
        )
        deadline = time.monotonic() + 30
        while not received and time.monotonic() < deadline:
            time.sleep(0.1)
        # What Grafana asks of its data source.
        assert "versionInfo" in ask(f"{url}/api/v2/status")
    hook.shutdown()
    assert [alert["labels"]["severity"] for message in received for alert in message["alerts"]] == ["critical"]


def test_alertmanager_holds_less_than_its_limit(tmp_path: Path, report: Report) -> None:
    """Every pod of a large cluster has an alert, several times over, and the receiver does not answer."""
    values = releases("production")["prometheus"]
    limit = bytes_of(values["alertmanager"]["resources"]["limits"]["memory"])
    receiver = {"name": "on-call", "webhook_configs": [{"url": f"http://127.0.0.1:{free_port()}"}]}
    values["alertmanager"]["config"]["receivers"] += [receiver]
    values["alertmanager"]["config"]["route"] |= {"receiver": "on-call", "group_wait": "1s"}
    with alerting(values, tmp_path) as (url, process), Memory(lambda: [process.pid]) as memory:
        for __ in range(5):
            for namespace in range(20):
                ask(f"{url}/api/v2/alerts", [pod_alert(namespace, pod) for pod in range(500)])
            time.sleep(10)
        there = len(ask(f"{url}/api/v2/alerts"))
    report(f"Alertmanager, {there} alerts in 20 groups, receiver away: {memory.beside(limit)}")
    assert there == 10000
    assert memory.held < limit


def pod_alert(namespace: int, pod: int) -> dict[str, Any]:
    labels = {"alertname": "PodDown", "severity": "critical", "namespace": f"team-{namespace}", "pod": f"pod-{pod:05}"}
    text = f"Pod {pod} of team-{namespace} has not been ready for five minutes: its requests go to the other pods."
    return {
        "labels": labels,
        "annotations": {"summary": "A pod is down", "description": text, "runbook_url": "https://"},
    }
