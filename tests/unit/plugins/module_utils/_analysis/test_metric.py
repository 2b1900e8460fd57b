# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts of one look."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Analysis, run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.case import Rates, Stage
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.measure import Target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    Compare,
    Metric,
    Reading,
    judge,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Batch, Increase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.sides import MetricSide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import SourceFailure

TARGET = Target("orders", "shop", stable=MetricSide("v1", "v1"), canary=MetricSide("v2", "v2"))
SUCCESS = Metric("request-success-rate", minimum=99)
BESIDE = Metric("request-success-rate", minimum=80, compare=Compare(max_delta=1, margin=2))
LATENCY = Metric("request-duration", maximum=500)
SHARE = Metric("traffic-share", minimum=12)
GUARD = Metric("whole-service-errors", maximum=1)
GRPC = Metric("grpc-success-rate", minimum=99)
START = 1000.0


def requests(version: str, code: str, amount: float, **labels: str) -> Increase:
    return Increase({"destination_version": version, "response_code": code, **labels}, amount, START, START + 10)


def grpc(version: str, status: str, amount: float, code: str = "200") -> Increase:
    return requests(version, code, amount, request_protocol="grpc", grpc_response_status=status)


def buckets(version: str, **counts: float) -> list[Increase]:
    """buckets("v2", _100=10, _Inf=12): cumulative counts by upper bound."""
    return [
        Increase({"destination_version": version, "le": bound[1:].replace("Inf", "+Inf")}, count, START, START + 10)
        for bound, count in counts.items()
    ]


class Traffic:
    """A source that returns what the test sets, round by round; the last round repeats."""

    def __init__(self, *rounds: list[Increase] | Exception, note: str = "", values: Any = None) -> None:
        self.rounds, self.note, self.values = list(rounds), note, values or {}
        self.before: list[Increase] = []
        self.now = START

    def prime(self) -> bool:
        return False

    def begin(self) -> float:
        self.now += 10
        self.current = self.rounds.pop(0) if len(self.rounds) > 1 else self.rounds[0]
        if isinstance(self.current, Exception):
            raise self.current
        return self.now

    def local(self, moment: float) -> float:
        return moment

    def remote(self, moment: float) -> float:
        return moment

    def requests(self, start: float, reporter: str) -> Batch:
        assert not isinstance(self.current, Exception)
        found = tuple(entry for entry in self.current if "le" not in entry.labels)
        return Batch(found, "query", self.note, 1.0, frozenset(), self.now)

    def durations(self, start: float, reporter: str, limit: float) -> Batch:
        assert not isinstance(self.current, Exception)
        found = tuple(entry for entry in self.current if "le" in entry.labels)
        bounds = frozenset(float(entry.labels["le"]) for entry in found)
        finite = frozenset(bound for bound in bounds if math.isfinite(bound))
        return Batch(found, "query", self.note, 1.0, finite, self.now)

    def history(self, begin: float, end: float, reporter: str) -> Batch:
        self.asked_before = (begin, end)
        return Batch(tuple(self.before), "query")

    def value(self, query: str) -> float | None:
        found = self.values[query]
        if isinstance(found, Exception):
            raise found
        return found


def verdict(metric: Metric, *traffic: Increase, **options: Any) -> tuple[str, str]:
    """Of one look, and why."""
    analysis = Analysis([metric], TARGET, Traffic(list(traffic), **options), START)
    (measurement,) = analysis.round()
    return measurement.judgement.verdict, measurement.judgement.reason


def outcome(metrics: list[Metric], *rounds: list[Increase] | Exception, **options: Any) -> tuple[str, bool, bool, int]:
    """Verdict, promote, roll back, and how many rounds it took."""
    source = Traffic(*rounds)
    analysis = Analysis(metrics, TARGET, source, START, **options)
    result = run(analysis, source, len(rounds), 1, sleep=lambda __: None)
    rounds_made = len(analysis.measurements) // len(metrics)
    return result.verdict, result.should_promote, result.should_roll_back, rounds_made


# ---------------------------------------------------------------------------------------------------------------------
# One look

GOOD, BAD = requests("v2", "200", 1000), requests("v2", "500", 1000)


@pytest.mark.parametrize(
    ("metric", "traffic", "expected", "words"),
    [
        (SUCCESS, [GOOD], "pass", "100 % of 1000 requests (shown: at least 99 %)"),
        (SUCCESS, [BAD], "fail", "is 0 % of 1000 requests, below 99 %"),
        (SUCCESS, [GOOD, BAD], "fail", "50 % of 2000"),
        # B6: what a ratio over a window would have decided, and what so few cannot decide.
        (
            SUCCESS,
            [requests("v2", "200", 19), requests("v2", "500", 1)],
            "inconclusive",
            "95 % of 20 requests: no evidence for or against it yet",
        ),
        (SUCCESS, [requests("v2", "200", 20)], "inconclusive", "more requests or"),
        (SUCCESS, [requests("v2", "200", 990), requests("v2", "500", 10)], "inconclusive", "no number of requests"),
        # B6: a client that hangs up proves nothing; what ended otherwise without an answer counts if it is asked for.
        (SUCCESS, [GOOD, requests("v2", "0", 500, response_flags="DC")], "pass", "100 % of 1000"),
        (SUCCESS, [GOOD, requests("v2", "0", 500, response_flags="UR,DC")], "pass", "100 % of 1000"),
        (SUCCESS, [GOOD, requests("v2", "0", 500, response_flags="UC")], "pass", "100 % of 1500"),
        (Metric("request-success-rate", minimum=99, error_codes="5..|0"), [GOOD, requests("v2", "0", 500)], "fail", ""),
        (SUCCESS, [requests("v2", "404", 1000)], "pass", "100 %"),
        (SUCCESS, [], "no_data", "no counter has version v2"),
        (SUCCESS, [requests("v1", "200", 100)], "no_data", "no counter has version v2"),
        (Metric("request-success-rate", minimum=99, error_codes="[45].."), [requests("v2", "404", 90)], "fail", "0 %"),
        # gRPC fails with HTTP 200: a failure of the service, whatever the protocol, unless the codes are stated.
        (SUCCESS, [grpc("v2", "0", 50), GOOD, grpc("v2", "14", 1050)], "fail", "50 % of 2100"),
        (SUCCESS, [grpc("v2", "5", 1000)], "pass", "100 %"),
        (SUCCESS, [grpc("v2", "", 100, code="503")], "fail", "0 %"),
        (Metric("request-success-rate", minimum=99, error_codes="5.."), [grpc("v2", "14", 1000)], "pass", "100 %"),
        (GRPC, [grpc("v2", "0", 1000)], "pass", "100 %"),
        (GRPC, [grpc("v2", "0", 50), grpc("v2", "14", 50)], "fail", "50 %"),
        (GRPC, [grpc("v2", "5", 1000)], "pass", "100 %"),
        (GRPC, [grpc("v2", "", 100, code="503")], "fail", "0 %"),
        (GRPC, [GOOD], "no_data", "v2 had no request"),
        (LATENCY, buckets("v2", _100=999, _500=1000, _Inf=1000), "pass", "beyond 500 ms is 0 % of 1000"),
        (LATENCY, buckets("v2", _100=0, _500=0, _2500=100, _Inf=100), "fail", "100 % of 100 requests, above 1 %"),
        # The limit is not a bucket's bound: in between nothing is certain, so it neither fails nor passes.
        (LATENCY, buckets("v2", _100=0, _2500=1000, _Inf=1000), "inconclusive", ""),
        (LATENCY, buckets("v2", _250=1000, _1000=1000, _Inf=1000), "pass", "for a pass, all beyond 250 ms"),
        (LATENCY, buckets("v2", _250=0, _1000=0, _Inf=1000), "fail", "for a failure, requests beyond 1000 ms are slow"),
        (LATENCY, buckets("v2", _100=0, _250=0, _Inf=1000), "inconclusive", ""),
        (LATENCY, buckets("v2", _100=1000, _250=1000, _Inf=1000), "pass", "no bucket at 500 ms or beyond"),
        (LATENCY, [], "no_data", "no counter has version v2"),
        # Missing answers do not count as failures yet.
        (SHARE, [requests("v1", "200", 75), requests("v2", "200", 25)], "pass", "25 %"),
        (SHARE, [requests("v1", "200", 750)], "fail", "0 %"),
        (SHARE, [requests("v1", "200", 9)], "pass", "no evidence"),
        (SHARE, [], "pass", "no evidence"),
        # Requests that found no pod belong to no version.
        (GUARD, [GOOD, requests("unknown", "503", 500)], "fail", "33.333 % of 1500"),
        (GUARD, [GOOD, grpc("unknown", "14", 500)], "fail", "33.333 % of 1500"),
        (GUARD, [GOOD], "pass", "0 %"),
    ],
)
def test_a_look(metric: Metric, traffic: list[Increase], expected: str, words: str) -> None:
    found, reason = verdict(metric, *traffic)
    assert found == expected, reason
    assert words in reason


@pytest.mark.parametrize(
    ("stable", "expected", "words"),
    [
        ([requests("v1", "200", 10000)], "fail", "stable's 100 % of 10000, more than 1 % worse than stable"),
        ([requests("v1", "200", 9500), requests("v1", "500", 500)], "pass", "at most 3 % worse than stable"),
        ([requests("v1", "200", 20)], "inconclusive", "no evidence for or against it"),
        ([], "no_data", "no baseline"),
    ],
)
def test_a_comparison_with_the_stable_side(stable: list[Increase], expected: str, words: str) -> None:
    found, reason = verdict(BESIDE, requests("v2", "200", 9500), requests("v2", "500", 500), *stable)
    assert found == expected, reason
    assert words in reason


def test_a_comparison_may_be_left_out_and_a_limit_needs_none() -> None:
    optional = Metric("request-success-rate", minimum=90, compare=Compare(max_delta=1, optional=True))
    assert verdict(optional, GOOD)[0] == "pass"
    assert verdict(Metric("request-success-rate", minimum=99, compare=Compare(max_ratio=1)), BAD)[0] == "fail"


def test_a_ratio_compares_shares_of_bad_requests() -> None:
    twice = Metric("request-success-rate", compare=Compare(max_ratio=2, margin=0.1))
    stable = [requests("v1", "200", 98000), requests("v1", "500", 2000)]
    alike = [requests("v2", "200", 98000), requests("v2", "500", 2000)]
    worse = [requests("v2", "200", 94000), requests("v2", "500", 6000)]
    assert verdict(twice, *stable, *alike)[0] == "pass"
    found, reason = verdict(twice, *stable, *worse)
    assert (found, "more than 2 times worse than stable" in reason) == ("fail", True)


def test_b5_failures_of_neither_side_prevent_a_pass_and_cause_no_failure() -> None:
    nowhere = {"destination_workload": "unknown", "destination_canonical_revision": "latest"}
    lost = requests("unknown", "503", 60, response_flags="UH", **nowhere)
    redirected = requests("unknown", "301", 1000, **nowhere)
    found, reason = verdict(SUCCESS, requests("v2", "200", 1000), lost, redirected)
    assert (found, "94.34 % of 1060" in reason) == ("inconclusive", True), reason
    assert verdict(SUCCESS, requests("v2", "200", 100), requests("unknown", "503", 9000, **nowhere))[0] != "fail"
    assert verdict(GUARD, requests("v2", "200", 1000), lost)[0] == "fail"
    assert verdict(BESIDE, *([GOOD, requests("v1", "200", 1000), requests("unknown", "503", 900, **nowhere)]))[0] == (
        "inconclusive"
    ), "nor are they the stable side's"


@pytest.mark.parametrize("named", [{"destination_workload": "orders-v2"}, {"destination_canonical_revision": "v2"}])
def test_b5_what_was_not_answered_has_an_owner(named: dict[str, str]) -> None:
    workload = "orders-v2" if "destination_workload" in named else ""
    target = Target("orders", "shop", MetricSide("v1", "v1", "orders"), MetricSide("v2", "v2", workload))
    unanswered = requests("unknown", "504", 60, response_flags="UT", **named)
    answered = requests("v2", "200", 100, **named)
    (measurement,) = Analysis([SUCCESS], target, Traffic([answered, unanswered]), START).round()
    assert measurement.judgement.verdict == "fail"
    assert "62.5 % of 160" in measurement.judgement.reason


@pytest.mark.parametrize(
    ("value", "expected", "words"),
    [
        (1.0, "pass", "at most 3"),
        (4.0, "fail", "above 3"),
        (None, "no_data", "no result"),
        (math.nan, "no_data", "division by zero"),
        (math.inf, "no_data", "division by zero"),
        (SourceFailure("bad query"), "error", "bad query"),
    ],
)
def test_a_custom_query(value: Any, expected: str, words: str) -> None:
    metric = Metric("failed", query='sum(x{v="$version",c!~"5..$"}[$window])', maximum=3)
    source = Traffic([], values={'sum(x{v="v2",c!~"5..$"}[30000ms])': value})
    (measurement,) = Analysis([metric], TARGET, source).round()
    assert measurement.judgement.verdict == expected
    assert words in measurement.judgement.reason


def test_a_custom_query_has_samples_and_a_baseline_if_asked() -> None:
    metric = Metric("x", query="x($version)", samples_query="n($version)", compare=Compare(max_delta=1))
    values = {"x(v2)": 3.0, "n(v2)": 50.0, "x(v1)": 1.0, "n(v1)": 50.0}

    def of(**changes: float | None) -> str:
        given = {name: changes.get(name[0] + name[3], value) for name, value in values.items()}
        (measurement,) = Analysis([metric], TARGET, Traffic([], values=given)).round()
        return measurement.judgement.verdict

    assert of() == "fail"
    assert of(x2=1.5) == "pass"
    assert of(n2=None) == "no_data"
    assert of(n1=3.0) == "no_data"
    nothing = Reading(5, 100, baseline=0, baseline_samples=100)
    assert judge(Metric("errors", query="q", compare=Compare(max_ratio=2)), nothing).verdict == "fail"


@pytest.mark.parametrize(
    ("no_data", "expected"), [("fail", "fail"), ("pass", "pass"), ("inconclusive", "inconclusive")]
)
def test_a_query_without_a_value_is_no_data(no_data: str, expected: str) -> None:
    metric = Metric("x", query="x", maximum=1, no_data=no_data)
    assert verdict(metric, values={"x": None}) == (
        expected,
        f"x cannot be judged: the query has no result (no_data: {no_data})",
    )


def test_m13_a_query_passes_when_all_of_its_window_is_of_the_step() -> None:
    source = Traffic([], values={"x": 0.0})
    analysis = Analysis([Metric("x", query="x", maximum=1, window=25)], TARGET, source, START)
    analysis.enter(Stage())
    analysis.took_effect(START + 5)
    verdicts = [analysis.round()[0].judgement.verdict for __ in range(4)]
    assert verdicts == ["inconclusive", "inconclusive", "pass", "pass"]


def test_overdue_scrapes_count_as_no_data() -> None:
    assert "40 s old" in verdict(SUCCESS, note="the newest sample is 40 s old")[1]


def test_the_workload_decides_where_it_is_given() -> None:
    side = MetricSide("v2", "2.0", "orders-v2")
    assert side.owns({"destination_workload": "orders-v2", "destination_version": "x"})
    assert not side.owns({"destination_workload": "orders", "destination_version": "2.0"})
    assert MetricSide("v2", "2.0").owns({"destination_version": "2.0"})


def test_nothing_before_the_run_counts() -> None:
    early = Increase(BAD.labels, 1000, START - 5, START + 5)
    assert verdict(SUCCESS, early, GOOD)[0] == "pass"


def test_m13_a_pass_is_of_the_step_s_own_requests_and_a_failure_of_the_run_s() -> None:
    def of(code: str, begin: float) -> str:
        analysis = Analysis(
            [SUCCESS], TARGET, Traffic([Increase({**GOOD.labels, "response_code": code}, 1000, begin)]), START
        )
        analysis.enter(Stage())
        analysis.took_effect(START + 20)
        return analysis.round()[0].judgement.verdict

    assert of("200", START + 19) == "no_data"
    assert of("200", START + 20) == "pass"
    assert of("500", START + 19) == "fail"


def test_a_step_of_little_traffic_may_show_less_and_the_last_ones_together_must_show_all() -> None:
    few = [requests("v2", "200", 30)]
    analysis = Analysis([SUCCESS], TARGET, Traffic(few), START)
    analysis.enter(Stage(relax=10, last=frozenset()))
    analysis.took_effect(START)
    assert analysis.round()[0].judgement.verdict == "pass"
    strict = Rates(promotion=0.001)
    # 99.9 % sure takes some 860 good requests, all of which may be of two steps.
    for steps, expected in (((500, 500), "pass"), ((200, 200), "inconclusive"), ((1000, 10), "inconclusive")):
        rounds = [[requests("v2", "200", amount)] for amount in steps]
        analysis = Analysis([SUCCESS], TARGET, Traffic(*rounds), START, rates=strict)
        for place in range(2):
            analysis.enter(Stage(last=frozenset({"limit"} if place else ())))
            analysis.took_effect(START)
            last = analysis.round()[0].judgement.verdict
        assert last == expected, steps


def test_the_guard_compares_with_the_time_before_the_run() -> None:
    metric = Metric("whole-service-errors", compare=Compare(max_delta=1), window=30)
    for before, expected in (
        ([requests("v1", "200", 1000)], "fail"),
        ([requests("v1", "200", 900), requests("v1", "500", 100)], "pass"),
        ([], "pass"),
    ):
        source = Traffic([GOOD, requests("v1", "500", 80)])
        source.before = before
        (measurement,) = Analysis([metric], TARGET, source, START).round()
        assert measurement.judgement.verdict == expected, measurement.judgement
        assert source.asked_before == (START - 30, START)
