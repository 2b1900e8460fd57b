"""The application on a real API server, in a namespace and under host names of its own."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from .conftest import ROOT, RunPlaybook

HELM = os.environ.get("SERVICE_MESH_TEST_HELM", "helm")
CHART = str(ROOT / "roles/restaurant_app/files/chart")
NAMESPACE = "restaurant-app-test"
HOSTS = ["restaurant-app-test.example.com"]
VIRTUAL_SERVICES = {
    "group": "networking.istio.io",
    "version": "v1",
    "namespace": NAMESPACE,
    "plural": "virtualservices",
}
VARIABLES = {
    "restaurant_app_namespace": NAMESPACE,
    "restaurant_app_hosts": HOSTS,
    "restaurant_app_gateway_hosts": HOSTS,
    "restaurant_app_wait": False,
    "restaurant_app_helm_binary": HELM,
    "restaurant_app_autoscaling_enabled": False,
    "restaurant_app_replicas": 1,
}
PLAY = f"""- hosts: clusters
  gather_facts: false
  vars_files: ["{ROOT}/playbooks/vars/authentication.yml"]
  environment: "{{{{ service_mesh_auth_environment }}}}"
  roles: [corpv3.service_mesh.restaurant_app]
"""
HEADER_ROUTE = {
    "name": "canary-header",
    "match": [{"headers": {"x-canary": {"exact": "1"}}}],
    "route": [{"destination": {"host": "order-service", "subset": "v2"}}],
}


@pytest.fixture(scope="module")
def application(api: client.ApiClient, kubeconfig: str) -> Iterator[client.ApiClient]:
    """A release made by helm itself. Nobody waits for its pods."""
    core = client.CoreV1Api(api)
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "istio-injection": "enabled"}
    core.create_namespace({"metadata": {"name": NAMESPACE, "labels": labels}})
    try:
        helm_upgrade(kubeconfig, {})
        yield api
    finally:
        core.delete_namespace(NAMESPACE, grace_period_seconds=0)
        for _attempt in range(120):
            if not core.list_namespace(field_selector=f"metadata.name={NAMESPACE}").items:
                break
            time.sleep(1)


@pytest.fixture
def canary(application: client.ApiClient) -> Iterator[client.CustomObjectsApi]:
    """order-service in the middle of a canary: 75/25, a header route in front, and somebody's annotation."""
    objects = client.CustomObjectsApi(application)
    before = virtual_service(objects, "order-service")
    running = copy.deepcopy(before)
    route = running["spec"]["http"][0]["route"]
    route[0]["weight"], route[1]["weight"] = 75, 25
    running["spec"]["http"].insert(0, HEADER_ROUTE)
    running["metadata"].setdefault("annotations", {})["example.com/canary"] = "running"
    objects.replace_namespaced_custom_object(**VIRTUAL_SERVICES, name="order-service", body=running)
    yield objects
    ended = virtual_service(objects, "order-service")
    ended["spec"] = before["spec"]
    objects.replace_namespaced_custom_object(**VIRTUAL_SERVICES, name="order-service", body=ended)


def helm_upgrade(kubeconfig: str, values: dict[str, Any]) -> None:
    base: dict[str, Any] = {
        "istio": {"gateway": {"hosts": HOSTS}, "virtualService": {"hosts": HOSTS}, **values.pop("istio", {})},
        "defaults": {"replicas": 1, "autoscaling": {"enabled": False}},
    }
    command = [HELM, "upgrade", "--install", "restaurant-app", CHART, "--namespace", NAMESPACE, "--values", "-"]
    environment = {**os.environ, "KUBECONFIG": kubeconfig}
    done = subprocess.run(
        command, input=json.dumps({**base, **values}), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def virtual_service(objects: client.CustomObjectsApi, name: str) -> dict[str, Any]:
    found: dict[str, Any] = objects.get_namespaced_custom_object(**VIRTUAL_SERVICES, name=name)
    return found


def weights(route: dict[str, Any]) -> list[int]:
    return [destination["weight"] for destination in route["route"]]


def assert_untouched(objects: client.CustomObjectsApi, timeout: str) -> None:
    found = virtual_service(objects, "order-service")
    header, primary = found["spec"]["http"]
    assert header == HEADER_ROUTE
    assert weights(primary) == [75, 25]
    assert found["metadata"]["annotations"]["example.com/canary"] == "running"
    assert primary["timeout"] == timeout


def test_helm_leaves_a_canary_alone(canary: client.CustomObjectsApi, kubeconfig: str) -> None:
    helm_upgrade(kubeconfig, {"image": {"tag": "2.0.0"}})
    assert_untouched(canary, timeout="15s")
    # A change of the same object, and of the very list that holds the weights.
    helm_upgrade(kubeconfig, {"services": {"order-service": {"timeout": "16s", "weights": {"v1": 90, "v2": 10}}}})
    assert_untouched(canary, timeout="16s")


def test_the_role_leaves_a_canary_alone(canary: client.CustomObjectsApi, run_playbook: RunPlaybook) -> None:
    changed = {**VARIABLES, "restaurant_app_services": {"order-service": {"timeout": "17s"}}}
    run = run_playbook(PLAY, variables=changed)
    assert run.rc == 0, run.stdout
    assert run.changed > 0
    assert_untouched(canary, timeout="17s")
    again = run_playbook(PLAY, variables=changed)
    assert (again.rc, again.changed) == (0, 0), again.stdout
    announced = run_playbook(PLAY, "--check", "--diff", variables=VARIABLES)
    assert announced.rc == 0, announced.stdout
    assert "canary-header" not in "\n".join(line for line in announced.stdout.splitlines() if line[:1] in "+-")


def test_a_failed_upgrade_leaves_a_canary_alone(canary: client.CustomObjectsApi, run_playbook: RunPlaybook) -> None:
    # A pod that no node has room for. The changed timeout makes helm write the VirtualService too.
    services = {
        "menu-service": {"resources": {"requests": {"cpu": "1000"}, "limits": {"cpu": "1000"}}},
        "order-service": {"timeout": "18s"},
    }
    waiting = {"restaurant_app_wait": True, "restaurant_app_timeout": 15}
    run = run_playbook(PLAY, variables={**VARIABLES, **waiting, "restaurant_app_services": services})
    assert run.rc != 0
    assert "menu-service" in run.text
    assert_untouched(canary, timeout="18s")
    again = run_playbook(PLAY, variables=VARIABLES)
    assert again.rc == 0, again.stdout
    assert_untouched(canary, timeout="15s")


def test_an_application_elsewhere_stays(application: client.ApiClient, run_playbook: RunPlaybook) -> None:
    core = client.CoreV1Api(application)
    name = f"{NAMESPACE}-elsewhere"
    labels = {"service-mesh.corpv3.com/part-of": "restaurant-app-namespace"}
    core.create_namespace({"metadata": {"name": name, "labels": labels}})
    try:
        run = run_playbook(PLAY, "--tags", "restaurant_app_install", variables=VARIABLES)
        assert run.rc == 0, run.stdout
        assert core.read_namespace(name).status.phase == "Active"
    finally:
        core.delete_namespace(name)


def test_weights_are_reset_when_asked_to(canary: client.CustomObjectsApi, kubeconfig: str) -> None:
    helm_upgrade(kubeconfig, {"istio": {"resetWeights": True}})
    (primary,) = virtual_service(canary, "order-service")["spec"]["http"]
    assert weights(primary) == [100, 0]


def test_pods_pass_restricted(application: client.ApiClient) -> None:
    """With whatever the mesh injects, as the API server sees them; and it does refuse."""
    apps, core = client.AppsV1Api(application), client.CoreV1Api(application)
    deployments = apps.list_namespaced_deployment(NAMESPACE).items
    assert len(deployments) == 7
    for deployment in deployments:
        template = application.sanitize_for_serialization(deployment.spec.template)
        pod = {"metadata": {**template["metadata"], "generateName": "trial-"}, "spec": template["spec"]}
        core.create_namespaced_pod(NAMESPACE, pod, dry_run="All")
        pod["spec"]["containers"][0]["securityContext"]["runAsUser"] = 0
        with pytest.raises(ApiException, match="PodSecurity"):
            core.create_namespaced_pod(NAMESPACE, pod, dry_run="All")
