# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Repeated measurements, and their overall verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.case import Case, Rates, Stage, lines_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.evidence import Counts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.measure import (
    Target,
    Times,
    ask,
    baseline_of,
    count,
    unseen,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    DESTINATION,
    DURATION,
    ERROR,
    FAIL,
    GUARD,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    SHARE,
    AnalysisFailure,
    Judgement,
    Metric,
    Reading,
    judge,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Batch, Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import SourceFailure

# No measurement covers more than this, in seconds, since raw samples are many.
_LONGEST = 900.0


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
            "requests_left": self.judgement.requests_left,
            "seconds_left": self.judgement.seconds_left,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }


@dataclass(frozen=True)
class Outcome:
    verdict: str
    reason: str
    # No further measurement can change it.
    final: bool = False
    # For how many seconds measurements have failed.
    blind: float = 0

    @property
    def should_roll_back(self) -> bool:
        return self.final and self.verdict == FAIL

    @property
    def should_promote(self) -> bool:
        return self.verdict == PASS


class Analysis:
    """The metrics of one run. All moments are by this machine's clock.

    ``since``: nothing before it counts. Without it, the first round covers the longest window of the metrics.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        target: Target,
        source: Source,
        since: float | None = None,
        tallies: Mapping[str, Any] | None = None,
        rates: Rates | None = None,
    ) -> None:
        self._metrics = dict(zip(_keys(metrics), metrics, strict=True))
        self._target, self._source, self._since = target, source, since
        self._rates = rates or Rates()
        self._tallies = dict(tallies or {})
        self._cases: dict[str, Case] = {}
        self._failures: dict[str, int] = {}
        self._failed: dict[str, Judgement] = {}
        self._stage = Stage()
        # When the step took effect; None before that.
        self._step: float | None = since
        self._whole = since is None
        self._start: float | None = None
        self._before: Counts | None = None
        self._blind_since: float | None = None
        self._last: dict[str, Measurement] = {}
        self.measurements: list[Measurement] = []
        self.scrape_interval: float | None = None
        for key, metric in self._metrics.items():
            self._open(key, metric)

    def enter(self, stage: Stage) -> None:
        """A new step, which is not in effect yet. Failures stay, and a pass must be shown again."""
        if stage.copies_only != self._stage.copies_only:
            # From now on, other proxies' counters are read. What they counted before is left out.
            self._tallies, self._start = self.tallies, None
        self._stage, self._step, self._last = stage, None, {}
        for case in self._cases.values():
            case.enter(stage)

    def took_effect(self, at: float) -> None:
        """From now on, requests count as evidence for the step."""
        if self._step is None:
            self._step = at

    def add(self, metric: Metric) -> None:
        """Also measure this metric from the next round on. It replaces one of the same name, and keeps its evidence."""
        if metric.name in self._cases:
            self._tallies[metric.name] = self._cases[metric.name].dump()
        self._metrics[metric.name] = metric
        self._open(metric.name, metric)

    def round(self) -> list[Measurement]:
        """Measure every metric once, all of the same moment."""
        try:
            now = self._source.begin()
        except SourceFailure as failure:
            found = {key: _error(metric, failure, time.time()) for key, metric in self._metrics.items()}
        else:
            found = {key: self._measure(key, metric, now) for key, metric in self._metrics.items()}
        self._last = found
        self.measurements = (self.measurements + list(found.values()))[-400:]
        errors = [entry for entry in found.values() if entry.judgement.verdict == ERROR]
        self._blind_since = (self._blind_since or errors[0].at) if errors else None
        return list(found.values())

    def outcome(self) -> Outcome:
        """The overall verdict so far. The worst metric decides."""
        worst = min((self._standing(key) for key in self._metrics), key=_severity)
        if worst.should_promote and len(self._metrics) > 1:
            return Outcome(PASS, f"all {len(self._metrics)} metrics pass")
        return worst

    @property
    def latest(self) -> list[Measurement]:
        """The measurements of the last round."""
        return list(self._last.values())

    @property
    def tallies(self) -> dict[str, Any]:
        """Plain data from which another analysis of the same run continues."""
        stored: dict[str, Any] = {key: case.dump() for key, case in self._cases.items()}
        stored |= {key: {"failures": count} for key, count in self._failures.items()}
        last = max((entry.at for entry in self._last.values()), default=None)
        return {**self._tallies, **stored, **({"until": last} if last is not None else {})}

    def _open(self, key: str, metric: Metric) -> None:
        earlier = self._tallies.get(key, {})
        if metric.query:
            self._failures[key] = int(earlier.get("failures", 0))
            return
        case = Case(metric, self._rates)
        case.enter(self._stage)
        try:
            case.load(earlier)
        except (KeyError, TypeError, ValueError) as error:
            raise AnalysisFailure(f"tallies is not that of an earlier call: {key}: {error!r}") from error
        self._cases[key] = case

    @property
    def _rate(self) -> float:
        """The error rate for failures of each line. All lines together keep to the rate of the run."""
        lines = sum(
            max(len(lines_of(metric)), 1) + (metric.name == GUARD)
            for metric in self._metrics.values()
            if metric.name != SHARE
        )
        # The share is included from the beginning, though it is measured later.
        return self._rates.rollback / (lines + 1)

    def _measure(self, key: str, metric: Metric, now: float) -> Measurement:
        at = self._source.local(now)
        try:
            if metric.query:
                reading, judgement = self._ask(metric, now)
                self._failures[key] += judgement.verdict == FAIL
            else:
                reading, judgement = self._count(self._cases[key], now)
        except SourceFailure as failure:
            return _error(metric, failure, at)
        if judgement.verdict == FAIL:
            self._failed.setdefault(key, judgement)
        return Measurement(metric, reading, judgement, at)

    def _ask(self, metric: Metric, now: float) -> tuple[Reading, Judgement]:
        begin = self._remote(self._since if self._since is not None else self._source.local(now) - metric.window)
        reading = ask(metric, self._target, self._source, now, begin)
        judgement = judge(metric, reading)
        step = self._remote(self._step) if self._step is not None else None
        if judgement.verdict == PASS and not self._whole and (step is None or now - reading.seconds < step):
            return reading, Judgement(INCONCLUSIVE, f"{judgement.reason}, but part of the window is before the step")
        return reading, judgement

    def _count(self, case: Case, now: float) -> tuple[Reading, Judgement]:
        metric = case.metric
        begin = self._beginning(now)
        step = begin if self._whole else self._remote(self._step) if self._step is not None else None
        since = begin if metric.since is None else max(begin, self._remote(metric.since))
        if metric.name == GUARD and metric.compare and self._since is not None and self._before is None:
            run = self._remote(self._since)
            self._before = baseline_of(metric, self._source.history(run - metric.window, run, metric.reporter))
            case.limit_by(self._before, self._rate)
        batch = self._batch(metric, begin)
        case.add(count(metric, self._target, batch, Times(since, step)))
        self.scrape_interval = batch.scrape_interval or self.scrape_interval
        seconds = (batch.newest or now) - (since if metric.only_fails or step is None else step)
        nothing = batch.note or unseen(self._target, (entry.labels for entry in batch.increases))
        if self._step is None and not self._whole:
            nothing = "the step is not in effect everywhere yet"
        return case.reading(batch.query, max(seconds, 0)), case.judge(self._rate, seconds, nothing)

    def _batch(self, metric: Metric, begin: float) -> Batch:
        reporter = metric.reporter
        if self._stage.copies_only and metric.name != GUARD:
            # Istio's proxies count a copy where it arrives, not where it is created.
            reporter = DESTINATION
        if metric.name == DURATION:
            return self._source.durations(begin, reporter, metric.maximum or 0.0)
        return self._source.requests(begin, reporter)

    def _beginning(self, now: float) -> float:
        """The source's time from which counters are read. It is the same for all rounds."""
        if self._start is None:
            # The guard's window is that before the run, which max_increase compares with.
            windows = (metric.window for metric in self._metrics.values() if metric.name != GUARD)
            window = max(windows, default=Metric.window)
            until = self._tallies.get("until")
            known = [moment for moment in (self._since, until) if moment is not None]
            start = self._remote(max(known)) if known else now - window
            self._start = max(start, now - max(_LONGEST, window))
        return self._start

    def _remote(self, moment: float) -> float:
        return self._source.remote(moment)

    def _standing(self, key: str) -> Outcome:
        metric, last = self._metrics[key], self._last.get(key)
        failed = self._failed.get(key)
        if failed and not metric.query:
            return Outcome(FAIL, failed.reason, final=True)
        if failed and self._failures[key] > metric.failure_limit:
            allowed = f" ({self._failures[key]} failed measurements, failure_limit is {metric.failure_limit})"
            return Outcome(FAIL, failed.reason + (allowed if metric.failure_limit else ""), final=True)
        if last is None:
            return Outcome(NO_DATA, f"{metric.name} has not been measured yet")
        verdict, reason = last.judgement.verdict, last.judgement.reason
        if verdict == ERROR:
            return Outcome(ERROR, reason, blind=last.at - (self._blind_since or last.at))
        if verdict == FAIL:
            left = metric.failure_limit - self._failures[key]
            return Outcome(INCONCLUSIVE, f"{reason}; failure_limit allows {left} more")
        return Outcome(verdict, reason)


def run(
    analysis: Analysis,
    source: Source,
    count: int,
    interval: float,
    no_data_timeout: float = 0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Measure ``count`` times, and longer while there is no verdict. End at once on a final one."""
    try:
        if source.prime():
            sleep(interval)
    except SourceFailure:
        # The first round reports it.
        pass
    begin = clock()
    rounds = 0
    while True:
        analysis.round()
        rounds += 1
        outcome = analysis.outcome()
        waiting = outcome.verdict in (NO_DATA, INCONCLUSIVE) and clock() - begin < no_data_timeout
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
        raise AnalysisFailure(f"{option} is {text!r}: set a Unix time, or one such as 2026-01-31T12:00:00Z.") from error
    if found.tzinfo is None:
        raise AnalysisFailure(f"{option} is {text!r}, without a time zone: add Z or an offset.")
    return found.timestamp()


def _error(metric: Metric, failure: SourceFailure, at: float) -> Measurement:
    reading = Reading(None, None, query=metric.query)
    return Measurement(metric, reading, Judgement(ERROR, f"{metric.name} cannot be measured: {failure}"), at)


def _severity(outcome: Outcome) -> int:
    if outcome.final:
        return 0
    return (ERROR, INCONCLUSIVE, NO_DATA, PASS).index(outcome.verdict) + 1


def _keys(metrics: Sequence[Metric]) -> list[str]:
    """The metric's name. A second one of the same name (another percentile, another limit) gets a number."""
    keys: list[str] = []
    for metric in metrics:
        same = sum(1 for key in keys if key.partition("#")[0] == metric.name)
        keys.append(f"{metric.name}#{same + 1}" if same else metric.name)
    return keys
