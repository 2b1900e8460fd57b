# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxies' own counters."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_envoy import (
    Clients,
    Proxies,
    page_of,
    read_proxies,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_series import (
    SourceFailure,
    Window,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure

CLUSTER = "outbound|8001|v2|orders.shop.svc.cluster.local"


def page(code: str = "200", count: float = 0, cluster: str = CLUSTER) -> str:
    return f"""# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{{response_code="{code}",cluster_name="{cluster}"}} {count}
envoy_cluster_upstream_rq_time_bucket{{cluster_name="{cluster}",le="+Inf"}} {count}
envoy_cluster_upstream_rq{{response_code="200",cluster_name="inbound|8001||"}} 99
envoy_cluster_upstream_rq{{response_code="200",cluster_name="outbound|8001|v2|orders.other.svc.cluster.local"}} 99
envoy_cluster_upstream_rq_retry{{cluster_name="{cluster}"}} 99
orders_total 5
"""


ISTIO = """istio_requests_total{reporter="source",destination_service_name="orders",\
destination_service_namespace="shop",\
destination_version="v2",response_code="200",grpc_response_status=""} 5
istio_requests_total{reporter="destination",destination_service_name="orders",destination_service_namespace="shop",\
destination_version="v2",response_code="200"} 99
""".replace("\\\n", "")


def readings(*pages: dict[str, str | None]) -> Proxies:
    """A reading every second, from second 1 on."""
    parsed = [
        {pod: text if text is None else page_of(text, "orders", "shop") for pod, text in entry.items()}
        for entry in pages
    ]
    left, seconds = iter(parsed), iter(range(1, 100))
    source = Proxies(lambda: next(left), keep=3, clock=lambda: float(next(seconds)))
    for __ in pages:
        source.begin()
    return source


def total(source: Proxies, start: float, since: float | None = None) -> float:
    return sum(entry.amount for entry in source.requests(Window(start, 99, since), "source").increases)


def test_a_client_s_counters_in_the_words_of_istio() -> None:
    source = readings({"a": page(count=1)}, {"a": page(count=4)})
    (found,) = source.requests(Window(1, 2), "source").increases
    assert found.amount == 3
    assert found.labels["subset"] == "v2"
    assert found.labels["response_code"] == "200"
    (bucket,) = source.durations(Window(1, 2), "source").increases
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
        ([{"a": page(count=5) + ISTIO}, {"a": page(count=9) + ISTIO.replace("} 5", "} 6")}], 1),  # not both
    ],
)
def test_what_proxies_have_counted(pages: Any, expected: float) -> None:
    assert total(readings(*pages), 1) == expected


def test_a_window_of_readings() -> None:
    source = readings(*({"a": page(count=10**n)} for n in range(1, 6)))
    assert total(source, 4) == 10**5 - 10**4
    assert total(source, 3.5) == 10**5 - 10**3, "at least the window"
    assert total(source, 3.5, since=3.5) == 10**5 - 10**4, "but never before the run"
    assert total(source, 0) == 10**5 - 10**2, "no more is kept than the longest window needs"
    alone = readings({"a": page()})
    assert "second reading" in alone.requests(Window(0, 9), "source").note


def test_what_proxies_cannot_say() -> None:
    source = readings({"a": ""}, {"a": ""})
    assert "no client's proxy has a counter" in source.requests(Window(0, 9), "source").note
    with pytest.raises(SourceFailure, match="provider prometheus"):
        source.value("up")
    with pytest.raises(SourceFailure, match="reporter destination"):
        source.requests(Window(0, 9), "destination")
    with pytest.raises(SourceFailure, match="cannot be read"):
        page_of(page().replace("} 0", "} many"), "orders", "shop")


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
        assert (port, path) == (15020, "/stats/prometheus")
        if pod in self.broken:
            raise ApiFailure(0, "Unreachable", "no way")
        return page().encode()


def test_a_ready_client_that_cannot_be_read_is_an_error_and_an_ill_one_is_not() -> None:
    def read(cluster: Any, namespace: str = "shop") -> Any:
        return read_proxies(cluster, [Clients(namespace)], "port_forward", "orders", "shop")

    assert all(read(Pods(True)).values())
    with pytest.raises(SourceFailure, match="pod shop/b cannot be read: no way"):
        read(Pods(True, "b"))
    assert read(Pods(False, "b"))["shop/b"] is None
    with pytest.raises(SourceFailure, match="no client's proxy"):
        read(Pods(False, "a", "b"))
    with pytest.raises(SourceFailure, match=r"no pod with a proxy runs in empty \(any label\)"):
        read(Pods(True), "empty")
