# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Prometheus, Thanos, Mimir and others that speak its query API: raw samples, and what is wrong with an answer."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_series import (
    Counts,
    Key,
    Sample,
    SourceFailure,
    Window,
    increases,
    key_of,
    seconds_behind,
)

# How far back a counter's value before the window is looked for; Prometheus' own look-back.
_LOOK_BACK = "5m"
_UNITS = {
    name: Decimal(seconds)
    for name, seconds in (
        ("ms", "0.001"),
        ("s", 1),
        ("m", 60),
        ("h", 3600),
        ("d", 86400),
        ("w", 604800),
        ("y", 31536000),
    )
}
_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")

# Path and parameters -> status and body. Raises SourceFailure where nothing answers.
Fetch = Callable[[str, Mapping[str, str]], tuple[int, bytes]]


class Prometheus:
    """Counters of one service. All queries of a round are of one moment."""

    def __init__(self, fetch: Fetch, service: str, namespace: str, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._service, self._namespace = service, namespace
        self._clock = clock
        self._ahead: float | None = None
        self._now = 0.0
        self._known: dict[tuple[str, float, float], Counts] = {}

    def prime(self) -> bool:
        return False

    def begin(self) -> float:
        if self._ahead is None:
            begin = self._clock()
            theirs = _value(self._ask("time()", None), "time()")
            if theirs is None or not math.isfinite(theirs):
                raise SourceFailure("Prometheus does not say what time it is")
            self._ahead = theirs - (begin + self._clock()) / 2
        self._now = self._clock() + self._ahead
        self._known.clear()
        return self._now

    def local(self, moment: float) -> float:
        return moment - (self._ahead or 0.0)

    def remote(self, moment: float) -> float:
        return moment + (self._ahead or 0.0)

    def requests(self, window: Window, reporter: str) -> Counts:
        return self._counts("istio_requests_total", window, reporter)

    def durations(self, window: Window, reporter: str) -> Counts:
        return self._counts("istio_request_duration_milliseconds_bucket", window, reporter)

    def value(self, query: str) -> float | None:
        return _value(self._ask(query, self._now), query)

    def _counts(self, name: str, window: Window, reporter: str) -> Counts:
        selector = (
            f"{name}{{reporter={_quoted(reporter)},destination_service_name={_quoted(self._service)},"
            f"destination_service_namespace={_quoted(self._namespace)}}}"
        )
        known = (selector, window.start, window.end)
        if known not in self._known:
            self._known[known] = self._increases(selector, window)
        return self._known[known]

    def _increases(self, selector: str, window: Window) -> Counts:
        """Raw samples: rate() would lose what a new series came with, and stretch the rest to the window's ends."""
        query = f"{selector}[{max(1, round(window.seconds * 1000))}ms]"
        samples = matrix(self._ask(query, window.end))
        # Raw as well: a series that missed one scrape is stale to a plain selector, but it is not new.
        before = vector(self._ask(f"last_over_time({selector}[{_LOOK_BACK}])", window.start))
        if not samples:
            gone = "nobody has scraped it since" if before else "it has had no request, or nobody scrapes its clients"
            return Counts(
                (), window.seconds, query, f"Prometheus has no counter of {self._service} in the window: {gone}"
            )
        behind = seconds_behind(samples.values(), window.end)
        note = f"the newest sample is {behind:.0f} s old: scrapes are overdue" if behind else ""
        return Counts(increases(samples, before, window.strict), window.seconds, query, note)

    def _ask(self, query: str, moment: float | None) -> Any:
        parameters = {"query": query}
        if moment is not None:
            parameters["time"] = f"{moment:.3f}"
        return result_of(*self._fetch("/api/v1/query", parameters))


def result_of(status: int, body: bytes) -> Any:
    """The data of an answer. Anything but a whole success is a SourceFailure, never data."""
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise SourceFailure(f"Prometheus answers {status} with what is no JSON: {_excerpt(body)}") from error
    if not isinstance(answer, dict) or "status" not in answer:
        raise SourceFailure(f"what answers {status} is no Prometheus: {_excerpt(body)}")
    if status != 200 or answer["status"] != "success":
        raise SourceFailure(f"Prometheus answers {status}: {answer.get('error') or _excerpt(body)}")
    if answer.get("warnings"):
        # Thanos and Mimir answer in part when a store is away: what is missing may be the failures.
        raise SourceFailure(f"Prometheus answers only in part: {'; '.join(map(str, answer['warnings']))}")
    data = answer.get("data")
    if not isinstance(data, dict) or "resultType" not in data or "result" not in data:
        raise SourceFailure(f"what answers {status} is no Prometheus: {_excerpt(body)}")
    return data


def matrix(data: Any) -> dict[Key, list[Sample]]:
    """Series -> its raw samples."""
    found: dict[Key, list[Sample]] = {}
    for series in _typed(data, "matrix"):
        try:
            found[key_of(series["metric"])] = [(float(at), float(value)) for at, value in series["values"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SourceFailure(f"Prometheus sends a series that cannot be read: {error!r}") from error
    return found


def seconds_of(duration: str) -> Decimal:
    """Of a duration as Prometheus writes it. 0 for what is none."""
    parts = _PART.findall(duration)
    if "".join(number + unit for number, unit in parts) != duration:
        return Decimal(0)
    return sum((Decimal(number) * _UNITS[unit] for number, unit in parts), Decimal(0))


def vector(data: Any) -> dict[Key, float]:
    """Series -> its value."""
    try:
        return {key_of(series["metric"]): float(series["value"][1]) for series in _typed(data, "vector")}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SourceFailure(f"Prometheus sends a series that cannot be read: {error!r}") from error


def _value(data: Any, query: str) -> float | None:
    """The one value of an answer, None for an empty one."""
    if data["resultType"] == "scalar":
        try:
            return float(data["result"][1])
        except (TypeError, ValueError, IndexError) as error:
            raise SourceFailure(f"Prometheus sends a scalar that cannot be read: {error!r}") from error
    values = list(vector(data).values())
    if len(values) > 1:
        raise SourceFailure(f"the query gives {len(values)} values, it has to give one, as with sum(): {query}")
    return values[0] if values else None


def _typed(data: Any, wanted: str) -> list[Any]:
    if data["resultType"] != wanted or not isinstance(data["result"], list):
        raise SourceFailure(f"Prometheus answers with a {data['resultType']} where a {wanted} is expected")
    return list(data["result"])


def _quoted(value: str) -> str:
    """As a PromQL string."""
    return json.dumps(value, ensure_ascii=False)


def _excerpt(body: bytes) -> str:
    return " ".join(body[:120].decode(errors="replace").split()) or "nothing"
