"""Canaries by copy of a shop with one Deployment for each part, by HTTPRoutes: at a Gateway, and at a Service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ..integration.support.canary_lab import QUICK, Lab, success
from ..integration.support.canary_records import failed, read, sent_within, versions
from ..integration.support.one_deployment_shop import HOST, NAMESPACE, Shop, installed_with_http_routes
from ..integration.support.playbooks import RunPlaybook, kubectl_of
from ..integration.support.shop_requests import requests_to, wait_served
from ..integration.support.shops import AT, BEHIND, image


def wanted(app: str, **variables: Any) -> dict[str, Any]:
    change = {"spec": {"containers": [{"name": app, "env": [{"name": "LOG_LEVEL", "value": "debug"}]}]}}
    return {
        **QUICK,
        "canary_namespace": NAMESPACE,
        "canary_service": app,
        "canary_target": {"deployment": f"{app}-v1", "way": "copy"},
        "canary_metrics": [success()],
        "canary_patch": change,
        **variables,
    }


@pytest.fixture(scope="module")
def shop(kubeconfig: str, api: client.ApiClient) -> Iterator[Shop]:
    with installed_with_http_routes(kubectl_of(kubeconfig)):
        wait_served(HOST, 120)
        yield Shop(api)


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    yield whole_lab
    whole_lab.fault(clear=True)


@AT
def test_one_that_fails_leaves_nothing(
    lab: Lab, shop: Shop, run_playbook: RunPlaybook, tmp_path: Path, app: str
) -> None:
    before, sides = shop.snapshot(of_gateway_api=True), (f"{app}-stable", f"{app}-canary")
    slow = wanted(app, canary_steps=[50], canary_step_duration="5m", canary_deadline="1h", canary_image_tag="3")
    call = lab.playbook("canary.yml", **slow)
    with requests_to(HOST, tmp_path) as load:
        deadline = time.monotonic() + 120
        while shop.backends(app) != dict.fromkeys(sides, 50):
            assert time.monotonic() < deadline and call.running, call.tail
            time.sleep(0.1)
        # Until every proxy has the weight, which takes longer beside other work.
        time.sleep(5)
        begin = lab.fault(service=app, version="v1-canary", error_rate=0.5)
        while shop.backends(app) != {sides[0]: 100}:
            assert time.time() - begin < 60, call.tail
            time.sleep(0.05)
        zero = time.time()
        assert call.wait() != 0, call.tail
        lab.fault(clear=True)
        time.sleep(1)
    print(f"fault to weight 0: {zero - begin:.1f} s")
    assert "request-success-rate" in " ".join(call.text.split()), call.tail
    records = failed(read(load.output))
    assert not [record for record in records if record.answered < begin or record.sent > zero + 1]
    assert shop.deployments()[f"{app}-v1-canary"][0] == 0
    detached = run_playbook("canary_detach.yml", variables=wanted(app))
    assert detached.rc == 0, detached.stdout
    assert shop.snapshot(of_gateway_api=True) == before


@AT
def test_a_change_of_the_pods_is_promoted_and_detached(
    shop: Shop, run_playbook: RunPlaybook, tmp_path: Path, app: str
) -> None:
    before, variables = shop.snapshot(of_gateway_api=True), wanted(app, canary_image_tag="2", canary_steps=[20, 50])
    with requests_to(HOST, tmp_path) as load:
        plan = run_playbook("canary.yml", "--check", "--diff", variables=variables)
        assert (plan.rc, plan.changed) == (0, 1), plan.stdout
        made = [f"Service {NAMESPACE}/{app}-stable", f"Service {NAMESPACE}/{app}-canary"]
        for name in (*made, f"HTTPRoute {NAMESPACE}/{app}", f"Deployment {NAMESPACE}/{app}-v1-canary"):
            assert name in plan.text, plan.stdout
        assert shop.snapshot(of_gateway_api=True) == before
        begin = time.time()
        done = run_playbook("canary.yml", variables=variables)
        assert done.rc == 0, done.stdout
        end = time.time()
        assert shop.deployments()[f"{app}-v1"] == (2, image(app, "2"), "debug")
        assert shop.deployments()[f"{app}-v1-canary"][0] == 0
        again = run_playbook("canary.yml", variables=variables)
        assert (again.rc, again.changed) == (0, 0), again.stdout
        detached = run_playbook("canary_detach.yml", variables=wanted(app))
        assert detached.rc == 0, detached.stdout
        time.sleep(1)
    records = read(load.output)
    assert not failed(records)
    if app == BEHIND:
        # Answers name the last service, so those of the other one do not show.
        assert "v1-canary" in versions(sent_within(records, begin, end))
    after = shop.snapshot(of_gateway_api=True)
    (name,) = [name for name in after if after[name] != before.get(name)]
    assert after.keys() == before.keys()
    # Only what was asked for.
    container = before[name]["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": image(app, "2"), "env": [{"name": "LOG_LEVEL", "value": "debug"}]}
    assert after == before
