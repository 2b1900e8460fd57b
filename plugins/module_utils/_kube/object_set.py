# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A named set of objects: applied together, and pruned of what left the set."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.compare import (
    Change,
    Comparison,
    defined_kinds,
    placed,
    refusals,
    unready,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.fields import BUILT_IN_IGNORES, normalise
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref, in_apply_order
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.readiness import not_ready

LABEL = "service-mesh.corpv3.com/part-of"
_POLL_SECONDS = 0.5

Item = TypeVar("Item")


class SetFailure(MeshError):
    """A set that could not be brought to the wanted state."""


@dataclass(frozen=True)
class Settings:
    """The options of the module."""

    name: str
    field_manager: str
    prune: bool
    prune_kinds: tuple[tuple[str, str], ...]
    wait: bool
    wait_timeout: int
    # Created where they are missing, and otherwise another owner's: without the set's label, never pruned or removed.
    namespaces: tuple[str, ...] = ()


def checked(objects: Sequence[Object], name: str) -> list[Object]:
    """The objects with the set's label; an entry that is not an object is an error that names it."""
    result: dict[tuple[str, str, str, str], Object] = {}
    for number, obj in enumerate(objects, start=1):
        missing = [
            field
            for field, value in (
                ("apiVersion", obj.get("apiVersion")),
                ("kind", obj.get("kind")),
                ("metadata.name", (obj.get("metadata") or {}).get("name")),
            )
            if not value or not isinstance(value, str)
        ]
        ref = Ref.of(obj)
        if missing:
            raise SetFailure(f"object {number} of set {name} ({ref}) has no {', '.join(missing)}, or it is not text")
        if ref.identity in result:
            raise SetFailure(f"set {name} holds {ref} twice")
        metadata = obj["metadata"]
        labels = {**(metadata.get("labels") or {}), LABEL: name}
        result[ref.identity] = {**obj, "metadata": {**metadata, "labels": labels}}
    return in_apply_order(result.values())


class ObjectSet:
    """Brings one set to its wanted state."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api = api
        self._settings = settings
        self._comparison = Comparison(api, settings.field_manager, BUILT_IN_IGNORES)

    @property
    def warnings(self) -> list[str]:
        return self._comparison.warnings

    def present(self, objects: Sequence[Object], check_mode: bool) -> list[Change]:
        objects = self._placed(objects)
        defined = defined_kinds(objects)
        if not check_mode:
            self._require_kinds(objects, defined)
        missing = self._missing_namespaces()
        changes = self._comparison.changes(objects, {})
        redefined = defined_kinds(change.after for change in changes if change.after and change.change != "unchanged")
        refused = refusals(changes, redefined)
        if refused:
            raise SetFailure("\n".join(refused))
        if self._settings.prune:
            kept = {Ref.of(obj).identity for obj in objects}
            changes += [change for change in self._labelled(objects) if change.ref.identity not in kept]
        if not check_mode:
            self._execute([*missing, *objects], [*_creations(missing), *changes])
            if self._settings.wait:
                self._wait_ready([Ref.of(obj) for obj in objects])
        return [*_creations(missing), *changes]

    def absent(self, objects: Sequence[Object], check_mode: bool) -> list[Change]:
        objects = self._placed(objects)
        found = self._comparison.removals([Ref.of(obj) for obj in reversed(objects)])
        if self._settings.prune:
            known = {change.ref.identity for change in found}
            found = [change for change in self._labelled(objects) if change.ref.identity not in known] + found
        if not check_mode:
            self._execute([], found)
            if self._settings.wait:
                self._wait_gone([change.ref for change in found])
        return found

    def _missing_namespaces(self) -> list[Object]:
        wanted = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            for name in dict.fromkeys(self._settings.namespaces)
        ]
        return [obj for obj in wanted if self._api.get(Ref.of(obj)) is None]

    def _placed(self, objects: Sequence[Object]) -> list[Object]:
        result = placed(self._api, objects, "", objects)
        for obj in result:
            if obj["metadata"].get("namespace") == "":
                raise SetFailure(f"set {self._settings.name}: {Ref.of(obj)} needs metadata.namespace")
        return result

    def _require_kinds(self, objects: Sequence[Object], defined: Iterable[tuple[str, str]]) -> None:
        known = set(defined)
        unknown = {
            f"{ref.api_version} {ref.kind}"
            for ref in map(Ref.of, objects)
            if (ref.group, ref.kind) not in known and self._api.resource(ref.api_version, ref.kind) is None
        }
        if unknown:
            raise SetFailure(
                f"set {self._settings.name}: the cluster does not know {', '.join(sorted(unknown))}. "
                "Install what defines it first."
            )

    def _labelled(self, objects: Sequence[Object]) -> list[Change]:
        """Deletions of all objects that carry the set's label, of the kinds that may be pruned."""
        kinds = dict.fromkeys(
            [*((ref.api_version, ref.kind) for ref in map(Ref.of, objects)), *self._settings.prune_kinds]
        )
        namespaces = dict.fromkeys(Ref.of(obj).namespace for obj in objects)
        found: dict[tuple[str, str, str, str], Change] = {}
        for api_version, kind in kinds:
            for obj in self._list(api_version, kind, [namespace for namespace in namespaces if namespace]):
                ref = Ref.of(obj)
                # Controllers copy labels to what they make: an Endpoints object is not ours to delete.
                if not obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("ownerReferences"):
                    found.setdefault(ref.identity, Change(ref, "deleted", before=normalise(obj)))
        return list(found.values())

    def _list(self, api_version: str, kind: str, namespaces: Sequence[str]) -> list[Object]:
        labels = f"{LABEL}={self._settings.name}"
        try:
            return self._api.list(api_version, kind, labels=labels)
        except ApiFailure as failure:
            if failure.status != 403 or not namespaces:
                raise
        # An account that is confined to namespaces can only have made objects there.
        return [obj for namespace in namespaces for obj in self._api.list(api_version, kind, namespace, labels)]

    def _execute(self, objects: Sequence[Object], changes: Sequence[Change]) -> None:
        due = {change.ref.identity for change in changes if change.change in ("created", "changed")}
        definitions: list[Object] = []
        for obj in objects:
            ref = Ref.of(obj)
            if definitions and ref.kind != "CustomResourceDefinition":
                self._wait_served(definitions)
                definitions = []
            if ref.identity in due:
                try:
                    self._api.apply(obj, self._settings.field_manager, dry_run=False)
                except ApiFailure as failure:
                    raise SetFailure(f"{ref} could not be applied: {failure}") from failure
                if ref.kind == "CustomResourceDefinition":
                    definitions.append(obj)
        for change in changes:
            if change.change == "deleted":
                try:
                    self._api.delete(change.ref)
                except ApiFailure as failure:
                    raise SetFailure(f"{change.ref} could not be deleted: {failure}") from failure
        if any(change.ref.kind == "CustomResourceDefinition" for change in changes if change.change != "unchanged"):
            self._api.forget_kinds()

    def _wait_ready(self, refs: Sequence[Ref]) -> None:
        def described(waiting: Sequence[Ref]) -> str:
            reasons = "".join(f"\n- {line}" for line in unready(self._api, waiting))
            return f"set {self._settings.name} is not ready after {self._settings.wait_timeout} s:{reasons}"

        self._wait(refs, self._not_ready, described)

    def _not_ready(self, ref: Ref) -> str:
        obj = self._api.get(ref) or {}
        return "" if self._waits_for_its_pod(obj) else not_ready(obj)

    def _waits_for_its_pod(self, obj: Object) -> bool:
        """Of most storage classes, a volume claim is bound only once a pod uses it, which may come much later."""
        if obj.get("kind") != "PersistentVolumeClaim" or (obj.get("status") or {}).get("phase") != "Pending":
            return False
        name = (obj.get("spec") or {}).get("storageClassName")
        if not name:
            return False
        try:
            found = self._api.get(Ref("storage.k8s.io/v1", "StorageClass", "", name))
        except ApiFailure as failure:
            if failure.status == http.client.FORBIDDEN:
                # If the claim cannot be bound, its pod's release reports that.
                return True
            raise
        return (found or {}).get("volumeBindingMode") == "WaitForFirstConsumer"

    def _wait_served(self, definitions: Sequence[Object]) -> None:
        """An API server reports a kind as established a moment before it serves it."""
        self._wait_ready([Ref.of(definition) for definition in definitions])
        kinds: dict[str, list[str]] = {}
        for spec in (definition["spec"] for definition in definitions):
            for version in spec["versions"]:
                if version["served"]:
                    kinds.setdefault(f"{spec['group']}/{version['name']}", []).append(spec["names"]["kind"])

        def missing(api_version: str) -> list[str]:
            self._api.forget_kinds()
            return [kind for kind in kinds[api_version] if self._api.resource(api_version, kind) is None]

        def described(waiting: Sequence[str]) -> str:
            names = ", ".join(f"{api_version} {kind}" for api_version in waiting for kind in missing(api_version))
            return (
                f"set {self._settings.name}: the API server has established but does not serve {names} "
                f"after {self._settings.wait_timeout} s"
            )

        self._wait(kinds, missing, described)

    def _wait_gone(self, refs: Sequence[Ref]) -> None:
        def described(waiting: Sequence[Ref]) -> str:
            reasons = "".join(f"\n- {ref}: {_hold_up(self._api.get(ref) or {})}" for ref in waiting)
            return f"set {self._settings.name} is not gone after {self._settings.wait_timeout} s:{reasons}"

        self._wait(refs, self._api.get, described)

    def _wait(
        self, items: Iterable[Item], pending: Callable[[Item], object], describe: Callable[[list[Item]], str]
    ) -> None:
        """Until none is pending. At the timeout it raises SetFailure and describes the pending ones."""
        deadline = time.monotonic() + self._settings.wait_timeout
        waiting = list(items)
        while waiting := [item for item in waiting if pending(item)]:
            if time.monotonic() > deadline:
                raise SetFailure(describe(waiting))
            time.sleep(_POLL_SECONDS)


def _creations(objects: Iterable[Object]) -> list[Change]:
    return [Change(Ref.of(obj), "created", after=obj) for obj in objects]


def _hold_up(obj: Object) -> str:
    """What delays the deletion of an object."""
    metadata, spec = obj.get("metadata") or {}, obj.get("spec") or {}
    finalizers = [*(metadata.get("finalizers") or ()), *(spec.get("finalizers") or ())]
    parts = [f"finalizers {', '.join(finalizers)}"] if finalizers else []
    if obj.get("kind") == "Namespace":
        conditions = (obj.get("status") or {}).get("conditions") or ()
        parts += [str(condition.get("message")) for condition in conditions if condition.get("status") == "True"]
    return "; ".join(parts) or "still there"
