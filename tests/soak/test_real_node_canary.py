"""Canaries whose pods, istiod and gateway are containers of the real node, by port-forward, and what may die meanwhile.

istiod and the proxies are reached as by default elsewhere: through the API server and the kubelet.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..integration.support import book_shop, gateway_shop, grpc_shop, one_deployment_shop
from ..integration.support.canary_lab import Call, Lab, shares
from ..integration.support.canary_records import failed, rate, read
from ..integration.support.canary_sightings import NAMESPACE
from ..integration.support.playbooks import ROOT
from .conftest import Report
from .real_node import RealLab, needs_real_node, real_lab

pytestmark = needs_real_node
# The shops of the canary's integration tests.
SHOPS = [shop.NAMESPACE for shop in (book_shop, gateway_shop, grpc_shop, one_deployment_shop)]
PLACED = {
    "lab_real_node_namespaces": [NAMESPACE, *SHOPS],
    "lab_real_node_apps": ["istiod", "istio-ingressgateway"],
}
# Requests a second: two cores run the node's sixty containers, too.
RATE = 20
FORWARDED: dict[str, Any] = {
    "provider": {"type": "envoy", "proxy_access": "port_forward"},
    "istiod_access": "port_forward",
}


@pytest.fixture(scope="module")
def node() -> Iterator[RealLab]:
    for found in real_lab(**PLACED):
        found.playbook("site", **PLACED)
        yield found


@pytest.fixture(scope="module")
def mesh(node: RealLab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(node.folder / "kubeconfig", tmp_path_factory.mktemp("real-node"))


@pytest.fixture
def lab(mesh: Lab) -> Iterator[Lab]:
    mesh.settle()
    yield mesh
    mesh.settle()


def test_the_application_its_gateway_and_istiod_are_containers(node: RealLab) -> None:
    running = {
        pod["metadata"]["labels"]["app"]
        for pod in node.get("pods", "-A", f"--field-selector=spec.nodeName={node.node},status.phase=Running")["items"]
        if "app" in pod["metadata"].get("labels", {})
    }
    assert {"istiod", "istio-ingressgateway", "order-service", "api-gateway"} <= running


def test_the_smoke_test_reaches_istiod_by_port_forward(node: RealLab) -> None:
    node.playbook("smoke", smoke_istiod_access="port_forward")


def test_a_healthy_canary(lab: Lab, report: Report) -> None:
    stable, canary = lab.stable, lab.canary
    with lab.unhidden(), lab.sightings() as sightings, lab.load(rate=RATE) as load:
        call = lab.call(image_tag=lab.tag(), step_duration="5s", **FORWARDED)
        assert call.wait() == 0, call.tail
        lab.until("the old version's pods are gone", lambda: not lab.pods(stable))
        load.stop()
    records = read(load.output)
    found = shares(sightings.seen, records, canary)
    report(
        f"real node: {len(records)} requests, {rate(records):.1f}/s, {len(failed(records))} failed; "
        f"{'; '.join(map(str, found))}"
    )
    assert not failed(records)
    assert call.result["phase"] == "Succeeded"


def test_a_fault_is_rolled_back(lab: Lab, report: Report) -> None:
    canary = lab.canary
    with lab.unhidden(), lab.sightings() as sightings, lab.load(rate=RATE) as load:
        call = lab.call(image_tag=lab.tag(), steps=[25], step_duration="120s", **FORWARDED)
        lab.until("25 %", lambda: lab.now().weights[canary] == 25)
        time.sleep(2)
        begun = lab.fault(service=lab.service, version=canary, error_rate=1)
        assert call.wait() != 0
        load.stop()
    back = next(seen.at for seen in sightings.seen if seen.at > begun and not seen.weights[canary])
    report(f"real node: all 5xx by envoy through port-forward: weight 0 after {back - begun:.2f} s")
    assert call.result["phase"] == "Failed"


def test_an_image_that_cannot_be_pulled_gets_no_request(lab: Lab) -> None:
    canary = lab.canary
    with lab.sightings() as sightings:
        call = lab.call(image_tag=f"missing-{int(time.time())}", ready_timeout="30s", **FORWARDED)
        assert call.wait() != 0
    assert all(not seen.weights[canary] for seen in sightings.seen)
    assert "Pull" in call.text, call.tail


@pytest.mark.parametrize("program", ["kubelet", "containerd", "kube-proxy", "node-api"])
def test_a_program_of_the_node_dies_in_the_middle(lab: Lab, node: RealLab, report: Report, program: str) -> None:
    """For 30 seconds. The canary continues or is rolled back. Either way, it loses no request."""
    canary = lab.canary
    with lab.unhidden(), lab.load(rate=RATE) as load:
        call = lab.call(image_tag=lab.tag(), steps=[25, 50], step_duration="20s", **FORWARDED)
        lab.until("25 %", lambda: lab.now().weights[canary] == 25)
        os.kill(node.pid(program), signal.SIGKILL)
        time.sleep(30)
        node.meshlab("up")
        end = ended(lab, call)
        load.stop()
    records = read(load.output)
    report(
        f"real node: {program} away for 30 s: {call.result['phase']}, then {end}, "
        f"{len(failed(records))} of {len(records)} failed: {call.result['reason']}"
    )
    assert end in ("Succeeded", "Failed")
    assert not failed(records)


def test_the_node_s_network_is_cut_in_the_middle(lab: Lab, node: RealLab, report: Report) -> None:
    """For 30 seconds, and no request comes after them: there is nothing to measure, so nothing promotes it."""
    stable, canary, link = lab.stable, lab.canary, f"ml{node.offset // 100}-real"
    with lab.sightings() as sightings:
        patience = {"no_data_timeout": "40s", "step_duration": "20s"}
        call = lab.call(image_tag=lab.tag(), steps=[25, 50], **patience, **FORWARDED)
        with lab.load(rate=RATE) as load:
            lab.until("25 %", lambda: lab.now().weights[canary] == 25)
            load.stop()
        cut = time.time()
        subprocess.run(["ip", "link", "set", link, "down"], check=True)
        time.sleep(30)
        subprocess.run(["ip", "link", "set", link, "up"], check=True)
        lab.until("a pause or an end", lambda: lab.now().state["phase"] in ("Paused", "Failed"), 300)
        held = lab.now().state
        lab.call("aborted", reason="the network was cut").wait()
        end = ended(lab, call)
    assert all(seen.weights[canary] <= 25 for seen in sightings.seen if seen.at > cut + 1)
    report(f"real node: its network cut for 30 s: {held['phase']}: {held['reason']}")
    assert lab.now().weights == {stable: 100, canary: 0}
    assert end == "Failed"


def test_the_integration_tests_of_the_canary(lab: Lab, node: RealLab, report: Report) -> None:
    """By port-forward, as the modules' defaults are."""
    own = {"SERVICE_MESH_TEST_LAB": f"{node.name}:{node.offset}", "SERVICE_MESH_TEST_ACCESS": "port_forward"}
    argv = [sys.executable, "-m", "pytest", "-o", "testpaths=tests/integration", "tests/integration/canary"]
    run = subprocess.run(argv, cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    report(f"real node, by port-forward: {run.stdout.splitlines()[-1]}")
    assert run.returncode == 0, run.stdout[-20000:]


def ended(lab: Lab, call: Call) -> str:
    """The run's last phase. Where its weight is 0 but istiod was not reached, the schedule does the rest."""
    call.wait()
    if call.result["phase"] == "RollingBack":
        lab.call("reconciled").wait()
    phase: str = lab.now().state["phase"]
    return phase
