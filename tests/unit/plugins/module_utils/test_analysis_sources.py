# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an analysis' counters come from: raw samples of Prometheus and their traps."""

from __future__ import annotations

import http.server
import json
import math
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_http import Server
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_prometheus import Prometheus, result_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_series import (
    SourceFailure,
    Window,
    increase,
    increases,
    key_of,
    quantile,
    seconds_behind,
)

# ---------------------------------------------------------------------------------------------------------------------
# Counters


@pytest.mark.parametrize(
    ("values", "before", "watched", "expected"),
    [
        ([150], None, True, 150),  # a new series' first scrape
        ([150, 160], None, False, 10),  # nobody was watching: of no known age
        ([150, 160], 140, True, 20),
        ([600, 600, 600], 600, True, 0),  # traffic that stopped
        ([10, 3, 5], 8, True, 7),  # a restart in between
        ([], 8, True, 0),
        ([5], None, False, 0),
    ],
)
def test_what_a_counter_rose_by(values: Any, before: Any, watched: bool, expected: float) -> None:
    assert increase(values, before, watched) == expected


def test_failures_before_the_run_do_not_count_even_between_two_scrapes() -> None:
    old, new = key_of({"a": "old"}), key_of({"a": "new"})
    samples = {old: [(1.0, 100.0), (2.0, 101.0)], new: [(1.0, 7.0), (2.0, math.nan), (3.0, 9.0)]}
    before = {old: 40.0}
    strict = {entry.labels["a"]: entry.amount for entry in increases(samples, before, strict=True)}
    assert strict == {"old": 1, "new": 9}
    loose = {entry.labels["a"]: entry.amount for entry in increases(samples, before, strict=False)}
    assert loose == {"old": 61, "new": 9}


@pytest.mark.parametrize("strict", [True, False])
def test_a_value_that_is_no_number_is_none(strict: bool) -> None:
    key = key_of({"a": "b"})
    samples = {key: [(1.0, 5.0), (2.0, 7.0)]}
    assert [entry.amount for entry in increases(samples, {key: math.nan}, strict)] == [7]


@pytest.mark.parametrize("told", ["NaN", "+Inf"])
def test_a_prometheus_without_a_time_is_no_source(told: str) -> None:
    body = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [1, told]}}).encode()
    with pytest.raises(SourceFailure, match="what time it is"):
        Prometheus(lambda *__: (200, body), "order-service", "restaurant").begin()


def test_scrapes_that_are_overdue() -> None:
    series = [[(float(at), 1.0) for at in range(10)]]
    assert seconds_behind(series, 12) == 0
    assert seconds_behind(series, 40) == 31
    assert seconds_behind([[(0.0, 1.0)]], 40) == 0
    assert seconds_behind([], 40) == 0


def test_a_percentile() -> None:
    assert quantile({10: 50, 20: 100, math.inf: 100}, 50) == (10, False)
    assert quantile({10: 50, 20: 100, math.inf: 100}, 75) == (15, False)
    assert quantile({10: 0, math.inf: 100}, 50) == (10, True)
    assert quantile({10: 0, 20: 0, 50: 8, math.inf: 8}, 100) == (50, False)


# ---------------------------------------------------------------------------------------------------------------------
# Prometheus

OK = {"response_code": "200", "destination_version": "v2"}
BAD = {"response_code": "500", "destination_version": "v2"}


class Server15:
    """Prometheus with some series, as a function of the moment; scraped every 15 s."""

    def __init__(self, **series: tuple[dict[str, str], dict[int, float]]) -> None:
        self.series = list(series.values())
        self.queries: list[dict[str, str]] = []

    def __call__(self, path: str, parameters: Any) -> tuple[int, bytes]:
        self.queries.append(dict(parameters))
        query, at = parameters["query"], float(parameters.get("time", 0))
        if query == "time()":
            return 200, data("scalar", [0, "1000"])
        # The last range's length; a look-back is of minutes.
        length = query[query.rindex("[") + 1 : query.rindex("]")]
        reach = 300.0 if length == "5m" else float(length.removesuffix("ms")) / 1000
        found = []
        for labels, samples in self.series:
            within = [[moment, str(value)] for moment, value in samples.items() if at - reach < moment <= at]
            if within and query.startswith("last_over_time"):
                found.append({"metric": labels, "value": within[-1]})
            elif within:
                found.append({"metric": {**labels, "__name__": "istio_requests_total"}, "values": within})
        return 200, data("vector" if query.startswith("last_over_time") else "matrix", found)


def data(kind: str, result: Any, **more: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()


def counted(server: Any, window: Window) -> dict[str, float]:
    source = Prometheus(server, "orders", "shop", clock=lambda: 1000.0)
    source.begin()
    counts = source.requests(window, "source")
    assert not counts.note, counts.note
    return {entry.labels["response_code"]: entry.amount for entry in counts.increases}


def every_15_s(start: int, end: int, *values: float) -> dict[int, float]:
    """Samples at each scrape; the last value stays."""
    moments = range(start, end, 15)
    return {at: values[min(n, len(values) - 1)] for n, at in enumerate(moments)}


def test_a_new_series_counts_from_its_first_scrape() -> None:
    """rate() is empty until the second one."""
    server = Server15(ok=(OK, every_15_s(700, 1000, *range(0, 9999, 150))), bad=(BAD, {985: 150.0}))
    assert counted(server, Window(940, 1000)) == {"200": 450, "500": 150}


def test_all_that_fails_from_the_start_is_all_failures() -> None:
    server = Server15(ok=({**OK, "destination_version": "v1"}, every_15_s(700, 1000, 7)), bad=(BAD, {985: 150.0}))
    assert counted(server, Window(940, 1000)) == {"200": 0, "500": 150}


def test_traffic_that_stopped_is_zero_requests() -> None:
    server = Server15(ok=(OK, every_15_s(700, 1000, 0, 150, 300, 450, 600)))
    assert counted(server, Window(940, 1000)) == {"200": 0}


def test_when_nobody_watched_before_the_first_sample_is_no_increase() -> None:
    server = Server15(ok=(OK, {985: 5000.0, 1000: 5003.0}))
    assert counted(server, Window(940, 1000)) == {"200": 3}


def test_a_scrape_that_was_missed_makes_no_new_series() -> None:
    series = every_15_s(700, 1000, *range(1000, 9999, 10))
    for missed in (925, 940):
        series.pop(missed)
    assert counted(Server15(ok=(OK, series)), Window(940, 1000)) == {"200": 50}


def test_failures_of_the_run_before_are_over() -> None:
    server = Server15(bad=(BAD, every_15_s(700, 1000, *range(0, 900, 100), 800)), ok=(OK, {985: 20.0, 1000: 40.0}))
    assert counted(server, Window(850, 1000, since=850)) == {"500": 0, "200": 40}
    # A window that begins a little later still has the scrape that saw both sides of it.
    assert counted(server, Window(851, 1000, since=850)) == {"500": 0, "200": 40}


@pytest.mark.parametrize(
    ("samples", "note"),
    [({}, "nobody scrapes its clients"), (every_15_s(700, 940, 1, 2, 3), "nobody has scraped it since")],
)
def test_nothing_in_the_window(samples: dict[int, float], note: str) -> None:
    source = Prometheus(Server15(ok=(OK, samples)), "orders", "shop", clock=lambda: 1000.0)
    source.begin()
    assert note in source.requests(Window(940, 1000), "source").note


def test_its_clock_counts_and_a_round_asks_once() -> None:
    server = Server15(ok=(OK, every_15_s(700, 1000, 1)))
    source = Prometheus(server, "orders", "shop", clock=lambda: 400.0)
    assert source.begin() == 1000
    assert (source.remote(390), source.local(990)) == (990, 390)
    for __ in range(3):
        source.requests(Window(940, 1000), "source")
    assert [query.get("time") for query in server.queries] == [None, "1000.000", "940.000"]
    assert 'destination_service_name="orders",destination_service_namespace="shop"' in server.queries[1]["query"]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>", "no JSON: <html>"),
        (200, b"", "no JSON: nothing"),
        (200, b"[]", "no Prometheus"),
        (200, b"{}", "no Prometheus"),
        (200, b'{"status": "success"}', "no Prometheus"),
        (200, b'{"status": "success", "data": []}', "no Prometheus"),
        (400, b'{"status": "error", "error": "parse error"}', "400: parse error"),
        (500, b'{"status": "error"}', "answers 500"),
        (503, b'{"status": "success", "data": {"resultType": "vector", "result": []}}', "answers 503"),
        (200, data("vector", [], warnings=["store away"]), "only in part: store away"),
    ],
)
def test_an_answer_that_is_none_is_an_error(status: int, body: bytes, message: str) -> None:
    with pytest.raises(SourceFailure, match=message):
        result_of(status, body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (data("scalar", [1, "5"]), 5.0),
        (data("vector", [{"metric": {}, "value": [1, "7"]}]), 7.0),
        (data("vector", []), None),
        (
            data("vector", [{"metric": {"a": "1"}, "value": [1, "7"]}, {"metric": {"a": "2"}, "value": [1, "7"]}]),
            "2 values",
        ),
        (data("vector", [{"metric": {}}]), "cannot be read"),
        (data("vector", [7]), "cannot be read"),
        (data("scalar", []), "cannot be read"),
        (data("matrix", []), "a matrix where a vector"),
    ],
)
def test_the_value_of_a_query(answer: bytes, expected: Any) -> None:
    source = Prometheus(lambda path, parameters: (200, answer), "orders", "shop")
    if isinstance(expected, str):
        with pytest.raises(SourceFailure, match=expected):
            source.value("x")
    else:
        assert source.value("x") == expected


# ---------------------------------------------------------------------------------------------------------------------
# HTTP


@pytest.fixture
def endpoint() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/slow/api":
                time.sleep(1)
            if path == "/dribble/api":
                self.send_response(200)
                self.end_headers()
                for __ in range(20):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(0.1)
                return
            self.send_response({"/moved/api": 302, "/secret/api": 401}.get(path, 200))
            self.send_header("Location", "http://elsewhere")
            self.end_headers()
            seen = {"path": path, "query": parse_qs(urlsplit(self.path).query), "headers": dict(self.headers)}
            self.wfile.write(json.dumps(seen).encode())

        def log_message(self, *__: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_request_carries_what_the_options_say(endpoint: str) -> None:
    server = Server(f"{endpoint}/a/", "/b/", {"X-Scope-OrgID": "7"}, username="me", password="pw")
    status, body = server.fetch("/api", {"query": 'a{b="c"}'})
    seen = json.loads(body)
    assert (status, seen["path"], seen["query"]) == (200, "/a/b/api", {"query": ['a{b="c"}']})
    assert seen["headers"]["X-Scope-OrgID"] == "7"
    assert seen["headers"]["Authorization"] == "Basic bWU6cHc="
    assert "pw" not in repr(server)
    __, body = Server(endpoint, token="t").fetch("/api", {})
    assert json.loads(body)["headers"]["Authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("prefix", "message"),
    [("slow", "within 0.3 s"), ("dribble", "within 0.3 s"), ("moved", "redirects"), ("secret", "credentials")],
)
def test_what_is_no_answer(endpoint: str, prefix: str, message: str) -> None:
    with pytest.raises(SourceFailure, match=message):
        Server(endpoint, prefix, timeout=0.3).fetch("/api", {})


def test_a_server_that_is_down() -> None:
    with pytest.raises(SourceFailure, match=r"does not answer: .*refused"):
        Server("http://127.0.0.1:9").fetch("/api", {})


@pytest.mark.parametrize("url", ["", "ftp://a", "http://", "http://me:pw@a", "http://a:99999"])
def test_urls_that_are_none(url: str) -> None:
    assert Server(url).problem()
    assert "pw" not in Server(url).problem()


def test_options_of_a_server() -> None:
    assert not Server("https://a:9/b", headers={"X": "y"}).problem()
    assert Server("https://a", token="t", username="u").problem()
    assert Server("https://a", headers={"X": "a\nHost: b"}).problem()
