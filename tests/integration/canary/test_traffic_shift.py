"""traffic_shift against the API server, istiod and the proxies of the lab."""

from __future__ import annotations

import base64
import json
import math
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client

from ..support.canary_lab import ACCESS, NAMESPACE, VIRTUAL_SERVICES
from ..support.order_slots import GATEWAY, Slots, primary, ready, slots, weights
from ..support.playbooks import RunPlaybook

__all__ = ["ready", "slots"]

TARGET = {
    "namespace": NAMESPACE,
    "virtual_service": "order-service",
    "service": "order-service",
    "route": "primary",
    "wait": True,
    "istiod_access": ACCESS,
}


class Shifter:
    """Runs the module as a task, and observes the result."""

    def __init__(self, run_playbook: RunPlaybook, api: client.ApiClient) -> None:
        self.run_playbook = run_playbook
        self.objects = client.CustomObjectsApi(api)

    def __call__(self, *arguments: str, **options: Any) -> dict[str, Any]:
        """The module's result; its message where it refuses."""
        task = {
            "corpv3.service_mesh.traffic_shift": {**TARGET, **options},
            "register": "result",
            "ignore_errors": True,
        }
        show = {"ansible.builtin.debug": {"msg": "RESULT<{{ result | to_json | b64encode }}>"}}
        play = {
            "hosts": "clusters",
            "gather_facts": False,
            "vars": {"service_mesh_auth_environment": {"K8S_AUTH_KUBECONFIG": "{{ service_mesh_kubeconfig }}"}},
            "environment": "{{ service_mesh_auth_environment }}",
            "tasks": [task, show],
        }
        run = self.run_playbook(yaml.safe_dump([play]), *arguments)
        packed = "".join(run.stdout.partition("RESULT<")[2].partition(">")[0].split())
        assert packed, run.stdout
        result: dict[str, Any] = json.loads(base64.b64decode(packed))
        return result

    @property
    def live(self) -> dict[str, Any]:
        found: dict[str, Any] = self.objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, "order-service")
        return found

    def annotate(self, value: str) -> None:
        body = {"metadata": {"annotations": {"test/writer": value}}}
        self.objects.patch_namespaced_custom_object(*VIRTUAL_SERVICES, "order-service", body)


def served_by(count: int, headers: dict[str, str] | None = None) -> Counter[str]:
    """Versions that answered so many requests; anything but 200 under its status."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    found: Counter[str] = Counter()
    for __ in range(count):
        request = urllib.request.Request(
            f"{GATEWAY}/api/v1/orders", headers={"Host": "restaurant.corpv3.com", **(headers or {})}
        )
        try:
            with opener.open(request, timeout=10) as answer:
                found[answer.headers["x-served-by"].split("/")[1]] += 1
        except urllib.error.HTTPError as error:
            found[str(error.code)] += 1
    return found


@pytest.fixture
def shifter(run_playbook: RunPlaybook, api: client.ApiClient) -> Iterator[Shifter]:
    found = Shifter(run_playbook, api)
    before = found.live
    yield found
    after = found.live
    after["spec"] = before["spec"]
    after["metadata"].get("annotations", {}).pop("test/writer", None)
    found.objects.replace_namespaced_custom_object(*VIRTUAL_SERVICES, "order-service", after)


@pytest.mark.usefixtures("ready")
def test_the_split_is_in_effect_when_the_module_returns(shifter: Shifter, slots: Slots) -> None:
    everything = slots.split(100)
    before = shifter.live
    check = shifter("--check", weights=everything)
    assert check["changed"]
    assert check["weights"] == {"primary": everything}
    assert shifter.live == before

    done = shifter(weights=everything)
    assert done["acknowledged"], done
    assert served_by(100) == {slots.spare: 100}
    again = shifter(weights=everything)
    assert not again["changed"]

    after = shifter.live
    assert weights(after) == everything
    for side in (before, after):
        for entry in primary(side)["route"]:
            del entry["weight"]
        for volatile in ("resourceVersion", "generation", "managedFields"):
            side["metadata"].pop(volatile, None)
    assert after == before, "nothing but the weights has changed"


@pytest.mark.usefixtures("ready")
def test_the_share_equals_the_weight(shifter: Shifter, slots: Slots) -> None:
    assert shifter(weights=slots.split(25))["acknowledged"]
    count = 1000
    found = served_by(count)
    assert found[slots.stable] + found[slots.spare] == count, found
    # All honest splits but one of a million are this near.
    assert abs(found[slots.spare] - 0.25 * count) <= 4.89 * math.sqrt(count * 0.25 * 0.75), found


@pytest.mark.usefixtures("ready")
def test_a_header_route_takes_its_requests_and_no_others(shifter: Shifter, slots: Slots) -> None:
    testers = {"name": "testers", "subset": slots.spare, "headers": {"x-tester": {"exact": "yes"}}}
    assert shifter(match_routes=[testers])["acknowledged"]
    assert served_by(30, {"x-tester": "yes"}) == {slots.spare: 30}
    assert served_by(30) == {slots.stable: 30}
    assert shifter(match_routes=[{"name": "testers", "state": "absent"}])["changed"]
    assert served_by(30, {"x-tester": "yes"}) == {slots.stable: 30}


@pytest.mark.usefixtures("ready")
def test_another_writer_loses_nothing(shifter: Shifter, slots: Slots) -> None:
    """Another writer changes the object all the time; its last change and ours both stay."""
    stop = threading.Event()
    last = ["0"]

    def write() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            shifter.annotate(str(count))
            last[0] = str(count)
            time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = shifter(weights=slots.split(40), wait=False)
    finally:
        stop.set()
        writer.join()
    assert done["changed"], done
    live = shifter.live
    assert live["metadata"]["annotations"]["test/writer"] == last[0]
    assert weights(live) == slots.split(40)


@pytest.fixture
def refused_listener(shifter: Shifter, run_playbook: RunPlaybook) -> Iterator[None]:
    """Another team's filter ends requests before they are routed, so the ingress gateway refuses its listener."""
    end = {
        "name": "test.not-the-last",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "test",
            "cluster": "BlackHoleCluster",
        },
    }
    routed = {"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}}
    patch = {
        "applyTo": "NETWORK_FILTER",
        "match": {"context": "GATEWAY", "listener": routed},
        "patch": {"operation": "INSERT_BEFORE", "value": end},
    }
    spec = {"workloadSelector": {"labels": {"istio": "ingressgateway"}}, "configPatches": [patch]}
    body = {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "test-refused"},
        "spec": spec,
    }

    def until(condition: str) -> None:
        play = {
            "hosts": "clusters",
            "gather_facts": False,
            "environment": {"K8S_AUTH_KUBECONFIG": "{{ service_mesh_kubeconfig }}"},
            "tasks": [
                {
                    "corpv3.service_mesh.mesh_sync_info": {"istiod_access": ACCESS},
                    "register": "mesh",
                    "until": condition,
                    "retries": 30,
                    "delay": 1,
                }
            ],
        }
        run = run_playbook(yaml.safe_dump([play]))
        assert run.rc == 0, run.stdout

    filters = ("networking.istio.io", "v1alpha3", "istio-system", "envoyfilters")
    shifter.objects.create_namespaced_custom_object(*filters, body)
    try:
        until("'refused Listener' in mesh.msg")
        yield
        until("'refused Listener' in mesh.msg")
    finally:
        shifter.objects.delete_namespaced_custom_object(*filters, "test-refused")
        until("mesh.in_sync")


@pytest.mark.usefixtures("ready", "refused_listener")
def test_another_teams_listener_holds_up_no_http_route(shifter: Shifter, slots: Slots) -> None:
    done = shifter(weights=slots.split(100), wait_timeout=10)
    assert done["acknowledged"], done
    assert served_by(50) == {slots.spare: 50}


def test_traffic_to_no_pod_is_refused(shifter: Shifter, slots: Slots) -> None:
    slots.scale(0)
    before = shifter.live
    refusals = {
        "has 0 ready endpoints": slots.split(10),
        "no DestinationRule defines subset v3": {**slots.split(0), slots.stable: 90, "v3": 10},
        "not 100": {slots.stable: 80, slots.spare: 10},
        "whole number": {slots.stable: 99.5, slots.spare: 0.5},
    }
    for message, wanted in refusals.items():
        result = shifter(weights=wanted)
        assert result["failed"]
        assert message in result["msg"], result
    assert shifter.live == before


def test_a_rival_is_named(shifter: Shifter, slots: Slots) -> None:
    rival = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "rival"},
        "spec": {"hosts": ["order-service"], "http": [{"route": [{"destination": {"host": "menu-service"}}]}]},
    }
    before = shifter.live
    shifter.objects.create_namespaced_custom_object(*VIRTUAL_SERVICES, rival)
    try:
        result = shifter(match_routes=[{"name": "t", "subset": slots.stable, "cookie": {"a": "b"}}])
    finally:
        shifter.objects.delete_namespaced_custom_object(*VIRTUAL_SERVICES, "rival")
    assert result["failed"]
    assert f"{NAMESPACE}/rival routes the same host" in result["msg"]
    assert shifter.live == before
