# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a request is, on pages as proxies of a stock Istio print them (istio_pages/README.md)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.providers.envoy import Proxies, page_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.providers.prometheus import Prometheus
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.sides import MetricSide, is_lost

PAGES = Path(__file__).parent / "istio_pages"
STABLE, CANARY = MetricSide("v1", "v1", "orders"), MetricSide("v2", "v2", "orders-v2")
START, NOW = 100.0, 160.0
BEGIN, END = 90.0, 150.0


def proxies(name: str) -> Source:
    """Read twice: before the first request and after the last one."""
    pages = [{"shop/web-1": page_of(text, ["orders.shop"])} for text in ("", read(name))]
    left, times = iter(pages), iter((START, NOW))
    source = Proxies(lambda: next(left), clock=lambda: next(times))
    source.begin()
    source.begin()
    return source


def prometheus(name: str) -> Source:
    """Scraped twice likewise."""
    source = Prometheus(Server(read(name)), ["orders.shop"], clock=lambda: NOW)
    source.begin()
    return source


class Server:
    """A Prometheus that has scraped one page: at 0 before the start, and with its values after it."""

    def __init__(self, page: str) -> None:
        self.series = [
            ({"__name__": match[1], **dict(re.findall(r'(\w+)="([^"]*)"', match[2]))}, match[3])
            for match in re.finditer(r"^(\w+)\{(.*)\} (\S+)$", page, re.MULTILINE)
        ]
        self.queries: list[str] = []

    def __call__(self, path: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        query = parameters["query"]
        self.queries.append(query)
        if query == "time()":
            return 200, answer("scalar", [NOW, str(NOW)])
        if query.startswith("count by (le)"):
            bounds = {labels.get("le", "") for labels, __ in self.series if selected(query, labels)}
            return 200, answer("vector", [{"metric": {"le": le}, "value": [NOW, "1"]} for le in bounds])
        found = [(labels, value) for labels, value in self.series if selected(query, labels)]
        values = [{"metric": labels, "values": [[BEGIN, "0"], [END, value]]} for labels, value in found]
        return 200, answer("matrix", values)


def answer(kind: str, result: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def selected(query: str, labels: Mapping[str, str]) -> bool:
    """Whether the query's selector takes the series; as in Prometheus, an empty label is a missing one."""
    name, matchers = re.search(r"(istio_\w+)\{([^}]*)\}", query).groups()  # type: ignore[union-attr]
    if labels["__name__"] != name:
        return False
    for label, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', matchers):
        given = labels.get(label, "")
        if given != value if operator == "=" else not re.fullmatch(value, given):
            return False
    return True


def read(name: str) -> str:
    return (PAGES / f"{name}.txt").read_text(encoding="utf-8")


def owners(
    source: Source, reporter: str = "source", sides: tuple[MetricSide, MetricSide] = (STABLE, CANARY)
) -> dict[str, int]:
    """Requests by their owner and their result."""
    found: Counter[str] = Counter()
    for entry in source.requests(START, reporter).increases:
        whose = [side.subset for side in sides if side.owns(entry.labels)] + ["lost"] * is_lost(entry.labels)
        assert len(whose) == 1, entry.labels
        status = entry.labels.get("grpc_response_status") or entry.labels["response_code"]
        found[f"{whose[0]} {status}"] += round(entry.amount)
    return dict(found)


EXPECTED = {
    "answered": {"v1 200": 90, "v2 200": 9, "v2 500": 1},
    "timeout": {"v1 200": 90, "v2 504": 10},
    "refused": {"v1 200": 90, "v2 503": 10},
    "no_host": {"v1 200": 90, "lost 503": 10},
    "hung_up": {"v1 200": 90, "v2 0": 10},
    "gateway": {"v1 200": 90, "v2 200": 10},
    "grpc": {"v1 0": 90, "v2 0": 8, "v2 13": 1, "v2 14": 1},
    "mirrored": {"v1 200": 90},
}


@pytest.mark.parametrize("provider", [proxies, prometheus])
@pytest.mark.parametrize(("page", "expected"), EXPECTED.items())
def test_b5_requests_without_an_answer_are_the_canarys(
    provider: Callable[[str], Source], page: str, expected: dict[str, int]
) -> None:
    assert owners(provider(page)) == expected


@pytest.mark.parametrize("provider", [proxies, prometheus])
@pytest.mark.parametrize(("page", "expected"), EXPECTED.items())
def test_b5_also_where_only_the_versions_are_named(
    provider: Callable[[str], Source], page: str, expected: dict[str, int]
) -> None:
    """Unanswered requests have a canonical revision."""
    assert owners(provider(page), sides=(MetricSide("stable", "v1"), MetricSide("canary", "v2"))) == {
        name.replace("v1", "stable").replace("v2", "canary"): count for name, count in expected.items()
    }


@pytest.mark.parametrize("provider", [proxies, prometheus])
def test_m8_copies_are_counted_where_they_arrive(provider: Callable[[str], Source]) -> None:
    source = provider("mirrored_server")
    assert owners(source, "destination") == {"v2 200": 85, "v2 500": 5}
    assert owners(source, "source") == {}


@pytest.mark.parametrize("provider", [proxies, prometheus])
def test_a_waypoint_names_the_revision_of_an_endpoint(provider: Callable[[str], Source]) -> None:
    source = provider("waypoint")
    assert owners(source, "waypoint") == {"v1 200": 90, "v2 200": 9, "v2 500": 1}
    assert owners(source, "source") == {}


@pytest.mark.parametrize("provider", [proxies, prometheus])
@pytest.mark.parametrize(("page", "slow"), [("answered", 0), ("timeout", 10)])
def test_timeouts_are_slow_requests_of_the_canary(provider: Callable[[str], Source], page: str, slow: int) -> None:
    # A bucket into which nothing fell has not risen.
    buckets: Counter[str] = Counter()
    for entry in provider(page).durations(START, "source", 500).increases:
        if CANARY.owns(entry.labels) and entry.labels["response_code"] != "500":
            buckets[entry.labels["le"]] += round(entry.amount)
    assert buckets["+Inf"] - buckets["500"] == slow


@pytest.mark.parametrize(
    ("limit", "asked"), [(500, "500|[+]Inf"), (300, "250|500|[+]Inf"), (0.2, "0[.]5|[+]Inf"), (9e9, "3600000|[+]Inf")]
)
def test_m16_prometheus_is_asked_for_the_buckets_that_the_limit_needs(limit: float, asked: str) -> None:
    server = Server(read("answered"))
    source = Prometheus(server, ["orders.shop"], clock=lambda: NOW)
    source.begin()
    batch = source.durations(START, "source", limit)
    assert f'le=~"{asked}"' in server.queries[-1]
    assert {entry.labels["le"] for entry in batch.increases} <= {each.replace("[+]", "+") for each in asked.split("|")}
    source.begin()
    source.durations(START, "source", limit)
    assert [query.startswith("count") for query in server.queries].count(True) == 1, "they stay"


def test_m16_before_there_is_a_bucket_all_are_asked_for() -> None:
    server = Server(read("answered"))
    later, server.series = server.series, []
    source = Prometheus(server, ["orders.shop"], clock=lambda: NOW)
    for series in ([], later):
        server.series = series
        source.begin()
        batch = source.durations(START, "source", 500)
    assert {entry.labels["le"] for entry in batch.increases} == {"500", "+Inf"}


def test_another_namespaces_service_of_the_same_name_is_not_this_one() -> None:
    other = read("answered").replace("orders.shop.svc", "orders.shopping.svc")
    assert not page_of(other, ["orders.shop"])
    assert not any(selected(QUERY, labels) for labels, __ in Server(other).series)
    assert any(selected(QUERY, labels) for labels, __ in Server(read("answered")).series)


QUERY = 'istio_requests_total{reporter="source",destination_service=~"orders[.]shop[.]svc[.].+"}'


def test_labels_of_a_peer_that_is_not_known() -> None:
    assert is_lost({"destination_workload": "unknown", "destination_canonical_revision": "latest"})
    assert not is_lost({"destination_workload": "unknown", "destination_version": "latest"})
    # Where Prometheus leaves the workload out, the version decides.
    assert CANARY.owns({"destination_version": "v2"})
    assert not CANARY.owns({"destination_workload": "orders", "destination_version": "v2"})
