"""Without evidence nothing goes forward: no traffic, traffic that stops, and a Prometheus that is of no use."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..integration.support.canary_lab import PROXIES, Lab, slowness, success
from .conftest import Report

SLOW_SECONDS = 8.0
EMPTY = {"status": "success", "data": {"resultType": "vector", "result": []}}
ANSWERS: dict[str, tuple[int, bytes]] = {
    "empty": (200, json.dumps(EMPTY).encode()),
    "another program": (200, b"<!doctype html><title>Grafana</title>"),
    "JSON of another kind": (200, b'{"status": "success", "data": {"resultType": "vector", "result": [{"value": 1}]}}'),
    "not a number": (
        200,
        json.dumps(
            {**EMPTY, "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]}}
        ).encode(),
    ),
    "broken": (500, b"panic"),
    "slow": (200, json.dumps(EMPTY).encode()),
}
# Patience of a run in seconds: what is tested is the end of it.
IMPATIENT = {"step_duration": "1s", "no_data_timeout": "5s", "error_timeout": "3s", "on_pause": "return"}


@contextlib.contextmanager
def useless_prometheus(kind: str) -> Iterator[str]:
    """The address of one."""
    status, body = ANSWERS[kind]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if kind == "slow":
                time.sleep(SLOW_SECONDS)
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.do_GET()

        def log_message(self, *__: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def without_evidence(lab: Lab, report: Report, phase: str, **options: Any) -> dict[str, Any]:
    """The run ends as its policy requires, and never had more traffic than its first step."""
    stable, canary = lab.stable, lab.canary
    with lab.sightings() as sightings:
        call = lab.call(image_tag=lab.tag(), **{**IMPATIENT, **options})
        code = call.wait()
    result = call.result
    report(f"{result['phase']}: {result['reason']}")
    assert max(sighting.weights[canary] for sighting in sightings.seen) == 10
    assert result["phase"] == phase
    assert (code != 0) == (phase == "Failed")
    if phase == "Paused":
        assert lab.now().weights == {stable: 90, canary: 10}
        assert lab.call("aborted").wait() == 0
    assert lab.now().weights == {stable: 100, canary: 0}
    return result


def prometheus(url: str, **options: Any) -> dict[str, Any]:
    return {"provider": {"url": url, "timeout": 1, **options}, "interval": "1s", "metrics": [success(), slowness()]}


@pytest.mark.parametrize(("policy", "phase"), [("rollback", "Failed"), ("pause", "Paused")])
@pytest.mark.parametrize("provider", ["envoy", "prometheus"])
def test_no_traffic(lab: Lab, report: Report, provider: str, policy: str, phase: str) -> None:
    time.sleep(3)
    options = {"provider": PROXIES} if provider == "envoy" else prometheus(lab.prometheus)
    without_evidence(lab, report, phase, on_no_data=policy, **options)


@pytest.mark.parametrize("provider", ["envoy", "prometheus"])
def test_traffic_that_stops(lab: Lab, report: Report, provider: str) -> None:
    canary = lab.canary
    options = {"provider": PROXIES} if provider == "envoy" else prometheus(lab.prometheus)
    with lab.load() as load, lab.sightings() as sightings:
        # What three seconds bring is too little to show this.
        strict = {**IMPATIENT, "step_duration": "8s", "metrics": [success(threshold_range={"min": 99})]}
        call = lab.call(image_tag=lab.tag(), **{**options, **strict})
        lab.until("the first step", lambda: lab.now().weights[canary] == 10, 120)
        time.sleep(3)
        load.stop()
        code = call.wait()
    report(call.result["reason"])
    assert code == 0
    assert call.result["phase"] == "Paused"
    assert lab.call("aborted").wait() == 0
    assert max(sighting.weights[canary] for sighting in sightings.seen) == 10


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_prometheus_of_no_use(lab: Lab, report: Report, kind: str) -> None:
    with useless_prometheus(kind) as url, lab.load():
        without_evidence(lab, report, "Paused", **prometheus(url))


def test_a_prometheus_that_is_away(lab: Lab, report: Report) -> None:
    with lab.load():
        without_evidence(lab, report, "Paused", **prometheus("http://127.0.0.1:9"))
