# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an application gets for a canary by copy, and how it is removed again."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.configuration import Configuration
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.copies import Copies, copy_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import (
    CANARY,
    STABLE,
    Change,
    rule_change,
    rule_without,
    service_change,
    without,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Copy, State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.workloads import APPS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.adopted import adopted, detached
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    IMAGE,
    PREVIOUS_TEMPLATE,
    RUN,
    adoption,
    annotation,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import NETWORKING, Route
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import FIELD_MANAGER
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import CONFLICT, put
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects, Ref

# How often all is decided again after a conflict with another writer.
ATTEMPTS = 5


class Adoption:
    """Of one service."""

    def __init__(self, objects: CanaryObjects) -> None:
        self._objects, self._cluster, self._workloads = objects, objects.cluster, objects.workloads
        self._namespace, self._service = objects.namespace, objects.service.partition(".")[0]
        self._copies = Copies(objects)

    def changes(self, copy: Copy, original_subset: str, copy_subset: str) -> list[Change]:
        """The subsets or Services that are missing, and the change of each."""
        original = self._workloads.get(copy.original)
        own = {copy.label: original["spec"]["template"]["metadata"]["labels"][copy.label]}
        sides = {original_subset: own, copy_subset: {copy.label: copy.value}}
        if not self._objects.kind.by_service:
            known = self._objects.backends.subsets()
            lacking = {name: labels for name, labels in sides.items() if name not in known}
            rules = self._cluster.list(NETWORKING, "DestinationRule")
            change = rule_change(rules, self._namespace, self._service, lacking) if lacking else None
            return [change] if change else []
        whole = self._copies.whole_service()
        found = []
        for name, labels in sides.items():
            existing = self._cluster.get(Ref("v1", "Service", self._namespace, name))
            found.append(service_change(whole, existing, self._service, name, labels))
        return [change for change in found if change.before != change.after]

    def adopt(self, state: State) -> list[Change]:
        """Make what is missing for a split. Returns that."""
        copy = copy_in(state)
        for attempt in range(ATTEMPTS):
            self._objects.forget_backends()
            changes = self.changes(copy, state.side_of(copy.original).subset, state.side_of(copy.name).subset)
            try:
                for change in changes:
                    self.write(change)
            except ApiFailure as failure:
                if failure.status != CONFLICT or attempt == ATTEMPTS - 1:
                    raise
                continue
            break
        self._objects.forget_backends()
        return changes

    def planned_objects(self, state: State, template: Object) -> list[Change]:
        """Everything that the run would make or change, for check mode. ``template``: of the canary's pods."""
        copy = copy_in(state)
        service = self._objects.service
        changes = self.changes(copy, state.side_of(copy.original).subset, state.side_of(copy.name).subset)
        for route in self._objects.routes():
            after = adopted(route, service, state.side_of(copy.original).subset).obj
            if after != route.obj:
                changes.append(
                    Change(Ref(route.api_version, route.kind, route.namespace, route.name), route.obj, after)
                )
        found = self._workloads.find(state.canary.workload)
        return [
            *changes,
            Change(self._workloads.ref(state.canary.workload), found, self._copies.given(state, found, template)),
        ]

    # -----------------------------------------------------------------------------------------------------------------
    # Detaching

    def detaching(self, state: State | None) -> tuple[list[Change], list[Change]]:  # pylint: disable=unsupported-binary-operation
        """What is restored or removed, by the notes on it: first the routes, then the rest.

        Raises TrafficFailure while the copy gets requests.
        """
        copy = state.copy if state else None
        names = [f"{self._service}-{name}" for name in (STABLE, CANARY)]
        canary = names[1] if self._objects.kind.by_service else CANARY
        if state and copy:
            canary = state.side_of(copy.name).subset
        routes = [self._route_change(route, canary, copy is not None) for route in self._objects.routes()]
        rest = [rule_without(rule, self._service) for rule in self._rules()]
        if self._objects.kind.by_service:
            rest += [self._service_change(name) for name in names]
        rest += self._deployment_changes()
        rest += Configuration(self._cluster, self._namespace, self._service).unused()
        return [each for each in routes if each], [each for each in rest if each]

    def write(self, change: Change) -> None:
        """Restore or remove one object. Nothing if it is gone."""
        if change.after is None:
            self._copies.delete(change.ref)
        else:
            put(self._cluster, change.ref, change.before, change.after, FIELD_MANAGER)

    def _route_change(self, route: Route, canary: str, ours: bool) -> Change | None:  # pylint: disable=unsupported-binary-operation
        """``ours``: the last run was by copy, so its state goes, too."""
        after = detached(route, self._objects.service, canary).obj
        if after is not route.obj or ours:
            after = without(after, [annotation(self._service)])
        ref = Ref(route.api_version, route.kind, route.namespace, route.name)
        return Change(ref, route.obj, after) if after != route.obj else None

    def _rules(self) -> Objects:
        if self._objects.kind.by_service:
            return []
        every = self._cluster.list(NETWORKING, "DestinationRule")
        return [rule for rule in every if rule["metadata"].get("namespace") == self._namespace]

    def _service_change(self, name: str) -> Change | None:  # pylint: disable=unsupported-binary-operation
        ref = Ref("v1", "Service", self._namespace, name)
        found = self._cluster.get(ref)
        ours = found and adoption(self._service) in (found["metadata"].get("annotations") or {})
        return Change(ref, found, None) if ours else None

    def _deployment_changes(self) -> list[Change]:
        """The copies, and the notes on Deployments that got a tested template."""
        found = []
        for each in self._cluster.list(APPS, "Deployment", self._namespace):
            annotations = each["metadata"].get("annotations") or {}
            ref = self._workloads.ref(each["metadata"]["name"])
            if adoption(self._service) in annotations:
                found.append(Change(ref, each, None))
            elif PREVIOUS_TEMPLATE in annotations and self._selects(each):
                found.append(Change(ref, each, without(each, [RUN, IMAGE, PREVIOUS_TEMPLATE])))
        return found

    def _selects(self, deployment: Object) -> bool:
        whole = self._cluster.get(Ref("v1", "Service", self._namespace, self._service))
        selector = (whole["spec"].get("selector") or {}) if whole else {}
        labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
        return bool(selector) and selector.items() <= labels.items()
