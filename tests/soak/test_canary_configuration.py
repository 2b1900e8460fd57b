"""Canaries by copy of another content of a ConfigMap and of a Secret, of a shop that is not the restaurant."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ..integration.support.canary_lab import QUICK, Lab, success
from ..integration.support.canary_records import failed, read, versions
from ..integration.support.one_deployment_shop import HOST, NAMESPACE, Shop, installed
from ..integration.support.playbooks import RunPlaybook, kubectl_of
from ..integration.support.shop_requests import requests_to, wait_served
from ..integration.support.shops import BEHIND, apply

ORIGINAL = f"{BEHIND}-v1"
PASSWORD = "correct horse"
RUN: dict[str, Any] = {
    **QUICK,
    "canary_namespace": NAMESPACE,
    "canary_service": BEHIND,
    "canary_target": {"deployment": ORIGINAL, "way": "copy"},
    "canary_metrics": [success()],
}
CHANGE = [
    {"kind": "ConfigMap", "name": "settings", "data": {"LEVEL": "debug"}},
    {"kind": "Secret", "name": "keys", "data": {"PASSWORD": PASSWORD}},
]
# Of Kubernetes and of istiod, in every namespace.
GIVEN = ("kube-root-ca.crt", "istio-ca-root-cert", "istio-ca-crl")


class Contents:
    """The ConfigMaps and Secrets of the shop, and which of them its Deployment has."""

    def __init__(self, api: client.ApiClient) -> None:
        self._core, self._apps = client.CoreV1Api(api), client.AppsV1Api(api)

    def found(self) -> dict[str, dict[str, str]]:
        listed = [
            *self._core.list_namespaced_config_map(NAMESPACE).items,
            *self._core.list_namespaced_secret(NAMESPACE).items,
        ]
        return {each.metadata.name: dict(each.data) for each in listed if each.metadata.name not in GIVEN}

    def used(self) -> list[str]:
        template = self._apps.read_namespaced_deployment(ORIGINAL, NAMESPACE).spec.template
        sources = template.spec.containers[0].env_from
        return [(each.config_map_ref or each.secret_ref).name for each in sources]


@pytest.fixture(scope="module")
def shop(kubeconfig: str, api: client.ApiClient) -> Iterator[Shop]:
    kubectl = kubectl_of(kubeconfig)
    with installed(kubectl):
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"LEVEL": "info", "COLOR": "blue"}}
        keys = {"apiVersion": "v1", "kind": "Secret", "stringData": {"PASSWORD": "previous"}}
        named = {"settings": settings, "keys": keys}
        apply(kubectl, [{**obj, "metadata": {"name": name, "namespace": NAMESPACE}} for name, obj in named.items()])
        sources = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}]
        patch = {"spec": {"template": {"spec": {"containers": [{"name": BEHIND, "envFrom": sources}]}}}}
        apps = client.AppsV1Api(api)
        apps.patch_namespaced_deployment(ORIGINAL, NAMESPACE, patch)
        rollout = ["-n", NAMESPACE, "rollout", "status", f"deployment/{ORIGINAL}", "--timeout=180s"]
        subprocess.run([*kubectl, *rollout], check=True)
        wait_served(HOST, 120)
        yield Shop(api)


@pytest.fixture
def contents(api: client.ApiClient) -> Contents:
    return Contents(api)


def test_rolled_back_and_detached_nothing_is_left(
    whole_lab: Lab, shop: Shop, contents: Contents, run_playbook: RunPlaybook, tmp_path: Path
) -> None:
    before, contents_before = shop.snapshot(), contents.found()
    slow = {**RUN, "canary_steps": [50], "canary_step_duration": "5m", "canary_deadline": "1h"}
    with requests_to(HOST, tmp_path, wanted=100) as load:
        call = whole_lab.playbook("canary.yml", **slow, canary_configuration=CHANGE)
        whole_lab.until("50 %", lambda: shop.shares() == {"stable": 50, "canary": 50}, 120)
        assert len(contents.found()) == 4
        aborted = run_playbook("canary_abort.yml", variables={**RUN, "canary_reason": "a test"})
        assert aborted.rc == 0, aborted.stdout
        call.wait()
        assert shop.shares() == {"stable": 100}
        assert contents.used() == ["settings", "keys"]
        detached = run_playbook("canary_detach.yml", variables=RUN)
        assert detached.rc == 0, detached.stdout
        time.sleep(1)
    assert not failed(read(load.output))
    assert (shop.snapshot(), contents.found()) == (before, contents_before)
    assert PASSWORD not in call.text


def test_a_promoted_content_stays_and_the_previous_one_is_not_changed(
    shop: Shop, contents: Contents, run_playbook: RunPlaybook, tmp_path: Path
) -> None:
    before, contents_before = shop.snapshot(), contents.found()
    wanted = {**RUN, "canary_configuration": CHANGE, "canary_steps": [20, 50]}
    with requests_to(HOST, tmp_path, wanted=100) as load:
        plan = run_playbook("canary.yml", "--check", "--diff", variables=wanted)
        assert (plan.rc, plan.changed) == (0, 1), plan.stdout
        assert (shop.snapshot(), contents.found()) == (before, contents_before)
        done = run_playbook("canary.yml", variables=wanted)
        assert done.rc == 0, done.stdout
        again = run_playbook("canary.yml", variables=wanted)
        assert (again.rc, again.changed) == (0, 0), again.stdout
        detached = run_playbook("canary_detach.yml", variables=RUN)
        assert detached.rc == 0, detached.stdout
        time.sleep(1)
    records = read(load.output)
    assert not failed(records)
    assert "v1-canary" in versions(records)
    settings, keys = contents.used()
    assert settings.startswith("settings-") and keys.startswith("keys-")
    found = contents.found()
    assert found.pop(settings) == {"LEVEL": "debug", "COLOR": "blue"}
    assert found.pop(keys) == {"PASSWORD": base64.b64encode(PASSWORD.encode()).decode()}
    assert found == contents_before
    after = shop.snapshot()
    assert after.keys() == before.keys()
    (name,) = [name for name in after if after[name] != before[name]]
    container = before[name]["spec"]["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": settings}}, {"secretRef": {"name": keys}}]
    assert after == before
    packed = base64.b64encode(PASSWORD.encode()).decode()
    for run in (plan, done, again, detached):
        assert PASSWORD not in run.stdout and packed not in run.stdout
