"""Jaeger and Alertmanager with what the roles render: a span is found after a restart, an alert reaches its receiver.

SERVICE_MESH_TEST_JAEGER names Jaeger's binary (docs/testing.md says how to build it). What the other programs make of
their configuration is in tests/integration/observability/test_rendered_configuration.py.
"""

from __future__ import annotations

import contextlib
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..integration.observability.test_rendered_configuration import releases, rendered
from ..integration.support.database_servers import free_port
from .alert_chain import alertmanager

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = {
    "traceId": TRACE,
    "spanId": "00f067aa0ba902b7",
    "name": "GET /api/v1/orders",
    "kind": 2,
    "startTimeUnixNano": "",
    "endTimeUnixNano": "",
}
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
        assert started.wait(30) is not None


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
        config = yaml.safe_load(text)
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


@pytest.fixture
def binary() -> str:
    found = os.environ.get("SERVICE_MESH_TEST_JAEGER", "")
    if not found:
        pytest.skip("SERVICE_MESH_TEST_JAEGER names no Jaeger")
    return found


@pytest.mark.parametrize(
    ("environment", "takes", "shows"),
    [("staging", "jaeger", "jaeger"), ("production", "jaeger-collector", "jaeger-query")],
    ids=["all-in-one", "split"],
)
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


class _Hook(BaseHTTPRequestHandler):
    received: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_a_critical_alert_reaches_its_receiver_and_silences_the_warning(tmp_path: Path) -> None:
    received: list[dict[str, Any]] = []
    hook = ThreadingHTTPServer(("127.0.0.1", 0), type("Hook", (_Hook,), {"received": received}))
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    values = releases("production")["prometheus"]
    url = f"http://127.0.0.1:{hook.server_port}"
    # As prometheus_alertmanager_receivers and _routes would have it.
    values["alertmanager"]["config"]["receivers"] += [{"name": "on-call", "webhook_configs": [{"url": url}]}]
    values["alertmanager"]["config"]["route"] |= {"receiver": "on-call", "group_wait": "1s"}
    objects = rendered("prometheus", "prometheus", values)
    (tmp_path / "alertmanager.yml").write_text(
        objects["ConfigMap", "prometheus-alertmanager"]["data"]["alertmanager.yml"]
    )
    port = free_port()
    argv = [str(alertmanager()), f"--config.file={tmp_path}/alertmanager.yml", f"--storage.path={tmp_path}/data"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    common = {"alertname": "PostgresqlDown", "namespace": "database"}
    with program(argv, tmp_path / "log"):
        wait_for(f"http://127.0.0.1:{port}/api/v2/status")
        alerts = [{"labels": common | {"severity": severity}} for severity in ("critical", "warning")]
        ask(f"http://127.0.0.1:{port}/api/v2/alerts", alerts)
        deadline = time.monotonic() + 30
        while not received and time.monotonic() < deadline:
            time.sleep(0.1)
        # What Grafana asks of its data source.
        assert "versionInfo" in ask(f"http://127.0.0.1:{port}/api/v2/status")
    hook.shutdown()
    assert [alert["labels"]["severity"] for message in received for alert in message["alerts"]] == ["critical"]
