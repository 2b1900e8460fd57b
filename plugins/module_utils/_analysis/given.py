# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A metric from the options, and the refusal of one that could never be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    BUILT_IN,
    DURATION,
    GRPC,
    GUARD,
    SHARE,
    SOURCE,
    SUCCESS,
    WAYPOINT,
    AnalysisFailure,
    Compare,
    Metric,
    number,
    seconds,
)

# Options that count measurements of a query. Metrics of requests are judged by the evidence.
_OF_QUERIES: dict[str, Any] = {"min_samples": 20, "no_data": "wait", "failure_limit": 0}


def metric_of(given: Mapping[str, Any], provider: str) -> Metric:
    """A metric from the module's options. Raises AnalysisFailure if it could never fail, or never be measured."""
    name, limits, compare = given["name"], given.get("threshold_range") or {}, given.get("compare") or {}
    where = f"metrics: {name}"
    if (name in BUILT_IN) == bool(given["query"]):
        raise AnalysisFailure(
            f"{where} is built in and takes no query: rename it."
            if given["query"]
            else f"{where} is not built in ({', '.join(BUILT_IN)}), so it needs a query."
        )
    _refuse_counting(given, where)
    metric = Metric(
        name=name,
        window=seconds(given["window"], f"{where}: window"),
        minimum=limits.get("min"),
        maximum=limits.get("max"),
        margin=limits.get("margin") or 0,
        compare=_compare(compare) if compare else None,
        percentile=given["percentile"],
        reporter=given["reporter"],
        error_codes=given["error_codes"] or "",
        query=given["query"] or "",
        samples_query=given["samples_query"] or "",
        **{key: default if given[key] is None else given[key] for key, default in _OF_QUERIES.items()},
    )
    if provider == "envoy" and metric.query:
        raise AnalysisFailure(f"{where}: a query needs provider prometheus.")
    if provider == "envoy" and metric.reporter == WAYPOINT:
        raise AnalysisFailure(f"{where}: reporter waypoint needs provider prometheus: waypoints are not read directly.")
    if not metric.threshold:
        raise AnalysisFailure(f"{where} has neither threshold_range nor compare, so it could never fail.")
    if not metric.query:
        _refuse_unprovable(metric, where)
    try:
        re.compile(metric.error_codes)
    except re.error as error:
        raise AnalysisFailure(f"{where}: error_codes is not a valid regular expression: {error}") from error
    return metric


def _compare(given: Mapping[str, Any]) -> Compare:
    return Compare(given["max_ratio"], given["max_delta"], given["margin"], given["without_baseline"] == "ignore")


def _refuse_counting(given: Mapping[str, Any], where: str) -> None:
    extra = [key for key in _OF_QUERIES if given[key] is not None]
    if extra and not given["query"]:
        raise AnalysisFailure(
            f"{where}: {extra[0]} is for metrics with a query. Requests are judged by the evidence, with "
            "rollback_error_rate and promotion_error_rate: remove it."
        )


def _refuse_unprovable(metric: Metric, where: str) -> None:
    if metric.name == SHARE and metric.compare:
        raise AnalysisFailure(f"{where} already compares canary and stable: use threshold_range.")
    unfit = "minimum" if metric.name == DURATION else "maximum"
    if getattr(metric, unfit) is not None:
        raise AnalysisFailure(f"{where}: threshold_range.{unfit[:3]} does not apply: remove it.")
    if metric.name == DURATION and metric.maximum is None:
        raise AnalysisFailure(f"{where}: threshold_range.max is missing: set the milliseconds of a slow request.")
    if metric.name == DURATION and not 0 < metric.percentile < 100:
        raise AnalysisFailure(f"{where}: percentile must be between 0 and 100.")
    if metric.name in (SUCCESS, GRPC) and metric.minimum is not None and 0 < metric.minimum <= 1:
        raise AnalysisFailure(
            f"{where}: threshold_range.min is {number(metric.minimum)}, but the rate is in percent. Did you mean "
            f"{number(metric.minimum * 100)}?"
        )
    if metric.minimum is not None and not 0 < metric.minimum < 100:
        raise AnalysisFailure(
            f"{where}: threshold_range.min is {number(metric.minimum)}, which no number of requests can show: set a "
            "percentage above 0 and below 100, such as 99.9."
        )
    if metric.margin < 0 or (metric.compare and metric.compare.margin < 0):
        raise AnalysisFailure(f"{where}: margin must be 0 or more.")
    if metric.compare and metric.compare.max_ratio is not None and metric.compare.max_ratio < 1:
        raise AnalysisFailure(f"{where}: compare.max_ratio must be 1 or more.")
    if metric.compare and metric.compare.max_delta is None and metric.compare.max_ratio is None:
        raise AnalysisFailure(f"{where}: compare has neither max_ratio nor max_delta, so it could never fail.")


def guard_of(given: Mapping[str, Any], provider: str, since: float | None, metrics: Sequence[Metric] = ()) -> Metric:
    """The guard of the whole service, as a metric of its own. ``metrics``: the others."""
    limit, increase = given["max_error_rate"], given["max_increase"]
    if limit is None and increase is None:
        raise AnalysisFailure("whole_service_guard has neither max_error_rate nor max_increase.")
    if limit is not None and not 0 < limit < 100:
        raise AnalysisFailure("whole_service_guard: max_error_rate must be a percentage above 0 and below 100.")
    if increase is not None and (provider == "envoy" or since is None):
        raise AnalysisFailure(
            "whole_service_guard: max_increase compares with the time before the run, which needs since and provider "
            "prometheus. max_error_rate needs neither."
        )
    return Metric(
        name=GUARD,
        window=seconds(given["window"], "whole_service_guard: window"),
        maximum=limit,
        # In ambient mode, clients have no counters.
        reporter=WAYPOINT if any(metric.reporter == WAYPOINT for metric in metrics) else SOURCE,
        compare=None if increase is None else Compare(max_delta=increase),
        error_codes=given["error_codes"] or "",
    )
