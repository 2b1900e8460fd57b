"""What a run logs: little while it goes as planned, and never a failure where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Measurement, Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    ERROR,
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    Judgement,
    Metric,
    Reading,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import log
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import Wait
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.log import RunLog
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.result import ended
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService

from ....support.canary_calls import NothingYet, Running, until
from ....support.canary_cluster import SERVICE, FakeCluster

GOOD = Measurement(
    Metric("request-success-rate", minimum=99), Reading(99.5, 305, baseline=99.75, baseline_samples=5800),
    Judgement(PASS, "request-success-rate is 99.5 %"), 0,
)  # fmt: skip
SLOW = Measurement(
    Metric("request-duration", maximum=500), Reading(0.5, 305, baseline=None), Judgement(PASS, "few are slow"), 0
)
WATCHED = Measurement(
    Metric("whole-service-errors", maximum=5), Reading(0.1, 6000), Judgement(PASS, "whole-service-errors is 0.1 %"), 0
)
LATEST = [GOOD, SLOW, WATCHED]


class Passing(NothingYet):
    """Whatever is measured passes at once."""

    latest = tuple(LATEST)
    measurements = tuple(LATEST)

    def observe(self, acknowledged: bool) -> list[Any]:
        return LATEST

    def outcome(self) -> Any:
        return Outcome(PASS, "all 3 metrics pass")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: Passing())
    yield FakeCluster()


def a_run(cluster: FakeCluster, **given: Any) -> Running:
    steps = {"steps": [5, 10, 25, 50, 100], "step_duration": "100ms", "drain": "100ms", "unproven_wait": "10ms"}
    return Running(cluster, **{**steps, "interval": "20ms", **given})


def test_a_healthy_run_has_a_line_for_each_step_and_one_for_its_verdict(cluster: FakeCluster) -> None:
    run = a_run(cluster, progress_details=False)
    result = run.wait(30)
    steps = [line for line in run.lines if "Progressing, step" in line]
    verdicts = [line for line in run.lines if f"  {PASS}" in line]
    assert (len(steps), len(verdicts)) == (5, 5), run.lines
    assert "request-success-rate 99.5 % of 305 (stable 99.75 %)" in verdicts[0]
    assert "whole-service-errors" not in verdicts[0]
    # The run, its steps with their verdicts, that the routes are not proven, and three lines of the promotion.
    assert len(run.lines) == 1 + 5 + 5 + 1 + 3, run.lines
    (summary,) = ended(result)["summary"]
    assert "Succeeded after" in summary and f"{SERVICE}:2 is the stable version now; v2 has 100 %" in summary
    assert not [line for line in [*run.lines, summary] if "fail" in line.lower() or "error" in line.lower()]


def test_details_are_optional(cluster: FakeCluster) -> None:
    run = a_run(cluster, progress_details=True)
    run.wait(30)
    text = "\n".join(run.lines)
    for said in ("pass         whole-service-errors is", f"{SERVICE}-v2: image", "2 pods", "waiting for analysis"):
        assert said in text, text


def test_a_run_that_was_aborted_has_not_failed(cluster: FakeCluster) -> None:
    run = a_run(cluster, step_duration="1h", progress_details=False)
    until(lambda: cluster.weights()["v2"] == 5)
    done = Running(cluster, "abort", drain="100ms", reason="customers cannot pay").wait()
    (summary,) = ended(done)["summary"]
    run.wait()
    words = "Rolled back after"
    assert words in summary and "requested by" in summary and "customers cannot pay" in summary
    assert "v1 has 100 % of the traffic, with order-service:1" in summary
    assert "Rolled back, 0 % to v2: requested by" in "\n".join(run.lines)
    assert not [line for line in [*run.lines, summary, *ended(done)["table"]] if "fail" in line.lower()]


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(log.time, "monotonic", lambda: self.now)


@pytest.mark.parametrize(
    ("details", "wait", "logged"),
    [
        (False, Wait("pods of a, 0 of 2 ready", 300), [15, 315]),
        (False, Wait("analysis", 30, planned=True), []),
        (True, Wait("analysis", 30, planned=True), list(range(0, 400, 15))),
    ],
)
def test_a_wait_is_logged_once_it_lasts(
    monkeypatch: pytest.MonkeyPatch, details: bool, wait: Wait, logged: list[int]
) -> None:
    clock = Clock(monkeypatch)
    lines: list[float] = []
    run_log = RunLog(lambda __: lines.append(clock.now - 1000), details)
    for second in range(400):
        clock.now = 1000.0 + second
        run_log.waits(wait)
    assert lines == logged


def test_what_hinders_a_run_is_logged_at_once() -> None:
    lines: list[str] = []
    run_log = RunLog(lines.append, details=False)
    for __ in range(3):
        run_log.waits(Wait("the API server"), at_once=True)
    assert len(lines) == 1


def test_a_verdict_is_logged_when_it_changes() -> None:
    lines: list[str] = []
    run_log = RunLog(lines.append, details=False)
    outcomes = [NO_DATA, INCONCLUSIVE, PASS, PASS, ERROR, INCONCLUSIVE, PASS]
    for verdict in outcomes:
        run_log.verdict((1,), Outcome(verdict, f"why {verdict}"), LATEST)
    # The next step begins with nothing shown.
    run_log.verdict((2,), Outcome(NO_DATA, "nothing yet"), LATEST)
    run_log.verdict((2,), Outcome(FAIL, "the rollback reports it", final=True), LATEST)
    said = [line.split()[1] for line in lines]
    assert said == [PASS, ERROR, INCONCLUSIVE, PASS]
    assert all(one != other for one, other in pairwise(said))
    assert "why error" in lines[1] and "why inconclusive" in lines[2]
