"""Strategies beside plain weights, with the labels that a stock Istio's metrics have.

There clients' proxies count no copies, and a step without a weight has no share. What is shown of each strategy ends
as soon as it is shown; whole runs under load are in tests/soak/test_canary_traffic.py.
"""

from __future__ import annotations

import http.client
import time
from collections import Counter
from urllib.parse import urlsplit

from ..integration.support.canary_lab import HOST, Lab
from ..integration.support.canary_records import binomial_interval, failed, read, sent_within, versions

# How long a weight takes to reach the proxies of a busy machine.
SETTLING_SECONDS = 2.0


def test_copies_are_measured_where_they_arrive(lab: Lab) -> None:
    canary = lab.canary
    workload = lab.workload(canary)

    def counted(reporter: str) -> float:
        return lab.value(f'sum(istio_requests_total{{reporter="{reporter}",destination_workload="{workload}"}})')

    at_clients = counted("source")
    with lab.load() as load:
        call = lab.call(image_tag=lab.tag(), strategy="mirror", mirror_percentage=100, steps=[50], step_duration="2s")
        lab.until("copies", lambda: lab.now().state.get("step") == 0, 60)
        begin = time.time()
        # Copies alone must show that the version is good.
        lab.until("the first weight", lambda: lab.now().weights[canary] == 50, 60)
        end = time.time()
        seen = counted("source") - at_clients
        assert lab.call("aborted", reason="it is shown").wait() == 0
        call.wait()
    records = read(load.output)
    assert not failed(records)
    during = versions(sent_within(records, begin, end - 0.5))
    assert during[canary] == 0 and during.total() > 50, during
    # Prometheus may have seen the first requests of the weight by then.
    assert seen <= versions(sent_within(records, end - 0.5, end + 1))[canary]


def test_copies_that_fail_roll_the_run_back_and_reach_no_client(lab: Lab) -> None:
    stable, canary = lab.stable, lab.canary
    lab.fault(service=lab.service, version=canary, error_rate=1)
    with lab.load() as load, lab.sightings() as sightings:
        call = lab.call(image_tag=lab.tag(), strategy="mirror", steps=[50], step_duration="60s", drain="1s")
        assert call.wait() != 0
    assert "request-success-rate" in call.result["msg"], call.result["msg"]
    assert {seen.weights[canary] for seen in sightings.seen} == {0}
    assert set(versions(read(load.output))) == {stable}
    assert not failed(read(load.output))


def test_testers_alone_show_whether_the_version_is_good(lab: Lab) -> None:
    stable, canary = lab.stable, lab.canary
    match = {"headers": {"x-tester": {"exact": "yes"}}}
    with (
        lab.load(rate=60) as crowd,
        lab.load(name="testers", rate=40, headers=["x-tester: yes"]) as testers,
    ):
        call = lab.call(
            image_tag=lab.tag(),
            arguments=("-v",),
            strategy="ab",
            match=match,
            step_duration="10s",
            provider={"url": lab.prometheus},
        )
        lab.until("the testers' route", lambda: lab.now().state.get("step") == 0, 60)
        lab.until("every proxy has it", lambda: "waiting for analysis" in call.text, 60)
        begin = time.time() + SETTLING_SECONDS
        lab.until("the end of the step", lambda: lab.now().state["step"] == 1, 60)
        end = time.time()
        assert lab.call("aborted", reason="it is shown").wait() == 0
        call.wait()
    assert not failed([*read(crowd.output), *read(testers.output)])
    assert set(versions(sent_within(read(crowd.output), begin, end))) == {stable}
    assert set(versions(sent_within(read(testers.output), begin, end))) == {canary}


class Client:
    """One that keeps its cookie. ``answered_by``: the version, of each request."""

    def __init__(self, gateway: str) -> None:
        self._address, self.cookie, self.headers = urlsplit(gateway).netloc, "", Counter[str]()

    def ask(self) -> str:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            headers = {"Host": HOST, **({"Cookie": f"seen=1; {self.cookie}"} if self.cookie else {})}
            connection.request("GET", "/health", headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            cookie = answer.getheader("Set-Cookie", "")
            if cookie:
                self.headers[cookie] += 1
                self.cookie = cookie.partition(";")[0]
            return answer.getheader("x-served-by", "").split("/")[1]
        finally:
            connection.close()


def test_clients_stay_where_they_were_and_the_share_is_the_weight(whole_lab: Lab) -> None:
    lab = Lab(whole_lab.kubeconfig, whole_lab.folder, service="api-gateway", calls=whole_lab.calls)
    lab.settle()
    canary = lab.canary
    clients = [Client(lab.gateway) for __ in range(200)]

    def answered() -> list[str]:
        """By the second request of each: the first one may draw a side."""
        drawn, again = ([client.ask() for client in clients] for __ in range(2))
        assert drawn == again, "within a step every client stays"
        return again

    def answered_at(phase: str) -> list[str]:
        """Where the run is held, so however long it takes."""
        lab.until(phase, lambda: lab.now().state.get("phase") == phase)
        time.sleep(SETTLING_SECONDS)
        return answered()

    both = {"routes": ["api-gateway", "restaurant"]}
    gates = [{"at": place, "type": "hold"} for place in ("increase", "promotion")]
    with lab.load("/health", rate=40):
        call = lab.call(
            image_tag=lab.tag(),
            steps=[20, 50],
            session_affinity={"cookie_name": "side", "max_age": 600},
            gates=gates,
            **both,
        )
        first = answered_at("Waiting")
        resumed = lab.call("resumed", gates=gates, **both)
        assert resumed.wait() == 0, resumed.tail
        second = answered_at("WaitingPromotion")
        assert lab.call("aborted", reason="it is shown", **both).wait() == 0
        call.wait()
    lab.settle()
    had, has = first.count(canary), second.count(canary)
    low, high = binomial_interval(len(clients), 0.2, 0.999999)
    assert low <= had <= high, (had, low, high)
    assert [one for one, then in zip(first, second, strict=True) if one == canary != then] == [], "none comes back"
    # From 20 % to 50 % move 30 of the other 80.
    low, high = binomial_interval(len(clients) - had, 0.38, 0.999999)
    assert low <= has - had <= high, (had, has, low, high)
    cookies = {cookie for client in clients for cookie in client.headers}
    assert all(cookie.endswith("; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure") for cookie in cookies), cookies


def test_all_at_once_stays_if_it_is_good(lab: Lab) -> None:
    stable, canary = lab.stable, lab.canary
    with lab.load() as load:
        call = lab.call(
            image_tag=lab.tag(), strategy="blue_green", step_duration="3s", provider={"url": lab.prometheus}
        )
        assert call.wait() == 0, call.tail
    assert not failed(read(load.output))
    assert [event["weight"] for event in call.result["history"] if event["weight"] not in (0, 100)] == []
    assert lab.now().weights == {stable: 0, canary: 100}
