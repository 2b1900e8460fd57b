# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The measurements of a run: one analysis for each step, on one source for all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import PASS, SHARE, Metric
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_measure import Target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_run import (
    Analysis,
    Measurement,
    Outcome,
    Tally,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_series import Source, SourceFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import State

# So many requests have to be expected of the canary before a share of a third of that is no accident: of 30 expected,
# fewer than 10 come once in 200,000 windows.
_EXPECTED = 30


class Watch:
    def __init__(
        self,
        metrics: Sequence[Metric],
        target: Target,
        source: Source,
        interval: float,
        min_share: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._metrics, self._target, self._source = metrics, target, source
        self._interval, self._min_share, self._clock = interval, min_share, clock
        self._analysis: Analysis | None = None
        self._key: tuple[Any, ...] = ()
        self._due = 0.0
        self._primed = False
        self._weight, self._shared = 0, False
        self.passes = 0
        self.measurements: list[Measurement] = []

    def enter(self, state: State) -> None:
        """A new step begins its own analysis; failures of the run so far still count."""
        key = (state.run, state.step, state.weight)
        if key == self._key:
            return
        tallies = self.tallies() or {name: Tally(**counts) for name, counts in state.tallies.items()}
        self._key, self.passes = key, 0
        metrics = metrics_at(self._metrics, state)
        self._analysis = Analysis(metrics, self._target, self._source, state.since, tallies)
        self._weight, self._shared = state.weight, False

    def look(self, acknowledged: bool) -> list[Measurement]:
        """The measurements of a round, if one is due, without those that had too little to say anything."""
        now = self._clock()
        if self._analysis is None or now < self._due:
            return []
        self._due = now + self._interval
        if not self._primed:
            self._primed = True
            try:
                if self._source.prime():
                    return []
            except SourceFailure:
                # The next round says so.
                return []
        if acknowledged and not self._shared:
            self._shared = True
            share = share_at(self._metrics, self._weight, self._min_share, now)
            if share:
                self._analysis.add(share)
        found = self._analysis.round()
        self.measurements = (self.measurements + found)[-400:]
        if acknowledged:
            self.passes = self.passes + 1 if self._analysis.outcome().verdict == PASS else 0
        return [entry for entry in found if entry.judgement.verdict != PASS or _says_something(entry)]

    def outcome(self) -> Outcome | None:
        """None before the first measurement of the step."""
        if self._analysis is None or not self._analysis.measurements:
            return None
        return self._analysis.outcome()

    def tallies(self) -> dict[str, Tally]:
        return self._analysis.tallies if self._analysis else {}

    def stored(self) -> dict[str, dict[str, int]]:
        return {name: asdict(tally) for name, tally in self.tallies().items()}


def _says_something(measurement: Measurement) -> bool:
    samples = measurement.reading.samples
    return samples is None or samples >= measurement.metric.min_samples


def metrics_at(metrics: Sequence[Metric], state: State) -> list[Metric]:
    """What is measured at a step: at 100 % there is no stable side to compare with."""
    if state.weight < 100:
        return list(metrics)
    return [
        replace(metric, compare=replace(metric.compare, optional=True)) if metric.compare else metric
        for metric in metrics
    ]


def share_at(metrics: Sequence[Metric], weight: int, min_share: float, since: float) -> Metric | None:
    """The canary's share of the traffic, from the moment at which every proxy has the weight."""
    if not weight or not min_share or any(metric.name == SHARE for metric in metrics):
        return None
    return Metric(
        name=SHARE,
        window=min((metric.window for metric in metrics), default=30.0),
        minimum=min_share * weight,
        min_samples=math.ceil(_EXPECTED * 100 / weight),
        # Too few requests for this are few enough for the other metrics to say so.
        no_data="pass",
        since=since,
    )
