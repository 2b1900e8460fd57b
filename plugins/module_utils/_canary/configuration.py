# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""ConfigMaps and Secrets with another content for the canary, in the cluster."""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import Change
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.configuration import (
    KINDS,
    key_of,
    origin,
    used,
    with_content,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import adoption
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import FIELD_MANAGER
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, Writable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import CONFLICT, put
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects, Ref

_APPS = "apps/v1"


class Renames(NamedTuple):
    """What a changed content means. ``names``: object that is in use -> name of the one for the canary.

    ``made``: the objects that are missing.
    """

    names: Mapping[str, str]
    made: Sequence[Change]


class Configuration:
    """Of one service."""

    def __init__(self, cluster: Writable, namespace: str, service: str) -> None:
        self._cluster, self._namespace, self._service = cluster, namespace, service

    def renames(self, deployment: Object, given: Sequence[Mapping[str, Any]]) -> Renames:
        """``given``: kind, name and data of each change. Raises CanaryFailure if the Deployment does not use one."""
        names, made = dict[str, str](), list[Change]()
        for entry in given:
            live = self._live(deployment, entry["kind"], entry["name"])
            new = with_content(live, entry["kind"], entry["data"], self._service)
            if all((live.get(field) or {}) == new.get(field, {}) for field in ("data", "binaryData")):
                continue
            names[key_of(entry["kind"], live["metadata"]["name"])] = new["metadata"]["name"]
            ref = self._ref(entry["kind"], new["metadata"]["name"])
            if self._cluster.get(ref) is None:
                made.append(Change(ref, None, new))
        return Renames(names, made)

    def make(self, changes: Sequence[Change]) -> None:
        """Objects with the same name have the same content, so one that exists meanwhile is the one."""
        for change in changes:
            if change.after is None:
                continue
            try:
                put(self._cluster, change.ref, None, change.after, FIELD_MANAGER)
            except ApiFailure as failure:
                if failure.status != CONFLICT:
                    raise

    def unused(self) -> list[Change]:
        """The removal of each object that was made for a canary and that no Deployment needs, apart from the copies.

        An account that may not list them has not made them either.
        """
        needed = set[str]()
        for each in self._cluster.list(_APPS, "Deployment", self._namespace):
            if adoption(self._service) not in (each["metadata"].get("annotations") or {}):
                needed |= used(each["spec"]["template"])
        return [
            Change(self._ref(kind, obj["metadata"]["name"]), obj, None)
            for kind in KINDS
            for obj in self._made(kind)
            if key_of(kind, obj["metadata"]["name"]) not in needed
        ]

    def _made(self, kind: str) -> Objects:
        try:
            found = self._cluster.list("v1", kind, self._namespace, metadata_only=True)
        except ApiFailure as failure:
            if failure.status != http.client.FORBIDDEN:
                raise
            return []
        return [obj for obj in found if adoption(self._service) in (obj["metadata"].get("annotations") or {})]

    def _live(self, deployment: Object, kind: str, name: str) -> Object:
        """The one that the Deployment uses: of that name, or with another content for an earlier canary."""
        in_use = used(deployment["spec"]["template"])
        known = sorted(key.partition("/")[2] for key in in_use if key.startswith(f"{kind}/"))
        for other in sorted(known, key=lambda each: each != name):
            found = self._cluster.get(self._ref(kind, other))
            if found is not None and origin(found, self._service) == name:
                return found
        raise CanaryFailure(
            f"Deployment {deployment['metadata']['name']} uses no {kind} {name} that exists. It refers to "
            f"{', '.join(known) or 'none'}: correct configuration."
        )

    def _ref(self, kind: str, name: str) -> Ref:
        return Ref("v1", kind, self._namespace, name)
