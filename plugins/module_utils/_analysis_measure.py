# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From a service's counters to the reading of one metric."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Template

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import (
    DURATION,
    GRPC,
    GUARD,
    SHARE,
    SUCCESS,
    Metric,
    Reading,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_series import (
    Counts,
    Increase,
    Labels,
    Source,
    SourceFailure,
    Window,
    quantile,
)

# Counters of plain Envoy clusters know the subset's name only; this label carries it.
SUBSET = "subset"


@dataclass(frozen=True)
class Side:
    """One version of the service, as its counters name it."""

    subset: str
    version: str
    workload: str = ""

    def owns(self, labels: Mapping[str, str]) -> bool:
        if SUBSET in labels:
            return labels[SUBSET] == self.subset
        if self.workload:
            return labels.get("destination_workload") == self.workload
        return labels.get("destination_version") == self.version


@dataclass(frozen=True)
class Target:
    """The service and its two versions."""

    service: str
    namespace: str
    stable: Side
    canary: Side
    # Source's time from which on this run's requests count.
    since: float | None = None


def window_of(metric: Metric, target: Target, now: float) -> Window:
    start = now - metric.window
    return Window(start if target.since is None else max(start, target.since), now, target.since)


def measure(metric: Metric, target: Target, source: Source, now: float) -> Reading:
    """One reading. Raises SourceFailure where the source cannot say."""
    window = window_of(metric, target, now)
    if window.seconds <= 0:
        return Reading(None, None, note="the run has not begun yet")
    if metric.name in (SUCCESS, GRPC):
        return _rate(metric, target, source.requests(window, metric.reporter))
    if metric.name == DURATION:
        return _duration(metric, target, source.durations(window, metric.reporter))
    if metric.name == SHARE:
        return _share(target, source.requests(window, metric.reporter))
    if metric.name == GUARD:
        return _guard(metric, target, source, window)
    return _custom(metric, target, source, window)


def _rate(metric: Metric, target: Target, counts: Counts) -> Reading:
    total, bad = _failures(metric, counts, target.canary)
    base_total, base_bad = _failures(metric, counts, target.stable)
    return Reading(
        value=None if counts.note else _percent(total - bad, total),
        samples=round(total),
        query=counts.query,
        seconds=counts.seconds,
        baseline=_percent(base_total - base_bad, base_total),
        baseline_samples=round(base_total),
        note=counts.note or _nothing(metric, target, counts),
    )


def _share(target: Target, counts: Counts) -> Reading:
    ours, theirs = (
        sum(entry.amount for entry in counts.increases if side.owns(entry.labels))
        for side in (target.canary, target.stable)
    )
    return Reading(
        value=None if counts.note else _percent(ours, ours + theirs),
        samples=round(ours + theirs),
        query=counts.query,
        seconds=counts.seconds,
        note=counts.note or "neither side had a request",
    )


def _guard(metric: Metric, target: Target, source: Source, window: Window) -> Reading:
    counts = source.requests(window, metric.reporter)
    total, bad = _failures(metric, counts, None)
    base_total = base_bad = 0.0
    if metric.compare and target.since is not None:
        before = source.requests(Window(target.since - metric.window, target.since), metric.reporter)
        base_total, base_bad = _failures(metric, before, None)
    return Reading(
        value=None if counts.note else _percent(bad, total),
        samples=round(total),
        query=counts.query,
        seconds=counts.seconds,
        baseline=_percent(base_bad, base_total),
        baseline_samples=round(base_total),
        note=counts.note or "the service had no request",
    )


def _duration(metric: Metric, target: Target, counts: Counts) -> Reading:
    ours = _percentile(metric, counts.increases, target.canary)
    theirs = _percentile(metric, counts.increases, target.stable)
    return Reading(
        value=None if counts.note else ours[0],
        samples=ours[2],
        query=counts.query,
        seconds=counts.seconds,
        baseline=theirs[0],
        baseline_samples=theirs[2],
        open_ended=ours[1],
        note=counts.note or _nothing(metric, target, counts),
    )


def _custom(metric: Metric, target: Target, source: Source, window: Window) -> Reading:
    query = fill_in(metric.query, target, target.canary, window)
    samples = _samples(metric, target, target.canary, source, window)
    value, note = _finite(source.value(query))
    baseline = base_samples = None
    if metric.compare:
        baseline, __ = _finite(source.value(fill_in(metric.query, target, target.stable, window)))
        base_samples = _samples(metric, target, target.stable, source, window)
    return Reading(
        value=value,
        samples=samples,
        query=query,
        seconds=window.seconds,
        baseline=baseline,
        baseline_samples=base_samples,
        note=note,
    )


def fill_in(query: str, target: Target, side: Side, window: Window) -> str:
    """Put the run's names into a query; a $ that names none of them stays, as regular expressions have it."""
    return Template(query).safe_substitute(
        namespace=target.namespace,
        service=target.service,
        subset=side.subset,
        version=side.version,
        workload=side.workload,
        window=f"{max(1, round(window.seconds * 1000))}ms",
    )


def _samples(metric: Metric, target: Target, side: Side, source: Source, window: Window) -> int | None:
    if not metric.samples_query:
        return None
    value, __ = _finite(source.value(fill_in(metric.samples_query, target, side, window)))
    return round(value or 0)


def _finite(value: float | None) -> tuple[float | None, str]:
    if value is None:
        return None, "the query has no result"
    if not math.isfinite(value):
        return None, f"the query's result is {value}, as of a division by zero"
    return value, ""


def _failures(metric: Metric, counts: Counts, side: Side | None) -> tuple[float, float]:
    """All requests and the failed ones, of one side or of the whole service."""
    failed = re.compile(metric.failure_pattern)
    total = bad = 0.0
    for entry in counts.increases:
        if side is not None and not side.owns(entry.labels):
            continue
        if metric.name == GRPC and entry.labels.get("request_protocol") != "grpc":
            continue
        total += entry.amount
        if _is_failure(metric, failed, entry.labels):
            bad += entry.amount
    return total, bad


def _is_failure(metric: Metric, failed: re.Pattern[str], labels: Labels) -> bool:
    status = labels.get("grpc_response_status", "")
    if metric.name == GRPC and status:
        return bool(failed.fullmatch(status))
    code = labels.get("response_code", "")
    # An answer without a gRPC status, as a proxy or a crashed server gives it.
    return bool(code and (code == "0" or code[0] == "5")) if metric.name == GRPC else bool(failed.fullmatch(code))


def _percentile(metric: Metric, entries: Iterable[Increase], side: Side) -> tuple[float | None, bool, int]:
    """The percentile, whether it is a lower bound, and of how many requests."""
    buckets: dict[float, float] = {}
    for entry in entries:
        if side.owns(entry.labels):
            try:
                bound = float(entry.labels["le"])
            except (KeyError, ValueError) as error:
                raise SourceFailure(f"a bucket has no upper bound: {entry.labels}") from error
            buckets[bound] = buckets.get(bound, 0.0) + entry.amount
    if not buckets or buckets[max(buckets)] <= 0:
        return None, False, 0
    value, open_ended = quantile(buckets, metric.percentile)
    return value, open_ended, round(buckets[max(buckets)])


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole > 0 else None


def _nothing(metric: Metric, target: Target, counts: Counts) -> str:
    """Why there is no value, for whoever has to find out."""
    side = target.canary
    if any(side.owns(entry.labels) for entry in counts.increases):
        what = "gRPC request" if metric.name == GRPC else "request"
        return f"{side.subset} had no {what} in {counts.seconds:.3g} s"
    name = f"workload {side.workload}" if side.workload else f"version {side.version}"
    return f"no counter names {name} (subset {side.subset}) of {target.service}: it has had no request yet"
