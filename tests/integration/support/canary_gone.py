"""Runs at 25 % whose objects are deleted: which ones, how they are restored, and a run without its process.

Under a hundred requests a second. The run without a process is made once, by kill -9, and restored for each case.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from .api_faults import ApiFaults, Fault
from .canary_lab import NAMESPACE, VIRTUAL_SERVICES, Call, Lab
from .canary_sightings import ANNOTATION

EDGE = "order-service-edge"
DESTINATION_RULES = (*VIRTUAL_SERVICES[:3], "destinationrules")
RUN: dict[str, Any] = {
    "routes": ["order-service", EDGE],
    "steps": [25],
    "step_duration": "10m",
    "drain": "1s",
    "wait_timeout": "10s",
    "lease_duration": 6,
}
EVERYTHING_ELSE = r"^(?!/apis/networking\.istio\.io/v1/namespaces/[^/]+/virtualservices[/?])"


@pytest.fixture(scope="module")
def lab(kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if not (Path(kubeconfig).parent / "settings.json").is_file():
        pytest.skip("faults are injected into the lab's own stand-ins, and this cluster is not the lab's")
    found = Lab(Path(kubeconfig), tmp_path_factory.mktemp("way-back"))
    found.settle()
    route = found.objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, found.service)["spec"]["http"][0]["route"]
    edge = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": EDGE, "namespace": NAMESPACE},
        "spec": {"hosts": ["orders.example.com"], "http": [{"name": "primary", "route": route}]},
    }
    found.objects.create_namespaced_custom_object(*VIRTUAL_SERVICES, edge)
    try:
        with found.load():
            yield found
    finally:
        found.settle()
        with contextlib.suppress(client.ApiException):
            found.objects.delete_namespaced_custom_object(*VIRTUAL_SERVICES, EDGE)


class Kept:
    """Objects as they were, to restore them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.slot = lab.workload(lab.canary)
        objects, core = lab.objects, lab.core
        self.routes = {
            name: objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, name) for name in (lab.service, EDGE)
        }
        self.rule = objects.get_namespaced_custom_object(*DESTINATION_RULES, lab.service)
        self.deployment = lab.apps.read_namespaced_deployment(self.slot, NAMESPACE)
        self.service = core.read_namespaced_service(lab.service, NAMESPACE)

    def restore(self, whole: bool = False) -> None:
        """What is missing; ``whole``: also the routes, as they were."""
        lab = self.lab
        for name, route in self.routes.items():
            _custom(lab, VIRTUAL_SERVICES, name, route, whole)
        _custom(lab, DESTINATION_RULES, lab.service, self.rule, True)
        created(lambda body: lab.apps.create_namespaced_deployment(NAMESPACE, body), self.deployment)
        created(lambda body: lab.core.create_namespaced_service(NAMESPACE, body), self.service)


def _fresh(found: Any) -> Any:
    plain = client.ApiClient().sanitize_for_serialization(found)
    plain = copy.deepcopy(plain)
    plain.pop("status", None)
    for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
        plain["metadata"].pop(key, None)
    return plain


def created(create: Callable[[Any], Any], body: Any) -> None:
    try:
        create(_fresh(body))
    except client.ApiException as error:
        # A Service that is there still has its address, which is the first thing that is looked at.
        if error.status not in (409, 422):
            raise


def _custom(lab: Lab, kind: tuple[str, str, str, str], name: str, wanted: Any, whole: bool) -> None:
    body = _fresh(wanted)
    try:
        live = lab.objects.get_namespaced_custom_object(*kind, name)
    except client.ApiException:
        lab.objects.create_namespaced_custom_object(*kind, body)
        return
    if whole:
        body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        lab.objects.replace_namespaced_custom_object(*kind, name, body)


def without_subset(lab: Lab) -> None:
    rule = lab.objects.get_namespaced_custom_object(*DESTINATION_RULES, lab.service)
    rule["spec"]["subsets"] = [entry for entry in rule["spec"]["subsets"] if entry["name"] != canary_of(lab)]
    lab.objects.replace_namespaced_custom_object(*DESTINATION_RULES, lab.service, rule)


def spoil_state(lab: Lab) -> None:
    patch = {"metadata": {"annotations": {ANNOTATION + lab.service: '{"format": 99}'}}}
    lab.objects.patch_namespaced_custom_object(*VIRTUAL_SERVICES, lab.service, patch)


def canary_of(lab: Lab) -> str:
    """At 25 %."""
    return min(lab.now().weights, key=lambda subset: lab.now().weights[subset])


def delete_slot(lab: Lab) -> None:
    lab.apps.delete_namespaced_deployment(lab.workload(canary_of(lab)), NAMESPACE)


GONE: dict[str, Callable[[Lab], Any]] = {
    "Deployment": delete_slot,
    "DestinationRule": lambda lab: lab.objects.delete_namespaced_custom_object(*DESTINATION_RULES, lab.service),
    "subset": without_subset,
    "Service": lambda lab: lab.core.delete_namespaced_service(lab.service, NAMESPACE),
    "secondary VirtualService": lambda lab: lab.objects.delete_namespaced_custom_object(*VIRTUAL_SERVICES, EDGE),
    "Lease": lambda lab: client.CoordinationV1Api(lab.api).delete_namespaced_lease(f"canary-{lab.service}", NAMESPACE),
    "state": spoil_state,
}


def at_25(lab: Lab, **given: Any) -> Call:
    call = lab.call(image_tag=lab.tag(), **{**RUN, **given})
    lab.until("25 %", lambda: 25 in lab.now().weights.values() or not call.running)
    assert call.running, call.tail
    return call


def until_zero(lab: Lab, canary: str) -> None:
    lab.until("weight 0", lambda: lab.now().weights[canary] == 0, seconds=60)


class Dead:
    """A run at 25 % whose process was killed. A test can restore it any number of times."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.before, self.stable, self.canary = lab, Kept(lab), lab.stable, lab.canary
        call = at_25(lab)
        time.sleep(1)
        call.kill()
        self.kept = Kept(lab)
        self.leases = client.CoordinationV1Api(lab.api)
        self.lease = self.leases.read_namespaced_lease(f"canary-{lab.service}", NAMESPACE)
        self.container = self.kept.deployment.spec.template.spec.containers[0]

    def again(self) -> None:
        self.kept.restore(whole=True)
        with contextlib.suppress(client.ApiException):
            self.leases.delete_namespaced_lease(self.lease.metadata.name, NAMESPACE)
        self.leases.create_namespaced_lease(NAMESPACE, _fresh(self.lease))
        slot = self.kept.slot
        self.lab.apps.patch_namespaced_deployment_scale(slot, NAMESPACE, {"spec": {"replicas": 1}})
        self.lab.until("the canary's pod", lambda: self.lab.pods(self.canary))


@pytest.fixture(scope="module")
def dead(lab: Lab) -> Iterator[Dead]:
    found = Dead(lab)
    yield found
    found.again()
    lab.call("aborted").wait()
    assert lab.now().weights[found.canary] == 0


def while_it_runs(lab: Lab, what: str) -> float:
    """Seconds from the moment at which it was gone to weight 0, by the run's process."""
    kept, canary = Kept(lab), lab.canary
    call = at_25(lab)
    time.sleep(1)
    begin = time.time()
    try:
        GONE[what](lab)
        until_zero(lab, canary)
        took = time.time() - begin
        call.wait()
    finally:
        kept.restore()
    assert lab.now().state["phase"] in ("Failed", "RollingBack"), call.tail
    assert lab.call("reconciled", **RUN).wait() == 0
    assert lab.now().state["phase"] == "Failed", call.tail
    return took


def without_its_lease(lab: Lab) -> None:
    """The run's process creates it again, and nothing else happens."""
    canary = lab.canary
    leases = client.CoordinationV1Api(lab.api)
    call = at_25(lab)
    holder = leases.read_namespaced_lease(f"canary-{lab.service}", NAMESPACE).spec.holder_identity
    GONE["Lease"](lab)

    def made_again() -> bool:
        try:
            return bool(leases.read_namespaced_lease(f"canary-{lab.service}", NAMESPACE).spec.holder_identity == holder)
        except client.ApiException:
            return False

    lab.until("the Lease", made_again)
    time.sleep(2)
    assert call.running, call.tail
    assert lab.now().weights[canary] == 25
    call.terminate()
    until_zero(lab, canary)
    call.wait_for_all()


def without_a_process(dead: Dead, state: str, what: str) -> float:
    """The same by an abort or a reconcile, where the process is dead: seconds within the module."""
    lab = dead.lab
    dead.again()
    try:
        GONE[what](lab)
        call = lab.call(state, force=state == "aborted" and what == "state", **RUN)
        until_zero(lab, dead.canary)
        assert call.wait() == 0, call.tail
    finally:
        dead.kept.restore()
    assert lab.now().state["phase"] == "Failed"
    return float(call.result["rollback"]["seconds"])


def refused_everywhere_else(dead: Dead, folder: Path, status: int) -> float:
    """An abort where the API server refuses all but the route: seconds within the module."""
    lab = dead.lab
    dead.again()
    with ApiFaults(lab.kubeconfig) as faults:
        faults.add(Fault(path=EVERYTHING_ELSE, status=status, times=0))
        call = lab.call("aborted", kubeconfig=faults.kubeconfig(folder), **RUN)
        until_zero(lab, dead.canary)
        assert call.wait() == 0, call.tail
    assert "the rest is not complete" in call.result["reason"]
    assert lab.call("reconciled", **RUN).wait() == 0
    assert lab.now().state["phase"] == "Failed"
    return float(call.result["rollback"]["seconds"])
