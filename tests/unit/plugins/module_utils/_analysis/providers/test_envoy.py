# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxies' own counters."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Increase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.providers.envoy import (
    Clients,
    Proxies,
    page_of,
    read_proxies,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.http import http_get
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import SourceFailure


def page(code: str = "200", count: float = 0) -> str:
    labels = f'reporter="source",response_code="{code}",destination_version="v2"'
    orders = "orders.shop.svc.cluster.local"
    return f"""# TYPE istio_requests_total counter
istio_requests_total{{{labels},destination_service="{orders}"}} {count}
istio_request_duration_milliseconds_bucket{{{labels},destination_service="{orders}",le="+Inf"}} {count}
istio_requests_total{{reporter="destination",response_code="200",destination_service="{orders}"}} 99
istio_requests_total{{{labels},destination_service="orders.other.svc.cluster.local"}} 99
istio_response_bytes_sum{{{labels},destination_service="{orders}"}} 99
envoy_cluster_upstream_rq{{response_code="200",cluster_name="outbound|8001|v2|{orders}"}} 99
orders_total 5
"""


class Reader:
    """A reading every second, from second 1 on, and all that was counted."""

    def __init__(self, *pages: dict[str, str | None]) -> None:
        parsed = [
            {pod: text if text is None else page_of(text, ["orders.shop"]) for pod, text in entry.items()}
            for entry in pages
        ]
        left, seconds = iter(parsed), iter(range(1, 100))
        self.source = Proxies(lambda: next(left), clock=lambda: float(next(seconds)))
        self.requests: list[Increase] = []
        self.durations: list[Increase] = []
        for __ in pages:
            self.source.begin()
            self.requests += self.source.requests(0, "source").increases
            self.durations += self.source.durations(0, "source", 500).increases

    @property
    def total(self) -> float:
        return sum(entry.amount for entry in self.requests)


def test_a_client_s_counters_of_the_service() -> None:
    reader = Reader({"a": page(count=1)}, {"a": page(count=4)})
    (found,) = reader.requests
    assert (found.amount, found.begin, found.end) == (3, 1, 2)
    assert (found.labels["destination_version"], found.labels["response_code"]) == ("v2", "200")
    (bucket,) = reader.durations
    assert (bucket.labels["le"], bucket.amount) == ("+Inf", 3)


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([{"a": page()}, {"a": page("500", 7)}], 7),  # a new counter
        ([{"a": page(count=9)}, {"a": page(count=2)}], 2),  # a restart
        ([{"a": page(count=9)}, {"a": page(count=9), "b": page(count=5)}], 5),  # a new pod
        ([{"a": page(count=9), "b": page(count=5)}, {"a": page(count=10)}], 1),  # a pod that went
        ([{"a": None}, {"a": page(count=50)}, {"a": page(count=51)}], 1),  # a pod that could not be read
        ([{"a": page(count=9)}, {"a": ""}, {"a": page(count=3)}], 3),  # a cluster that was away
    ],
)
def test_what_proxies_have_counted(pages: Any, expected: float) -> None:
    assert Reader(*pages).total == expected


def test_readings_follow_each_other() -> None:
    reader = Reader(*({"a": page(count=10**n)} for n in range(1, 6)))
    assert [(entry.amount, entry.begin) for entry in reader.requests] == [(9 * 10**n, n) for n in range(1, 5)]
    assert "second reading" in Reader({"a": ""}).source.requests(0, "source").note


def test_what_proxies_cannot_report() -> None:
    source = Reader({"a": ""}, {"a": ""}).source
    assert "no client's proxy has a counter" in source.requests(0, "source").note
    with pytest.raises(SourceFailure, match="provider prometheus"):
        source.value("up")
    with pytest.raises(SourceFailure, match="provider prometheus"):
        source.history(0, 9, "source")
    with pytest.raises(SourceFailure, match="is unreadable"):
        page_of(page().replace("} 0", "} many"), ["orders.shop"])


class Pods:
    """A cluster of clients, some of which cannot be read."""

    def __init__(self, ready: bool, *broken: str) -> None:
        self.ready, self.broken = ready, broken

    def pod(self, name: str) -> dict[str, Any]:
        return {
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"containers": [{"name": "istio-proxy"}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(self.ready)}]},
        }

    def list(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        return [self.pod("a"), self.pod("b")] if namespace == "shop" else []

    def get(self, ref: Any) -> dict[str, Any]:
        return self.pod(ref.name)

    def get_through_pod(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        filtered = "istio_request%28s_total%7C_duration_milliseconds%29.%2A%28orders%5C.shop%29"
        assert (port, path) == (15090, f"/stats/prometheus?usedonly&filter={filtered}")
        if pod in self.broken:
            raise ApiFailure(0, "Unreachable", "no way")
        return page().encode()


def test_a_ready_client_that_cannot_be_read_is_an_error_and_an_ill_one_is_not() -> None:
    def read(cluster: Any, namespace: str = "shop") -> Any:
        return read_proxies(cluster, [Clients(namespace)], "port_forward", ["orders.shop"])

    assert all(read(Pods(True)).values())
    with pytest.raises(SourceFailure, match="pod shop/b is unreadable: no way"):
        read(Pods(True, "b"))
    assert read(Pods(False, "b"))["shop/b"] is None
    with pytest.raises(SourceFailure, match="no client's proxy"):
        read(Pods(False, "a", "b"))
    with pytest.raises(SourceFailure, match=r"no pod with a proxy runs in empty \(any label\)"):
        read(Pods(True), "empty")


class ManyPods(Pods):
    """Twenty clients. ``together``: so many are asked at the same time."""

    def __init__(self, *broken: str, together: int = 1) -> None:
        super().__init__(True, *broken)
        self._barrier = threading.Barrier(together, timeout=5)

    def list(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        return [self.pod(f"client-{number}") for number in range(20)]

    def get_through_pod(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        self._barrier.wait()
        return super().get_through_pod(namespace, pod, port, path)


def read_many(cluster: Any) -> Any:
    return read_proxies(cluster, [Clients("shop")], "port_forward", ["orders.shop"])


def test_m16_a_strangers_pod_is_not_an_error() -> None:
    pages = read_many(ManyPods("client-3", "client-5"))
    assert [name for name, found in pages.items() if found is None] == ["shop/client-3", "shop/client-5"]
    with pytest.raises(SourceFailure, match=r"pod shop/client-1 is unreadable: no way \(and 2 more of 20\)"):
        read_many(ManyPods("client-1", "client-2", "client-3"))


def test_m16_clients_are_asked_side_by_side_by_port_forward_too() -> None:
    assert len(read_many(ManyPods(together=10))) == 20


def test_m16_no_proxy_answers_without_end(server: str) -> None:
    assert http_get(f"{server}/bytes/100", {}, 5, limit=100).body == b"x" * 100
    with pytest.raises(http.client.HTTPException, match="more than 100 bytes"):
        http_get(f"{server}/bytes/101", {}, 5, limit=100)


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * int(self.path.rpartition("/")[2]))

        def log_message(self, *__: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
