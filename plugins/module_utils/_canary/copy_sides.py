# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The two sides of a run with a copy, as they are found in the cluster."""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.backends import selected, slices
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.configuration import Configuration, Renames
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.copies import Copies
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import (
    CANARY,
    STABLE,
    free_name,
    side_of,
    strangers,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.copying import (
    copy_name,
    copy_value,
    version_label,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Copy, Slot
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.pods import Pods, pods_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.workloads import APPS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.images import image_with
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.adopted import adopted, is_plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    adoption,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Split
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

# Why these have no copies.
_OTHER_KINDS = {
    "StatefulSet": "its pods have names and volumes of their own, which a copy would not share",
    "DaemonSet": "it runs one pod on each node, and a copy would run a second one there",
}


@dataclass(frozen=True)
class Sides:
    """What a run with a copy would have as its sides. ``template``: of the canary's pods. ``renames``: there."""

    stable: Slot
    canary: Slot
    copy: Copy
    template: Object
    # The templates of the two sides are the same.
    same: bool
    renames: Renames


class SidesFinder:
    """Finds those of one service."""

    def __init__(self, objects: CanaryObjects) -> None:
        self._objects, self._cluster, self._workloads = objects, objects.cluster, objects.workloads
        self._namespace, self._service = objects.namespace, objects.service.partition(".")[0]
        self._copies = Copies(objects)

    def sides(
        self,
        deployment: str,
        keep: str,
        patch: Mapping[str, Any],
        image: str,
        image_tag: str,
        configuration: Sequence[Mapping[str, Any]] = (),
    ) -> Sides:
        """Raises CanaryFailure and AdoptionFailure if the application does not allow a copy."""
        original = self._original(deployment)
        whole = self._copies.whole_service()
        selector: Mapping[str, str] = whole["spec"].get("selector") or {}
        pod = original["spec"]["template"]["metadata"].get("labels") or {}
        if not selector or not selector.items() <= pod.items():
            raise CanaryFailure(
                f"Service {self._namespace}/{self._service} selects {dict(selector)}, and the pods of Deployment "
                f"{deployment} have the labels {pod}: correct service or target.deployment."
            )
        known = {
            name: {key: value for key, value in labels.items() if selector.get(key) != value}
            for name, labels in self._objects.backends.subsets().items()
        }
        used = [subset for subset, __ in self._objects.backends.of(self._objects.route())]
        side = side_of(known, pod, used)
        label = version_label(pod, selector, [*known.get(side, ())])
        if not label:
            raise CanaryFailure(
                f"the pods of Deployment {deployment} have no label that tells their version from another one's, only "
                f"{pod}. Give its pod template the label version, with any value, and do not select it in the Service."
            )
        labels: Mapping[str, Any] = (patch.get("metadata") or {}).get("labels") or {}
        if label in labels:
            raise CanaryFailure(f"patch changes label {label}, which distinguishes the two sides: leave it out.")
        there = self._workloads.find(copy_name(deployment))
        if there is not None and adoption(self._service) not in (there["metadata"].get("annotations") or {}):
            raise CanaryFailure(
                f"Deployment {self._namespace}/{copy_name(deployment)} exists, and this collection did not make it: "
                "rename it, or remove it."
            )
        copies = there["spec"]["template"]["metadata"]["labels"] if there else {}
        value = str(copies.get(label) or copy_value(str(pod[label])))
        copy = Copy(deployment, copy_name(deployment), keep, label, value)
        names = self._names(known, side, {label: pod[label]}, {label: value})
        return self._planned(original, there, copy, names, patch, image, image_tag, configuration)

    def _original(self, deployment: str) -> Object:
        found = self._workloads.find(deployment)
        if found is not None:
            return found
        for kind, why in _OTHER_KINDS.items():
            try:
                other = self._cluster.get(Ref(APPS, kind, self._namespace, deployment))
            except ApiFailure as failure:
                if failure.status != http.client.FORBIDDEN:
                    raise
                other = None
            if other is not None:
                raise CanaryFailure(
                    f"target.deployment is {deployment}, which is a {kind}. A canary needs a Deployment: {why}."
                )
        raise CanaryFailure(
            f"target.deployment is {deployment}, and namespace {self._namespace} has no Deployment of that name: "
            "correct it, or deploy it first."
        )

    def _names(
        self,
        known: Mapping[str, Mapping[str, str]],
        side: str,
        original: Mapping[str, str],
        copy: Mapping[str, str],
    ) -> tuple[str, str]:
        """The subsets of the original and of the copy."""
        if self._objects.kind.by_service:
            return side or f"{self._service}-{STABLE}", f"{self._service}-{CANARY}"
        existing = next((name for name, labels in known.items() if labels == copy), "")
        return side or free_name(STABLE, original, known), existing or free_name(CANARY, copy, known)

    def _planned(
        self,
        original: Object,
        there: Object | None,
        copy: Copy,
        names: tuple[str, str],
        patch: Mapping[str, Any],
        image: str,
        image_tag: str,
        configuration: Sequence[Mapping[str, Any]],
    ) -> Sides:
        for route in self._objects.routes():
            if is_plain(route, self._objects.service):
                self._refuse_strangers(original, copy, route.kind)
        promoted = there is not None and self._has_traffic(names[1], names[0], names[0])
        if not promoted and not self._has_traffic(*names, names[0]):
            raise CanaryFailure(
                f"the routes do not send all requests to Deployment {copy.original}: {self._objects.live_weights()}. "
                "Give it all traffic first, for example with module traffic_shift."
            )
        live = there if promoted and there else original
        container = self._workloads.needed_container(live) if image or image_tag else None
        if container and image_tag:
            image = image_with(str(container["image"]), image_tag)
        renames = Configuration(self._cluster, self._namespace, self._service).renames(live, configuration)
        named = str(container["name"]) if container else ""
        template = self._copies.changed(live, patch, named, image, renames.names)
        before = live["spec"]["template"]
        own = (copy.original, names[0]), (copy.name, names[1])
        stable, canary = reversed(own) if promoted else own
        return Sides(
            Slot(stable[1], stable[0], self._image(live, before)),
            Slot(canary[1], canary[0], self._image(live, template)),
            copy,
            self._copies.for_workload(canary[0], copy, original, template),
            template == before,
            renames,
        )

    def _refuse_strangers(self, original: Object, copy: Copy, kind: str) -> None:
        labels = self._copies.whole_service()["spec"]["selector"]
        pods = self._cluster.list("v1", "Pod", self._namespace, labels=selected(labels))
        own = original["spec"]["template"]["metadata"]["labels"][copy.label]
        others = strangers(pods, [{copy.label: own}, {copy.label: copy.value}])
        if others:
            raise CanaryFailure(
                f"the {kind} sends requests to all pods of Service {self._service}, also to those that Deployment "
                f"{copy.original} does not have ({', '.join(others[:5])}). A canary would take their requests away: "
                "name a subset in the route first, or remove the other pods."
            )

    def _has_traffic(self, subset: str, other: str, original: str) -> bool:
        """Whether all routes of the service send all requests there, once they are adopted."""
        service = self._objects.service
        split = Split(service, weights={subset: 100, other: 0}, base=subset)
        found = [adopted(route, service, original).weights(split) for route in self._objects.routes()]
        return all(weights and all(each.get(subset) == 100 for each in weights.values()) for weights in found)

    def _image(self, deployment: Object, template: Object) -> str:
        with_template = {**deployment, "spec": {**deployment["spec"], "template": template}}
        container = self._workloads.container(with_template) or template["spec"]["containers"][0]
        return str(container["image"])

    def pods(self, slot: Slot, copy: Copy) -> Pods:
        """The pods of a side that may not have a subset yet."""
        deployment = self._workloads.get(slot.workload)
        selector = self._copies.whole_service()["spec"]["selector"]
        own = deployment["spec"]["template"]["metadata"]["labels"][copy.label]
        labels = {**selector, copy.label: own}
        pods = self._cluster.list("v1", "Pod", self._namespace, labels=selected(labels))
        return pods_of(deployment, slot.image, labels, pods, slices(self._cluster, self._namespace, self._service))
