# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The case of one metric: its limits as lines, the evidence on both sides of them, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.evidence import (
    Block,
    Counts,
    Failing,
    Line,
    Passing,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.measure import RoundCounts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    DURATION,
    FAIL,
    GUARD,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    SHARE,
    Judgement,
    Metric,
    Reading,
    number,
)

LIMIT, STABLE = "limit", "stable"
# The error rate of a single step. It only justifies the risk for the traffic of the next one.
_STEP_RATE = 0.2
# A limit that is relaxed to more than this shows nothing.
_MOST = 0.9


@dataclass(frozen=True)
class Rates:
    """The error rates of a whole run, and how many requests may fail together."""

    rollback: float = 0.005
    promotion: float = 0.01
    burst: float = 2


@dataclass(frozen=True)
class Stage:
    """What a pass of a step requires.

    ``relax``: the factor by which the step relaxes the full line, since less traffic is at risk.
    ``last``: the lines for which this is the last step with the full one. There, the evidence of all such steps
    together must keep to the run's error rate. Before, each step must show something by itself.
    ``copies_only``: the canary gets copies only.
    """

    compared: bool = True
    relax: float = 1
    last: frozenset[str] = frozenset({LIMIT, STABLE})
    copies_only: bool = False


def lines_of(metric: Metric) -> dict[str, Line]:
    """The lines beyond which the metric fails."""
    found = {}
    if metric.name == DURATION:
        found[LIMIT] = Line(1 - metric.percentile / 100)
    elif metric.minimum is not None:
        found[LIMIT] = Line(1 - metric.minimum / 100)
    elif metric.maximum is not None:
        found[LIMIT] = Line(metric.maximum / 100)
    if metric.compare and metric.name != GUARD:
        found[STABLE] = Line((metric.compare.max_delta or 0) / 100, metric.compare.max_ratio or 1)
    return found


class Case:
    """Evidence of a metric over a run."""

    def __init__(self, metric: Metric, rates: Rates) -> None:
        self.metric, self._rates = metric, rates
        # The side of each request is random and independent of the others.
        burst = 1 if metric.name == SHARE else rates.burst
        self.failing = {name: Failing(line, burst) for name, line in lines_of(metric).items()}
        # Logarithms of the evidence of earlier steps about the full line.
        self.carried: dict[str, float] = {}
        self.passing: dict[str, Passing] = {}
        self._stage = Stage()
        self.step = Block()
        # The recent evidence against the canary, for messages.
        self._recent: dict[str, Block] = {}
        self._bucket = ""

    def enter(self, stage: Stage) -> None:
        """A step begins. Only its own requests count for a pass."""
        if self._stage.relax == 1:
            for name, passing in self.passing.items():
                self.carried[name] = self.carried.get(name, 0.0) + passing.log_value
        self._stage, self.step = stage, Block()
        relaxed = {}
        for name, line in {} if self.metric.only_fails else lines_of(self.metric).items():
            if name == STABLE and not stage.compared:
                continue
            margin = self.metric.compare.margin if name == STABLE and self.metric.compare else self.metric.margin
            delta = min((line.delta + margin / 100) * stage.relax, _MOST)
            relaxed[name] = Line(delta, 1 + (line.ratio - 1) * stage.relax if line.ratio else 0)
        self.passing = {name: Passing(line) for name, line in relaxed.items()}

    def limit_by(self, before: Counts, rate: float) -> None:
        """The limit of the guard: the upper bound of the time before the run, plus the allowed increase."""
        if self.metric.compare is None or STABLE in self.failing or not before.requests:
            return
        delta = upper_share(before, rate) + (self.metric.compare.max_delta or 0) / 100
        self.failing[STABLE] = Failing(Line(min(delta, _MOST)), self._rates.burst)

    def add(self, counts: RoundCounts) -> None:
        for name, failing in self.failing.items():
            if failing.fresh:
                self._recent[name] = Block()
            failing.add(counts.failing)
            self._recent[name] = self._recent.get(name, Block()) + counts.failing
        for passing in self.passing.values():
            passing.add(counts.passing)
        self.step += counts.failing if self.metric.only_fails else counts.passing
        self._bucket = counts.bucket or self._bucket

    def judge(self, rate: float, seconds: float, nothing: str) -> Judgement:
        """``rate``: the error rate for failures of each line. ``seconds``: for how long the step has evidence."""
        for name, failing in self.failing.items():
            if failing.log_value >= -math.log(rate):
                return Judgement(FAIL, self._failed(name, failing))
        shown = self._shown()
        if self.metric.only_fails:
            return Judgement(PASS, f"{shown}: no evidence against it")
        if not self.step.canary.requests:
            return Judgement(NO_DATA, f"{self.metric.title} cannot be judged: {nothing}")
        left: list[float | None] = [0.0]
        for name, passing in self.passing.items():
            compare = self.metric.compare
            if name == STABLE and compare and compare.optional and not passing.seen.stable.requests:
                continue
            if name == STABLE and not passing.seen.stable.requests:
                return Judgement(NO_DATA, f"{self.metric.title} cannot be judged: there is no baseline to compare with")
            left.append(passing.requests_left(self._target(name)))
        known = [value for value in left if value is not None]
        if len(known) < len(left):
            so_many = f"with so many {self.metric.bad_word} requests, no number of requests shows a pass"
            return Judgement(INCONCLUSIVE, f"{shown}: no evidence for or against it yet; {so_many}")
        if not max(known):
            return Judgement(PASS, f"{shown} ({self._demands()})")
        needed = math.ceil(max(known))
        pace = self.step.canary.requests / seconds if seconds > 0 else 0
        after = needed / pace if pace else None
        return Judgement(
            INCONCLUSIVE,
            f"{shown}: no evidence for or against it yet; at this rate a pass takes about {needed} more requests"
            f"{f' or {spell(after)}' if after is not None else ''}",
            needed,
            after,
        )

    def _target(self, name: str) -> float:
        """The logarithm of the evidence that a pass of this step requires."""
        least = -math.log(_STEP_RATE)
        if name not in self._stage.last:
            return least
        return max(least, -math.log(self._rates.promotion) - self.carried.get(name, 0.0))

    def reading(self, query: str, seconds: float) -> Reading:
        """The value of the step, in the metric's own sense."""
        ours, theirs = self.step.canary, self.step.stable
        sides = [None if not side.requests else self._value(side) for side in (ours, theirs)]
        return Reading(
            value=sides[0],
            samples=round(ours.requests),
            query=query,
            seconds=seconds,
            baseline=sides[1],
            baseline_samples=round(theirs.requests),
        )

    def dump(self) -> dict[str, Any]:
        found: dict[str, Any] = {name: failing.dump() for name, failing in self.failing.items()}
        return {**found, "carried": {name: round(value, 6) for name, value in self.carried.items()}}

    def load(self, found: Mapping[str, Any]) -> None:
        """Raises ValueError, TypeError or KeyError if it is not a result of ``dump``."""
        for name, failing in self.failing.items():
            if name in found:
                failing.load(found[name])
        self.carried = {str(name): float(value) for name, value in found.get("carried", {}).items()}

    def _value(self, counts: Counts) -> float:
        """Percent of good requests, or of bad ones if the metric counts those."""
        return 100 * (counts.share if self.metric.name in (DURATION, GUARD) else 1 - counts.share)

    def _shown(self, block: Block | None = None) -> str:
        block = self.step if block is None else block
        counts, title = block.canary, self.metric.title
        if self.metric.name == DURATION:
            title = f"request-duration beyond {number(self.metric.maximum or 0)} ms"
        text = (
            f"{title} is {number(self._value(counts))} % of {counts.requests:g} requests" if counts.requests else title
        )
        if STABLE in self.failing and block.stable.requests:
            text += f", stable's {number(self._value(block.stable))} % of {block.stable.requests:g}"
        return text

    def _failed(self, name: str, failing: Failing) -> str:
        line, word = failing.line, "below" if self.metric.name not in (DURATION, GUARD) else "above"
        limit = 100 * (line.delta if word == "above" else 1 - line.delta)
        text = self._shown(self._recent.get(name))
        against = f"{word} {number(limit)} %"
        if name == STABLE and line.ratio:
            against = f"more than {self._allowed(line)} worse than stable"
        chance = min(failing.log_value / math.log(10), 99)
        return f"{text}, {against}; chance does that once in 10^{math.floor(chance)} runs{self._bucket_note()}"

    @staticmethod
    def _allowed(line: Line) -> str:
        parts = [f"{number(line.ratio)} times"] if line.ratio != 1 else []
        return " and ".join([*parts, *([f"{number(100 * line.delta)} %"] if line.delta or not parts else [])])

    def _demands(self) -> str:
        parts = []
        for name, passing in self.passing.items():
            line = passing.line
            if name == STABLE:
                parts.append(f"at most {self._allowed(line)} worse than stable")
            elif self.metric.name == DURATION:
                parts.append(f"at most {number(100 * line.delta)} % that slow")
            else:
                parts.append(f"at least {number(100 - 100 * line.delta)} %")
        return f"shown: {', '.join(parts)}{self._bucket_note()}"

    def _bucket_note(self) -> str:
        return f"; {self._bucket}" if self._bucket else ""


def upper_share(counts: Counts, rate: float) -> float:
    """The bad share that so many requests exceed with a probability of at most ``rate``: Chernoff's bound."""
    target, share = -math.log(rate) / counts.requests, counts.share
    low, high = share, 1.0
    for __ in range(50):
        middle = (low + high) / 2
        distance = (share * math.log(share / middle) if share else 0.0) + (
            (1 - share) * math.log((1 - share) / (1 - middle)) if share < 1 else 0.0
        )
        low, high = (middle, high) if distance < target else (low, middle)
    return high


def spell(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes" if seconds < 7200 else "hours"
