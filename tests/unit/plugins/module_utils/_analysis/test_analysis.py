# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What many looks come to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Analysis, run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import AnalysisFailure, Metric
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Increase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import SourceFailure

from .test_metric import BAD, GOOD, GUARD, LATENCY, START, SUCCESS, TARGET, Traffic, outcome, requests

DOWN = SourceFailure("does not answer")
FEW = requests("v2", "200", 100)
TOLERANT = Metric("x", query="x", maximum=1, failure_limit=1)


@pytest.mark.parametrize(
    ("metrics", "rounds", "expected"),
    [
        ([SUCCESS], [[GOOD], [GOOD]], ("pass", True, False, 2)),
        ([SUCCESS], [[BAD], [GOOD]], ("fail", False, True, 1)),
        ([SUCCESS], [[GOOD], [BAD], [GOOD]], ("fail", False, True, 2)),
        ([SUCCESS], [[]], ("no_data", False, False, 1)),
        ([SUCCESS], [[FEW]], ("inconclusive", False, False, 1)),
        ([SUCCESS], [[FEW]] * 9, ("pass", True, False, 9)),
        # Traffic that stops takes nothing away from what was shown.
        ([SUCCESS], [[GOOD], []], ("pass", True, False, 2)),
        ([SUCCESS], [DOWN], ("error", False, False, 1)),
        ([SUCCESS], [[GOOD], DOWN], ("error", False, False, 2)),
        ([SUCCESS], [DOWN, [GOOD]], ("pass", True, False, 2)),
        # M19: an unavailable Prometheus is not a reason to roll back.
        ([SUCCESS], [DOWN] * 9, ("error", False, False, 9)),
        ([SUCCESS, GUARD], [[GOOD, requests("unknown", "503", 500)]], ("fail", False, True, 1)),
        ([SUCCESS, LATENCY], [[GOOD]], ("no_data", False, False, 1)),
        ([SUCCESS, GUARD], [[GOOD]], ("pass", True, False, 1)),
    ],
)
def test_what_looks_come_to(metrics: Any, rounds: Any, expected: Any) -> None:
    assert outcome(metrics, *rounds) == expected


def test_b6_one_failure_that_stays_in_sight_is_one_failure() -> None:
    """Of a service with 99.9 %, over and over."""
    rounds = [
        [requests("v2", "200", 60), *([requests("v2", "500", 1)] if place % 15 == 3 else [])] for place in range(60)
    ]
    assert not outcome([SUCCESS], *rounds)[2]


def test_values_of_a_query_fail_beyond_their_limit() -> None:
    source = Traffic([], values={"x": 5.0})
    analysis = Analysis([TOLERANT], TARGET, source)
    analysis.round()
    assert (analysis.outcome().verdict, "allows 0 more" in analysis.outcome().reason) == ("inconclusive", True)
    again = Analysis([TOLERANT], TARGET, source, tallies=analysis.tallies)
    again.round()
    assert again.outcome().should_roll_back


def test_how_long_nothing_could_be_measured() -> None:
    source = Traffic([GOOD])
    analysis = Analysis([SUCCESS, LATENCY], TARGET, source, START)
    source.durations = lambda *__: (entry for entry in ()).throw(DOWN)  # type: ignore[method-assign]
    for expected in (0, 10, 20):
        analysis.round()
        assert (analysis.outcome().verdict, analysis.outcome().blind) == ("error", expected)
    del source.durations
    analysis.round()
    assert analysis.outcome().blind == 0


def test_evidence_counts_over_several_calls() -> None:
    some = [requests("v2", "200", 100), requests("v2", "500", 8)]
    first = Analysis([SUCCESS], TARGET, Traffic(some), START)
    first.round()
    assert first.outcome().verdict == "inconclusive"
    assert Analysis([SUCCESS], TARGET, Traffic(some), START).round()[0].judgement.verdict == "inconclusive"
    second = Analysis(
        [SUCCESS], TARGET, Traffic([Increase(e.labels, e.amount, START + 10) for e in some]), START, first.tallies
    )
    assert second.round()[0].judgement.verdict == "fail"
    with pytest.raises(AnalysisFailure, match="not that of an earlier call"):
        Analysis([SUCCESS], TARGET, Traffic([]), tallies={"request-success-rate": {"limit": {"blocks": 1}}})


def test_it_is_waited_for_evidence_but_not_for_ever() -> None:
    ticks = iter(range(100))
    source = Traffic([], [FEW], [GOOD])
    analysis = Analysis([SUCCESS], TARGET, source, START)
    result = run(analysis, source, 1, 1, no_data_timeout=50, sleep=lambda __: None, clock=lambda: float(next(ticks)))
    assert (result.verdict, len(analysis.measurements)) == ("pass", 3)
    source = Traffic([])
    result = run(Analysis([SUCCESS], TARGET, source), source, 1, 1, 5, lambda __: None, lambda: float(next(ticks)))
    assert result.verdict == "no_data"


def test_two_metrics_of_a_name_are_counted_apart() -> None:
    analysis = Analysis([LATENCY, Metric("request-duration", maximum=50, percentile=50)], TARGET, Traffic([]))
    assert list(analysis.tallies) == ["request-duration", "request-duration#2"]


@pytest.mark.parametrize("beside", [[], [SUCCESS]])
def test_the_guards_window_is_only_that_before_the_run(beside: list[Metric]) -> None:
    guard = replace(GUARD, window=300)
    old = [Increase(entry.labels, entry.amount, START - 100) for entry in (BAD, requests("unknown", "503", 500))]
    analysis = Analysis([*beside, guard], TARGET, Traffic([GOOD, *old]))
    analysis.round()
    assert analysis.outcome().verdict == "pass"


def test_a_report_is_plain_data() -> None:
    (measurement,) = Analysis([SUCCESS], TARGET, Traffic([requests("v2", "200", 100)]), START).round()
    report = measurement.report()
    assert report["value"] == 100
    assert report["at"] == "1970-01-01T00:16:50.000Z"
    assert report["samples"] == 100
    # 100 requests in 10 s.
    assert report["requests_left"] / 10 == pytest.approx(report["seconds_left"])
