"""Canaries of an application that Argo CD, Flux, KEDA or two autoscalers keep as well.

The tools themselves do not run here: tests/integration/support/gitops_loop.py does what their documentation says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ..integration.support.book_shop import HOST, NAMESPACE, REVIEWS, BookShop, image, installed
from ..integration.support.canary_lab import QUICK, success
from ..integration.support.canary_records import failed, read
from ..integration.support.gitops_loop import ARGO_CD, FLUX, GitOpsLoop
from ..integration.support.playbooks import RunPlaybook, kubectl_of
from ..integration.support.shop_requests import requests_to, wait_served

V1, V3 = "reviews-v1", "reviews-v3"
RUN: dict[str, Any] = {
    **QUICK,
    "canary_namespace": NAMESPACE,
    "canary_service": "reviews",
    "canary_metrics": [success()],
    "canary_image": image("reviews", "v3"),
    "canary_steps": [20, 50],
}
ACCEPTED = {**RUN, "canary_managed_by_others": "accept"}
# The fields of docs/gitops.md.
IGNORED = {"VirtualService": ["spec.http"], "Deployment": ["spec.replicas", "spec.template.spec.containers[].image"]}
TOOLS = pytest.mark.parametrize("marks", [pytest.param(ARGO_CD, id="Argo CD"), pytest.param(FLUX, id="Flux")])


@pytest.fixture
def shop(kubeconfig: str, api: client.ApiClient) -> Iterator[BookShop]:
    with installed(kubectl_of(kubeconfig)):
        wait_served(HOST, 120, REVIEWS)
        yield BookShop(api)


def gitops(
    shop: BookShop, api: client.ApiClient, marks: Mapping[str, Mapping[str, str]], ignored: Mapping[str, Sequence[str]]
) -> GitOpsLoop:
    loop = GitOpsLoop(api, marks, ignored)
    loop.adopt([shop.route(), shop.deployment(V1), shop.deployment(V3)])
    return loop


@TOOLS
def test_a_run_is_refused_before_it_changes_anything(
    shop: BookShop, api: client.ApiClient, run_playbook: RunPlaybook, marks: Mapping[str, Mapping[str, str]]
) -> None:
    with gitops(shop, api, marks, IGNORED):
        done = run_playbook("canary.yml", variables=RUN)
    assert done.rc != 0, done.stdout
    assert "books, which overwrites it" in done.text, done.stdout
    assert "docs/gitops.md" in done.text, done.stdout
    assert shop.routes() == [{"v1": None}]


@TOOLS
def test_one_that_ignores_the_documented_fields_writes_nothing(
    shop: BookShop,
    api: client.ApiClient,
    run_playbook: RunPlaybook,
    tmp_path: Path,
    marks: Mapping[str, Mapping[str, str]],
) -> None:
    with gitops(shop, api, marks, IGNORED) as loop, requests_to(HOST, tmp_path, REVIEWS) as load:
        done = run_playbook("canary.yml", variables=ACCEPTED)
        assert done.rc == 0, done.stdout
        assert shop.routes() == [{"v1": 0, "v3": 100}]
        again = run_playbook("canary.yml", variables=ACCEPTED)
        assert (again.rc, again.changed) == (0, 0), again.stdout
        undone = run_playbook("canary_undo.yml", variables={**ACCEPTED, "canary_reason": "a test"})
        assert undone.rc == 0, undone.stdout
        time.sleep(1)
    assert shop.routes() == [{"v1": 100, "v3": 0}]
    assert loop.writes == []
    assert not failed(read(load.output))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        pytest.param(
            "Deployment", "another controller undoes the change of Deployment reviews-v3's replicas", id="pods"
        ),
        pytest.param("VirtualService", "changed by hand", id="routes"),
    ],
)
def test_one_that_writes_back_ends_the_run(
    shop: BookShop, api: client.ApiClient, run_playbook: RunPlaybook, tmp_path: Path, kind: str, words: str
) -> None:
    ignored = {other: fields for other, fields in IGNORED.items() if other != kind}
    with gitops(shop, api, ARGO_CD, ignored) as loop, requests_to(HOST, tmp_path, REVIEWS) as load:
        done = run_playbook("canary.yml", variables=ACCEPTED)
        assert done.rc != 0, done.stdout
        assert words in done.text, done.stdout
        time.sleep(2)
        # As the repository has it, and with its pods.
        assert sum(weight or 0 for split in shop.routes() for version, weight in split.items() if version != "v1") == 0
        assert shop.replicas()["v1"] == 1
    assert {write.partition(" ")[0] for write in loop.writes} == {kind}
    assert not failed(read(load.output))


def autoscaler(deployment: str, **labels: str) -> client.V2HorizontalPodAutoscaler:
    return client.V2HorizontalPodAutoscaler(
        metadata=client.V1ObjectMeta(name=deployment, labels=labels),
        spec=client.V2HorizontalPodAutoscalerSpec(
            min_replicas=1,
            max_replicas=3,
            scale_target_ref=client.V2CrossVersionObjectReference(
                api_version="apps/v1", kind="Deployment", name=deployment
            ),
        ),
    )


def test_two_autoscalers_stay_as_they_are(
    shop: BookShop, api: client.ApiClient, run_playbook: RunPlaybook, tmp_path: Path
) -> None:
    scaling = client.AutoscalingV2Api(api)
    for name in (V1, V3):
        scaling.create_namespaced_horizontal_pod_autoscaler(NAMESPACE, autoscaler(name))

    def specs() -> dict[str, Any]:
        found = scaling.list_namespaced_horizontal_pod_autoscaler(NAMESPACE).items
        return {each.metadata.name: each.spec.to_dict() for each in found}

    before = specs()
    with requests_to(HOST, tmp_path, REVIEWS) as load:
        done = run_playbook("canary.yml", variables=RUN)
        assert done.rc == 0, done.stdout
        assert shop.routes() == [{"v1": 0, "v3": 100}]
        undone = run_playbook("canary_undo.yml", variables={**RUN, "canary_reason": "a test"})
        assert undone.rc == 0, undone.stdout
    assert shop.routes() == [{"v1": 100, "v3": 0}]
    assert shop.replicas()["v1"] >= 1
    assert specs() == before
    assert not failed(read(load.output))


def test_a_scaled_object_blocks_a_run_until_it_is_paused(
    shop: BookShop, api: client.ApiClient, run_playbook: RunPlaybook
) -> None:
    """By KEDA's documentation: its autoscaler has this label, and goes as the ScaledObject is paused."""
    scaling = client.AutoscalingV2Api(api)
    scaling.create_namespaced_horizontal_pod_autoscaler(
        NAMESPACE, autoscaler(V1, **{"scaledobject.keda.sh/name": "reviews"})
    )
    done = run_playbook("canary.yml", variables=RUN)
    assert done.rc != 0, done.stdout
    assert "KEDA's ScaledObject reviews scales Deployment reviews-v1" in done.text, done.stdout
    assert "autoscaling.keda.sh/paused" in done.text
    assert shop.routes() == [{"v1": None}]
    scaling.delete_namespaced_horizontal_pod_autoscaler(V1, NAMESPACE)
    with_pause = run_playbook("canary.yml", "--check", variables=RUN)
    assert (with_pause.rc, with_pause.changed) == (0, 1), with_pause.stdout
