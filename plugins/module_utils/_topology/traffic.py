# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What Prometheus knows about the mesh's traffic: each service's golden signals, and who calls whom."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Fetch, result_of, vector

# (namespace, name) of a service or a workload.
Name = tuple[str, str]

# Clients count what they sent, including what never arrived; with both reporters everything would count twice.
_REQUESTS = 'istio_requests_total{{reporter="source"}}[{window}]'
_DURATIONS = 'istio_request_duration_milliseconds_bucket{{reporter="source"}}[{window}]'
_SERVICE = "destination_service_namespace, destination_service_name"
_FAILED = 'istio_requests_total{{reporter="source",response_code=~"5..|0"}}[{window}]'
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass
class Signals:
    """rate: requests per second. error_share: 0 to 1, None without requests. p50, p95, p99: milliseconds."""

    rate: float = 0.0
    error_share: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "requests_per_second": round(self.rate, 3),
            "error_percent": None if self.error_share is None else round(self.error_share * 100, 3),
            **{name: _rounded(getattr(self, name)) for name in QUANTILES},
        }


@dataclass
class Traffic:
    """services: by (namespace, name). calls: (client workload, service) to signals without quantiles."""

    services: dict[Name, Signals] = field(default_factory=dict)
    calls: dict[tuple[Name, Name], Signals] = field(default_factory=dict)


def read_traffic(fetch: Fetch, window: str) -> Traffic:
    """Five queries. ``window`` is a PromQL duration such as 5m. Raises SourceFailure without an answer."""

    def ask(query: str) -> dict[Any, float]:
        return vector(result_of(*fetch("/api/v1/query", {"query": query})))

    traffic = Traffic()
    edge = f"source_workload_namespace, source_workload, {_SERVICE}"
    for labels, value in ask(_sum(edge, _REQUESTS.format(window=window))).items():
        client, server = _edge(dict(labels))
        if value > 0:
            traffic.calls[(client, server)] = Signals(rate=value, error_share=0.0)
            signals = traffic.services.setdefault(server, Signals(error_share=0.0))
            signals.rate += value
    for labels, value in ask(_sum(edge, _FAILED.format(window=window))).items():
        client, server = _edge(dict(labels))
        if (call := traffic.calls.get((client, server))) is None:
            continue
        call.error_share = min(1.0, value / call.rate)
        signals = traffic.services[server]
        signals.error_share = min(1.0, (signals.error_share or 0.0) + value / signals.rate)
    for name, quantile in QUANTILES.items():
        buckets = _sum(f"le, {_SERVICE}", _DURATIONS.format(window=window))
        for labels, value in ask(f"histogram_quantile({quantile}, {buckets})").items():
            found = dict(labels)
            server = (found.get("destination_service_namespace", ""), found.get("destination_service_name", ""))
            if server in traffic.services and math.isfinite(value):
                setattr(traffic.services[server], name, value)
    return traffic


def _sum(labels: str, selector: str) -> str:
    return f"sum by ({labels}) (rate({selector}))"


def _edge(labels: Mapping[str, str]) -> tuple[Name, Name]:
    return (
        (labels.get("source_workload_namespace", ""), labels.get("source_workload", "")),
        (labels.get("destination_service_namespace", ""), labels.get("destination_service_name", "")),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
