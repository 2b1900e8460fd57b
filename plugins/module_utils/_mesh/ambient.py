# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Ambient mode: which traffic ztunnel captures, and which waypoint is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import is_gateway
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    DATAPLANE,
    INJECT,
    INJECTION,
    REVISION,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    NAMESPACE,
    SERVICE,
    SERVICE_ENTRY,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload

USE_WAYPOINT = "istio.io/use-waypoint"
WAYPOINT_NAMESPACE = "istio.io/use-waypoint-namespace"
REDIRECTION = "ambient.istio.io/redirection"


def is_injected_namespace(labels: Mapping[str, Any]) -> bool:
    return labels.get(INJECTION) == "enabled" or (bool(labels.get(REVISION)) and labels.get(INJECTION) != "disabled")


@once_per_mesh
def ambient_namespaces(mesh: Mesh) -> set[str]:
    """Namespaces in ambient mode. A namespace that also has sidecars is a fault of its own."""
    return {
        namespace.name
        for namespace in mesh.of(NAMESPACE)
        if namespace.labels.get(DATAPLANE) == "ambient" and not is_injected_namespace(namespace.labels)
    }


@once_per_mesh
def has_sidecars(mesh: Mesh) -> bool:
    """Whether any namespace of the mesh has sidecars: they follow routes that ambient workloads do not."""
    return any(is_injected_namespace(namespace.labels) for namespace in mesh.of(NAMESPACE))


def wants_sidecar(mesh: Mesh, workload: Workload) -> bool:
    """Whether its labels or its namespace's request a sidecar, whether it is there or not."""
    wish = str(workload.labels.get(INJECT) or workload.annotations.get(INJECT) or "").lower()
    if wish in ("true", "false"):
        return wish == "true"
    return is_injected_namespace(mesh.namespace_labels(workload.namespace) or {})


def is_captured(mesh: Mesh, workload: Workload) -> bool:
    """Whether ztunnel captures its traffic."""
    return mesh.is_ambient(workload) and not wants_sidecar(mesh, workload) and not is_gateway(workload)


@once_per_mesh
def _namespaces_by_capture(mesh: Mesh) -> tuple[set[str], set[str]]:
    """Namespaces that have workloads, and those of them that have captured ones."""
    with_workloads: set[str] = set()
    captured: set[str] = set()
    for workload in mesh.workloads:
        with_workloads.add(workload.namespace)
        if workload.namespace not in captured and is_captured(mesh, workload):
            captured.add(workload.namespace)
    return with_workloads, captured


def may_concern_ambient(mesh: Mesh, namespace: str, labels: Mapping[str, Any]) -> bool:
    """Whether a policy of the namespace, with these labels as its selector, is for workloads that ztunnel captures."""
    if namespace not in ambient_namespaces(mesh):
        return False
    with_workloads, captured = _namespaces_by_capture(mesh)
    if not labels:
        return namespace in captured or namespace not in with_workloads
    selected = mesh.labels.matching(namespace, labels)
    return not selected or any(is_captured(mesh, workload) for workload in selected)


def waypoint_of(labels: Mapping[str, Any]) -> str | None:
    """The waypoint that the labels name, empty if they opt out, None if they do not mention one."""
    value = labels.get(USE_WAYPOINT)
    if value is None:
        return None
    return "" if str(value).lower() == "none" else str(value)


def is_enrolled(mesh: Mesh, labels: Mapping[str, Any], namespace: str) -> bool:
    """Whether an object's own labels, or else its namespace's, name a waypoint."""
    own = waypoint_of(labels)
    return bool(waypoint_of(mesh.namespace_labels(namespace) or {}) if own is None else own)


@once_per_mesh
def namespaces_with_waypoints(mesh: Mesh) -> set[str]:
    """Namespaces with at least one Service that uses a waypoint."""
    return {
        owner.namespace for owner in mesh.of(SERVICE, SERVICE_ENTRY) if is_enrolled(mesh, owner.labels, owner.namespace)
    } | {namespace.name for namespace in mesh.of(NAMESPACE) if waypoint_of(namespace.labels)}
