# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What containers have used, as Prometheus knows it from the kubelets' cAdvisor."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.durations import seconds_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Fetch, result_of, vector

EACH_CONTAINER = "namespace, pod, container"
_SERIES = {"cpu": "container_cpu_usage_seconds_total", "memory": "container_memory_working_set_bytes"}
# cAdvisor has series of the pod itself beside those of its containers. %s: more of the selector, and a duration.
_USED = {
    "cpu": f"sum by ({EACH_CONTAINER}) (rate({_SERIES['cpu']}{{container!='',container!='POD'%s}}[%s]))",
    "memory": f"max by ({EACH_CONTAINER}) (max_over_time({_SERIES['memory']}{{container!='',container!='POD'%s}}[%s]))",
}

# namespace, pod, container
Place = tuple[str, str, str]


@dataclass(frozen=True)
class Used:
    """Cores or bytes. seconds: for how long there were measurements; gaps do not count."""

    p95: Decimal
    mean: Decimal
    peak: Decimal
    seconds: int


# "cpu" and "memory" -> container -> what it used
Usage = Mapping[str, Mapping[Place, Used]]


@dataclass(frozen=True)
class Window:
    """length: how far back. resolution: time over which CPU is averaged, so that a burst of a second does not count."""

    length: str
    resolution: str

    def __post_init__(self) -> None:
        for name, text in (("window", self.length), ("resolution", self.resolution)):
            if not seconds_of(text):
                raise InputError(f"{name}: '{text}' is not a PromQL duration. Write it like 30s, 5m or 7d.")
        if seconds_of(self.resolution) * 2 > seconds_of(self.length):
            raise InputError(f"resolution: {self.resolution} must be at most half of the window, {self.length}.")


def used_query(resource: str, duration: str, namespaces: Sequence[str] = ()) -> str:
    """PromQL for each container's use of "cpu" (cores) or "memory" (bytes) within the duration."""
    chosen = ""
    if namespaces:
        chosen = f",namespace=~{json.dumps('|'.join(re.escape(namespace) for namespace in namespaces))}"
    return _USED[resource] % (chosen, duration)


def read_usage(fetch: Fetch, window: Window, namespaces: Sequence[str]) -> dict[str, dict[Place, Used]]:
    """Eight queries. Raises SourceFailure without an answer."""
    return {resource: _used(fetch, used_query(resource, window.resolution, namespaces), window) for resource in _USED}


def missing(usage: Usage, window: Window) -> list[str]:
    """Notes on resources without any data in Prometheus."""
    return [
        f"Prometheus has no {_SERIES[resource]} for the last {window.length}, so the use of {resource} is not known. "
        "Either it does not scrape the kubelets' cAdvisor, or resolution "
        f"({window.resolution}) is shorter than two scrapes."
        for resource, found in usage.items()
        if not found
    ]


def _used(fetch: Fetch, query: str, window: Window) -> dict[Place, Used]:
    samples = f"({query})[{window.length}:{window.resolution}]"
    p95, mean, peak, count = (
        _by_place(fetch, f"{function}{samples})")
        for function in ("quantile_over_time(0.95, ", "avg_over_time(", "max_over_time(", "count_over_time(")
    )
    step, longest = seconds_of(window.resolution), seconds_of(window.length)
    return {
        place: Used(p95[place], mean[place], peak[place], int(min(count[place] * step, longest)))
        # A series may begin between two of the queries.
        for place in p95.keys() & mean.keys() & peak.keys() & count.keys()
    }


def _by_place(fetch: Fetch, query: str) -> dict[Place, Decimal]:
    found = {}
    for key, value in vector(result_of(*fetch("/api/v1/query", {"query": query}))).items():
        labels = dict(key)
        if math.isfinite(value):
            place = (labels.get("namespace", ""), labels.get("pod", ""), labels.get("container", ""))
            found[place] = Decimal(str(value))
    return found
