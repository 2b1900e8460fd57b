"""Canaries by copy of a shop that is not the restaurant: one Deployment, one Service, one route to all of its pods."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ..support.canary_lab import QUICK, Lab, success
from ..support.canary_records import failed, read
from ..support.one_deployment_shop import COPY, HOST, NAMESPACE, RULE, Shop, installed
from ..support.playbooks import RunPlaybook, kubectl_of
from ..support.shop_requests import requests_to, wait_served
from ..support.shops import BEHIND, image

ORIGINAL = f"{BEHIND}-v1"
RUN = {
    **QUICK,
    "canary_namespace": NAMESPACE,
    "canary_service": BEHIND,
    "canary_target": {"deployment": ORIGINAL, "way": "copy"},
    "canary_metrics": [success()],
}
DEBUG = {"spec": {"containers": [{"name": BEHIND, "env": [{"name": "LOG_LEVEL", "value": "debug"}]}]}}


@pytest.fixture(scope="module")
def shop(kubeconfig: str, api: client.ApiClient) -> Iterator[Shop]:
    with installed(kubectl_of(kubeconfig)):
        wait_served(HOST, 120)
        yield Shop(api)


def test_a_change_of_the_pods_is_promoted_and_detached(shop: Shop, run_playbook: RunPlaybook, tmp_path: Path) -> None:
    before = shop.snapshot()
    wanted = {**RUN, "canary_image_tag": "2", "canary_patch": DEBUG, "canary_steps": [20, 50]}
    with requests_to(HOST, tmp_path) as load:
        plan = run_playbook("canary.yml", "--check", "--diff", variables=wanted)
        assert (plan.rc, plan.changed) == (0, 1), plan.stdout
        for name in (
            f"DestinationRule {NAMESPACE}/{RULE}",
            f"VirtualService {NAMESPACE}/{BEHIND}",
            f"Deployment {NAMESPACE}/{COPY}",
        ):
            assert name in plan.text, plan.stdout
        assert shop.snapshot() == before
        begin = time.time()
        done = run_playbook("canary.yml", variables=wanted)
        assert done.rc == 0, done.stdout
        end = time.time()
        assert shop.deployments()[ORIGINAL] == (2, image(BEHIND, "2"), "debug")
        assert shop.deployments()[COPY][0] == 0
        assert shop.shares() == {"stable": 100}
        again = run_playbook("canary.yml", variables=wanted)
        assert (again.rc, again.changed) == (0, 0), again.stdout
        detached = run_playbook("canary_detach.yml", variables=RUN)
        assert detached.rc == 0, detached.stdout
        time.sleep(1)
    records = read(load.output)
    assert not failed(records)
    assert {record.version for record in records if record.sent < begin} == {"v1"}
    assert "v1-canary" in {record.version for record in records if begin < record.sent < end}
    assert {record.version for record in records if record.sent > end} == {"v1"}
    after = shop.snapshot()
    (name,) = [name for name in after if after[name] != before.get(name)]
    assert after.keys() == before.keys()
    # Only what was asked for.
    container = before[name]["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": image(BEHIND, "2"), "env": [{"name": "LOG_LEVEL", "value": "debug"}]}
    assert after == before


def test_one_that_fails_leaves_nothing(whole_lab: Lab, shop: Shop, run_playbook: RunPlaybook, tmp_path: Path) -> None:
    before = shop.snapshot()
    slow: dict[str, Any] = {**RUN, "canary_steps": [50], "canary_step_duration": "5m", "canary_deadline": "1h"}
    call = whole_lab.playbook("canary.yml", **slow, canary_image_tag="3")
    with requests_to(HOST, tmp_path) as load:
        deadline = time.monotonic() + 120
        while shop.shares() != {"stable": 50, "canary": 50}:
            assert time.monotonic() < deadline and call.running, call.tail
            time.sleep(0.1)
        time.sleep(3)
        begin = whole_lab.fault(service=BEHIND, version="v1-canary", error_rate=0.5)
        while shop.shares() != {"stable": 100}:
            assert time.time() - begin < 60, call.tail
            time.sleep(0.05)
        zero = time.time()
        assert call.wait() != 0, call.tail
        whole_lab.fault(clear=True)
        time.sleep(1)
    print(f"fault to weight 0: {zero - begin:.1f} s")
    assert "request-success-rate" in " ".join(call.text.split()), call.tail
    # Beside another lab, a weight takes up to two seconds to the proxies. The soak has one.
    assert not [record for record in failed(read(load.output)) if record.sent > zero + 3]
    assert shop.deployments()[COPY][0] == 0
    detached = run_playbook("canary_detach.yml", variables=RUN)
    assert detached.rc == 0, detached.stdout
    assert shop.snapshot() == before
