# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Prometheus, Thanos, Mimir and others with its query API: raw samples, and the faults of an answer."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.ledger import Ledger
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Batch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import (
    Fetch,
    Key,
    Sample,
    SourceFailure,
    matrix,
    quoted,
    result_of,
    single_value,
    vector,
)

# How far before its beginning the first query reaches, for the initial values: two scrapes a minute apart.
_LOOK_BACK = 150.0
# The labels that distinguish replicas of Prometheus: those of prometheus-operator, Thanos and Mimir.
REPLICA_LABELS = ("prometheus_replica", "replica", "__replica__")


class Prometheus:
    """Counters of one service. All queries of a round are for the same moment. ``hosts``: see is_of."""

    def __init__(
        self,
        fetch: Fetch,
        hosts: Sequence[str],
        clock: Callable[[], float] = time.time,
        replica_labels: Collection[str] = REPLICA_LABELS,
    ) -> None:
        self._fetch, self._replica_labels = fetch, replica_labels
        self._hosts = hosts
        self._clock = clock
        self._ahead: float | None = None
        self._now = 0.0
        self._ledgers: dict[str, Ledger] = {}
        # When each counter was last queried, and the answers of this round.
        self._asked: dict[str, float] = {}
        self._known: dict[str, Batch] = {}
        # The matcher of the buckets around a limit.
        self._near: dict[str, str] = {}

    def prime(self) -> bool:
        return False

    def begin(self) -> float:
        if self._ahead is None:
            begin = self._clock()
            theirs = single_value(self._ask("time()", None), "time()")
            if theirs is None or not math.isfinite(theirs):
                raise SourceFailure("Prometheus does not report its time")
            self._ahead = theirs - (begin + self._clock()) / 2
        self._now = self._clock() + self._ahead
        self._known.clear()
        return self._now

    def local(self, moment: float) -> float:
        return moment - (self._ahead or 0.0)

    def remote(self, moment: float) -> float:
        return moment + (self._ahead or 0.0)

    def requests(self, start: float, reporter: str) -> Batch:
        selector = self._selector("istio_requests_total", reporter)
        return self._new(selector, start, "", selector)

    def durations(self, start: float, reporter: str, limit: float) -> Batch:
        selector = self._selector("istio_request_duration_milliseconds_bucket", reporter)
        key = f"{selector} {limit}"
        if key not in self._near:
            self._near[key] = self._buckets_near(selector, limit)
        found = self._new(selector, start, self._near[key], key)
        if not self._near[key]:
            del self._near[key]
        return found

    def history(self, begin: float, end: float, reporter: str) -> Batch:
        selector = self._selector("istio_requests_total", reporter)
        query, samples = self._samples(selector, begin - _LOOK_BACK, end)
        return Batch(tuple(entry for entry in Ledger(begin).add(samples) if entry.begin >= begin), query)

    def value(self, query: str) -> float | None:
        return single_value(self._ask(query, self._now), query)

    def _new(self, selector: str, start: float, narrower: str, key: str) -> Batch:
        """``narrower``: an additional matcher. ``key``: identifies counters that are kept apart from others."""
        if key not in self._known:
            wanted = f"{selector[:-1]},{narrower}}}" if narrower else selector
            self._known[key] = self._since_last(wanted, start, key)
        return self._known[key]

    def _buckets_near(self, selector: str, limit: float) -> str:
        """A matcher for the buckets that a limit needs, three of twenty. Empty if there are none yet.

        With many clients, all buckets would make an answer of many megabytes.
        """
        found = vector(self._ask(f"count by (le) ({selector})", self._now))
        bounds = {float(text): text for key in found for name, text in key if name == "le"}
        finite = [bound for bound in bounds if math.isfinite(bound)]
        wanted = {
            max((bound for bound in finite if bound <= limit), default=None),
            min((bound for bound in finite if bound >= limit), default=None),
            math.inf if math.inf in bounds else None,
        }
        texts = [re.sub("[.+]", r"[\g<0>]", bounds[bound]) for bound in wanted if bound is not None]
        return f"le=~{quoted('|'.join(sorted(texts)))}" if texts else ""

    def _selector(self, name: str, reporter: str) -> str:
        # Names of services and namespaces have no special characters of regular expressions.
        host = quoted("|".join(f"{host.replace('.', '[.]')}[.]svc[.].+" for host in self._hosts))
        return f"{name}{{reporter={quoted(reporter)},destination_service=~{host}}}"

    def _since_last(self, selector: str, start: float, key: str) -> Batch:
        """Raw samples: rate() would lose the first value of a new series, and extrapolate the rest to the window.

        One query covers the window and the time before it, since two answers may come from two servers. It overlaps
        with the previous query, since samples arrive late. The ledger counts no sample twice.
        """
        ledger = self._ledgers.setdefault(key, Ledger(start))
        asked, interval = self._asked.get(key), ledger.interval
        begin = start - _LOOK_BACK
        if asked is not None and interval is not None:
            begin = max(begin, asked - 3 * interval - 5)
        query, samples = self._samples(selector, begin, self._now)
        found = ledger.add(samples)
        self._asked[key] = self._now
        bounds = {float(value) for counter in ledger.last for name, value in counter if name == "le"}
        return Batch(
            tuple(found),
            query,
            "" if found else self._why_nothing(ledger),
            ledger.interval,
            frozenset(bound for bound in bounds if math.isfinite(bound)),
            ledger.newest,
        )

    def _why_nothing(self, ledger: Ledger) -> str:
        if ledger.newest is None:
            service = self._hosts[0].partition(".")[0]
            return f"Prometheus has no counter of {service}: it has had no request, or its clients are not scraped"
        age = self._now - ledger.newest
        if ledger.interval is not None and age > 3 * ledger.interval + 2:
            return f"the newest sample is {age:.0f} s old: scrapes are overdue"
        return ""

    def _samples(self, selector: str, begin: float, end: float) -> tuple[str, dict[Key, list[Sample]]]:
        query = f"{selector}[{max(1, round((end - begin) * 1000))}ms]"
        return query, matrix(self._ask(query, end), self._replica_labels)

    def _ask(self, query: str, moment: float | None) -> Any:
        parameters = {"query": query}
        if moment is not None:
            parameters["time"] = f"{moment:.3f}"
        return result_of(*self._fetch("/api/v1/query", parameters))
