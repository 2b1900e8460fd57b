"""The mesh of benchmarks/verdicts.py: counters that are drawn, scraped every so often, as a Source of an analysis."""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".ansible/collections"))

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.ledger import Ledger
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Batch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Key, SourceFailure, key_of

BOUNDS = (250.0, 500.0, 1000.0, math.inf)


@dataclass(frozen=True)
class Traffic:
    """Parts of 1, of each version's requests."""

    errors: float = 0.002
    slow: float = 0.002
    hang_ups: float = 0.02
    # Answers that never come: stock proxies name no version then.
    unanswered: float = 0.0
    # So many requests fail together.
    cluster: int = 1


def poisson(rng: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, chance, limit = 0, rng.random(), math.exp(-mean)
    while chance > limit:
        chance *= rng.random()
        count += 1
    return count


def binomial(rng: random.Random, n: int, p: float) -> int:
    """Exact where it matters: by the gaps between successes, as long as there are few."""
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    if p > 0.5:
        return n - binomial(rng, n, 1 - p)
    if n * p > 400:
        return min(n, max(0, round(rng.gauss(n * p, math.sqrt(n * p * (1 - p))))))
    found, place, scale = 0, 0, math.log1p(-p)
    while True:
        place += int(math.log(1 - rng.random()) / scale) + 1
        if place > n:
            return found
        found += 1


class Mesh:
    """One client's counters, scraped every so often, as a Source."""

    def __init__(self, rate: float, scrape: float, stable: Traffic, canary: Traffic, rng: random.Random) -> None:
        """``rate``: requests a second of both versions. ``scrape``: seconds between two scrapes."""
        self._rate, self._scrape, self._rng = rate, scrape, rng
        self._sides = (("v1", stable), ("v2", canary))
        self.now, self.weight = 0.0, 0
        self._counters: dict[Key, float] = {}
        self._kinds = {version: _keys(version) for version in ("v1", "v2")}
        self.next_scrape = rng.uniform(0.1, scrape)
        self._samples: dict[Key, list[tuple[float, float]]] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._waiting: dict[str, dict[Key, list[tuple[float, float]]]] = {}
        self._known: dict[str, Batch] = {}
        self._scraped = 0.0

    def until(self, moment: float) -> None:
        while self.next_scrape <= moment:
            self._draw(self.next_scrape)
            for key, value in self._counters.items():
                for samples in (self._samples, *self._waiting.values()):
                    samples.setdefault(key, []).append((self.now, value))
            self._scraped = self.now
            self.next_scrape += self._scrape
        self._draw(moment)

    def _draw(self, moment: float) -> None:
        seconds, self.now = moment - self.now, moment
        total = poisson(self._rng, self._rate * seconds)
        ours = binomial(self._rng, total, self.weight / 100)
        for (version, traffic), n in zip(self._sides, (total - ours, ours), strict=True):
            if n:
                self._count(self._kinds[version], traffic, n)

    def _count(self, keys: dict[str, Key], traffic: Traffic, n: int) -> None:
        rng, size = self._rng, traffic.cluster
        unanswered = binomial(rng, n, traffic.unanswered)
        hung_up = binomial(rng, n - unanswered, traffic.hang_ups)
        answered = n - unanswered - hung_up
        bad = min(
            answered,
            size * binomial(rng, answered // size, traffic.errors)
            if size > 1
            else binomial(rng, answered, traffic.errors),
        )
        slow = binomial(rng, answered, traffic.slow)
        fast = answered - slow
        for kind, amount in (
            ("200", answered - bad), ("503", bad), ("hung_up", hung_up), ("unanswered", unanswered),
            ("250", fast), ("500", fast), ("1000", answered), ("inf", answered),
        ):  # fmt: skip
            if amount or keys[kind] in self._counters:
                self._counters[keys[kind]] = self._counters.get(keys[kind], 0) + amount

    # The Source

    def prime(self) -> bool:
        return False

    def begin(self) -> float:
        self._known = {}
        return self.now

    def local(self, moment: float) -> float:
        return moment

    def remote(self, moment: float) -> float:
        return moment

    def requests(self, start: float, reporter: str) -> Batch:
        return self._new("requests", start)

    def durations(self, start: float, reporter: str, limit: float) -> Batch:
        return self._new("durations", start)

    def history(self, begin: float, end: float, reporter: str) -> Batch:
        ledger = Ledger(begin)
        samples = {key: [s for s in found if s[0] <= end] for key, found in self._samples.items()}
        return Batch(tuple(ledger.add({k: v for k, v in samples.items() if v and not _is_bucket(k)})), "")

    def value(self, query: str) -> float | None:
        raise SourceFailure("none")

    def _new(self, kind: str, start: float) -> Batch:
        if kind not in self._known:
            ledger = self._ledgers.setdefault(kind, Ledger(start))
            samples = self._waiting.get(kind, self._samples)
            self._waiting[kind] = {}
            self._known[kind] = Batch(
                tuple(ledger.add({k: v for k, v in samples.items() if _is_bucket(k) == (kind == "durations")})),
                "",
                "",
                self._scrape,
                frozenset(BOUNDS[:-1]),
                self._scraped,
            )
        return self._known[kind]


_BUCKET: dict[Key, bool] = {}


def _is_bucket(key: Key) -> bool:
    if key not in _BUCKET:
        _BUCKET[key] = any(name == "le" for name, __ in key)
    return _BUCKET[key]


def _keys(version: str) -> dict[str, Key]:
    """Labels as a stock proxy gives them."""
    base = {"instance": "client", "destination_workload": f"orders-{version}", "destination_version": version}
    found = {
        "200": {**base, "response_code": "200", "response_flags": "-"},
        "503": {**base, "response_code": "503", "response_flags": "-"},
        "hung_up": {**base, "response_code": "0", "response_flags": "DC"},
        "unanswered": {**base, "destination_version": "unknown", "response_code": "504", "response_flags": "UT"},
    }
    for name, bound in (("250", "250"), ("500", "500"), ("1000", "1000"), ("inf", "+Inf")):
        found[name] = {**base, "response_code": "200", "le": bound}
    return {name: key_of(labels) for name, labels in found.items()}
