# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What mesh_info makes of objects and of Prometheus' answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Fetch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.graph import Edge, dot, graph_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.info import info_of, table
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.picture import svg
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.services import NOT_MEASURED, health
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.traffic import (
    Signals,
    Traffic,
    read_traffic,
)

OBJECTS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Namespace
metadata: {name: database, labels: {istio-injection: disabled}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: postgres, namespace: database}
spec: {selector: {app: postgres}, ports: [{name: tcp, port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template: {metadata: {labels: {app: web, version: v1}}, spec: {containers: [{name: web, image: web:1}]}}
status: {replicas: 2, readyReplicas: 2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  replicas: 1
  template: {metadata: {labels: {app: cart, version: v1}}, spec: {containers: [{name: c, image: c:1}]}}
status: {replicas: 1, readyReplicas: 1}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart-v2, namespace: shop}
spec:
  replicas: 0
  template: {metadata: {labels: {app: cart, version: v2}}, spec: {containers: [{name: c, image: c:2}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres, namespace: database}
spec:
  replicas: 1
  template: {metadata: {labels: {app: postgres}}, spec: {containers: [{name: p, image: p:1}]}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec: {host: cart, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http:
    - name: primary
      route:
        - {destination: {host: cart, subset: v1}, weight: 90}
        - {destination: {host: cart, subset: v2}, weight: 10}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, protocol: HTTP, name: http}, hosts: [shop.example.com]}]
"""

WEB, CART, POSTGRES = ("shop", "web"), ("shop", "cart"), ("database", "postgres")


@pytest.fixture
def info() -> dict[str, Any]:
    mesh = Mesh(Resource(obj) for obj in yaml.safe_load_all(OBJECTS))
    traffic = Traffic(
        {CART: Signals(10.0, 0.002, 4.0, 20.0, 41.5), POSTGRES: Signals(5.0, 0.0)},
        {
            (WEB, CART): Signals(10.0, 0.002),
            (CART, POSTGRES): Signals(5.0, 0.0),
            (("outside", "cron"), CART): Signals(1.0, 1.0),
        },
    )
    return info_of(mesh, traffic, [])


def service(info: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in info["services"] if item["name"] == name)


def test_a_service_with_its_workloads_routes_and_signals(info: dict[str, Any]) -> None:
    cart = service(info, "cart")
    assert [(item["name"], item["version"], item["ready"], item["sidecar"]) for item in cart["workloads"]] == [
        ("cart", "v1", 1, True),
        ("cart-v2", "v2", 0, True),
    ]
    assert cart["mtls"] == "STRICT"
    assert [(item["subset"], item["weight"]) for item in cart["routes"][0]["destinations"]] == [("v1", 90), ("v2", 10)]
    assert cart["traffic"] == {"requests_per_second": 10.0, "error_percent": 0.2, "p50": 4.0, "p95": 20.0, "p99": 41.5}
    assert service(info, "web")["traffic"] is None
    assert service(info, "postgres")["mtls"] == "none"


def test_which_security_a_call_really_has(info: dict[str, Any]) -> None:
    assert {(call["client"]["workload"], call["service"]["name"]): call["security"] for call in info["calls"]} == {
        ("web", "cart"): "mutual_tls",
        ("cart", "postgres"): "plaintext",
        ("cron", "cart"): "unknown",
    }


def test_gateways_with_their_hosts(info: dict[str, Any]) -> None:
    assert [(item["name"], item["port"], item["hosts"]) for item in info["gateways"]] == [
        ("front", 80, ["shop.example.com"])
    ]


def test_the_table_has_the_documents_columns(info: dict[str, Any]) -> None:
    lines = table(info)
    assert lines[0].split() == ["SERVICE", "RPS", "ERROR", "%", "P50", "P95", "P99", "MTLS", "WEIGHTS"]
    assert lines[2].split() == [
        "shop/cart",
        "10.0",
        "0.20",
        "4",
        "ms",
        "20",
        "ms",
        "42",
        "ms",
        "STRICT",
        "v1=90",
        "v2=10",
    ]


def test_the_picture_has_callers_left_of_whom_they_call(info: dict[str, Any]) -> None:
    nodes, edges = graph_of(info)
    root = ElementTree.fromstring(svg(nodes, edges))  # noqa: S314  (our own text)
    boxes = [(group.find("{*}text"), group.find("{*}rect")) for group in root.findall("{*}g")]
    left = {text.text: int(rect.get("x", "")) for text, rect in boxes if text is not None and rect is not None}
    assert left["web"] < left["cart"] < left["postgres"]
    assert len(boxes) == len(nodes) == 4
    assert '"shop/web" -> "shop/cart" [label="10.0/s, 0.2 % errors"' in dot(nodes, edges)


def test_what_is_said_of_an_edge() -> None:
    texts = {
        edge.client: edge.texts
        for edge in (
            Edge("few", "cart", 0.004, 0.0, "mutual_tls"),
            Edge("wrong", "cart", 13.71, 100.0, "plaintext"),
            # No claim on what is not known.
            Edge("unknown", "cart", 1.0, 0.01, "unknown"),
        )
    }
    assert texts == {"few": ["0.2/min"], "wrong": ["13.7/s", "100 % errors", "no mTLS"], "unknown": ["1.0/s"]}


def call(client: str, server: str, rate: float, security: str) -> dict[str, Any]:
    return {
        "client": {"namespace": "a", "workload": client},
        "service": {"namespace": "a", "name": server},
        "security": security,
        "requests_per_second": rate,
        "error_percent": 0.0,
    }


def test_calls_of_two_versions_are_one_edge_as_safe_as_the_worse_of_them() -> None:
    service = {
        "namespace": "a",
        "name": "web",
        "traffic": None,
        "health": "healthy",
        "workloads": [{"name": name, "version": name[-2:], "ready": 1} for name in ("web-v1", "web-v2")],
    }
    calls = [call("web-v1", "cart", 2.0, "mutual_tls"), call("web-v2", "cart", 1.0, "plaintext")]
    _nodes, edges = graph_of({"services": [service], "calls": calls})
    assert edges == [Edge("a/web", "a/cart", 3.0, 0.0, "plaintext")]


@pytest.mark.parametrize(
    ("signals", "ready", "wanted"),
    [
        (Signals(1.0, 0.0), True, "healthy"),
        (Signals(1.0, 0.002), True, "degraded"),
        (Signals(1.0, 0.0), False, "degraded"),
        (Signals(1.0, 0.06), True, "failed"),
        (None, True, "idle"),
        (None, False, "failed"),
    ],
)
def test_health(signals: Signals | None, ready: bool, wanted: str) -> None:
    assert health(signals, ready, scraped=True, sends=False) == wanted


def test_no_requests_are_idle_only_if_the_pods_are_scraped() -> None:
    assert health(None, ready=True, scraped=False, sends=False) == NOT_MEASURED
    # The ingress gateway: its clients have no proxy, and it is anything but idle.
    assert health(None, ready=True, scraped=True, sends=True) == "healthy"


EDGE = {
    "source_workload_namespace": "shop",
    "source_workload": "web",
    "destination_service_namespace": "shop",
    "destination_service_name": "cart",
}
SERVER = {key: value for key, value in EDGE.items() if key.startswith("destination")}
Rows = list[tuple[dict[str, str], str]]


def prometheus(requests: Rows, failed: Rows, p95: Rows, scraped: Rows) -> Fetch:
    """Answers with these series and values."""

    def fetch(path: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        query = parameters["query"]
        assert path == "/api/v1/query"
        assert "[2m]" in query or query == 'max by (namespace, pod) (up{pod!=""})'
        quantile = p95 if "0.95" in query else []
        kinds = (
            ("histogram_quantile", quantile),
            ("5..|0", failed),
            ("istio_requests_total", requests),
            ("up", scraped),
        )
        rows = next(rows for words, rows in kinds if words in query)
        result = [{"metric": labels, "value": [0, value]} for labels, value in rows]
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()

    return fetch


def test_the_clients_count_is_used_and_the_servers_is_not_added() -> None:
    ends = [{"reporter": "source"}, {"reporter": "destination"}]
    both = [(EDGE | end, value) for end, value in zip(ends, ("4", "3"), strict=True)]
    wrong = [(EDGE | end, "1") for end in ends]
    slow = [(SERVER | end, value) for end, value in zip(ends, ("12.34", "9"), strict=True)]
    traffic = read_traffic(prometheus(both, wrong, slow, []), "2m")
    assert traffic.services == {CART: Signals(4.0, 0.25, None, 12.34, None)}
    assert traffic.calls == {(WEB, CART): Signals(4.0, 0.25)}


def test_requests_of_clients_that_are_not_scraped_are_those_that_the_server_counts() -> None:
    server = {"reporter": "destination"}
    stray = EDGE | server | {"destination_service_name": "InboundPassthroughCluster"}
    found = prometheus([(EDGE | server, "4"), (stray, "9")], [(EDGE | server, "1")], [(SERVER | server, "12.34")], [])
    traffic = read_traffic(found, "2m")
    assert traffic.services == {CART: Signals(4.0, 0.25, None, 12.34, None)}
    assert traffic.calls == {(WEB, CART): Signals(4.0, 0.25)}


def test_a_pod_is_scraped_if_its_metrics_arrive() -> None:
    pods = [({"namespace": "shop", "pod": pod}, value) for pod, value in (("cart-0", "1"), ("cart-1", "0"))]
    assert read_traffic(prometheus([], [], [], pods), "2m").scraped == {("shop", "cart-0")}


def test_a_value_that_is_not_a_number_is_left_out() -> None:
    source = {"reporter": "source"}
    found = prometheus([(EDGE | source, "4")], [], [(SERVER | source, "NaN")], [])
    assert read_traffic(found, "2m").services == {CART: Signals(4.0, 0.0)}
