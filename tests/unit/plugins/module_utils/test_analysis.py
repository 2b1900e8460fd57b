# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts of an analysis."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import (
    AnalysisFailure,
    Compare,
    Metric,
    Reading,
    guard_of,
    judge,
    metric_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_measure import Side, Target, measure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_run import Analysis, Tally, moment, run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_series import (
    Counts,
    Increase,
    SourceFailure,
    Window,
)

TARGET = Target("orders", "shop", stable=Side("v1", "v1"), canary=Side("v2", "v2"))
SUCCESS = Metric("request-success-rate", minimum=99)
LATENCY = Metric("request-duration", maximum=500)
SHARE = Metric("traffic-share", minimum=12)
GUARD = Metric("whole-service-errors", maximum=1)
GRPC = Metric("grpc-success-rate", minimum=99)


def requests(version: str, code: str, amount: float, **labels: str) -> Increase:
    return Increase({"destination_version": version, "response_code": code, **labels}, amount)


def grpc(version: str, status: str, amount: float, code: str = "200") -> Increase:
    return requests(version, code, amount, request_protocol="grpc", grpc_response_status=status)


def buckets(version: str, **counts: float) -> list[Increase]:
    """buckets("v2", _100=10, _Inf=12): cumulative counts by upper bound."""
    return [
        Increase({"destination_version": version, "le": bound[1:].replace("Inf", "+Inf")}, count)
        for bound, count in counts.items()
    ]


class Traffic:
    """A source that says what it is told, round by round."""

    def __init__(self, *rounds: list[Increase] | Exception, note: str = "", values: Any = None) -> None:
        self.rounds, self.note, self.values = list(rounds), note, values or {}
        self.windows: list[Window] = []
        self.now = 1000.0

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

    def requests(self, window: Window, reporter: str) -> Counts:
        self.windows.append(window)
        assert not isinstance(self.current, Exception)
        return Counts(tuple(self.current), window.seconds, "query", self.note)

    def durations(self, window: Window, reporter: str) -> Counts:
        counts = self.requests(window, reporter)
        return Counts(tuple(entry for entry in counts.increases if "le" in entry.labels), counts.seconds, "query")

    def value(self, query: str) -> float | None:
        found = self.values[query]
        if isinstance(found, Exception):
            raise found
        return found


def verdict(metric: Metric, *traffic: Increase, **options: Any) -> tuple[str, str]:
    """Of one measurement, and why."""
    analysis = Analysis([metric], TARGET, Traffic(list(traffic), **options))
    (measurement,) = analysis.round()
    return measurement.judgement.verdict, measurement.judgement.reason


def outcome(metrics: list[Metric], *rounds: list[Increase] | Exception, **options: Any) -> tuple[str, bool, bool, int]:
    """Verdict, promote, roll back, and how many rounds it took."""
    source = Traffic(*rounds)
    analysis = Analysis(metrics, TARGET, source, **options)
    result = run(analysis, source, len(rounds), 1, sleep=lambda __: None)
    rounds_made = len(analysis.measurements) // len(metrics)
    return result.verdict, result.should_promote, result.should_roll_back, rounds_made


# ---------------------------------------------------------------------------------------------------------------------
# One measurement

GOOD, BAD = requests("v2", "200", 100), requests("v2", "500", 100)


@pytest.mark.parametrize(
    ("metric", "traffic", "expected", "words"),
    [
        (SUCCESS, [GOOD], "pass", "100 % of 100 requests over 30 s (at least 99 %)"),
        (SUCCESS, [BAD], "fail", "is 0 % of 100 requests over 30 s, below 99 %"),
        (SUCCESS, [GOOD, BAD], "fail", "50 % of 200"),
        (SUCCESS, [requests("v2", "0", 5), GOOD], "fail", "95.238 %"),
        (SUCCESS, [requests("v2", "404", 100)], "pass", "100 %"),
        (SUCCESS, [], "no_data", "no counter names version v2"),
        (SUCCESS, [requests("v2", "200", 0)], "no_data", "v2 had no request"),
        (SUCCESS, [requests("v1", "200", 100)], "no_data", "no counter names version v2"),
        (SUCCESS, [requests("v2", "500", 19)], "no_data", "19 requests over 30 s, and min_samples asks for 20"),
        (Metric("request-success-rate", minimum=99, min_samples=0), [], "no_data", "no counter"),
        (Metric("request-success-rate", minimum=99, no_data="fail"), [], "fail", "(no_data: fail)"),
        (Metric("request-success-rate", minimum=99, no_data="pass"), [], "pass", "(no_data: pass)"),
        (Metric("request-success-rate", minimum=99, no_data="inconclusive"), [], "inconclusive", "no_data: inc"),
        (Metric("request-success-rate", minimum=99, error_codes="[45].."), [requests("v2", "404", 90)], "fail", "0 %"),
        # gRPC fails with HTTP 200.
        (GRPC, [grpc("v2", "0", 100)], "pass", "100 %"),
        (GRPC, [grpc("v2", "0", 50), grpc("v2", "14", 50)], "fail", "50 %"),
        (GRPC, [grpc("v2", "5", 100)], "pass", "100 %"),
        (GRPC, [grpc("v2", "", 100, code="503")], "fail", "0 %"),
        (GRPC, [GOOD], "no_data", "no gRPC request"),
        (LATENCY, buckets("v2", _100=99, _500=100, _Inf=100), "pass", "100 ms of 100"),
        (LATENCY, buckets("v2", _100=0, _2500=100, _Inf=100), "fail", "2476 ms"),
        (LATENCY, buckets("v2", _100=0, _1000=0, _Inf=100), "fail", "more than 1000 ms"),
        (LATENCY, buckets("v2", _100=0, _500=0, _Inf=100), "fail", "more than 500 ms"),
        (LATENCY, buckets("v2", _100=0, _250=0, _Inf=100), "inconclusive", "no bucket beyond"),
        (LATENCY, buckets("v2", _100=0, _Inf=0), "no_data", "v2 had no request"),
        # Answers that do not come are nobody's failures yet.
        (SHARE, [requests("v1", "200", 75), requests("v2", "200", 25)], "pass", "25 %"),
        (SHARE, [requests("v1", "200", 75)], "fail", "0 %"),
        (SHARE, [], "no_data", "neither side"),
        # Requests that found no pod belong to no version.
        (GUARD, [GOOD, requests("unknown", "503", 50)], "fail", "33.333 % of 150"),
        (GUARD, [GOOD], "pass", "0 %"),
    ],
)
def test_a_measurement(metric: Metric, traffic: list[Increase], expected: str, words: str) -> None:
    found, reason = verdict(metric, *traffic)
    assert found == expected, reason
    assert words in reason


@pytest.mark.parametrize(
    ("compare", "stable", "expected", "words"),
    [
        (Compare(max_delta=1), [requests("v1", "200", 900)], "fail", "worse by 5 %"),
        (Compare(max_delta=6), [requests("v1", "200", 900)], "pass", ""),
        (Compare(max_ratio=2), [requests("v1", "200", 970), requests("v1", "500", 30)], "pass", ""),
        (Compare(max_ratio=2), [requests("v1", "200", 990), requests("v1", "500", 10)], "fail", "5 times its failures"),
        # No failure in 20 requests is no proof of less than one.
        (Compare(max_ratio=1), [requests("v1", "200", 20)], "pass", ""),
        (Compare(max_ratio=1), [requests("v1", "200", 19)], "no_data", "19 requests, min_samples asks for 20"),
        (Compare(max_ratio=1), [], "no_data", "no baseline"),
        (Compare(max_ratio=1, optional=True), [], "pass", ""),
    ],
)
def test_a_comparison_with_the_stable_side(compare: Compare, stable: Any, expected: str, words: str) -> None:
    metric = Metric("request-success-rate", minimum=90, compare=compare)
    found, reason = verdict(metric, requests("v2", "200", 95), requests("v2", "500", 5), *stable)
    assert found == expected, reason
    assert words in reason


def test_a_failed_threshold_needs_no_baseline() -> None:
    assert verdict(Metric("request-success-rate", minimum=99, compare=Compare(max_ratio=1)), BAD)[0] == "fail"


def test_latency_is_compared_as_it_is() -> None:
    metric = Metric("request-duration", percentile=90, compare=Compare(max_ratio=1.5))
    slow, quick = buckets("v2", _100=0, _200=100, _Inf=100), buckets("v1", _100=100, _200=100, _Inf=100)
    assert "2.1111 times its request-duration p90" in verdict(metric, *slow, *quick)[1]
    assert verdict(metric, *quick, *buckets("v2", _100=100, _Inf=100))[0] == "pass"
    nothing = Reading(5, 100, baseline=0, baseline_samples=100)
    assert judge(Metric("errors", query="q", compare=Compare(max_ratio=2)), nothing).verdict == "fail"


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
    found, reason = verdict(metric, values={'sum(x{v="v2",c!~"5..$"}[30000ms])': value})
    assert found == expected
    assert words in reason


def test_a_custom_query_has_samples_and_a_baseline_if_asked() -> None:
    metric = Metric("x", query="x($version)", samples_query="n($version)", compare=Compare(max_delta=1))
    values = {"x(v2)": 3.0, "n(v2)": 50.0, "x(v1)": 1.0, "n(v1)": 50.0}
    assert verdict(metric, values=values)[0] == "fail"
    assert verdict(metric, values={**values, "n(v2)": None})[0] == "no_data"
    assert verdict(metric, values={**values, "n(v1)": 3.0})[0] == "no_data"


def test_overdue_scrapes_are_no_data_whatever_they_said() -> None:
    assert verdict(SUCCESS, GOOD, note="the newest sample is 40 s old")[0] == "no_data"
    assert verdict(GUARD, GOOD, note="the newest sample is 40 s old")[0] == "no_data"


def test_the_workload_decides_where_it_is_given_and_the_subset_where_a_proxy_says_it() -> None:
    side = Side("v2", "2.0", "orders-v2")
    assert side.owns({"destination_workload": "orders-v2", "destination_version": "x"})
    assert not side.owns({"destination_workload": "orders", "destination_version": "2.0"})
    assert side.owns({"subset": "v2"})
    assert Side("v2", "2.0").owns({"destination_version": "2.0"})


def test_nothing_before_the_run_is_looked_at() -> None:
    source = Traffic([GOOD])
    Analysis([SUCCESS], TARGET, source, since=1005).round()
    assert source.windows == [Window(1005, 1010, since=1005)]
    (early,) = Analysis([SUCCESS], TARGET, Traffic([GOOD]), since=2000).round()
    assert early.judgement.verdict == "no_data"


def test_the_guard_compares_with_the_time_before_the_run() -> None:
    metric = Metric("whole-service-errors", compare=Compare(max_delta=1))
    source = Traffic([GOOD])
    Analysis([metric], TARGET, source, since=900).round()
    assert source.windows == [Window(980, 1010, since=900), Window(870, 900)]
    source.current = [GOOD, BAD]
    reading = measure(metric, TARGET, source, 1010)
    assert judge(metric, reading).verdict == "no_data", "without since there is no time before"


# ---------------------------------------------------------------------------------------------------------------------
# Many measurements

TOLERANT = Metric("request-success-rate", minimum=99, failure_limit=1)
CRITICAL = Metric("request-success-rate", minimum=99, failure_limit=9, critical=True)
DOWN = SourceFailure("does not answer")


@pytest.mark.parametrize(
    ("metrics", "rounds", "expected"),
    [
        ([SUCCESS], [[GOOD], [GOOD]], ("pass", True, False, 2)),
        ([SUCCESS], [[BAD], [GOOD]], ("fail", False, True, 1)),
        ([TOLERANT], [[BAD], [GOOD]], ("pass", True, False, 2)),
        ([TOLERANT], [[GOOD], [BAD]], ("inconclusive", False, False, 2)),
        ([TOLERANT], [[BAD], [GOOD], [BAD], [GOOD]], ("fail", False, True, 3)),
        ([CRITICAL], [[BAD], [GOOD]], ("fail", False, True, 1)),
        ([SUCCESS], [[]], ("no_data", False, False, 1)),
        # Traffic that stops is no evidence of anything.
        ([SUCCESS], [[GOOD], []], ("no_data", False, False, 2)),
        ([SUCCESS], [DOWN], ("error", False, False, 1)),
        ([SUCCESS], [[GOOD], DOWN], ("error", False, False, 2)),
        ([SUCCESS], [DOWN, [GOOD]], ("pass", True, False, 2)),
        ([SUCCESS], [DOWN] * 9, ("error", False, True, 5)),
        ([SUCCESS], [DOWN, DOWN, DOWN, DOWN, [GOOD], DOWN], ("error", False, False, 6)),
        ([SUCCESS, GUARD], [[GOOD, requests("unknown", "503", 50)]], ("fail", False, True, 1)),
        ([SUCCESS, LATENCY], [[GOOD]], ("no_data", False, False, 1)),
        ([SUCCESS, GUARD], [[GOOD]], ("pass", True, False, 1)),
    ],
)
def test_what_measurements_come_to(metrics: Any, rounds: Any, expected: Any) -> None:
    assert outcome(metrics, *rounds) == expected


def test_limits_hold_over_several_calls() -> None:
    earlier = {"request-success-rate": Tally(passes=3, failures=1)}
    assert outcome([TOLERANT], [BAD], tallies=earlier)[0] == "fail"
    earlier = {"request-success-rate": Tally(errors_in_a_row=4)}
    assert outcome([SUCCESS], DOWN, tallies=earlier) == ("error", False, True, 1)


def test_it_is_waited_for_data_but_not_for_ever() -> None:
    ticks = iter(range(100))
    source = Traffic([], [], [GOOD])
    analysis = Analysis([SUCCESS], TARGET, source)
    result = run(analysis, source, 1, 1, no_data_timeout=50, sleep=lambda __: None, clock=lambda: float(next(ticks)))
    assert (result.verdict, len(analysis.measurements)) == ("pass", 3)
    source = Traffic([])
    result = run(Analysis([SUCCESS], TARGET, source), source, 1, 1, 5, lambda __: None, lambda: float(next(ticks)))
    assert result.verdict == "no_data"


def test_two_metrics_of_a_name_are_counted_apart() -> None:
    analysis = Analysis([LATENCY, Metric("request-duration", maximum=50, percentile=50)], TARGET, Traffic([]))
    assert list(analysis.tallies) == ["request-duration", "request-duration#2"]


def test_a_report_is_plain_data() -> None:
    (measurement,) = Analysis([SUCCESS], TARGET, Traffic([GOOD])).round()
    report = measurement.report()
    assert report["value"] == 100
    assert report["at"] == "1970-01-01T00:16:50.000Z"
    assert report["samples"] == 100


# ---------------------------------------------------------------------------------------------------------------------
# Options

GIVEN = {
    "name": "request-success-rate",
    "window": "1m",
    "threshold_range": {"min": 99.0, "max": None},
    "compare": None,
    "percentile": 99.0,
    "min_samples": 20,
    "no_data": "wait",
    "failure_limit": 0,
    "consecutive_error_limit": 4,
    "critical": False,
    "reporter": "source",
    "error_codes": "",
    "query": "",
    "samples_query": "",
}


def test_options_of_a_metric() -> None:
    assert metric_of(GIVEN, "prometheus") == Metric("request-success-rate", window=60, minimum=99)
    compare = {"max_ratio": 2.0, "max_delta": None, "without_baseline": "ignore"}
    assert metric_of({**GIVEN, "compare": compare}, "envoy").compare == Compare(2, None, True)


@pytest.mark.parametrize(
    ("change", "provider", "message"),
    [
        ({"threshold_range": None}, "prometheus", "could never fail"),
        ({"threshold_range": {"min": 0.99, "max": None}}, "prometheus", "in percent: was 99 meant"),
        ({"query": "up"}, "prometheus", "built in and takes no query"),
        ({"name": "mine"}, "prometheus", "needs a query"),
        ({"name": "mine", "query": "up"}, "envoy", "needs the provider prometheus"),
        ({"reporter": "destination"}, "envoy", "needs the provider prometheus"),
        ({"window": "soon"}, "prometheus", "window is 'soon'"),
        ({"window": "0s"}, "prometheus", "window is '0s'"),
        ({"percentile": 100}, "prometheus", "percentile"),
        ({"error_codes": "5[("}, "prometheus", "no regular expression"),
        (
            {"name": "traffic-share", "compare": {"max_ratio": 2, "max_delta": None, "without_baseline": "ignore"}},
            "prometheus",
            "itself a comparison",
        ),
    ],
)
def test_options_that_contradict_themselves(change: Any, provider: str, message: str) -> None:
    with pytest.raises(AnalysisFailure, match=message):
        metric_of({**GIVEN, **change}, provider)


def test_options_of_the_guard() -> None:
    given = {**GIVEN, "max_error_rate": None, "max_increase": 1.0}
    assert guard_of(given, "prometheus", 5.0).compare == Compare(max_delta=1)
    for provider, since in (("envoy", 5.0), ("prometheus", None)):
        with pytest.raises(AnalysisFailure, match="time before the run"):
            guard_of(given, provider, since)
    with pytest.raises(AnalysisFailure, match="neither"):
        guard_of({**given, "max_increase": None}, "prometheus", 5.0)


def test_moments() -> None:
    assert moment("") is None
    assert moment("1700000000.5") == 1700000000.5
    assert moment("2023-11-14T22:13:20Z") == 1700000000
    for wrong in ("yesterday", "2023-11-14T22:13:20"):
        with pytest.raises(AnalysisFailure):
            moment(wrong)
