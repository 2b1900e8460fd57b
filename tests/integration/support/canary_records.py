"""What canary_load.py measured: which version answered, which requests failed, and whether a share equals a weight."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One request; times are of the wall clock. ``status`` 0: no answer, and ``served`` has the reason."""

    due: float
    sent: float
    answered: float
    status: int
    served: str

    @property
    def version(self) -> str:
        """The version that answered, "" where a proxy did, or a service in front that got no answer."""
        relayed = self.status >= 500 and self.served.startswith("api-gateway/")
        return self.served.split("/")[1] if self.served.count("/") == 2 and not relayed else ""

    @property
    def seconds(self) -> float:
        return self.answered - self.sent

    def bad(self, slower_than: float = 1.0) -> bool:
        return self.status >= 500 or self.status == 0 or self.seconds > slower_than


@dataclass(frozen=True)
class Share:
    """How often the version answered, of so many requests, and how often an honest split lets it."""

    weight: int
    requests: int
    answered: int
    low: int
    high: int

    @property
    def honest(self) -> bool:
        return self.low <= self.answered <= self.high

    def __str__(self) -> str:
        inside = "inside" if self.honest else "OUTSIDE"
        return f"weight {self.weight:3}: {self.answered}/{self.requests}, {inside} [{self.low}, {self.high}]"


@dataclass(frozen=True)
class Bad:
    """The bad requests of a run, by when they were sent and by when they were answered."""

    count: int
    by_version: dict[str, int]
    first_sent: float
    last_sent: float
    first_answered: float
    last_answered: float

    def __str__(self) -> str:
        return (
            f"{self.count} bad {self.by_version}, over {self.last_sent - self.first_sent:.2f} s as sent, "
            f"{self.last_answered - self.first_answered:.2f} s as answered"
        )


def read(path: Path) -> list[Record]:
    """The finished requests, in the order in which they were sent."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        # The last line of a generator that still runs may be half a line.
        if line.endswith("\n"):
            records.append(Record(**json.loads(line)))
    return sorted(records, key=lambda record: record.sent)


class Failures(list[Record]):
    """Failed requests, whose summary a failed assertion shows."""

    def __repr__(self) -> str:
        answers = dict(Counter((record.status, record.served) for record in self))
        longest = max((record.seconds for record in self), default=0.0)
        return f"{bad(self)}, longest {longest:.1f} s, {answers}"


def failed(records: Iterable[Record]) -> Failures:
    """Those that were not answered with 200."""
    return Failures(record for record in records if record.status != 200)


def sent_within(records: Iterable[Record], begin: float, end: float) -> list[Record]:
    """Those sent from ``begin`` on and answered by ``end``."""
    return [record for record in records if record.sent >= begin and record.answered <= end]


def versions(records: Iterable[Record]) -> Counter[str]:
    """How many each version answered."""
    return Counter(record.version for record in records)


def share(records: Sequence[Record], version: str, weight: int, confidence: float = 0.999) -> Share:
    """The version's share against its weight in percent."""
    low, high = binomial_interval(len(records), weight / 100, confidence)
    return Share(weight, len(records), versions(records)[version], low, high)


def bad(records: Iterable[Record], slower_than: float = 1.0) -> Bad | None:
    """The bad ones, None where there are none."""
    found = [record for record in records if record.bad(slower_than)]
    if not found:
        return None
    return Bad(
        len(found),
        dict(versions(found)),
        min(record.sent for record in found),
        max(record.sent for record in found),
        min(record.answered for record in found),
        max(record.answered for record in found),
    )


def longest_gap(records: Iterable[Record]) -> float:
    """The longest time without an answer."""
    answered = sorted(record.answered for record in records)
    return max((later - earlier for earlier, later in itertools.pairwise(answered)), default=0.0)


def rate(records: Sequence[Record]) -> float:
    """Requests per second that were really sent."""
    return (len(records) - 1) / (records[-1].sent - records[0].sent) if len(records) > 1 else 0.0


def lateness(records: Iterable[Record], quantile: float = 0.99) -> float:
    """By how much requests left after they were due, which is the generator's own fault."""
    late = sorted(record.sent - record.due for record in records)
    return late[min(len(late) - 1, int(quantile * len(late)))]


def binomial_interval(count: int, probability: float, confidence: float = 0.999) -> tuple[int, int]:
    """The least and the greatest number of hits that are not among the rarest on either side."""
    if probability <= 0 or probability >= 1:
        exact = round(count * probability)
        return exact, exact
    tail = (1 - confidence) / 2
    below = [0.0]
    for hits in range(count + 1):
        below.append(below[-1] + _probability(count, hits, probability))
    low = next(hits for hits in range(count + 1) if below[hits + 1] > tail)
    high = next((hits for hits in range(count + 1) if below[hits + 1] >= 1 - tail), count)
    return low, high


def _probability(count: int, hits: int, probability: float) -> float:
    ways = math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
    return math.exp(ways + hits * math.log(probability) + (count - hits) * math.log1p(-probability))
