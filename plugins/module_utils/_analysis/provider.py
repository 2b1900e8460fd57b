# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Sources of counters, and the increases of counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Labels


@dataclass(frozen=True)
class Increase:
    """The increase of one counter between two scrapes, in the source's time."""

    labels: Labels
    amount: float
    begin: float = 0
    end: float = 0


@dataclass(frozen=True)
class Batch:
    """The increases of all counters of a service since the last round. ``note``: why there are none."""

    increases: tuple[Increase, ...]
    query: str
    note: str = ""
    # Seconds between two scrapes. None while unknown.
    scrape_interval: float | None = None
    # Finite upper bounds of the histogram's buckets in milliseconds, also of empty ones.
    bounds: frozenset[float] = frozenset()
    # The time of the newest scrape, in the source's time.
    newest: float | None = None


class Source(Protocol):
    """A source of counters."""

    def prime(self) -> bool:
        """Whether a measurement must wait for a second reading. May raise SourceFailure."""

    def begin(self) -> float:
        """Begin a round. Returns the source's time: all measurements of the round are of this moment."""

    def local(self, moment: float) -> float:
        """Converts a time of the source to this machine's."""

    def remote(self, moment: float) -> float:
        """Converts a time of this machine to the source's."""

    def requests(self, start: float, reporter: str) -> Batch:
        """Requests to the service, with Istio's labels, since the last round. In the first round since ``start``."""

    def durations(self, start: float, reporter: str, limit: float) -> Batch:
        """The same for the buckets of its histogram of milliseconds, at least those around the limit and the last."""

    def history(self, begin: float, end: float, reporter: str) -> Batch:
        """The requests of a period before the first round."""

    def value(self, query: str) -> float | None:
        """The single value of a query. None for an empty answer."""
