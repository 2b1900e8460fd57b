"""Canaries of gRPC services by GRPCRoutes: at a Gateway, and for clients in the mesh."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ..integration.support.canary_lab import QUICK, Lab
from ..integration.support.canary_records import bad, failed, read, sent_within, share
from ..integration.support.grpc_shop import NAMESPACE, Shop, calls, installed
from ..integration.support.playbooks import RunPlaybook, kubectl_of
from ..integration.support.shops import AT
from .conftest import Report

SUCCESS = {"name": "request-success-rate", "threshold_range": {"min": 95}}
# Until every proxy has a weight.
SETTLED = 3


def wanted(app: str, **variables: Any) -> dict[str, Any]:
    return {
        **QUICK,
        "canary_namespace": NAMESPACE,
        "canary_service": app,
        "canary_metrics": [SUCCESS],
        **variables,
    }


@pytest.fixture(scope="module")
def shop(kubeconfig: str, api: client.ApiClient) -> Iterator[Shop]:
    with installed(kubectl_of(kubeconfig)):
        yield Shop(api)


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    yield whole_lab
    whole_lab.fault(clear=True)


@AT
def test_one_that_fails_is_rolled_back(lab: Lab, shop: Shop, report: Report, tmp_path: Path, app: str) -> None:
    """Each of its errors is an answer with response code 200."""
    slow = wanted(app, canary_steps=[50], canary_step_duration="5m", canary_deadline="1h", canary_image_tag="3")
    with calls(app, tmp_path, 100) as load:
        call = lab.playbook("canary.yml", **slow)
        shop.until(app, {"blue": 50, "green": 50}, 120)
        time.sleep(SETTLED)
        begin = lab.fault(service=app, version="green", error_rate=0.5)
        zero = shop.until(app, {"blue": 100, "green": 0})
        assert call.wait() != 0, call.tail
        lab.fault(clear=True)
        time.sleep(1)
    report(f"fault to weight 0: {zero - begin:.1f} s; {bad(read(load.output))}")
    assert "request-success-rate" in " ".join(call.text.split()), call.tail
    records = failed(read(load.output))
    assert not [record for record in records if "/green/" not in record.served]
    assert not [record for record in records if record.answered < begin or record.sent > zero + 1]
    assert shop.replicas(app)["green"] == 0


@AT
def test_a_promotion_loses_no_call(
    lab: Lab, shop: Shop, run_playbook: RunPlaybook, report: Report, tmp_path: Path, app: str
) -> None:
    steps = wanted(app, canary_image_tag="2", canary_steps=[20, 50], canary_step_duration="8s")
    found = []
    with calls(app, tmp_path, 100) as load:
        call = lab.playbook("canary.yml", **steps)
        for weight in (20, 50):
            begin = shop.until(app, {"blue": 100 - weight, "green": weight}, 120) + SETTLED
            time.sleep(SETTLED + 4)
            found.append(share(sent_within(read(load.output), begin, begin + 4), "green", weight))
        assert call.wait() == 0, call.tail
        time.sleep(1)
    records = read(load.output)
    report(f"{len(records)} calls, {len(failed(records))} failed; {'; '.join(map(str, found))}")
    assert not failed(records)
    assert [each for each in found if not each.honest] == []
    assert shop.weights(app) == {"blue": 0, "green": 100}
    again = run_playbook("canary.yml", variables=steps)
    assert (again.rc, again.changed) == (0, 0), again.stdout


@AT
def test_its_plan_warns_of_metrics_that_do_not_count_the_errors(
    shop: Shop, run_playbook: RunPlaybook, app: str
) -> None:
    of_http = [{**SUCCESS, "error_codes": "5..|0"}]
    plan = run_playbook("canary.yml", "--check", variables=wanted(app, canary_image_tag="4", canary_metrics=of_http))
    assert plan.rc == 0, plan.stdout
    assert "no metric counts gRPC errors" in " ".join(plan.text.split())
    assert (
        "no metric counts"
        not in run_playbook("canary.yml", "--check", variables=wanted(app, canary_image_tag="4")).text
    )
