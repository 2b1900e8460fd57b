# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From the increases of a service's counters to the requests of both sides and the bad ones among them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from string import Template

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.evidence import Block, Counts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    DURATION,
    GRPC,
    GUARD,
    SHARE,
    Metric,
    Reading,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Batch, Increase, Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.sides import MetricSide, is_lost
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Labels, SourceFailure

_HUNG_UP = "DC"


@dataclass(frozen=True)
class Target:
    """The service and its two versions.

    ``backends``: other Services among which a route splits its requests, each with its namespace.
    """

    service: str
    namespace: str
    stable: MetricSide
    canary: MetricSide
    backends: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where its requests are sent, such as reviews.bookinfo."""
        return tuple(dict.fromkeys((f"{self.service}.{self.namespace}", *self.backends)))


@dataclass(frozen=True)
class RoundCounts:
    """The requests of one round. If a count is uncertain, each test gets the one that favours the opposite verdict.

    ``failing``: the canary's requests that are certainly bad, beside stable's that may be bad.
    ``passing``: the opposite, only since the step took effect.
    """

    failing: Block = field(default_factory=Block)
    passing: Block = field(default_factory=Block)
    note: str = ""
    # The position of the limit between two buckets of the histogram, if it is not the bound of one.
    bucket: str = ""


@dataclass(frozen=True)
class Times:
    """The times from which increases count, in the source's time: for a failure, and for a pass. None: not yet."""

    since: float
    step: float | None

    def serves(self, begin: float) -> bool:
        """An increase that began earlier is left out, of any counter: a scrape has all counters or none."""
        return begin >= self.since - 1e-6

    def serves_step(self, begin: float) -> bool:
        return self.step is not None and begin >= self.step - 1e-6 and self.serves(begin)


def count(metric: Metric, target: Target, batch: Batch, times: Times) -> RoundCounts:
    """Both sides' requests of one round. The bad ones are the metric's failures or slow requests.

    A failure without a workload (``is_lost``) may belong to either side. For a pass it counts as the canary's, so the
    pass is valid even then. For a failure it does not count: a service that always has such errors would be rolled back
    for them more often than the error rate allows. The guard always counts it, and the share falls if the canary's
    requests find no endpoint.
    Raises SourceFailure if counters are unreadable.
    """
    if metric.name == DURATION:
        return _slow(metric, target, batch, times)
    failing, passing = _Sides(), _Sides()
    for entry in batch.increases:
        if not times.serves(entry.begin) or _hung_up(entry.labels):
            continue
        if metric.name == GRPC and entry.labels.get("request_protocol") != "grpc":
            continue
        ours, theirs = target.canary.owns(entry.labels), target.stable.owns(entry.labels)
        within = times.serves_step(entry.begin)
        if metric.name == SHARE:
            if ours or theirs:
                failing.canary(entry.amount, bad=theirs)
            continue
        bad = _is_failure(metric, entry.labels)
        if metric.name == GUARD:
            failing.canary(entry.amount, bad)
        elif ours or theirs:
            for sides in (failing, passing) if within else (failing,):
                (sides.canary if ours else sides.stable)(entry.amount, bad)
        elif bad and within and is_lost(entry.labels):
            passing.canary(entry.amount, bad)
    return RoundCounts(failing.block, passing.block, batch.note)


class _Sides:
    """Sums of both sides."""

    def __init__(self) -> None:
        self._sums = [0.0, 0.0, 0.0, 0.0]

    def canary(self, amount: float, bad: bool) -> None:
        self._add(0, amount, bad)

    def stable(self, amount: float, bad: bool) -> None:
        self._add(2, amount, bad)

    def _add(self, place: int, amount: float, bad: bool) -> None:
        self._sums[place] += amount
        if bad:
            self._sums[place + 1] += amount

    @property
    def block(self) -> Block:
        n, x, m, y = (round(value) for value in self._sums)
        return Block(Counts(n, x), Counts(m, y))


def _slow(metric: Metric, target: Target, batch: Batch, times: Times) -> RoundCounts:
    limit = metric.maximum or 0.0
    lower = max((bound for bound in batch.bounds if bound <= limit), default=None)
    upper = min((bound for bound in batch.bounds if bound >= limit), default=None)
    ours, ours_in_step, theirs, theirs_in_step = (_Buckets(lower, upper) for __ in range(4))
    for entry in batch.increases:
        if not times.serves(entry.begin) or _hung_up(entry.labels):
            continue
        within = times.serves_step(entry.begin)
        if target.canary.owns(entry.labels):
            ours.add(entry, ours_in_step if within else None)
        elif target.stable.owns(entry.labels):
            theirs.add(entry, theirs_in_step if within else None)
    return RoundCounts(
        Block(ours.counts(certain=True), theirs.counts(certain=False)),
        Block(ours_in_step.counts(certain=False), theirs_in_step.counts(certain=True)),
        batch.note,
        _between(limit, lower, upper) if batch.bounds else "",
    )


class _Buckets:
    """Requests of one side by duration: in all, up to the bound below the limit, and up to the one above it."""

    def __init__(self, lower: float | None, upper: float | None) -> None:
        self._lower, self._upper = lower, upper
        self._all = self._fast = self._not_beyond = 0.0

    def add(self, entry: Increase, also: _Buckets | None = None) -> None:
        try:
            bound = float(entry.labels["le"])
        except (KeyError, ValueError) as error:
            raise SourceFailure(f"a bucket has no upper bound: {entry.labels}") from error
        if math.isinf(bound):
            self._all += entry.amount
        if bound == self._lower:
            self._fast += entry.amount
        if bound == self._upper:
            self._not_beyond += entry.amount
        if also is not None:
            also.add(entry)

    def counts(self, certain: bool) -> Counts:
        """``certain``: only those that were certainly slow are bad. Otherwise all that may have been slow."""
        total = round(self._all)
        if certain:
            # Beyond the last finite bound, durations are unknown.
            bad = total - round(self._not_beyond) if self._upper is not None else 0
        else:
            bad = total - round(self._fast)
        return Counts(total, min(max(bad, 0), total))


def _between(limit: float, lower: float | None, upper: float | None) -> str:
    if lower == upper:
        return ""
    if upper is None:
        return f"the histogram has no bucket at {limit:g} ms or beyond, so no request can be shown to be slow"
    return (
        f"{limit:g} ms is between two buckets: for a failure, requests beyond {upper:g} ms are slow; for a pass, all "
        f"beyond {lower or 0:g} ms"
    )


def baseline_of(metric: Metric, batch: Batch) -> Counts:
    """The whole service's requests and failures before the run."""
    sides = _Sides()
    for entry in batch.increases:
        if not _hung_up(entry.labels):
            sides.canary(entry.amount, _is_failure(metric, entry.labels))
    return sides.block.canary


def ask(metric: Metric, target: Target, source: Source, now: float, begin: float) -> Reading:
    """The value of a query, over its window but not before ``begin``. Raises SourceFailure."""
    seconds = min(metric.window, now - begin)
    if seconds <= 0:
        return Reading(None, None, note="the run has not begun yet")
    query = fill_in(metric.query, target, target.canary, seconds)
    samples = _samples(metric, target, target.canary, source, seconds)
    value, note = _finite(source.value(query))
    baseline = base_samples = None
    if metric.compare:
        baseline, __ = _finite(source.value(fill_in(metric.query, target, target.stable, seconds)))
        base_samples = _samples(metric, target, target.stable, source, seconds)
    return Reading(
        value=value,
        samples=samples,
        query=query,
        seconds=seconds,
        baseline=baseline,
        baseline_samples=base_samples,
        note=note,
    )


def fill_in(query: str, target: Target, side: MetricSide, seconds: float) -> str:
    """Fill in the run's names in a query. Any other $ stays, such as that of a regular expression."""
    return Template(query).safe_substitute(
        namespace=target.namespace,
        service=target.service,
        subset=side.subset,
        version=side.version,
        workload=side.workload,
        window=f"{max(1, round(seconds * 1000))}ms",
    )


def _samples(metric: Metric, target: Target, side: MetricSide, source: Source, seconds: float) -> int | None:
    if not metric.samples_query:
        return None
    value, __ = _finite(source.value(fill_in(metric.samples_query, target, side, seconds)))
    return round(value or 0)


def _finite(value: float | None) -> tuple[float | None, str]:
    if value is None:
        return None, "the query has no result"
    if not math.isfinite(value):
        return None, f"the query's result is {value}, as after a division by zero"
    return value, ""


def _is_failure(metric: Metric, labels: Labels) -> bool:
    return metric.counts_as_failure(labels.get("response_code", ""), labels.get("grpc_response_status", ""))


def _hung_up(labels: Mapping[str, str]) -> bool:
    """The client disconnected before the response. That is not a failure of the service."""
    return labels.get("response_code") == "0" and _HUNG_UP in labels.get("response_flags", "").split(",")


def unseen(target: Target, names: Iterable[Labels]) -> str:
    """Why the canary has no requests, as a hint for the operator."""
    side = target.canary
    if any(side.owns(labels) for labels in names):
        return f"{side.subset} had no request"
    name = f"workload {side.workload}" if side.workload else f"version {side.version}"
    return f"no counter has {name} (subset {side.subset}) of {target.service}: it has had no request yet"
