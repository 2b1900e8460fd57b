# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Answers of Prometheus' query API as plain data, and what is wrong with one."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError

Labels = dict[str, str]


# A series' identity: its labels without its name, in order.
Key = tuple[tuple[str, str], ...]


Sample = tuple[float, float]


class SourceFailure(MeshError):
    """Nothing is known about the traffic, for a reason that is not a property of the traffic."""


def key_of(labels: Mapping[str, str]) -> Key:
    return tuple(sorted((name, value) for name, value in labels.items() if name != "__name__"))


# Path and parameters -> status and body. Raises SourceFailure where nothing answers.
Fetch = Callable[[str, Mapping[str, str]], tuple[int, bytes]]


def result_of(status: int, body: bytes) -> Any:
    """The data of an answer. Anything but a whole success is a SourceFailure, never data."""
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise SourceFailure(f"Prometheus answers {status} with invalid JSON: {_excerpt(body)}") from error
    if not isinstance(answer, dict) or "status" not in answer:
        raise SourceFailure(f"the server that answers {status} is not Prometheus: {_excerpt(body)}")
    if status != 200 or answer["status"] != "success":
        raise SourceFailure(f"Prometheus answers {status}: {answer.get('error') or _excerpt(body)}")
    if answer.get("warnings"):
        # Thanos and Mimir answer in part when a store is away: what is missing may be the failures.
        raise SourceFailure(f"Prometheus answers only in part: {'; '.join(map(str, answer['warnings']))}")
    data = answer.get("data")
    if not isinstance(data, dict) or "resultType" not in data or "result" not in data:
        raise SourceFailure(f"the server that answers {status} is not Prometheus: {_excerpt(body)}")
    return data


def matrix(data: Any, replica_labels: Collection[str] = ()) -> dict[Key, list[Sample]]:
    """Series -> its raw samples, in their order.

    Series that differ in nothing but a label of ``replica_labels`` are one counter, scraped by several replicas.
    """
    found: dict[Key, list[Sample]] = {}
    for series in _typed(data, "matrix"):
        try:
            labels = {name: value for name, value in series["metric"].items() if name not in replica_labels}
            samples = [(float(at), float(value)) for at, value in series["values"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SourceFailure(f"Prometheus sends a series that cannot be read: {error!r}") from error
        found.setdefault(key_of(labels), []).extend(samples)
    return {key: sorted(samples, key=lambda sample: sample[0]) for key, samples in found.items()}


def vector(data: Any) -> dict[Key, float]:
    """Series -> its value."""
    try:
        return {key_of(series["metric"]): float(series["value"][1]) for series in _typed(data, "vector")}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SourceFailure(f"Prometheus sends a series that cannot be read: {error!r}") from error


def single_value(data: Any, query: str) -> float | None:
    """The one value of an answer, None for an empty one."""
    if data["resultType"] == "scalar":
        try:
            return float(data["result"][1])
        except (TypeError, ValueError, IndexError) as error:
            raise SourceFailure(f"Prometheus sends a scalar that cannot be read: {error!r}") from error
    values = list(vector(data).values())
    if len(values) > 1:
        raise SourceFailure(f"the query returns {len(values)} values and must return one, as with sum(): {query}")
    return values[0] if values else None


def _typed(data: Any, wanted: str) -> list[Any]:
    if data["resultType"] != wanted or not isinstance(data["result"], list):
        raise SourceFailure(f"Prometheus answers with a {data['resultType']} where a {wanted} is expected")
    return list(data["result"])


def quoted(value: str) -> str:
    """As a PromQL string."""
    return json.dumps(value, ensure_ascii=False)


def _excerpt(body: bytes) -> str:
    return " ".join(body[:120].decode(errors="replace").split()) or "nothing"
