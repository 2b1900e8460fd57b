# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Metrics, their limits, and the verdict on one measurement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus import failures

PASS, FAIL, NO_DATA, ERROR, INCONCLUSIVE = VERDICTS = ("pass", "fail", "no_data", "error", "inconclusive")

SUCCESS, DURATION, GRPC, SHARE = BUILT_IN = (
    "request-success-rate",
    "request-duration",
    "grpc-success-rate",
    "traffic-share",
)
GUARD = "whole-service-errors"
REPORTERS = SOURCE, DESTINATION, WAYPOINT = ("source", "destination", "waypoint")
_HTTP_FAILURES, _GRPC_FAILURES = re.compile(failures.HTTP), re.compile(failures.GRPC)
_UNITS = {SUCCESS: " %", GRPC: " %", SHARE: " %", GUARD: " %", DURATION: " ms"}
# By how many percentage points the canary may be worse than compare allows, and still pass.
COMPARE_MARGIN = 2.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


class AnalysisFailure(MeshError):
    """The options do not describe a valid analysis."""


@dataclass(frozen=True)
class Compare:
    """Against the stable side, at the same time. Differences in percentage points, or in a query's unit."""

    max_ratio: float | None = None
    max_delta: float | None = None
    margin: float = COMPARE_MARGIN
    # Whether to skip the comparison if the stable side has no requests.
    optional: bool = False


@dataclass(frozen=True)
class Metric:
    """``minimum`` and ``maximum`` in the metric's unit, ``margin`` in percentage points, ``window`` in seconds."""

    name: str
    window: float = 30
    minimum: float | None = None
    maximum: float | None = None
    margin: float = 0
    percentile: float = 99
    compare: Compare | None = None
    reporter: str = SOURCE
    error_codes: str = ""
    # For values of a query, which are not counts and have no known error rates.
    query: str = ""
    samples_query: str = ""
    min_samples: int = 20
    no_data: str = "wait"
    failure_limit: int = 0
    # Nothing before this moment counts, by this machine's clock. None: the analysis decides.
    since: float | None = None

    @property
    def title(self) -> str:
        """The name, with what distinguishes two metrics of the same name."""
        return f"{self.name} p{self.percentile:g}" if self.name == DURATION else self.name

    @property
    def unit(self) -> str:
        return _UNITS.get(self.name, "")

    @property
    def only_fails(self) -> bool:
        """Whether it can only fail, so that a run does not wait for its pass."""
        return self.name in (SHARE, GUARD)

    def counts_as_failure(self, code: str, status: str) -> bool:
        """``code``: of the response. ``status``: of gRPC, whose errors have code 200; empty for other protocols."""
        stated = re.compile(self.error_codes) if self.error_codes else None
        if stated and self.name != GRPC:
            return bool(stated.fullmatch(code))
        if status:
            return bool((stated or _GRPC_FAILURES).fullmatch(status))
        # Also a response to gRPC that has no status: a proxy's, or a crashed server's.
        return bool(_HTTP_FAILURES.fullmatch(code))

    @property
    def threshold(self) -> str:
        """In words, for people."""
        parts = []
        if self.minimum is not None:
            parts.append(f"at least {number(self.minimum)}{self.unit}")
        if self.maximum is not None:
            parts.append(f"at most {number(self.maximum)}{self.unit}")
        if self.compare and self.compare.max_ratio is not None:
            what = "the baseline" if self.query else f"stable's {self.bad_word} requests"
            parts.append(f"at most {number(self.compare.max_ratio)} times {what}")
        if self.compare and self.compare.max_delta is not None:
            unit = "" if self.query else " %"
            parts.append(f"at most {number(self.compare.max_delta)}{unit} worse than the baseline")
        return ", ".join(parts)

    @property
    def bad_word(self) -> str:
        return "slow" if self.name == DURATION else "failed"


@dataclass(frozen=True)
class Reading:
    """A measured value. ``value``: None if there is none, and ``note`` has the reason."""

    value: float | None
    samples: int | None
    query: str = ""
    seconds: float = 0
    baseline: float | None = None
    baseline_samples: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Judgement:
    verdict: str
    reason: str
    # What a pass still requires at this rate, if known.
    requests_left: int | None = None
    seconds_left: float | None = None


def seconds(text: Any, option: str) -> float:
    """ "30s", "1m", "500ms" or a number of seconds."""
    found = _DURATION.fullmatch(str(text).strip())
    if not found or not float(found[1]):
        raise AnalysisFailure(f"{option} is {text!r}: set a time such as 30s, 1m or 500ms.")
    return float(found[1]) * _SECONDS[found[2]]


def judge(metric: Metric, reading: Reading) -> Judgement:
    """The verdict on one value of a query. A missing value is never a pass, unless no_data allows it."""
    value = reading.value
    if value is None:
        return _without_data(metric, reading.note or "there is nothing to measure")
    over = f" over {reading.seconds:.3g} s" if reading.seconds else ""
    if reading.samples is not None and reading.samples < max(metric.min_samples, 1):
        return _without_data(
            metric, f"there are {reading.samples} requests{over}, and min_samples is {max(metric.min_samples, 1)}"
        )
    of = f" of {reading.samples} requests" if reading.samples is not None else ""
    shown = f"{metric.title} is {number(value)}{of}{over}"
    if metric.minimum is not None and value < metric.minimum:
        return Judgement(FAIL, f"{shown}, below {number(metric.minimum)}")
    if metric.maximum is not None and value > metric.maximum:
        return Judgement(FAIL, f"{shown}, above {number(metric.maximum)}")
    if metric.compare:
        worse = _compared(metric, metric.compare, reading, value, shown)
        if worse:
            return worse
    return Judgement(PASS, f"{shown} ({metric.threshold})")


def _compared(metric: Metric, compare: Compare, reading: Reading, value: float, shown: str) -> Judgement | None:
    """A verdict, if the comparison decides."""
    baseline, samples = reading.baseline, reading.baseline_samples
    few = samples is not None and samples < max(metric.min_samples, 1)
    if baseline is None or few:
        if compare.optional:
            return None
        count = "" if samples is None else f": {samples} requests, and min_samples is {max(metric.min_samples, 1)}"
        return _without_data(metric, f"there is no baseline to compare with{count}")
    worse_by = value - baseline
    beside = f"{shown}, where the baseline is {number(baseline)}"
    if compare.max_delta is not None and worse_by > compare.max_delta:
        return Judgement(FAIL, f"{beside}: worse by {number(worse_by)}, and the limit is {number(compare.max_delta)}")
    if compare.max_ratio is not None and value > baseline * compare.max_ratio:
        ratio = f"{number(value / baseline)} times" if baseline else "infinitely many times"
        return Judgement(FAIL, f"{beside}: {ratio} as much, and the limit is {number(compare.max_ratio)} times")
    return None


def _without_data(metric: Metric, why: str) -> Judgement:
    text = f"{metric.title} cannot be judged: {why}"
    if metric.no_data == "wait":
        return Judgement(NO_DATA, text)
    return Judgement(
        {"fail": FAIL, "pass": PASS}.get(metric.no_data, INCONCLUSIVE), f"{text} (no_data: {metric.no_data})"
    )


def number(value: float) -> str:
    """Few digits, but enough that 99.98 does not become 100."""
    return f"{value:.5g}"
