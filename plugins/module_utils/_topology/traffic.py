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

from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus import failures
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Fetch, result_of, vector

# (namespace, name) of a service or a workload.
Name = tuple[str, str]

# Both ends count a request. The client's count includes what never arrived, so it is used wherever there is one: with
# both, everything would count twice. The server's is for clients without a sidecar, or whose pods are not scraped.
_CLIENT, _SERVER = "source", "destination"
_ENDS = f'reporter=~"{_CLIENT}|{_SERVER}"'
_SERVICE = "destination_service_namespace, destination_service_name"
_EDGE = f"reporter, source_workload_namespace, source_workload, {_SERVICE}"
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
# Requests to a pod's address name no Service: the server's proxy counts them here.
_NO_SERVICE = "InboundPassthroughCluster"
_SCRAPED = 'max by (namespace, pod) (up{pod!=""})'


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
            "requests_per_second": round(self.rate, 6),
            "error_percent": None if self.error_share is None else round(self.error_share * 100, 3),
            **{name: _rounded(getattr(self, name)) for name in QUANTILES},
        }


@dataclass
class Traffic:
    """services: by (namespace, name). calls: (client workload, service) to signals without quantiles.

    scraped: the pods whose metrics Prometheus has. Of the others, no requests means that none are known.
    """

    services: dict[Name, Signals] = field(default_factory=dict)
    calls: dict[tuple[Name, Name], Signals] = field(default_factory=dict)
    scraped: frozenset[Name] = frozenset()


def read_traffic(fetch: Fetch, window: str) -> Traffic:
    """Six queries. ``window`` is a PromQL duration such as 5m. Raises SourceFailure without an answer."""

    def ask(query: str) -> list[tuple[dict[str, str], float]]:
        answer = vector(result_of(*fetch("/api/v1/query", {"query": query})))
        return [(dict(labels), value) for labels, value in answer.items()]

    traffic = Traffic()
    requests = ask(f"sum by ({_EDGE}) (rate(istio_requests_total{{{_ENDS}}}[{window}]))")
    counted_by_clients = {_server(labels) for labels, value in requests if _end(labels) == _CLIENT and value > 0}

    def counts(labels: Mapping[str, str]) -> bool:
        """Whether this end's count is the one in use for the service."""
        server = _server(labels)
        return _end(labels) == (_CLIENT if server in counted_by_clients else _SERVER) and server[1] != _NO_SERVICE

    for labels, value in requests:
        if value > 0 and counts(labels):
            traffic.calls[(_client(labels), _server(labels))] = Signals(rate=value, error_share=0.0)
            traffic.services.setdefault(_server(labels), Signals(error_share=0.0)).rate += value
    by_code = f'rate(istio_requests_total{{{_ENDS},response_code=~"{failures.HTTP}|0"}}[{window}])'
    by_status = f'rate(istio_requests_total{{{_ENDS},grpc_response_status=~"{failures.GRPC}"}}[{window}])'
    for labels, value in ask(f"sum by ({_EDGE}) ({by_code} or {by_status})"):
        call = traffic.calls.get((_client(labels), _server(labels)))
        if call is None or not counts(labels):
            continue
        call.error_share = min(1.0, value / call.rate)
        signals = traffic.services[_server(labels)]
        signals.error_share = min(1.0, (signals.error_share or 0.0) + value / signals.rate)
    durations = f"rate(istio_request_duration_milliseconds_bucket{{{_ENDS}}}[{window}])"
    for name, quantile in QUANTILES.items():
        for labels, value in ask(f"histogram_quantile({quantile}, sum by (le, reporter, {_SERVICE}) ({durations}))"):
            if _server(labels) in traffic.services and counts(labels) and math.isfinite(value):
                setattr(traffic.services[_server(labels)], name, value)
    traffic.scraped = frozenset(
        (labels.get("namespace", ""), labels.get("pod", "")) for labels, value in ask(_SCRAPED) if value == 1
    )
    return traffic


def _end(labels: Mapping[str, str]) -> str:
    return labels.get("reporter", "")


def _client(labels: Mapping[str, str]) -> Name:
    return labels.get("source_workload_namespace", ""), labels.get("source_workload", "")


def _server(labels: Mapping[str, str]) -> Name:
    return labels.get("destination_service_namespace", ""), labels.get("destination_service_name", "")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
