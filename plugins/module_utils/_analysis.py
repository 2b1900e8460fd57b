# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is measured, against what, and the verdict on one measurement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PASS, FAIL, NO_DATA, ERROR, INCONCLUSIVE = VERDICTS = ("pass", "fail", "no_data", "error", "inconclusive")

SUCCESS, DURATION, GRPC, SHARE = BUILT_IN = (
    "request-success-rate",
    "request-duration",
    "grpc-success-rate",
    "traffic-share",
)
GUARD = "whole-service-errors"
# 0: the client went away, or the proxy did, before there was an answer.
_HTTP_FAILURES = r"5..|0"
# What OpenTelemetry takes for a server's fault: unknown, deadline exceeded, unimplemented, internal, unavailable, data
# loss.
_GRPC_FAILURES = "2|4|12|13|14|15"
_UNITS = {SUCCESS: " %", GRPC: " %", SHARE: " %", GUARD: " %", DURATION: " ms"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


class AnalysisFailure(Exception):
    """The analysis cannot be made as it is asked for."""


@dataclass(frozen=True)
class Compare:
    """Against the stable side, in the same window."""

    max_ratio: float | None = None
    max_delta: float | None = None
    # Whether a stable side without enough samples leaves the comparison out.
    optional: bool = False


@dataclass(frozen=True)
class Metric:
    name: str
    window: float = 30
    minimum: float | None = None
    maximum: float | None = None
    percentile: float = 99
    compare: Compare | None = None
    min_samples: int = 20
    no_data: str = "wait"
    failure_limit: int = 0
    consecutive_error_limit: int = 4
    critical: bool = False
    reporter: str = "source"
    error_codes: str = ""
    query: str = ""
    samples_query: str = ""
    # Nothing before this moment counts, by this machine's clock; None leaves it to the analysis.
    since: float | None = None

    @property
    def title(self) -> str:
        """The name, and what tells apart two metrics of the same name."""
        return f"{self.name} p{self.percentile:g}" if self.name == DURATION else self.name

    @property
    def unit(self) -> str:
        return _UNITS.get(self.name, "")

    @property
    def failure_pattern(self) -> str:
        return self.error_codes or (_GRPC_FAILURES if self.name == GRPC else _HTTP_FAILURES)

    @property
    def threshold(self) -> str:
        """In words, for people."""
        parts = []
        if self.minimum is not None:
            parts.append(f"at least {_number(self.minimum)}{self.unit}")
        if self.maximum is not None:
            parts.append(f"at most {_number(self.maximum)}{self.unit}")
        if self.compare and self.compare.max_ratio is not None:
            what = "stable's failures" if self.name in (SUCCESS, GRPC) else "the baseline"
            parts.append(f"at most {_number(self.compare.max_ratio)} times {what}")
        if self.compare and self.compare.max_delta is not None:
            parts.append(f"at most {_number(self.compare.max_delta)}{self.unit} worse than the baseline")
        return ", ".join(parts)


@dataclass(frozen=True)
class Reading:
    """What was measured. ``value`` is None where nothing was; ``note`` says why."""

    value: float | None
    samples: int | None
    query: str = ""
    seconds: float = 0
    baseline: float | None = None
    baseline_samples: int | None = None
    # The value is a lower bound: it lies beyond the histogram's last bucket.
    open_ended: bool = False
    note: str = ""


@dataclass(frozen=True)
class Judgement:
    verdict: str
    reason: str


def seconds(text: Any, option: str) -> float:
    """ "30s", "1m", "500ms" or a number of seconds."""
    found = _DURATION.fullmatch(str(text).strip())
    if not found or not float(found[1]):
        raise AnalysisFailure(f"{option} is {text!r}, but has to be a time such as 30s, 1m or 500ms.")
    return float(found[1]) * _SECONDS[found[2]]


def metric_of(given: Mapping[str, Any], provider: str) -> Metric:
    """A metric as the module's options give it. Raises AnalysisFailure where it could never fail, or never be had."""
    name, limits, compare = given["name"], given.get("threshold_range") or {}, given.get("compare") or {}
    where = f"metrics: {name}"
    metric = Metric(
        name=name,
        window=seconds(given["window"], f"{where}: window"),
        minimum=limits.get("min"),
        maximum=limits.get("max"),
        compare=Compare(compare["max_ratio"], compare["max_delta"], compare["without_baseline"] == "ignore")
        if compare
        else None,
        **{
            key: given[key]
            for key in (
                "percentile",
                "min_samples",
                "no_data",
                "failure_limit",
                "consecutive_error_limit",
                "critical",
                "reporter",
            )
        },
        error_codes=given["error_codes"] or "",
        query=given["query"] or "",
        samples_query=given["samples_query"] or "",
    )
    if not metric.threshold:
        raise AnalysisFailure(f"{where} has neither threshold_range nor compare, so it could never fail.")
    if (name in BUILT_IN) == bool(metric.query):
        raise AnalysisFailure(
            f"{where} is built in and takes no query: give it another name."
            if metric.query
            else f"{where} is not built in ({', '.join(BUILT_IN)}), so it needs a query."
        )
    if provider == "envoy" and (metric.query or metric.reporter == "destination"):
        raise AnalysisFailure(f"{where}: a query or reporter destination needs the provider prometheus.")
    if name == SHARE and metric.compare:
        raise AnalysisFailure(f"{where} is itself a comparison of canary and stable: use threshold_range.")
    if name in (SUCCESS, GRPC) and metric.minimum is not None and 0 < metric.minimum <= 1:
        raise AnalysisFailure(
            f"{where}: threshold_range.min is {_number(metric.minimum)}, and the rate is in percent: was "
            f"{_number(metric.minimum * 100)} meant?"
        )
    if not 0 < metric.percentile < 100:
        raise AnalysisFailure(f"{where}: percentile has to be between 0 and 100.")
    try:
        re.compile(metric.error_codes)
    except re.error as error:
        raise AnalysisFailure(f"{where}: error_codes is no regular expression: {error}") from error
    return metric


def guard_of(given: Mapping[str, Any], provider: str, since: float | None) -> Metric:
    """The guard of the whole service, as a metric of its own."""
    limit, increase = given["max_error_rate"], given["max_increase"]
    if limit is None and increase is None:
        raise AnalysisFailure("whole_service_guard has neither max_error_rate nor max_increase.")
    if increase is not None and (provider == "envoy" or since is None):
        raise AnalysisFailure(
            "whole_service_guard: max_increase compares with the time before the run: it needs since and the provider "
            "prometheus. max_error_rate needs neither."
        )
    return Metric(
        name=GUARD,
        window=seconds(given["window"], "whole_service_guard: window"),
        maximum=limit,
        # With a limit of its own it need not have seen traffic before the run.
        compare=None if increase is None else Compare(max_delta=increase, optional=limit is not None),
        min_samples=given["min_samples"],
        no_data=given["no_data"],
        failure_limit=given["failure_limit"],
        error_codes=given["error_codes"] or "",
    )


def judge(metric: Metric, reading: Reading) -> Judgement:
    """The verdict on one measurement. What cannot be told is never a pass, unless no_data says so."""
    value = reading.value
    if value is None:
        return _without_data(metric, reading.note or "there is nothing to measure")
    over = f" over {reading.seconds:.3g} s" if reading.seconds else ""
    if reading.samples is not None and reading.samples < max(metric.min_samples, 1):
        return _without_data(
            metric, f"there are {reading.samples} requests{over}, and min_samples asks for {max(metric.min_samples, 1)}"
        )
    of = f" of {reading.samples} requests" if reading.samples is not None else ""
    more = "more than " if reading.open_ended else ""
    shown = f"{metric.title} is {more}{_number(value)}{metric.unit}{of}{over}"
    if metric.minimum is not None and value < metric.minimum:
        return Judgement(FAIL, f"{shown}, below {_number(metric.minimum)}{metric.unit}")
    if metric.maximum is not None and (value > metric.maximum or (reading.open_ended and value == metric.maximum)):
        return Judgement(FAIL, f"{shown}, above {_number(metric.maximum)}{metric.unit}")
    if metric.compare:
        worse = _compared(metric, metric.compare, reading, value, shown)
        if worse:
            return worse
    if reading.open_ended and (metric.maximum is not None or metric.compare):
        return Judgement(INCONCLUSIVE, f"{shown}: the histogram has no bucket beyond, so the limit cannot be checked")
    return Judgement(PASS, f"{shown} ({metric.threshold})")


def _compared(metric: Metric, compare: Compare, reading: Reading, value: float, shown: str) -> Judgement | None:
    """A verdict if the comparison gives one."""
    baseline, samples = reading.baseline, reading.baseline_samples
    few = samples is not None and samples < max(metric.min_samples, 1)
    if baseline is None or few:
        if compare.optional:
            return None
        count = "" if samples is None else f": {samples} requests, min_samples asks for {max(metric.min_samples, 1)}"
        return _without_data(metric, f"there is no baseline to compare with{count}")
    higher_is_better = metric.name in (SUCCESS, GRPC)
    worse_by = baseline - value if higher_is_better else value - baseline
    beside = f"{shown}, where the baseline is {_number(baseline)}{metric.unit}"
    if compare.max_delta is not None and worse_by > compare.max_delta:
        return Judgement(
            FAIL,
            f"{beside}: worse by {_number(worse_by)}{metric.unit}, and {_number(compare.max_delta)} are allowed",
        )
    if compare.max_ratio is not None:
        ours, theirs = value, baseline
        if higher_is_better:
            # No failure at all in so many requests shows no less than one would.
            ours, theirs = 100 - value, max(100 - baseline, 100 / max(samples or 1, 1))
        if ours > theirs * compare.max_ratio:
            what = "failures" if higher_is_better else metric.title
            ratio = f"{_number(ours / theirs)} times" if theirs else "endlessly many times"
            return Judgement(FAIL, f"{beside}: {ratio} its {what}, allowed are {_number(compare.max_ratio)} times")
    return None


def _without_data(metric: Metric, why: str) -> Judgement:
    text = f"{metric.title} cannot be judged: {why}"
    if metric.no_data == "wait":
        return Judgement(NO_DATA, text)
    return Judgement(
        {"fail": FAIL, "pass": PASS}.get(metric.no_data, INCONCLUSIVE), f"{text} (no_data: {metric.no_data})"
    )


def _number(value: float) -> str:
    """Few digits, but never so few that 99.98 looks like 100."""
    return f"{value:.5g}"
