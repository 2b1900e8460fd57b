# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The cluster's objects that cost money, read in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Objects


class _Kind(NamedTuple):
    """lacking: what is missing without it."""

    kind: str
    api_versions: tuple[str, ...]
    lacking: str
    namespaced: bool = True


_KINDS = (
    _Kind("Node", ("v1",), "shares of the nodes' price are unknown, and instance types have no price", False),
    _Kind("Pod", ("v1",), ""),
    _Kind("PersistentVolumeClaim", ("v1",), "volumes are missing"),
    _Kind("PersistentVolume", ("v1",), "volumes that no claim holds any more are missing", False),
    _Kind("CronJob", ("batch/v1",), "volumes that are used only at times seem to be unused"),
    _Kind("Service", ("v1",), "load balancers are missing"),
    _Kind("HorizontalPodAutoscaler", ("autoscaling/v2",), "right-sizing does not know what is autoscaled"),
    _Kind("Telemetry", ("telemetry.istio.io/v1", "telemetry.istio.io/v1alpha1"), "the share of traces is unknown"),
)


@dataclass
class Inventory:
    """objects: by kind, as the API server has them. notes: what could not be read, and what that means."""

    objects: dict[str, Objects] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def of(self, kind: str) -> Objects:
        return self.objects.get(kind, [])


def read_inventory(cluster: Api, namespaces: Sequence[str]) -> Inventory:
    """Of the namespaces; of all, if none is given. Raises ApiFailure without an answer, InputError without pods."""
    inventory = Inventory()
    with ThreadPoolExecutor(4) as pool:
        for kind, (objects, reason) in zip(
            _KINDS, pool.map(lambda kind: _list(cluster, kind, namespaces), _KINDS), strict=True
        ):
            if reason and not kind.lacking:
                raise InputError(f"{reason}. Grant this right, or set namespaces to those of the account.")
            inventory.objects[kind.kind] = objects
            if reason:
                inventory.notes.append(f"{reason}: {kind.lacking}")
    return inventory


def _list(cluster: Api, kind: _Kind, namespaces: Sequence[str]) -> tuple[Objects, str]:
    """(objects, why some may be missing)."""
    api_version = next((version for version in kind.api_versions if cluster.resource(version, kind.kind)), "")
    found: Objects = []
    refused = []
    for namespace in namespaces if kind.namespaced and namespaces else [""]:
        try:
            found += cluster.list(api_version, kind.kind, namespace) if api_version else []
        except ApiFailure as failure:
            if failure.status != 403:
                raise
            refused.append(f"in {namespace}" if namespace else "in the whole cluster" if kind.namespaced else "")
    return found, f"the account may not list {kind.kind}s {', '.join(refused)}".rstrip() if refused else ""
