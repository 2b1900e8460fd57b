"""order-service's two Deployments, of which one serves and the other waits for a canary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client

from .canary_lab import NAMESPACE, VIRTUAL_SERVICES
from .playbooks import INVENTORY, lab_address

GATEWAY = "http://127.0.0.1:8080" if INVENTORY else lab_address(8080)


def primary(virtual_service: dict[str, Any]) -> dict[str, Any]:
    """The route that the module must split."""
    found: dict[str, Any]
    (found,) = (route for route in virtual_service["spec"]["http"] if route.get("name") == "primary")
    return found


def weights(virtual_service: dict[str, Any]) -> dict[str, int]:
    return {entry["destination"]["subset"]: entry["weight"] for entry in primary(virtual_service)["route"]}


@dataclass(frozen=True)
class Slots:
    """Two Deployments take turns; a canary that ended well before these tests has swapped them."""

    api: client.ApiClient
    stable: str
    spare: str

    def split(self, spare: int) -> dict[str, int]:
        """Weights with so many percent for the spare one."""
        return {self.stable: 100 - spare, self.spare: spare}

    @property
    def workload(self) -> str:
        """The spare one's Deployment."""
        (found,) = client.AppsV1Api(self.api).list_namespaced_deployment(NAMESPACE, label_selector=self._labels).items
        name: str = found.metadata.name
        return name

    @property
    def _labels(self) -> str:
        return f"app=order-service,version={self.spare}"

    def ask_for(self, pods: int) -> None:
        """Of the spare one; not waited for."""
        body = {"spec": {"replicas": pods}}
        client.AppsV1Api(self.api).patch_namespaced_deployment_scale(self.workload, NAMESPACE, body)

    def scale(self, pods: int) -> None:
        """The spare one, until it has so many pods and all are ready."""
        apps, core, name = client.AppsV1Api(self.api), client.CoreV1Api(self.api), self.workload
        self.ask_for(pods)
        deadline = time.monotonic() + 120
        # Those that are being deleted may still be busy; new ones need not wait for them.
        while (apps.read_namespaced_deployment(name, NAMESPACE).status.ready_replicas or 0) != pods or (
            pods == 0 and core.list_namespaced_pod(NAMESPACE, label_selector=self._labels).items
        ):
            assert time.monotonic() < deadline, f"{name} does not get to {pods} pods"
            time.sleep(0.5)


@pytest.fixture(scope="module")
def slots(api: client.ApiClient) -> Slots:
    live = client.CustomObjectsApi(api).get_namespaced_custom_object(*VIRTUAL_SERVICES, "order-service")
    (stable,) = (entry["destination"]["subset"] for entry in primary(live)["route"] if entry["weight"] == 100)
    return Slots(api, stable, {"v1": "v2", "v2": "v1"}[stable])


@pytest.fixture(scope="module")
def ready(slots: Slots) -> Iterator[None]:
    """Pods of the spare version."""
    slots.scale(2)
    yield
    slots.ask_for(0)
