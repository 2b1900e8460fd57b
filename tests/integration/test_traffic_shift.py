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
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from kubernetes import client

from .conftest import INVENTORY, RunPlaybook, lab_address

NAMESPACE = "restaurant-management"
GATEWAY = "http://127.0.0.1:8080" if INVENTORY else lab_address(8080)
GROUP = ("networking.istio.io", "v1", NAMESPACE, "virtualservices")
TARGET = {
    "namespace": NAMESPACE,
    "virtual_service": "order-service",
    "service": "order-service",
    "route": "primary",
    "wait": True,
    "istiod_access": "pod_address",
}


def primary(virtual_service: dict[str, Any]) -> dict[str, Any]:
    """The route that the module is told to split."""
    (found,) = (route for route in virtual_service["spec"]["http"] if route.get("name") == "primary")
    return dict(found)


def weights(virtual_service: dict[str, Any]) -> dict[str, int]:
    return {entry["destination"]["subset"]: entry["weight"] for entry in primary(virtual_service)["route"]}


class Shifter:
    """Runs the module as a task, and looks at what came of it."""

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
        found: dict[str, Any] = self.objects.get_namespaced_custom_object(*GROUP, "order-service")
        return found

    def annotate(self, value: str) -> None:
        body = {"metadata": {"annotations": {"test/writer": value}}}
        self.objects.patch_namespaced_custom_object(*GROUP, "order-service", body)


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


@dataclass(frozen=True)
class Slots:
    """Two Deployments take turns; a canary that ended well before these tests has swapped them."""

    api: client.ApiClient
    stable: str
    spare: str

    def split(self, spare: int) -> dict[str, int]:
        """Weights with so many percent for the spare one."""
        return {self.stable: 100 - spare, self.spare: spare}

    @property
    def workload(self) -> str:
        """The spare one's Deployment."""
        (found,) = client.AppsV1Api(self.api).list_namespaced_deployment(NAMESPACE, label_selector=self._labels).items
        name: str = found.metadata.name
        return name

    @property
    def _labels(self) -> str:
        return f"app=order-service,version={self.spare}"

    def scale(self, pods: int) -> None:
        """The spare one, until it has so many pods and all are ready."""
        apps, core, name = client.AppsV1Api(self.api), client.CoreV1Api(self.api), self.workload
        apps.patch_namespaced_deployment_scale(name, NAMESPACE, {"spec": {"replicas": pods}})
        deadline = time.monotonic() + 120
        # Those that have been told to leave may still be busy; new ones need not wait for them.
        while (apps.read_namespaced_deployment(name, NAMESPACE).status.ready_replicas or 0) != pods or (
            pods == 0 and core.list_namespaced_pod(NAMESPACE, label_selector=self._labels).items
        ):
            assert time.monotonic() < deadline, f"{name} does not get to {pods} pods"
            time.sleep(0.5)


@pytest.fixture(scope="module")
def slots(api: client.ApiClient) -> Slots:
    live = client.CustomObjectsApi(api).get_namespaced_custom_object(*GROUP, "order-service")
    (stable,) = (entry["destination"]["subset"] for entry in primary(live)["route"] if entry["weight"] == 100)
    return Slots(api, stable, {"v1": "v2", "v2": "v1"}[stable])


@pytest.fixture(scope="module")
def ready(slots: Slots) -> Iterator[None]:
    """Pods of the spare version."""
    slots.scale(2)
    yield
    client.AppsV1Api(slots.api).patch_namespaced_deployment_scale(slots.workload, NAMESPACE, {"spec": {"replicas": 0}})


@pytest.fixture
def shifter(run_playbook: RunPlaybook, api: client.ApiClient) -> Iterator[Shifter]:
    found = Shifter(run_playbook, api)
    before = found.live
    yield found
    after = found.live
    after["spec"] = before["spec"]
    after["metadata"].get("annotations", {}).pop("test/writer", None)
    found.objects.replace_namespaced_custom_object(*GROUP, "order-service", after)


@pytest.mark.usefixtures("ready")
def test_the_split_is_in_force_when_the_module_returns(shifter: Shifter, slots: Slots) -> None:
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
def test_the_share_is_what_the_weight_says(shifter: Shifter, slots: Slots) -> None:
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
    """Somebody writes to the object all the time; his last word and ours both stand."""
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


def test_traffic_to_nobody_is_refused(shifter: Shifter, slots: Slots) -> None:
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
    shifter.objects.create_namespaced_custom_object(*GROUP, rival)
    try:
        result = shifter(match_routes=[{"name": "t", "subset": slots.stable, "cookie": {"a": "b"}}])
    finally:
        shifter.objects.delete_namespaced_custom_object(*GROUP, "rival")
    assert result["failed"]
    assert f"{NAMESPACE}/rival routes the same host" in result["msg"]
    assert shifter.live == before
