# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Measuring again and again, and what the measurements come to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import (
    ERROR,
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    AnalysisFailure,
    Judgement,
    Metric,
    Reading,
    judge,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_measure import Target, measure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_series import Source, SourceFailure


@dataclass(frozen=True)
class Measurement:
    metric: Metric
    reading: Reading
    judgement: Judgement
    at: float

    def report(self) -> dict[str, Any]:
        reading = self.reading
        return {
            "metric": self.metric.name,
            "verdict": self.judgement.verdict,
            "reason": self.judgement.reason,
            "value": reading.value,
            "baseline": reading.baseline,
            "samples": reading.samples,
            "baseline_samples": reading.baseline_samples,
            "threshold": self.metric.threshold,
            "window": round(reading.seconds, 3),
            "query": reading.query,
            "critical": self.metric.critical,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }


@dataclass
class Tally:
    """What a metric has come to so far. It can be handed from call to call."""

    passes: int = 0
    failures: int = 0
    errors_in_a_row: int = 0


@dataclass(frozen=True)
class Outcome:
    verdict: str
    reason: str
    # Nothing that could still be measured would change it.
    final: bool = False

    @property
    def should_roll_back(self) -> bool:
        return self.final

    @property
    def should_promote(self) -> bool:
        return self.verdict == PASS


class Analysis:
    """The metrics of one run. ``since`` is by this machine's clock."""

    def __init__(
        self,
        metrics: Sequence[Metric],
        target: Target,
        source: Source,
        since: float | None = None,
        tallies: Mapping[str, Tally] | None = None,
    ) -> None:
        self._metrics = dict(zip(_keys(metrics), metrics, strict=True))
        self._target, self._source, self._since = target, source, since
        self.tallies = {key: (tallies or {}).get(key, Tally()) for key in self._metrics}
        self._last: dict[str, Measurement] = {}
        self.measurements: list[Measurement] = []

    def round(self) -> list[Measurement]:
        """Measure every metric once, all of the same moment."""
        try:
            now = self._source.begin()
        except SourceFailure as failure:
            found = {key: _error(metric, failure, time.time()) for key, metric in self._metrics.items()}
        else:
            found = {key: self._measure(metric, now) for key, metric in self._metrics.items()}
        for key, measurement in found.items():
            self._count(self.tallies[key], measurement.judgement.verdict)
            self._last[key] = measurement
        self.measurements += found.values()
        return list(found.values())

    def outcome(self) -> Outcome:
        """What the measurements so far come to. The worst metric decides."""
        worst = min((self._standing(key) for key in self._metrics), key=_severity)
        if worst.should_promote and len(self._metrics) > 1:
            return Outcome(PASS, f"all {len(self._metrics)} metrics pass")
        return worst

    def add(self, metric: Metric) -> None:
        """Measure this one as well from the next round on. Its name has to be a new one."""
        self._metrics[metric.name] = metric
        self.tallies.setdefault(metric.name, Tally())

    def _measure(self, metric: Metric, now: float) -> Measurement:
        at = self._source.local(now)
        since = self._since if metric.since is None else metric.since
        target = replace(self._target, since=None if since is None else self._source.remote(since))
        try:
            reading = measure(metric, target, self._source, now)
        except SourceFailure as failure:
            return _error(metric, failure, at)
        return Measurement(metric, reading, judge(metric, reading), at)

    @staticmethod
    def _count(tally: Tally, verdict: str) -> None:
        tally.errors_in_a_row = tally.errors_in_a_row + 1 if verdict == ERROR else 0
        tally.passes += verdict == PASS
        tally.failures += verdict == FAIL

    def _standing(self, key: str) -> Outcome:
        metric, tally, last = self._metrics[key], self.tallies[key], self._last.get(key)
        if last is None:
            return Outcome(NO_DATA, f"{metric.name} has not been measured yet")
        verdict, reason = last.judgement.verdict, last.judgement.reason
        if tally.failures > metric.failure_limit or (metric.critical and tally.failures):
            allowed = f" ({tally.failures} failed measurements, failure_limit is {metric.failure_limit})"
            worst = self._last_failure(key) or f"{metric.name} has failed before"
            return Outcome(FAIL, worst + (allowed if metric.failure_limit and not metric.critical else ""), final=True)
        if tally.errors_in_a_row > metric.consecutive_error_limit:
            return Outcome(ERROR, f"{reason} ({tally.errors_in_a_row} errors in a row)", final=True)
        if verdict == FAIL:
            left = metric.failure_limit - tally.failures
            return Outcome(INCONCLUSIVE, f"{reason}; failure_limit allows {left} more")
        return Outcome(verdict, reason)

    def _last_failure(self, key: str) -> str:
        metric = self._metrics[key]
        reasons = (
            entry.judgement.reason
            for entry in reversed(self.measurements)
            if entry.metric is metric and entry.judgement.verdict == FAIL
        )
        return next(reasons, "")


def run(
    analysis: Analysis,
    source: Source,
    count: int,
    interval: float,
    no_data_timeout: float = 0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Measure ``count`` times, and on while there is nothing to judge yet; end at once when it is decided."""
    try:
        if source.prime():
            sleep(interval)
    except SourceFailure:
        # The first round will say so.
        pass
    begin = clock()
    rounds = 0
    while True:
        analysis.round()
        rounds += 1
        outcome = analysis.outcome()
        waiting = outcome.verdict == NO_DATA and clock() - begin < no_data_timeout
        if outcome.final or (rounds >= count and not waiting):
            return outcome
        sleep(max(0.0, begin + rounds * interval - clock()))


def moment(text: str, option: str = "since") -> float | None:
    """Unix time or RFC 3339."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise AnalysisFailure(f"{option} is {text!r}, but has to be a Unix time or as 2026-01-31T12:00:00Z.") from error
    if found.tzinfo is None:
        raise AnalysisFailure(f"{option} is {text!r}, which names no time zone: add Z or an offset.")
    return found.timestamp()


def _error(metric: Metric, failure: SourceFailure, at: float) -> Measurement:
    reading = Reading(None, None, query=metric.query)
    return Measurement(metric, reading, Judgement(ERROR, f"{metric.name} cannot be measured: {failure}"), at)


def _severity(outcome: Outcome) -> int:
    if outcome.final:
        return 0 if outcome.verdict == FAIL else 1
    return (ERROR, INCONCLUSIVE, NO_DATA, PASS).index(outcome.verdict) + 2


def _keys(metrics: Sequence[Metric]) -> list[str]:
    """A metric's name; a second one of the name (another percentile, another window) gets a number."""
    keys: list[str] = []
    for metric in metrics:
        same = sum(1 for key in keys if key.partition("#")[0] == metric.name)
        keys.append(f"{metric.name}#{same + 1}" if same else metric.name)
    return keys
