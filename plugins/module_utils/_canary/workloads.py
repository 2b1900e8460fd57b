# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The Deployments of a canary: how they are found, and what a run writes to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.pods import container_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import IMAGE, RUN
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import FIELD_MANAGER
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Writable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

APPS = "apps/v1"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


class Workloads:
    """Those of one service. ``container``: the one whose image is the version, empty for the usual one."""

    def __init__(self, cluster: Writable, namespace: str, service: str, container: str = "") -> None:
        self.cluster, self.namespace = cluster, namespace
        self._service, self._container = service.partition(".")[0], container

    def ref(self, name: str) -> Ref:
        return Ref(APPS, "Deployment", self.namespace, name)

    def find(self, name: str) -> Object | None:
        return self.cluster.get(self.ref(name)) if name else None

    def get(self, name: str) -> Object:
        found = self.find(name)
        if found is None:
            raise CanaryFailure(f"Deployment {self.namespace}/{name} is gone: deploy it again.")
        return found

    def selected(self, subset: str, labels: Mapping[str, str]) -> Object:
        """The only one whose pods have the labels."""
        fitting = []
        for found in self.cluster.list(APPS, "Deployment", self.namespace):
            template = found["spec"]["template"]["metadata"].get("labels") or {}
            if labels.items() <= template.items():
                fitting.append(found)
        if len(fitting) != 1:
            names = ", ".join(item["metadata"]["name"] for item in fitting) or "none"
            raise CanaryFailure(
                f"subset {subset} needs exactly one Deployment whose pods have the labels {dict(labels)}. Found: "
                f"{names}. Deploy one for each subset, with 0 replicas for the idle one. Or set target.deployment and "
                "target.way=copy, with which the canary gets a copy of the Deployment."
            )
        return fitting[0]

    def container(self, deployment: Object) -> Mapping[str, Any] | None:
        return container_of(deployment, self._container, self._service)

    def needed_container(self, deployment: Object) -> Mapping[str, Any]:
        found = self.container(deployment)
        if found is None:
            raise CanaryFailure(
                f"Deployment {deployment['metadata']['name']} has no container {self._container or self._service}: set "
                "container."
            )
        return found

    def scale(self, name: str, replicas: int) -> None:
        self.patch(f"{self.cluster.path(self.ref(name))}/scale", {"spec": {"replicas": replicas}}, MERGE)

    def set_image(self, state: State) -> str:
        """Set the image of the slot's pods, with annotations for the chart and for later calls.

        Returns the image as the API server stored it.
        """
        deployment = self.get(state.canary.workload)
        name, image = self.needed_container(deployment)["name"], state.canary.image
        template = {"spec": {"containers": [{"name": name, "image": image}]}}
        body = {"metadata": {"annotations": {IMAGE: image, RUN: state.run}}, "spec": {"template": template}}
        answer = self.patch(self.cluster.path(self.ref(state.canary.workload)), body, STRATEGIC)
        return str(self.needed_container(answer)["image"])

    def patch(self, path: str, body: Object, content_type: str, dry_run: bool = False) -> Object:
        query: list[tuple[str, Any]] = [("fieldManager", FIELD_MANAGER)]
        if dry_run:
            query.append(("dryRun", "All"))
        answer: Object = self.cluster.request("patch", path, body=body, query=query, content_type=content_type)
        return answer
