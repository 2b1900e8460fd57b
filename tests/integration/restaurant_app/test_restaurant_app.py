"""The application on a real API server, in a namespace and under host names of its own."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from ..support.playbooks import ROOT, Run, RunPlaybook

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
# These pods need not run: without a node that has room for them they cost nothing, and leave at once.
NO_ROOM = {"requests": {"cpu": "1000"}, "limits": {"cpu": "1000"}}
SCALED = {"autoscaling": {"enabled": True, "maxReplicas": 5, "targetCPUUtilizationPercentage": 80}}
VARIABLES: dict[str, Any] = {
    "restaurant_app_namespace": NAMESPACE,
    "restaurant_app_hosts": HOSTS,
    "restaurant_app_gateway_hosts": HOSTS,
    "restaurant_app_wait": False,
    "restaurant_app_helm_binary": HELM,
    "restaurant_app_autoscaling_enabled": False,
    "restaurant_app_replicas": 1,
    "restaurant_app_defaults": {"resources": NO_ROOM},
    "restaurant_app_services": {"order-service": SCALED},
}
IMAGE = "corpv3/order-service"
CANARY = "canary.service-mesh.corpv3.com/"
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
    """A release made by helm itself. Its pods are not waited for."""
    core = client.CoreV1Api(api)
    # As the role makes it.
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    labels |= {"istio-injection": "enabled", "service-mesh.corpv3.com/part-of": "restaurant-app-namespace"}
    core.create_namespace({"metadata": {"name": NAMESPACE, "labels": labels}})
    try:
        upgraded(kubeconfig, {})
        yield api
    finally:
        core.delete_namespace(NAMESPACE, grace_period_seconds=0)
        for _attempt in range(120):
            if not core.list_namespace(field_selector=f"metadata.name={NAMESPACE}").items:
                break
            time.sleep(1)


@dataclass(frozen=True)
class Slot:
    """What a canary decides about one side of order-service: share, image ("" for the inventory's) and pods."""

    weight: int
    image: str
    pods: int


class OrderService:
    """Set by hand as the canary module does it, and seen as it is."""

    def __init__(self, api: client.ApiClient) -> None:
        self.apps = client.AppsV1Api(api)
        self.core = client.CoreV1Api(api)
        self.scaling = client.AutoscalingV2Api(api)
        self.objects = client.CustomObjectsApi(api)

    def decide(self, v1: Slot, v2: Slot, *, phase: str, target: str, pinned: int | None = None) -> None:
        """The run is in ``phase``; the autoscaler looks after ``target`` and is pinned to so many pods."""
        for name, slot in (("order-service", v1), ("order-service-v2", v2)):
            found = self.apps.read_namespaced_deployment(name, NAMESPACE).metadata.annotations
            containers = [{"name": "order-service", "image": slot.image or found[f"{CANARY}declared-image"]}]
            self.apps.patch_namespaced_deployment(
                name,
                NAMESPACE,
                {
                    "metadata": {"annotations": {f"{CANARY}image": slot.image}},
                    "spec": {"replicas": slot.pods, "template": {"spec": {"containers": containers}}},
                },
            )
        self.autoscale(target, pinned)
        self.shift(v1.weight, v2.weight, phase)
        for name, slot in (("order-service", v1), ("order-service-v2", v2)):
            self._wait_for_pods(name, slot.pods)

    def autoscale(self, target: str, pinned: int | None = None) -> None:
        annotations = {f"{CANARY}pinned-min-replicas": None if pinned is None else "1"}
        self.scaling.patch_namespaced_horizontal_pod_autoscaler(
            "order-service",
            NAMESPACE,
            {
                "metadata": {"annotations": annotations},
                "spec": {"minReplicas": pinned or 1, "scaleTargetRef": {"name": target}},
            },
        )

    def shift(self, v1: int, v2: int, phase: str) -> None:
        running = virtual_service(self.objects, "order-service")
        route = running["spec"]["http"][-1]["route"]
        route[0]["weight"], route[1]["weight"] = v1, v2
        running["metadata"].setdefault("annotations", {})[f"{CANARY}order-service"] = json.dumps({"phase": phase})
        self.objects.replace_namespaced_custom_object(**VIRTUAL_SERVICES, name="order-service", body=running)

    def _wait_for_pods(self, name: str, count: int) -> None:
        deadline = time.monotonic() + 60
        while True:
            found = self.apps.read_namespaced_deployment(name, NAMESPACE)
            seen = (found.status.observed_generation or 0) >= found.metadata.generation
            if seen and (found.status.updated_replicas or 0) == count:
                return
            assert time.monotonic() < deadline, f"{name} does not get {count} pods: {found.status}"
            time.sleep(0.1)

    @property
    def pods(self) -> dict[str, str]:
        found = self.core.list_namespaced_pod(NAMESPACE, label_selector="app=order-service").items
        return {pod.metadata.name: pod.metadata.uid for pod in found}

    @property
    def slots(self) -> dict[str, Slot]:
        """As they are; of the image the tag."""
        route = virtual_service(self.objects, "order-service")["spec"]["http"][-1]["route"]
        found = {}
        for name, destination in zip(("order-service", "order-service-v2"), route, strict=True):
            deployment = self.apps.read_namespaced_deployment(name, NAMESPACE)
            found[destination["destination"]["subset"]] = Slot(
                destination["weight"],
                deployment.spec.template.spec.containers[0].image.partition(":")[2],
                deployment.spec.replicas,
            )
        return found

    @property
    def autoscaler(self) -> tuple[str, int]:
        spec = self.scaling.read_namespaced_horizontal_pod_autoscaler("order-service", NAMESPACE).spec
        return spec.scale_target_ref.name, spec.min_replicas

    @property
    def everything(self) -> tuple[Any, ...]:
        return self.slots, self.autoscaler, self.pods


@pytest.fixture
def canary(application: client.ApiClient) -> Iterator[OrderService]:
    """order-service in the middle of a canary: 75/25, a header route in front, and an annotation of another owner."""
    service = OrderService(application)
    before = virtual_service(service.objects, "order-service")
    running = copy.deepcopy(before)
    running["spec"]["http"].insert(0, HEADER_ROUTE)
    running["metadata"].setdefault("annotations", {})["example.com/canary"] = "running"
    service.objects.replace_namespaced_custom_object(**VIRTUAL_SERVICES, name="order-service", body=running)
    service.decide(
        Slot(75, "", 3), Slot(25, f"{IMAGE}:2.0.0", 1), phase="Progressing", target="order-service", pinned=3
    )
    yield service
    ended = virtual_service(service.objects, "order-service")
    ended["spec"] = before["spec"]
    service.objects.replace_namespaced_custom_object(**VIRTUAL_SERVICES, name="order-service", body=ended)
    service.decide(Slot(100, "", 1), Slot(0, "", 0), phase="Failed", target="order-service")


def helm_upgrade(kubeconfig: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    services: dict[str, Any] = values.pop("services", {})
    base: dict[str, Any] = {
        "istio": {"gateway": {"hosts": HOSTS}, "virtualService": {"hosts": HOSTS}, **values.pop("istio", {})},
        "defaults": {"replicas": 1, "autoscaling": {"enabled": False}, "resources": NO_ROOM},
        "services": {**services, "order-service": {**SCALED, **services.get("order-service", {})}},
    }
    command = [HELM, "upgrade", "--install", "restaurant-app", CHART, "--namespace", NAMESPACE, "--values", "-"]
    environment = {**os.environ, "KUBECONFIG": kubeconfig}
    return subprocess.run(
        command, input=json.dumps({**base, **values}), env=environment, capture_output=True, text=True, check=False
    )


def upgraded(kubeconfig: str, values: dict[str, Any]) -> None:
    done = helm_upgrade(kubeconfig, values)
    assert done.returncode == 0, done.stderr


def virtual_service(objects: client.CustomObjectsApi, name: str) -> dict[str, Any]:
    found: dict[str, Any] = objects.get_namespaced_custom_object(**VIRTUAL_SERVICES, name=name)
    return found


def weights(route: dict[str, Any]) -> list[int]:
    return [destination["weight"] for destination in route["route"]]


def assert_untouched(canary: OrderService, timeout: str) -> None:
    found = virtual_service(canary.objects, "order-service")
    header, primary = found["spec"]["http"]
    assert header == HEADER_ROUTE
    assert weights(primary) == [75, 25]
    assert found["metadata"]["annotations"]["example.com/canary"] == "running"
    assert primary["timeout"] == timeout
    assert canary.slots == {"v1": Slot(75, "1.0.0", 3), "v2": Slot(25, "2.0.0", 1)}
    assert canary.autoscaler == ("order-service", 3)


def test_helm_leaves_a_canary_alone(canary: OrderService, kubeconfig: str) -> None:
    upgraded(kubeconfig, {"services": {"menu-service": {"image": {"tag": "2.0.0"}}}})
    assert_untouched(canary, timeout="15s")
    # A change of the same object, and of the very list that holds the weights.
    upgraded(kubeconfig, {"services": {"order-service": {"timeout": "16s", "weights": {"v1": 90, "v2": 10}}}})
    assert_untouched(canary, timeout="16s")


def test_the_role_leaves_a_canary_alone(canary: OrderService, run_playbook: RunPlaybook) -> None:
    before = canary.everything
    changed = with_timeout("17s")
    run = run_playbook(PLAY, variables=changed)
    assert run.rc == 0, run.stdout
    assert run.changed > 0
    assert_untouched(canary, timeout="17s")
    again = run_playbook(PLAY, variables=changed)
    assert (again.rc, again.changed) == (0, 0), again.stdout
    assert "order-service keeps version 2.0.0 (slot v2, 25 %), which a canary decided;" in again.text
    announced = run_playbook(PLAY, "--check", "--diff", variables=VARIABLES)
    assert announced.rc == 0, announced.stdout
    assert "canary-header" not in "\n".join(line for line in announced.stdout.splitlines() if line[:1] in "+-")
    assert canary.everything == before


def test_a_failed_upgrade_leaves_a_canary_alone(canary: OrderService, run_playbook: RunPlaybook) -> None:
    # No node has room for the pods. The changed timeout makes helm write the VirtualService too.
    waiting = {"restaurant_app_wait": True, "restaurant_app_timeout": 3}
    run = run_playbook(PLAY, variables={**with_timeout("18s"), **waiting})
    assert run.rc != 0
    assert "menu-service" in run.text
    assert_untouched(canary, timeout="18s")
    again = run_playbook(PLAY, variables=VARIABLES)
    assert again.rc == 0, again.stdout
    assert_untouched(canary, timeout="15s")


def with_timeout(timeout: str) -> dict[str, Any]:
    return {**VARIABLES, "restaurant_app_services": {"order-service": {**SCALED, "timeout": timeout}}}


def changing_nothing(service: OrderService, run_playbook: RunPlaybook) -> Run:
    """The role with the inventory's values, which leaves the service as it is."""
    before = service.everything
    run = run_playbook(PLAY, variables=VARIABLES)
    assert (run.rc, run.changed) == (0, 0), run.stdout
    assert service.everything == before
    return run


def test_what_a_canary_promoted_stays_until_another_version_is_declared(
    application: client.ApiClient, kubeconfig: str, run_playbook: RunPlaybook
) -> None:
    upgraded(kubeconfig, {})
    service = OrderService(application)
    service.decide(Slot(0, "", 0), Slot(100, f"{IMAGE}:2.0.0", 2), phase="Succeeded", target="order-service-v2")
    run = changing_nothing(service, run_playbook)
    assert (
        "order-service keeps version 2.0.0 (slot v2, 100 %), which a canary promoted; the inventory asks for 1.0.0."
        in run.text
    )

    upgraded(kubeconfig, {"services": {"order-service": {"image": {"tag": "3.0.0"}}}})
    assert service.slots == {"v1": Slot(0, "3.0.0", 0), "v2": Slot(100, "3.0.0", 2)}
    # A canary that has all the weight, but not yet the autoscaler.
    service.shift(0, 100, "Promoting")
    service.autoscale("order-service")
    # The version that was promoted once is not what is asked for now. More pods must wait until the run has ended.
    upgraded(kubeconfig, {"services": {"order-service": {"replicas": 3}}})
    assert service.slots == {"v1": Slot(0, "1.0.0", 0), "v2": Slot(100, "1.0.0", 2)}
    assert service.autoscaler == ("order-service", 3)


def test_a_canary_that_was_rolled_back_leaves_nothing_to_report(
    application: client.ApiClient, kubeconfig: str, run_playbook: RunPlaybook
) -> None:
    upgraded(kubeconfig, {})
    service = OrderService(application)
    service.decide(Slot(100, "", 1), Slot(0, f"{IMAGE}:2.0.0", 0), phase="Failed", target="order-service")
    run = changing_nothing(service, run_playbook)
    assert "keeps version" not in run.text


def test_weights_are_not_reset_to_a_slot_without_pods(application: client.ApiClient, kubeconfig: str) -> None:
    service = OrderService(application)
    service.decide(Slot(0, "", 0), Slot(100, f"{IMAGE}:2.0.0", 1), phase="Succeeded", target="order-service-v2")
    before = service.everything
    refused = helm_upgrade(kubeconfig, {"istio": {"resetWeights": True}})
    assert refused.returncode != 0
    assert (
        "100 % of order-service's requests to subset v1, but its Deployment order-service has no pods" in refused.stderr
    )
    assert f"kubectl -n {NAMESPACE} scale deployment order-service --replicas=1" in refused.stderr
    assert service.everything == before

    service.decide(Slot(0, "", 1), Slot(100, f"{IMAGE}:2.0.0", 1), phase="Succeeded", target="order-service-v2")
    upgraded(kubeconfig, {"istio": {"resetWeights": True}})
    assert service.slots == {"v1": Slot(100, "1.0.0", 1), "v2": Slot(0, "1.0.0", 1)}
    assert service.autoscaler == ("order-service", 1)


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


def test_weights_are_reset_when_asked_to(canary: OrderService, kubeconfig: str) -> None:
    # helm compares custom resources with what it wrote last, not with the cluster: so it must have seen the canary.
    upgraded(kubeconfig, {})
    upgraded(kubeconfig, {"istio": {"resetWeights": True}})
    (primary,) = virtual_service(canary.objects, "order-service")["spec"]["http"]
    assert weights(primary) == [100, 0]


def test_pods_pass_restricted(application: client.ApiClient) -> None:
    """With whatever the mesh injects, as the API server sees them; and it does refuse."""
    apps, core = client.AppsV1Api(application), client.CoreV1Api(application)
    deployments = apps.list_namespaced_deployment(NAMESPACE).items
    # Two slots for each service.
    assert len(deployments) == 14
    for deployment in deployments:
        template = application.sanitize_for_serialization(deployment.spec.template)
        pod = {"metadata": {**template["metadata"], "generateName": "trial-"}, "spec": template["spec"]}
        core.create_namespaced_pod(NAMESPACE, pod, dry_run="All")
        pod["spec"]["containers"][0]["securityContext"]["runAsUser"] = 0
        with pytest.raises(ApiException, match="PodSecurity"):
            core.create_namespaced_pod(NAMESPACE, pod, dry_run="All")


def test_secrets_must_exist_where_the_application_is_installed(run_playbook: RunPlaybook) -> None:
    """Not before the databases, which may generate what they contain."""
    variables = {"restaurant_app_services": {"order-service": {"secrets": ["missing"]}}}
    refused = run_playbook("site.yml", "--check", "--tags", "restaurant_app", variables=variables)
    assert (refused.rc, refused.changed) == (2, 0), refused.stdout
    assert "restaurant_app_services.<service>.secrets names restaurant-management/missing" in refused.text
    run = run_playbook("site.yml", "--check", "--tags", "namespaces,database", variables=variables)
    assert (run.rc, run.changed) == (0, 0), run.stdout
