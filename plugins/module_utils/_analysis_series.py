# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Counters and what they rose by: exact where rate() is not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

Labels = dict[str, str]
# A series' identity: its labels without its name, in order.
Key = tuple[tuple[str, str], ...]
Sample = tuple[float, float]


class SourceFailure(Exception):
    """Nothing can be said about the traffic, for a reason that is no property of the traffic."""


@dataclass(frozen=True)
class Increase:
    """What one counter rose by within the window."""

    labels: Labels
    amount: float


@dataclass(frozen=True)
class Counts:
    """All counters of a service over one window. ``note`` says why there are none, or why they prove nothing."""

    increases: tuple[Increase, ...]
    seconds: float
    query: str
    note: str = ""


@dataclass(frozen=True)
class Window:
    """From ``start`` to ``end``, in the source's own time.

    ``since``: the moment before which nothing counts, not even what one scrape has seen of both sides of it.
    """

    start: float
    end: float
    since: float | None = None

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def strict(self) -> bool:
        """Whether the last scrape before the window may be older than ``since``.

        It is no older than one more window: what is scraped less often has no data in this window anyway.
        """
        return self.since is not None and self.since > self.start - self.seconds


class Source(Protocol):
    """Where counters come from."""

    def prime(self) -> bool:
        """Whether a measurement has to wait for a second reading. May raise SourceFailure."""

    def begin(self) -> float:
        """A new round of measurements. Returns the source's time; all measurements of the round are of this moment."""

    def local(self, moment: float) -> float:
        """A time of the source as this machine's."""

    def remote(self, moment: float) -> float:
        """A time of this machine as the source's."""

    def requests(self, window: Window, reporter: str) -> Counts:
        """Every counter of requests to the service, with Istio's labels."""

    def durations(self, window: Window, reporter: str) -> Counts:
        """Every bucket of the service's histogram of milliseconds, with Istio's labels."""

    def value(self, query: str) -> float | None:
        """The one value of a query, None for an empty answer."""


def key_of(labels: Mapping[str, str]) -> Key:
    return tuple(sorted((name, value) for name, value in labels.items() if name != "__name__"))


def increase(values: Sequence[float], before: float | None, watched: bool) -> float:
    """What a counter rose by: from its value before the window, through resets.

    A counter that was not there before the window began at 0 if somebody was watching then (``watched``); if nobody
    was, its first value is of no known age and only a place to start from.
    """
    chain = list(values)
    if before is not None:
        chain.insert(0, before)
    elif watched:
        chain.insert(0, 0.0)
    # A counter that fell has started again from 0.
    return sum(b - a if b >= a else b for a, b in pairwise(chain))


def increases(
    samples: Mapping[Key, Sequence[Sample]], before: Mapping[Key, float], strict: bool
) -> tuple[Increase, ...]:
    """What each series rose by. ``before`` has the values that were the last ones when the window began."""
    result = []
    for key, pairs in samples.items():
        values = [value for __, value in pairs if math.isfinite(value)]
        known = before.get(key)
        if known is not None and not math.isfinite(known):
            known = None
        if strict and known is not None:
            # The first scrape after the start may hold what happened before it: it is a place to start from.
            amount = increase(values, None, False)
        else:
            amount = increase(values, known, bool(before))
        result.append(Increase(dict(key), amount))
    return tuple(result)


def seconds_behind(samples: Iterable[Sequence[Sample]], end: float) -> float:
    """How long scrapes are overdue, 0 where they are not or where one cannot tell."""
    steps, newest = [], 0.0
    for pairs in samples:
        times = [moment for moment, __ in pairs]
        steps += [b - a for a, b in pairwise(times)]
        newest = max([newest, *times])
    if not steps:
        return 0.0
    usual = sorted(steps)[len(steps) // 2]
    age = end - newest
    return age if age > 3 * usual + 2 else 0.0


def quantile(buckets: Mapping[float, float], percentile: float) -> tuple[float, bool]:
    """The percentile of a cumulative histogram, and whether it is only a lower bound (beyond the last finite bucket).

    Linear within a bucket, as histogram_quantile().
    """
    bounds = sorted(buckets)
    rank = percentile / 100 * buckets[bounds[-1]]
    lower, below = 0.0, 0.0
    for bound in bounds:
        count = buckets[bound]
        if count >= rank and count > below:
            if math.isinf(bound):
                return lower, True
            return lower + (bound - lower) * (rank - below) / (count - below), False
        lower, below = bound, max(below, count)
    return lower, True
