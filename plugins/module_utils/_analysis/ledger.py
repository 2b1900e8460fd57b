# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The increases between scrapes: each increase of each counter once, in whatever order scrapes arrive."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Increase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Key, Sample

# The labels that identify a scraped process.
_INSTANCE = ("cluster", "job", "instance", "namespace", "pod", "proxy")
# A counter that restarts loses most of its value. One that fell by less was read from two replicas at different
# moments.
_RESET_BELOW = 0.9


@dataclass
class Ledger:
    """The last scrape of each counter. ``start``, in the source's time: increases begin from the values of then."""

    start: float
    last: dict[Key, Sample] = field(default_factory=dict)
    # The scrapes of each process, newest last, of any counter.
    scrapes: dict[Key, list[float]] = field(default_factory=dict)
    # Observed seconds between two scrapes of one process. None before the second one.
    interval: float | None = None

    def add(self, samples: Mapping[Key, Sequence[Sample]]) -> list[Increase]:
        """The increases since the last call. ``samples`` may repeat earlier ones."""
        self._note_scrapes(samples)
        found = []
        for key, pairs in samples.items():
            new = [pair for pair in pairs if math.isfinite(pair[1])]
            known = self.last.get(key) or self._beginning(key, new)
            if known is None:
                continue
            chain = [known, *(pair for pair in new if pair[0] > known[0])]
            labels = dict(key)
            value = known[1]
            for before, after in pairwise(chain):
                reset = after[1] < _RESET_BELOW * value
                amount = after[1] if reset else max(after[1] - value, 0.0)
                value = after[1] if reset else max(after[1], value)
                if amount:
                    found.append(Increase(labels, amount, before[0], after[0]))
            self.last[key] = (chain[-1][0], value)
        return found

    def forget(self, instance: Key, kept: Mapping[Key, object]) -> None:
        """A process has dropped these counters. They begin at 0 when they return."""
        for key in [key for key in self.last if instance_of(key) == instance and key not in kept]:
            del self.last[key]

    def _beginning(self, key: Key, pairs: Sequence[Sample]) -> Sample | None:
        """Where a new counter begins."""
        before = [pair for pair in pairs if pair[0] <= self.start]
        if before:
            return before[-1]
        if not pairs:
            return None
        earlier = [moment for moment in self.scrapes.get(instance_of(key), ()) if moment < pairs[0][0]]
        # The previous scrape did not have it, so it began at 0 since. Without one, the age of its value is unknown.
        return (earlier[-1], 0.0) if earlier else pairs[0]

    def _note_scrapes(self, samples: Mapping[Key, Sequence[Sample]]) -> None:
        moments: dict[Key, set[float]] = {}
        for key, pairs in samples.items():
            moments.setdefault(instance_of(key), set()).update(moment for moment, __ in pairs)
        steps: list[float] = []
        for instance, found in moments.items():
            known = self.scrapes.setdefault(instance, [])
            known += sorted(moment for moment in found if not known or moment > known[-1])
            steps += [after - before for before, after in pairwise(known[-9:])]
            del known[:-500]
        if steps:
            self.interval = sorted(steps)[len(steps) // 2]

    @property
    def newest(self) -> float | None:
        """The time of the newest scrape. None before the first."""
        return max((moments[-1] for moments in self.scrapes.values() if moments), default=None)


def instance_of(key: Key) -> Key:
    return tuple((name, value) for name, value in key if name in _INSTANCE)
