# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an analysis' counters come from: raw samples of Prometheus and their traps."""

from __future__ import annotations

import http.server
import itertools
import json
import math
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.ledger import Ledger
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.providers.prometheus import Prometheus
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import (
    SourceFailure,
    key_of,
    result_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.server import Server

# ---------------------------------------------------------------------------------------------------------------------
# Counters

A, OTHER = key_of({"instance": "a", "code": "200"}), key_of({"instance": "a", "code": "500"})
ELSEWHERE = key_of({"instance": "b", "code": "200"})


def rose(ledger: Ledger, **series: list[tuple[float, float]]) -> float:
    """By how much all of A's series rose together: ok= and bad= of one process, far= of another one."""
    keys = {"ok": A, "bad": OTHER, "far": ELSEWHERE}
    return sum(entry.amount for entry in ledger.add({keys[name]: samples for name, samples in series.items()}))


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ({"ok": [(1, 5), (3, 5)], "bad": [(3, 150)]}, 150),  # a new counter of a process that was scraped before
        ({"ok": [(3, 150), (4, 160)]}, 10),  # no earlier scrape: of unknown age
        ({"ok": [(1, 140), (3, 150), (4, 160)]}, 20),
        ({"ok": [(1, 600), (3, 600), (4, 600)]}, 0),  # traffic that stopped
        ({"ok": [(1, 8), (3, 10), (4, 3), (5, 5)]}, 7),  # a restart in between
        ({"ok": [(1, 8)]}, 0),
        ({"ok": [(3, 5)]}, 0),
        ({"ok": [(1, 5), (3, math.nan), (4, 7)]}, 2),
        ({"ok": [(1, math.nan), (3, 5), (4, 7)]}, 7),  # it was scraped then, and had no value
        ({"ok": [(1, 5), (3, 6)], "far": [(3, 400), (4, 401)]}, 2),  # another process, back with what it had
    ],
)
def test_what_a_counter_rose_by(series: Any, expected: float) -> None:
    assert rose(Ledger(2), **series) == expected


def test_m14_two_replicas_that_are_not_of_the_same_moment_are_not_a_restart() -> None:
    ledger = Ledger(2)
    assert rose(ledger, ok=[(1, 10000), (3, 10020)]) == 20
    # The other replica scraped a little earlier and reports a little later.
    assert rose(ledger, ok=[(3.5, 10015)]) == 0
    assert rose(ledger, ok=[(4.5, 10030)]) == 10
    assert rose(ledger, ok=[(5.5, 3)]) == 3, "a restart is one"


def test_each_increase_is_counted_once_however_often_and_late_it_is_read() -> None:
    ledger = Ledger(2)
    samples = [(float(at), 10.0 * at) for at in range(1, 9)]
    assert rose(ledger, ok=samples[:4]) == 20
    assert rose(ledger, ok=samples[:4]) == 0
    assert rose(ledger, ok=samples[2:]) == 40
    assert ledger.interval == 1
    assert ledger.newest == 8


def test_an_increase_names_its_two_scrapes() -> None:
    ledger = Ledger(2)
    found = ledger.add({A: [(1.0, 5.0), (4.0, 6.0)], OTHER: [(4.0, 3.0)]})
    assert [(entry.amount, entry.begin, entry.end) for entry in found] == [(1, 1, 4), (3, 1, 4)]


@pytest.mark.parametrize("moment", ["NaN", "+Inf"])
def test_a_prometheus_without_a_time_is_not_a_source(moment: str) -> None:
    body = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [1, moment]}}).encode()
    with pytest.raises(SourceFailure, match="does not report its time"):
        Prometheus(lambda *__: (200, body), ["order-service.restaurant"]).begin()


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
        reach = float(query[query.rindex("[") + 1 : query.rindex("]")].removesuffix("ms")) / 1000
        found = []
        for labels, samples in self.series:
            within = [[moment, str(value)] for moment, value in samples.items() if at - reach < moment <= at]
            if within:
                found.append({"metric": {**labels, "__name__": "istio_requests_total"}, "values": within})
        return 200, data("matrix", found)


# One counter, and when two replicas of Prometheus scraped it.
SERVED = {at: float(2 * at) for at in range(900, 1100)}
FIRST = {at: SERVED[at] for at in range(910, 1100, 15)}
SECOND = {at: SERVED[at] for at in range(917, 1100, 15)}


def counted_until_1090(fetch: Any) -> float:
    """What a run that began at 1000 counts until 1090, looking every 10 s."""
    now = [1000.0]
    source = Prometheus(fetch, ["order-service.restaurant"], clock=lambda: now[0])
    total = 0.0
    for at in range(1000, 1091, 10):
        now[0] = float(at)
        source.begin()
        total += sum(entry.amount for entry in source.requests(1000, "source").increases)
    return total


def test_m14_two_prometheis_that_answer_in_turn_count_each_request_once() -> None:
    replicas = [Server15(ok=(OK, FIRST)), Server15(ok=(OK, SECOND))]
    turns = itertools.cycle(replicas)
    # From the last scrape before the start to the newest.
    truth = SERVED[max(at for at in {**FIRST, **SECOND} if at <= 1090)] - SERVED[1000]
    assert counted_until_1090(replicas[0]) == pytest.approx(truth, abs=2 * 15)

    def answer(path: str, parameters: Mapping[str, str]) -> Any:
        return next(turns)(path, parameters)

    found = counted_until_1090(answer)
    assert found == pytest.approx(truth, abs=2 * 15)


@pytest.mark.parametrize("label", ["prometheus_replica", "replica", "__replica__"])
def test_m14_replicas_in_one_answer_are_counted_once(label: str) -> None:
    both = Server15(a=({**OK, label: "0"}, FIRST), b=({**OK, label: "1"}, SECOND))
    assert counted_until_1090(both) == pytest.approx(SERVED[1090] - SERVED[1000], abs=2 * 15)
    other = Server15(a=({**OK, "pod": "0"}, FIRST), b=({**OK, "pod": "1"}, FIRST))
    assert counted_until_1090(other) == 2 * counted_until_1090(Server15(a=(OK, FIRST))), "two processes are two"


def data(kind: str, result: Any, **more: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()


def counted(server: Any, start: float) -> dict[str, float]:
    source = Prometheus(server, ["orders.shop"], clock=lambda: 1000.0)
    source.begin()
    batch = source.requests(start, "source")
    found: dict[str, float] = {}
    for entry in batch.increases:
        if entry.begin >= start:
            code = entry.labels["response_code"]
            found[code] = found.get(code, 0) + entry.amount
    return found


def every_15_s(start: int, end: int, *values: float) -> dict[int, float]:
    """Samples at each scrape; the last value stays."""
    moments = range(start, end, 15)
    return {at: values[min(n, len(values) - 1)] for n, at in enumerate(moments)}


def test_a_new_series_counts_from_its_first_scrape() -> None:
    """rate() is empty until the second one."""
    server = Server15(ok=(OK, every_15_s(700, 1000, *range(0, 9999, 150))), bad=(BAD, {985: 150.0}))
    assert counted(server, 940) == {"200": 450, "500": 150}


def test_all_that_fails_from_the_start_is_all_failures() -> None:
    server = Server15(ok=({**OK, "destination_version": "v1"}, every_15_s(700, 1000, 7)), bad=(BAD, {985: 150.0}))
    assert counted(server, 940) == {"500": 150}


def test_traffic_that_stopped_is_zero_requests() -> None:
    server = Server15(ok=(OK, every_15_s(700, 1000, 0, 150, 300, 450, 600)))
    assert counted(server, 940) == {}


def test_a_first_sample_without_an_earlier_scrape_is_not_an_increase() -> None:
    server = Server15(ok=(OK, {985: 5000.0, 1000: 5003.0}))
    assert counted(server, 940) == {"200": 3}


def test_a_scrape_that_was_missed_makes_no_new_series() -> None:
    series = every_15_s(700, 1000, *range(1000, 9999, 10))
    for missed in (925, 940):
        series.pop(missed)
    assert counted(Server15(ok=(OK, series)), 910) == {"200": 50}


def test_m13_a_scrape_that_saw_both_sides_of_the_beginning_is_left_out_whole() -> None:
    old, new = every_15_s(700, 1000, *range(0, 900, 100), 800), {865: 9.0, 880: 20.0, 895: 40.0}
    server = Server15(bad=({**BAD, "instance": "a"}, old), ok=({**OK, "instance": "a"}, new))
    # The run began at 851, between the scrapes of 850 and 865.
    assert counted(server, 851) == {"200": 31}


def test_m14_a_client_that_comes_back_after_a_long_time_does_not_bring_its_past() -> None:
    seen = every_15_s(700, 1000, *range(0, 9999, 10))
    server = Server15(ok=({**OK, "instance": "a"}, seen), bad=({**BAD, "instance": "b"}, {985: 400.0}))
    assert counted(server, 850) == {"200": 90}


@pytest.mark.parametrize(
    ("samples", "note"),
    [({}, "its clients are not scraped"), (every_15_s(850, 920, 1), "the newest sample is 90 s old")],
)
def test_nothing_since_the_beginning(samples: dict[int, float], note: str) -> None:
    source = Prometheus(Server15(ok=(OK, samples)), ["orders.shop"], clock=lambda: 1000.0)
    source.begin()
    assert note in source.requests(940, "source").note


def test_the_time_before_the_run_is_asked_for_by_itself() -> None:
    server = Server15(ok=(OK, every_15_s(700, 1000, *range(0, 9999, 150))))
    source = Prometheus(server, ["orders.shop"], clock=lambda: 1000.0)
    source.begin()
    assert sum(entry.amount for entry in source.history(850, 925, "source").increases) == 750


def test_its_clock_counts_and_a_round_asks_once() -> None:
    server = Server15(ok=(OK, every_15_s(700, 1000, 1)))
    source = Prometheus(server, ["orders.shop"], clock=lambda: 400.0)
    assert source.begin() == 1000
    assert (source.remote(390), source.local(990)) == (990, 390)
    for __ in range(3):
        source.requests(940, "source")
    # One query has the time and what was before it: two answers may be of two servers.
    assert [query.get("time") for query in server.queries] == [None, "1000.000"]
    assert 'destination_service=~"orders[.]shop[.]svc[.].+"' in server.queries[1]["query"]
    assert server.queries[1]["query"].endswith("[210000ms]")
    source.begin()
    source.requests(940, "source")
    assert server.queries[-1]["query"].endswith("[50000ms]"), "three scrapes, for those that come late"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>", "invalid JSON: <html>"),
        (200, b"", "invalid JSON: nothing"),
        (200, b"[]", "is not Prometheus"),
        (200, b"{}", "is not Prometheus"),
        (200, b'{"status": "success"}', "is not Prometheus"),
        (200, b'{"status": "success", "data": []}', "is not Prometheus"),
        (400, b'{"status": "error", "error": "parse error"}', "400: parse error"),
        (500, b'{"status": "error"}', "answers 500"),
        (503, b'{"status": "success", "data": {"resultType": "vector", "result": []}}', "answers 503"),
        (200, data("vector", [], warnings=["store away"]), "only in part: store away"),
    ],
)
def test_an_invalid_answer_is_an_error(status: int, body: bytes, message: str) -> None:
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
    source = Prometheus(lambda path, parameters: (200, answer), ["orders.shop"])
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


def test_a_request_carries_the_options(endpoint: str) -> None:
    server = Server(f"{endpoint}/a/", "/b/", {"X-Scope-OrgID": "7"}, username="me", password="pw")
    status, body = server.fetch("/api", {"query": 'a{b="c"}'})
    seen = json.loads(body)
    assert (status, seen["path"], seen["query"]) == (200, "/a/b/api", {"query": ['a{b="c"}']})
    assert seen["headers"]["X-Scope-OrgID"] == "7"
    assert seen["headers"]["User-Agent"] == "corpv3.service_mesh"
    assert seen["headers"]["Authorization"] == "Basic bWU6cHc="
    assert "pw" not in repr(server)
    __, body = Server(endpoint, token="t").fetch("/api", {})
    assert json.loads(body)["headers"]["Authorization"] == "Bearer t"


def test_m19_a_prometheus_token_that_is_replaced_is_read_again(endpoint: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    server = Server(endpoint, token_file=str(file))
    for token in ("first", "second"):
        file.write_text(f"{token}\n", encoding="utf-8")
        __, body = server.fetch("/api", {})
        assert json.loads(body)["headers"]["Authorization"] == f"Bearer {token}"
    file.unlink()
    with pytest.raises(SourceFailure, match="token_file cannot be read"):
        server.fetch("/api", {})
    assert Server(endpoint, token="t", token_file=str(file)).problem()


@pytest.mark.parametrize(
    ("prefix", "message"),
    [("slow", "within 0.3 s"), ("dribble", "within 0.3 s"), ("moved", "redirects"), ("secret", "credentials")],
)
def test_what_is_not_an_answer(endpoint: str, prefix: str, message: str) -> None:
    with pytest.raises(SourceFailure, match=message):
        Server(endpoint, prefix, timeout=0.3).fetch("/api", {})


def test_a_server_that_is_down() -> None:
    with pytest.raises(SourceFailure, match=r"does not answer: .*refused"):
        Server("http://127.0.0.1:9").fetch("/api", {})


@pytest.mark.parametrize("url", ["", "ftp://a", "http://", "http://me:pw@a", "http://a:99999"])
def test_invalid_urls(url: str) -> None:
    assert Server(url).problem()
    assert "pw" not in Server(url).problem()


def test_options_of_a_server() -> None:
    assert not Server("https://a:9/b", headers={"X": "y"}).problem()
    assert Server("https://a", token="t", username="u").problem()
    assert Server("https://a", headers={"X": "a\nHost: b"}).problem()
