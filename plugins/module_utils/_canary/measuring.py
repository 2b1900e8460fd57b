# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The measurements of a run: one analysis for all of its steps, and what each step must show."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import (
    Analysis,
    Measurement,
    Outcome,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.case import (
    LIMIT,
    STABLE,
    Rates,
    Stage,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.measure import Target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import PASS, SHARE, Metric
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State, Step
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import SourceFailure


class Watch:
    def __init__(
        self,
        metrics: Sequence[Metric],
        target: Target,
        source: Source,
        interval: float,
        min_share: float,
        clock: Callable[[], float] = time.time,
        rates: Rates | None = None,
    ) -> None:
        self._metrics, self._target, self._source = metrics, target, source
        self._interval, self._min_share, self._clock = interval, min_share, clock
        self._rates = rates or Rates()
        self._analysis: Analysis | None = None
        self._key: tuple[Any, ...] = ()
        self._due = 0.0
        self._primed = False
        self._weight, self._shared = 0, False
        self._verdicts: dict[str, str] = {}

    @property
    def measurements(self) -> list[Measurement]:
        return self._analysis.measurements if self._analysis else []

    def enter(self, state: State) -> None:
        """A new step must show again that the canary is good. The evidence against the run still counts."""
        key = (state.run, state.step, state.weight)
        if key == self._key:
            return
        if self._analysis is None:
            self._analysis = Analysis(
                self._metrics, self._target, self._source, state.since, state.tallies, self._rates
            )
        self._key = key
        self._analysis.enter(stage_at(state))
        self._weight, self._shared, self._verdicts = state.weight, False, {}

    def observe(self, acknowledged: bool) -> list[Measurement]:
        """Measure if a round is due. Returns the measurements whose verdicts changed since the previous round."""
        now = self._clock()
        if self._analysis is None:
            return []
        if acknowledged and not self._shared:
            self._shared = True
            self._analysis.took_effect(now)
            share = share_at(self._metrics, self._weight, self._min_share, now)
            if share:
                self._analysis.add(share)
        if now < self._due:
            return []
        self._due = now + self._interval
        if not self._primed:
            self._primed = True
            try:
                if self._source.prime():
                    return []
            except SourceFailure:
                # The next round reports it.
                return []
        found = self._analysis.round()
        verdicts = {f"{entry.metric.title} {entry.metric.threshold}": entry.judgement.verdict for entry in found}
        changed = [
            entry
            for entry, (name, verdict) in zip(found, verdicts.items(), strict=True)
            if self._verdicts.get(name, PASS if entry.metric.only_fails else "") != verdict
        ]
        self._verdicts = verdicts
        return changed

    def outcome(self) -> Outcome | None:
        """None before the first measurement of the step."""
        return self._analysis.outcome() if self._analysis and self._verdicts else None

    @property
    def latest(self) -> list[Measurement]:
        """The last one of each metric."""
        return self._analysis.latest if self._analysis else []

    @property
    def scrape_interval(self) -> float | None:
        return self._analysis.scrape_interval if self._analysis else None

    def stored(self) -> dict[str, Any]:
        return self._analysis.tallies if self._analysis else {}


def stage_at(state: State) -> Stage:
    """What the current step must show.

    The full limit applies from the last step beside a stable side. Before it, the limit is relaxed by as much as the
    step's share of the traffic is smaller: the possible loss for the whole service is the same.
    """
    steps, current = state.steps, state.current
    beside = [step for step in steps if step.weight < 100]
    full = exposure(beside[-1]) if beside else 100.0
    last = {LIMIT: steps[-1], STABLE: beside[-1] if beside else None}
    return Stage(
        compared=state.weight < 100,
        relax=max(1.0, full / exposure(current)) if current and state.weight < 100 else 1.0,
        last=frozenset(line for line, step in last.items() if step is current),
        copies_only=copies_only(state),
    )


def exposure(step: Step) -> float:
    """Percent of the traffic that the step puts at risk. The requests of a match count as 100 %."""
    return float(step.weight or step.mirror or 100)


def copies_only(state: State) -> bool:
    """Whether the canary gets only copies at this step."""
    return state.current is not None and state.current.mirror > 0 and state.weight == 0


def share_at(metrics: Sequence[Metric], weight: int, min_share: float, since: float) -> Metric | None:
    """The metric for the canary's share of the traffic, from when every proxy has the weight."""
    if not weight or not min_share or any(metric.name == SHARE for metric in metrics):
        return None
    return Metric(name=SHARE, minimum=min_share * weight, since=since)
