"""Canaries of a shop that is not the restaurant, by HTTPRoutes: for clients in the mesh, and at a Gateway.

The shop has routes, Services and Deployments of its own, and sets no variable of the restaurant.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ..support.canary_lab import QUICK, Lab, success
from ..support.canary_records import bad, failed, read, share
from ..support.gateway_shop import HOST, NAMESPACE, Shop, installed
from ..support.playbooks import RunPlaybook, kubectl_of
from ..support.shop_requests import requests_to, wait_served
from ..support.shops import BEHIND, EDGE

RUN = {**QUICK, "canary_namespace": NAMESPACE, "canary_metrics": [success()]}


@pytest.fixture(scope="module")
def shop(kubeconfig: str, api: client.ApiClient) -> Iterator[Shop]:
    with installed(kubectl_of(kubeconfig)):
        wait_served(HOST, 60)
        yield Shop(api)


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    yield whole_lab
    whole_lab.fault(clear=True)


def test_a_canary_of_requests_in_the_mesh(shop: Shop, run_playbook: RunPlaybook, tmp_path: Path) -> None:
    wanted = {**RUN, "canary_service": BEHIND, "canary_image_tag": "2", "canary_steps": [20, 50]}
    with requests_to(HOST, tmp_path) as load:
        plan = run_playbook("canary.yml", "--check", "--diff", variables=wanted)
        assert (plan.rc, plan.changed) == (0, 1), plan.stdout
        assert shop.weights(BEHIND) == {"blue": 100, "green": 0}
        begin = time.time()
        done = run_playbook("canary.yml", variables=wanted)
        assert done.rc == 0, done.stdout
        end = time.time()
    assert shop.weights(BEHIND) == {"blue": 0, "green": 100}
    assert shop.replicas(BEHIND)["blue"] == 0
    records = read(load.output)
    assert not failed(records)
    assert {record.version for record in records if record.sent < begin} == {"blue"}
    assert {record.version for record in records if record.sent > end} <= {"green"}
    again = run_playbook("canary.yml", variables=wanted)
    assert (again.rc, again.changed) == (0, 0), again.stdout


def is_halved(output: Path, version: str) -> bool:
    """Whether the last two seconds' requests are split as the route says."""
    records = read(output)
    latest = share([record for record in records if record.sent > records[-1].sent - 2], version, 50)
    return latest.requests > 20 and latest.honest


def test_one_that_fails_is_rolled_back(lab: Lab, shop: Shop, run_playbook: RunPlaybook, tmp_path: Path) -> None:
    stable, canary = sorted(shop.weights(BEHIND), key=lambda version: -shop.weights(BEHIND)[version])
    slow: dict[str, Any] = {**RUN, "canary_steps": [50], "canary_step_duration": "5m", "canary_deadline": "1h"}
    call = lab.playbook("canary.yml", **slow, canary_service=BEHIND, canary_image_tag="3")
    with requests_to(HOST, tmp_path) as load:
        shop.until(BEHIND, {stable: 50, canary: 50})
        # Until every proxy has the weight, which takes longer beside other work.
        lab.until("half of the requests go to the canary", lambda: is_halved(load.output, canary))
        begin = lab.fault(service=BEHIND, version=canary, error_rate=0.5)
        zero = shop.until(BEHIND, {stable: 100, canary: 0})
        assert call.wait() != 0, call.tail
        lab.fault(clear=True)
        time.sleep(1)
    print(f"fault to weight 0: {zero - begin:.1f} s; {bad(read(load.output))}")
    assert "request-success-rate" in " ".join(call.text.split()), call.tail
    # Beside another lab, a weight takes up to two seconds to the proxies. The soak has one.
    assert not [record for record in failed(read(load.output)) if record.sent > zero + 3]
    assert shop.replicas(BEHIND)[canary] == 0


def test_at_a_gateway_a_promotion_is_undone(shop: Shop, run_playbook: RunPlaybook, tmp_path: Path) -> None:
    wanted = {**RUN, "canary_service": EDGE, "canary_image_tag": "2"}
    with requests_to(HOST, tmp_path) as load:
        done = run_playbook("canary.yml", variables=wanted)
        assert done.rc == 0, done.stdout
        assert shop.weights(EDGE) == {"blue": 0, "green": 100}
        status = run_playbook("canary_status.yml", variables=RUN)
        assert status.rc == 0 and f"{EDGE}:" in status.text, status.stdout
        undone = run_playbook("canary_undo.yml", variables={**RUN, "canary_service": EDGE, "canary_reason": "a test"})
        assert undone.rc == 0, undone.stdout
    assert shop.weights(EDGE) == {"blue": 100, "green": 0}
    assert shop.replicas(EDGE)["green"] == 0
    assert not failed(read(load.output))
