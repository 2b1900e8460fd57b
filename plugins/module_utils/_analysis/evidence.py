# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

r"""How strong the evidence of counts is for or against a canary, regardless of the number of looks.

What is tested. In each block (what one look adds) the canary had ``n`` requests, ``x`` of them bad, and the stable side
``m``, ``y`` of them bad. A ``Line`` is the boundary between good and bad: the canary's bad share equals
``ratio`` times stable's plus ``delta``. A limit is the line with ratio 0. ``Failing`` tests the null hypothesis "on the
line or below", ``Passing`` the null hypothesis "on the line or above". Each keeps an e-process: a non-negative number,
1 at the beginning, whose expectation stays at most 1 at every moment if its null hypothesis holds. By Ville's
inequality it ever reaches 1/a with a probability of at most a: that is the error rate, for any number of looks.

One block. For an alternative (q, r) of bad shares beyond the line and the point (o, s) on the line that minimises
n KL(q||o) + m KL(r||s), the factor is the ratio of likelihoods

    (q/o)^x ((1-q)/(1-o))^(n-x) (r/s)^y ((1-r)/(1-s))^(m-y).

Its expectation is at most 1 at every (u, v) of the null hypothesis: it is A^n B^m, with A = 1 + (u-o)(q-o)/(o(1-o)) and
B likewise; by the inequality of means that is at most (1 + (n(A-1) + m(B-1))/(n+m))^(n+m); and n(A-1) + m(B-1) is not
positive, since (o, s) is the minimum over a convex set. So bad shares may change from block to block, with the time of
day or with an incident that both sides have, and the ratio of traffic may too. The alternative may be learned from
earlier blocks, never from this one.

A run. ``Passing`` begins with each step; since the steps' requests are others, the product of steps with the same line
is an e-process too. ``Failing`` must also detect what begins late: it is the sum over all blocks k of
an e-process that begins there with capital 1/(k(k+1)); these sum to at most 1, so the sum is an e-process again, and a
long good past costs a logarithm. Both are means over a few alternatives.

What is assumed: within a block, given the rates, requests fail independently of each other. Real failures come in
bursts. ``Failing`` takes the root of degree ``burst`` of each factor; by Jensen's inequality the bound still holds if
up to ``burst`` requests always share one fate. ``Passing`` does not: bursts make a pass somewhat more likely to be
wrong than its rate says.

Sources: R. Turner, A. Ly, P. Grünwald, "Generic E-variables for exact sequential k-sample tests that allow for optional
stopping", J. Stat. Plan. Inference 230 (2024); R. Turner, P. Grünwald, "Exact anytime-valid confidence intervals for
contingency tables and beyond", Stat. Probab. Lett. 198 (2023), for the factor; J. Shin, A. Ramdas, A. Rinaldo,
"E-detectors", N. Engl. J. Stat. Data Sci. (2023), for sums over the beginning; J. Ville, 1939.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Odds of a failing canary, as multiples of those of the line: from twice as many to almost all.
_WORSE = (2.0, 5.0, 20.0, 150.0, 2000.0)
# Bad shares of a healthy canary as parts of the limit, and what is bet on each. The first is what a service should
# be that has its limit where it belongs.
_BETTER = ((0.2, 0.6), (0.5, 0.25), (0.75, 0.15))
# The same beside the stable side: how far from stable's share to the line.
_ALIKE = ((0.0, 0.75), (0.5, 0.25))
# The prior of the stable side, before it has had requests: 0.1 % of so many.
_PRIOR_SHARE, _PRIOR_REQUESTS = 0.001, 100.0
_STEPS = 30


@dataclass(frozen=True)
class Counts:
    """Requests and the bad ones among them. Whole numbers where they are counts, fractions where they are expected."""

    requests: float = 0
    bad: float = 0

    @property
    def share(self) -> float:
        return self.bad / self.requests if self.requests else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.requests + other.requests, self.bad + other.bad)


@dataclass(frozen=True)
class Block:
    """What both sides had in one look."""

    canary: Counts = Counts()
    stable: Counts = Counts()

    def __add__(self, other: Block) -> Block:
        return Block(self.canary + other.canary, self.stable + other.stable)


@dataclass(frozen=True)
class Line:
    """Canary's bad share = ratio * stable's + delta. Shares are parts of 1."""

    delta: float
    ratio: float = 0.0

    def at(self, stable: float) -> float:
        return min(self.ratio * stable + self.delta, 1 - 1e-9)


def log_factor(block: Block, line: Line, canary: float, stable: float) -> float:
    """The logarithm of the factor above for the alternative (canary, stable), which must be off the line."""
    ours, theirs = block.canary, block.stable
    if not ours.requests or (line.ratio and not theirs.requests):
        return 0.0
    if not line.ratio:
        return _log_ratio(ours, canary, line.delta)
    nearest = _nearest(block, line, canary, stable)
    return _log_ratio(ours, canary, line.at(nearest)) + _log_ratio(theirs, stable, nearest)


def _log_ratio(counts: Counts, alternative: float, null: float) -> float:
    return counts.bad * math.log(alternative / null) + (counts.requests - counts.bad) * math.log(
        (1 - alternative) / (1 - null)
    )


def _nearest(block: Block, line: Line, canary: float, stable: float) -> float:
    """Stable's share at the point of the line that is nearest to the alternative. The distance is convex: bisection."""
    n, m = block.canary.requests, block.stable.requests
    # Where the line is level with one coordinate of the alternative; the nearest point lies between the two.
    level = min((canary - line.delta) / line.ratio, (1 - 1e-9 - line.delta) / line.ratio, 1 - 1e-9)
    low, high = max(min(stable, level), 1e-12), max(stable, level)
    for __ in range(_STEPS):
        s = (low + high) / 2
        o = line.at(s)
        slope = n * line.ratio * (o - canary) / (o * (1 - o)) + m * (s - stable) / (s * (1 - s))
        if slope < 0:
            low = s
        else:
            high = s
    return (low + high) / 2


def log_sum(values: Iterable[float]) -> float:
    """The logarithm of a sum, of logarithms."""
    found = [value for value in values if value > -math.inf]
    most = max(found, default=-math.inf)
    return most + math.log(sum(math.exp(value - most) for value in found)) if found else -math.inf


@dataclass
class Failing:
    """Evidence that the canary is beyond the line. One for the whole run."""

    line: Line
    burst: float = 1
    blocks: int = 0
    logs: list[float] = field(default_factory=lambda: [-math.inf] * len(_WORSE))
    stable: Counts = Counts()

    def add(self, block: Block) -> None:
        if not block.canary.requests or (self.line.ratio and not block.stable.requests):
            self.stable += block.stable
            return
        self.blocks += 1
        begin = -math.log(self.blocks * (self.blocks + 1))
        stable = _learned(self.stable)
        on_line = self.line.at(stable)
        odds = on_line / (1 - on_line)
        for place, times in enumerate(_WORSE):
            worse = odds * times / (1 + odds * times)
            factor = log_factor(block, self.line, worse, stable) / self.burst
            self.logs[place] = log_sum((self.logs[place], begin)) + factor
        self.stable += block.stable

    @property
    def log_value(self) -> float:
        return log_sum(self.logs) - math.log(len(_WORSE))

    @property
    def fresh(self) -> bool:
        """Whether a beginning at the next block would have as much evidence against the canary as there is so far."""
        return log_sum(self.logs) <= math.log(len(_WORSE)) - math.log((self.blocks + 1) * (self.blocks + 2))

    def dump(self) -> dict[str, Any]:
        """Plain data from which ``load`` continues. The line and the burst are the caller's."""
        logs = [None if value == -math.inf else round(value, 6) for value in self.logs]
        return {"blocks": self.blocks, "logs": logs, "stable": [self.stable.requests, self.stable.bad]}

    def load(self, found: Mapping[str, Any]) -> None:
        """Raises ValueError, TypeError or KeyError if it is not a result of ``dump``."""
        logs = [-math.inf if value is None else float(value) for value in found["logs"]]
        if len(logs) != len(_WORSE):
            raise ValueError(f"{len(logs)} logs instead of {len(_WORSE)}")
        requests, bad = (float(value) for value in found["stable"])
        self.blocks, self.logs, self.stable = int(found["blocks"]), logs, Counts(requests, bad)


@dataclass
class Passing:
    """Evidence that the canary is below the line. One for each step."""

    line: Line
    seen: Block = Block()
    logs: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.logs = self.logs or [math.log(bet) for __, bet in self._parts]

    def add(self, block: Block) -> None:
        for place, (canary, stable) in enumerate(self._alternatives()):
            if canary < self.line.at(stable):
                self.logs[place] += log_factor(block, self.line, canary, stable)
        self.seen += block

    @property
    def log_value(self) -> float:
        return log_sum(self.logs)

    def requests_left(self, log_target: float) -> float | None:
        """How many more requests of the canary reach the target at the present rate. None if no number does."""
        if self.log_value >= log_target:
            return 0
        ours, theirs = self.seen.canary, self.seen.stable
        n = ours.requests or 1.0
        # Per request of the canary.
        usual = Block(
            Counts(1, ours.share), Counts((theirs.requests or 1.0) / n, (theirs.requests or 1.0) / n * theirs.share)
        )
        found = []
        for place, (canary, stable) in enumerate(self._alternatives()):
            growth = log_factor(usual, self.line, canary, stable) if canary < self.line.at(stable) else 0
            if growth > 0:
                found.append((log_target - self.logs[place]) / growth)
        return min(found, default=None)

    @property
    def _parts(self) -> Sequence[tuple[float, float]]:
        return _ALIKE if self.line.ratio else _BETTER

    def _alternatives(self) -> list[tuple[float, float]]:
        """Bad shares of a healthy canary and of the stable side beside it."""
        if not self.line.ratio:
            return [(part * self.line.delta, 0.0) for part, __ in self._parts]
        stable = _learned(self.seen.stable)
        return [(stable + part * (self.line.at(stable) - stable), stable) for part, __ in self._parts]


def _learned(counts: Counts) -> float:
    """Stable's bad share, as it has been before the block in question."""
    return (counts.bad + _PRIOR_SHARE * _PRIOR_REQUESTS) / (counts.requests + _PRIOR_REQUESTS)
