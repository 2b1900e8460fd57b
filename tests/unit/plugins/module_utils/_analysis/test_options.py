# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of an analysis, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import moment
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.given import guard_of, metric_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    AnalysisFailure,
    Compare,
    Metric,
)

GIVEN = {
    "name": "request-success-rate",
    "window": "1m",
    "threshold_range": {"min": 99.0, "max": None, "margin": 0.0},
    "compare": None,
    "percentile": 99.0,
    "min_samples": None,
    "no_data": None,
    "failure_limit": None,
    "reporter": "source",
    "error_codes": "",
    "query": "",
    "samples_query": "",
}
BESIDE_GIVEN = {"max_ratio": 2.0, "max_delta": None, "margin": 1.0, "without_baseline": "ignore"}


def limits(minimum: float | None = None, maximum: float | None = None, margin: float = 0) -> dict[str, Any]:
    return {"threshold_range": {"min": minimum, "max": maximum, "margin": margin}}


def test_options_of_a_metric() -> None:
    assert metric_of(GIVEN, "prometheus") == Metric("request-success-rate", window=60, minimum=99)
    assert metric_of({**GIVEN, "compare": BESIDE_GIVEN}, "envoy").compare == Compare(2, None, 1, True)
    query = metric_of({**GIVEN, "name": "mine", "query": "up", "min_samples": 3}, "prometheus")
    assert (query.min_samples, query.no_data, query.failure_limit) == (3, "wait", 0)


@pytest.mark.parametrize(
    ("change", "provider", "message"),
    [
        ({"threshold_range": None}, "prometheus", "could never fail"),
        (limits(0.99), "prometheus", "in percent. Did you mean 99"),
        (limits(100), "prometheus", "no number of requests can show"),
        (limits(99, 100), "prometheus", "threshold_range.max does not apply"),
        (limits(99, margin=-1), "prometheus", "margin must be 0 or more"),
        ({"query": "up"}, "prometheus", "built in and takes no query"),
        ({"name": "mine"}, "prometheus", "needs a query"),
        ({"name": "mine", "query": "up"}, "envoy", "needs provider prometheus"),
        ({"reporter": "waypoint"}, "envoy", "reporter waypoint needs provider prometheus"),
        ({"window": "soon"}, "prometheus", "window is 'soon'"),
        ({"window": "0s"}, "prometheus", "window is '0s'"),
        ({"name": "request-duration", **limits(maximum=500), "percentile": 100}, "prometheus", "percentile"),
        ({"name": "request-duration", **limits(), "compare": BESIDE_GIVEN}, "prometheus", "max is missing"),
        ({"error_codes": "5[("}, "prometheus", "not a valid regular expression"),
        ({"name": "traffic-share", "compare": BESIDE_GIVEN}, "prometheus", "already compares canary and stable"),
        ({"compare": {**BESIDE_GIVEN, "max_ratio": None}}, "prometheus", "neither max_ratio nor max_delta"),
        ({"compare": {**BESIDE_GIVEN, "max_ratio": 0.5}}, "prometheus", "max_ratio must be 1 or more"),
        # What counted looks is refused where the evidence decides.
        ({"failure_limit": 1}, "prometheus", "failure_limit is for metrics with a query"),
        ({"min_samples": 20}, "prometheus", "min_samples is for metrics with a query"),
        ({"no_data": "pass"}, "prometheus", "no_data is for metrics with a query"),
    ],
)
def test_options_that_contradict_themselves(change: Any, provider: str, message: str) -> None:
    with pytest.raises(AnalysisFailure, match=message):
        metric_of({**GIVEN, **change}, provider)


def test_options_of_the_guard() -> None:
    given = {"window": "5m", "error_codes": "", "max_error_rate": None, "max_increase": 1.0}
    at_waypoint = metric_of({**GIVEN, "reporter": "waypoint"}, "prometheus")
    assert guard_of(given, "prometheus", 5.0, [at_waypoint]).reporter == "waypoint"
    assert guard_of(given, "prometheus", 5.0, [metric_of(GIVEN, "prometheus")]).reporter == "source"
    assert guard_of(given, "prometheus", 5.0).compare == Compare(max_delta=1)
    for provider, since in (("envoy", 5.0), ("prometheus", None)):
        with pytest.raises(AnalysisFailure, match="time before the run"):
            guard_of(given, provider, since)
    with pytest.raises(AnalysisFailure, match="neither"):
        guard_of({**given, "max_increase": None}, "prometheus", 5.0)
    with pytest.raises(AnalysisFailure, match="above 0 and below 100"):
        guard_of({**given, "max_error_rate": 0.0}, "prometheus", 5.0)


def test_moments() -> None:
    assert moment("") is None
    assert moment("1700000000.5") == 1700000000.5
    assert moment("2023-11-14T22:13:20Z") == 1700000000
    for wrong in ("yesterday", "2023-11-14T22:13:20"):
        with pytest.raises(AnalysisFailure):
            moment(wrong)
