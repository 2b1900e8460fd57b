# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The pod templates of a run with a copy: who gets which, and how the copy is made.

Every write is repeated without effect, so a process that was killed between two of them is resumed by the next one.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import without
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.configuration import renamed
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.copying import (
    copy_of,
    merge_patch,
    relabelled,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Copy, State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.pods import template_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.workloads import STRATEGIC
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    IMAGE,
    PREVIOUS_TEMPLATE,
    RUN,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import FIELD_MANAGER
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import conditional_put
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref


class Copies:
    """Those of one service."""

    def __init__(self, objects: CanaryObjects) -> None:
        self._cluster, self._workloads = objects.cluster, objects.workloads
        self._namespace, self._service = objects.namespace, objects.service.partition(".")[0]

    def whole_service(self) -> Object:
        found = self._cluster.get(Ref("v1", "Service", self._namespace, self._service))
        if found is None:
            raise CanaryFailure(
                f"Service {self._namespace}/{self._service} does not exist: correct service, or deploy it first."
            )
        return found

    def changed(
        self, live: Object, patch: Mapping[str, Any], container: str, image: str, names: Mapping[str, str]
    ) -> Object:
        """The pod template with the change, as the API server would store it.

        ``names``: of ConfigMaps and Secrets that take the place of others.
        """
        return renamed(self._patched(live, patch, container, image), names)

    def _patched(self, live: Object, patch: Mapping[str, Any], container: str, image: str) -> Object:
        if not patch and not image:
            template: Object = live["spec"]["template"]
            return template
        body = merge_patch(patch, container, image)
        path = self._cluster.path(self._workloads.ref(live["metadata"]["name"]))
        answer: Object = self._workloads.patch(path, body, STRATEGIC, dry_run=True)["spec"]["template"]
        return answer

    def for_workload(self, workload: str, copy: Copy, original: Object, template: Object) -> Object:
        """The template with the label of the Deployment that gets it."""
        own = original["spec"]["template"]["metadata"]["labels"][copy.label]
        return relabelled(template, copy.label, copy.value if workload == copy.name else own)

    def give(self, state: State, workload: str) -> str:
        """Give the canary its change, or the original what was tested. Returns the fingerprint of what was stored."""
        copy = copy_in(state)
        if workload == state.canary.workload and state.undoes:
            template = _previous(self._workloads.get(copy.original))
        elif workload == state.canary.workload:
            live = self._workloads.get(state.stable.workload)
            container = self._workloads.container(live)
            image = state.canary.image if container and state.canary.image != state.stable.image else ""
            named = str(container["name"]) if container else ""
            template = self.changed(live, state.patch, named, image, state.configuration)
        else:
            template = self._workloads.get(state.canary.workload)["spec"]["template"]
        done = conditional_put(
            self._cluster,
            self._workloads.ref(workload),
            lambda found: self.given(state, found, template, workload),
            FIELD_MANAGER,
        )
        return template_of(done.after)

    def given(self, state: State, found: Object | None, template: Object, workload: str = "") -> Object:
        """The Deployment with the template of the run."""
        copy, workload = copy_in(state), workload or state.canary.workload
        original = self._workloads.get(copy.original)
        own = self.for_workload(workload, copy, original, template)
        if found is None:
            if workload != copy.name:
                raise CanaryFailure(f"Deployment {self._namespace}/{workload} is gone: deploy it again.")
            selector = self.whole_service()["spec"]["selector"]
            found = copy_of(original, copy, self._service, selector, own)
        annotations: dict[str, str] = {**(found["metadata"].get("annotations") or {})}
        if workload == copy.original and annotations.get(RUN) != state.run:
            stable = self._workloads.get(state.stable.workload)["spec"]["template"]
            annotations[PREVIOUS_TEMPLATE] = json.dumps(self.for_workload(workload, copy, original, stable))
        annotations |= {IMAGE: state.canary.image, RUN: state.run}
        return {
            **found,
            "metadata": {**found["metadata"], "annotations": annotations},
            "spec": {**found["spec"], "template": own},
        }

    def restore(self, state: State) -> None:
        """Give the original the template that it had before this run's promotion."""

        def restored(found: Object | None) -> Object:
            if found is None:
                raise CanaryFailure(f"Deployment {self._namespace}/{copy_in(state).original} is gone: deploy it again.")
            if not was_given(found, state):
                return found
            after = without(found, [RUN, IMAGE, PREVIOUS_TEMPLATE])
            return {**after, "spec": {**found["spec"], "template": _previous(found)}}

        conditional_put(self._cluster, self._workloads.ref(copy_in(state).original), restored, FIELD_MANAGER)

    def delete(self, ref: Ref) -> None:
        """Nothing if it is gone."""
        try:
            self._cluster.request("delete", self._cluster.path(ref), query=[("propagationPolicy", "Background")])
        except ApiFailure as failure:
            if failure.status != http.client.NOT_FOUND:
                raise


def was_given(deployment: Object, state: State) -> bool:
    """Whether the run has replaced the template, and the previous one is known."""
    annotations = deployment["metadata"].get("annotations") or {}
    return annotations.get(RUN) == state.run and PREVIOUS_TEMPLATE in annotations


def _previous(deployment: Object) -> Object:
    text = (deployment["metadata"].get("annotations") or {}).get(PREVIOUS_TEMPLATE)
    if not text:
        raise CanaryFailure(
            f"Deployment {deployment['metadata']['name']} has no annotation {PREVIOUS_TEMPLATE}, so the version before "
            "the promotion is unknown. Start a run of that version instead."
        )
    found: Object = json.loads(text)
    return found


def copy_in(state: State) -> Copy:
    if state.copy is None:
        raise AssertionError("only runs with a copy get here")
    return state.copy
