"""Healthy canaries of every kind, and every fault that a canary may show, under a hundred requests a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ..integration.support.canary_lab import PROXIES, Lab, shares, slowness, success
from ..integration.support.canary_records import bad, failed, lateness, longest_gap, rate, read, versions
from .conftest import Report

FAULTS: dict[str, dict[str, Any]] = {
    "all 5xx": {"error_rate": 1},
    "half 5xx": {"error_rate": 0.5},
    "2 s slower": {"latency_ms": 2000},
    "refusing": {"refuse": True},
    "hanging": {"hang": True},
}
# Half a second is what a canary that is 2 s slower must be seen by.
METRICS = [success(), slowness(500)]


def ready(pod: Any) -> bool:
    """A pod that goes is ready until its preStop hook has ended, and does not count."""
    statuses = pod.status.container_statuses or []
    return not pod.metadata.deletion_timestamp and bool(statuses) and all(status.ready for status in statuses)


def healthy(lab: Lab, report: Report, meanwhile: Callable[[str], None] | None = None, **options: Any) -> dict[str, Any]:
    """From the start until the old version is gone: every request is answered, and the shares are the weights."""
    stable, canary = lab.stable, lab.canary
    with lab.unhidden(), lab.sightings() as sightings, lab.load() as load:
        call = lab.call(image_tag=lab.tag(), **options)
        if meanwhile:
            meanwhile(canary)
        assert call.wait() == 0, call.tail
        lab.until("the old version's pods are gone", lambda: not lab.pods(stable))
        time.sleep(1)
        load.stop()
    records = read(load.output)
    found = shares(sightings.seen, records, canary)
    report(
        f"{len(records)} requests, {rate(records):.1f}/s, late {lateness(records):.3f} s, longest gap "
        f"{longest_gap(records):.2f} s, {len(failed(records))} failed; {'; '.join(map(str, found))}"
    )
    assert not failed(records)
    assert [share for share in found if not share.honest] == []
    assert [sighting for sighting in sightings.seen if not sighting.agrees] == []
    assert call.result["phase"] == "Succeeded"
    assert lab.now().weights == {stable: 0, canary: 100}
    return call.result


def test_a_healthy_canary_in_the_default_steps(lab: Lab, report: Report) -> None:
    healthy(lab, report, steps=[5, 10, 25, 50, 100], step_duration="5s")


def test_a_healthy_canary_in_steps_of_a_second(lab: Lab, report: Report) -> None:
    healthy(lab, report, steps=[5, 10, 25, 50, 75, 100], step_duration="1s", interval="500ms")


def test_a_canary_whose_pods_restart_slowly(lab: Lab, report: Report) -> None:
    """One pod of two after the other is replaced by one that listens five seconds late. One alone has no peer."""

    def restart(canary: str) -> None:
        lab.until("50 %", lambda: lab.now().weights[canary] == 50, 120)
        for pod in lab.pods(canary):
            lab.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace)
            time.sleep(1)
            lab.until(
                "two ready pods",
                lambda: sum(ready(pod) for pod in lab.pods(canary)) >= 2,
                120,
            )

    lab.fault(service=lab.service, version=lab.canary, slow_start_seconds=5)
    healthy(lab, report, restart, steps=[10, 50], step_duration="30s", min_ready=2)


def test_blue_green(lab: Lab, report: Report) -> None:
    result = healthy(lab, report, strategy="blue_green", step_duration="5s")
    assert [event["weight"] for event in result["history"] if event["weight"] not in (0, 100)] == []


def test_mirrored_requests_come_first_and_reach_no_client(lab: Lab, report: Report) -> None:
    canary = lab.canary
    query = (
        f'sum(istio_requests_total{{reporter="destination",destination_service_name="{lab.service}",'
        f'destination_version="{canary}"}})'
    )
    before, seen = lab.value(query), list[float]()

    def observe(canary: str) -> None:
        lab.until("the mirror", lambda: lab.now().state.get("step") == 0, 120)
        # Prometheus discovers new pods every five seconds.
        lab.until("50 copies", lambda: lab.value(query) - before > 50, 25)
        assert lab.now().weights[canary] == 0
        seen.append(lab.value(query) - before)

    healthy(lab, report, observe, strategy="mirror", mirror_percentage=50, steps=[50], step_duration="30s")
    report(f"{seen[0]:.0f} requests were copied to the canary at weight 0")


def test_testers_first_then_all_clients(lab: Lab, report: Report) -> None:
    stable, canary = lab.stable, lab.canary
    with (
        lab.unhidden(),
        lab.load(rate=60) as crowd,
        lab.load(name="testers", rate=40, headers=["x-tester: yes"]) as load,
    ):
        call = lab.call(
            image_tag=lab.tag(), strategy="ab", match={"headers": {"x-tester": {"exact": "yes"}}}, step_duration="8s"
        )
        lab.until("the route of the testers", lambda: lab.now().state.get("step") == 0, 120)
        time.sleep(2)
        begin = time.time()
        time.sleep(3)
        end = time.time()
        assert call.wait() == 0, call.tail
    others, testers = read(crowd.output), read(load.output)
    assert not failed(others + testers)
    during = [versions(r for r in records if begin < r.sent < end) for records in (others, testers)]
    report(f"others {dict(during[0])}, testers {dict(during[1])}, 0 of {len(others + testers)} failed")
    assert set(during[0]) == {stable}
    assert set(during[1]) == {canary}
    assert lab.now().weights == {stable: 0, canary: 100}


def test_the_gateway_of_the_api_itself(whole_lab: Lab, report: Report) -> None:
    """Two VirtualServices decide which version gets its requests: the mesh's and the ingress gateway's."""
    lab = Lab(whole_lab.kubeconfig, whole_lab.folder, service="api-gateway", calls=whole_lab.calls)
    stable, canary = lab.stable, lab.canary
    at_the_edge, in_the_mesh = lab.sightings("restaurant", "api"), lab.sightings()
    with lab.unhidden(), at_the_edge as edge, in_the_mesh as mesh, lab.load("/health") as load:
        call = lab.call(image_tag=lab.tag(), routes=["api-gateway", "restaurant"], steps=[10, 50], step_duration="4s")
        assert call.wait() == 0, call.tail
        lab.until("the old version's pods are gone", lambda: not lab.pods(stable))
        time.sleep(1)
        load.stop()
    records = read(load.output)
    found = shares(edge.seen, records, canary)
    report(f"{len(records)} requests, {len(failed(records))} failed; {'; '.join(map(str, found))}")
    assert not failed(records)
    assert [share for share in found if not share.honest] == []
    assert [sighting for sighting in mesh.seen if not sighting.agrees] == []
    assert lab.now().weights == lab.now("restaurant", "api").weights == {stable: 0, canary: 100}


@pytest.mark.parametrize("provider", ["envoy", "prometheus"])
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_a_quarter_of_the_traffic(lab: Lab, report: Report, kind: str, provider: str) -> None:
    stable, canary = lab.stable, lab.canary
    before = lab.stable_errors(stable)
    options: dict[str, Any] = {"metrics": METRICS, "provider": PROXIES, "interval": "500ms"}
    if provider == "prometheus":
        options |= {"provider": {"url": lab.prometheus}, "interval": "2s"}
    with lab.unhidden(), lab.sightings() as sightings, lab.load() as load:
        call = lab.call(image_tag=lab.tag(), steps=[25, 50], step_duration="90s", **options)
        lab.until("25 %", lambda: lab.now().weights[canary] == 25, 120)
        time.sleep(6)
        begin = lab.fault(service=lab.service, version=canary, **FAULTS[kind])
        code = call.wait()
        lab.fault(clear=True)
        # Those that hang are answered by their own limit of time.
        time.sleep(7)
    records = [record for record in read(load.output) if record.sent >= begin - 1]
    zero = sightings.first({stable: 100, canary: 0}, begin)
    found, late = bad(records), bad([record for record in records if record.sent > zero])
    assert found is not None, "the fault was felt"
    after = late.last_sent - zero if late else 0.0
    report(
        f"{provider}, {kind}: fault to weight 0 {zero - begin:.2f} s, {found}, the last one sent {after:.2f} s after "
        f"the write of 0 ({late.count if late else 0} after it); {call.result['msg']}"
    )
    assert code != 0
    assert call.result["phase"] == "Failed"
    assert lab.now().weights == {stable: 100, canary: 0}
    assert lab.stable_errors(stable) == before
    assert not [record for record in failed(records) if record.version == stable]
    assert [sighting for sighting in sightings.seen if not sighting.agrees] == []
    lab.until("the canary's pods are gone", lambda: not lab.pods(canary))


def test_two_services_at_once(lab: Lab, report: Report) -> None:
    other = Lab(lab.kubeconfig, lab.folder / "other", service="menu-service")
    other.folder.mkdir(exist_ok=True)
    tags = {entry.service: f"{entry.tag()}-{entry.service}" for entry in (lab, other)}
    canaries = {entry.service: entry.canary for entry in (lab, other)}
    with lab.unhidden(), lab.load(rate=60) as load, lab.load("/api/v1/menu", rate=40, name="menu") as menu:
        calls = [entry.call(image_tag=tags[entry.service], steps=[10, 50]) for entry in (lab, other)]
        waiting = [threading.Thread(target=call.wait) for call in calls]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join()
        assert [call.wait() for call in calls] == [0, 0], [call.tail for call in calls]
    records = read(load.output) + read(menu.output)
    report(f"{len(records)} requests, {len(failed(records))} failed")
    assert not failed(records)
    for entry in (lab, other):
        assert entry.now().weights[canaries[entry.service]] == 100
