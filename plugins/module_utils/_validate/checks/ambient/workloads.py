# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Workloads that are half in ambient mode, and waypoints that do not serve those who name them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.ambient import (
    REDIRECTION,
    USE_WAYPOINT,
    WAYPOINT_NAMESPACE,
    ambient_namespaces,
    is_captured,
    wants_sidecar,
    waypoint_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateway_api import (
    WAYPOINT_CLASSES,
    admits,
    listeners_by_gateway,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import is_gateway
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import DATAPLANE, INJECT, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    K8S_GATEWAY,
    NAMESPACE,
    POD,
    SERVICE,
    SERVICE_ENTRY,
    SIDECAR,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_DOCS = "https://istio.io/latest/docs/ambient/usage/"
_WAYPOINT_DOCS = f"{_DOCS}waypoint/"
_ADD_DOCS = f"{_DOCS}add-workloads/"
_WAYPOINT_FOR = "istio.io/waypoint-for"


def _label(workload: Workload, key: str) -> Path:
    return (*workload.template, "metadata", "labels", key)


def _is_labelled(workload: Workload) -> bool:
    return workload.labels.get(DATAPLANE) == "ambient" and not is_gateway(workload)


@check(
    code="KIA1311",
    level="error",
    title="Workload that requests a sidecar and ambient mode",
    why="Its pods get the sidecar, and ambient mode leaves them alone: the label has no effect.",
    remedy="Remove one of the two labels; sidecar.istio.io/inject: 'false' prevents the sidecar.",
    docs=_ADD_DOCS,
    needs=[POD],
)
def sidecar_and_ambient(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        if _is_labelled(workload) and not workload.has_proxy and wants_sidecar(mesh, workload):
            text = f"{DATAPLANE} is ambient, and its labels or its namespace's request a sidecar"
            report(workload.resource, _label(workload, DATAPLANE), text)


@check(
    code="KIA1315",
    level="error",
    title="Pods with a sidecar and the label of ambient mode",
    why="ztunnel does not capture the traffic of pods that have a sidecar: the label has no effect.",
    remedy="Restart the pods without the sidecar, or remove the label.",
    docs=_ADD_DOCS,
    needs=[POD],
)
def proxy_and_ambient(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        if _is_labelled(workload) and workload.has_proxy:
            report(workload.resource, _label(workload, DATAPLANE), "its pods have a container istio-proxy")


@check(
    code="KIA1314",
    level="error",
    title="Pods in ambient mode that will get a sidecar",
    why="Their traffic goes through ztunnel. After the next restart they have a sidecar, and other policies apply.",
    remedy="Choose one of the two in the labels of the namespace and the workload.",
    docs=_ADD_DOCS,
    needs=[POD],
)
def redirected_and_sidecar(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        if not any(pod.annotations.get(REDIRECTION) == "enabled" for pod in workload.pods) or _is_labelled(workload):
            continue
        if wants_sidecar(mesh, workload) and not is_gateway(workload):
            text = "ztunnel captures its pods' traffic, and its labels or its namespace's request a sidecar"
            report(workload.resource, ("metadata", "name"), text)


@check(
    code="KIA1316",
    level="warning",
    title="Sidecar in an ambient namespace",
    why="ztunnel does not capture the traffic of pods that have a sidecar, so they are not in ambient mode.",
    remedy="Restart the pods without the sidecar, or label them istio.io/dataplane-mode: none.",
    docs=_ADD_DOCS,
    needs=[POD, NAMESPACE],
)
def sidecar_in_ambient(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        if workload.namespace not in ambient_namespaces(mesh) or is_gateway(workload) or workload.labels.get(DATAPLANE):
            continue
        text = f"namespace '{workload.namespace}' is in ambient mode, and its pods have a sidecar"
        if str(workload.labels.get(INJECT)).lower() == "true":
            # On purpose.
            report(workload.resource, _label(workload, INJECT), text, level="info")
        elif workload.has_proxy:
            report(workload.resource, ("metadata", "name"), text)


class _User(NamedTuple):
    """An object that names a waypoint. path: to the labels."""

    resource: Resource
    namespace: str
    path: Path
    name: str
    place: str
    is_workload: bool


def _users(mesh: Mesh) -> Iterator[_User]:
    for owner in mesh.of(NAMESPACE, SERVICE, SERVICE_ENTRY):
        if name := waypoint_of(owner.labels):
            namespace = owner.name if owner.kind == NAMESPACE else owner.namespace
            place = str(owner.labels.get(WAYPOINT_NAMESPACE) or namespace)
            yield _User(owner, namespace, ("metadata", "labels"), name, place, False)
    for workload in mesh.workloads:
        if (name := waypoint_of(workload.labels)) and not is_gateway(workload):
            place = str(workload.labels.get(WAYPOINT_NAMESPACE) or workload.namespace)
            path = (*workload.template, "metadata", "labels")
            yield _User(workload.resource, workload.namespace, path, name, place, True)


@check(
    code="KIA1313",
    level="error",
    title="Waypoint that does not serve",
    why="Traffic bypasses the waypoint: routes and policies for HTTP are not applied.",
    remedy="Deploy the waypoint in that namespace, or correct the label.",
    aliases=["IST0171"],
    docs=_WAYPOINT_DOCS,
    needs=[K8S_GATEWAY],
)
def waypoint_not_found(mesh: Mesh, report: Report) -> None:
    for user in _users(mesh):
        waypoint = mesh.find(K8S_GATEWAY, user.place, user.name)
        if fault := _waypoint_fault(mesh, user, waypoint):
            report(user.resource, (*user.path, USE_WAYPOINT), f"waypoint '{user.place}/{user.name}' {fault}")


def _waypoint_fault(mesh: Mesh, user: _User, waypoint: Resource | None) -> str:
    if waypoint is None:
        return "does not exist"
    offered = listeners_by_gateway(mesh).get(id(waypoint), [])
    tunnels = [listener for listener in offered if listener.protocol == "HBONE"]
    if str(waypoint.spec.get("gatewayClassName")) not in WAYPOINT_CLASSES and offered and not tunnels:
        return "is a Gateway without a listener for HBONE"
    if tunnels and not any(admits(mesh, listener, user.namespace) for listener in tunnels):
        return f"does not accept namespace '{user.namespace}': see allowedRoutes of its listener"
    purpose = str(waypoint.labels.get(_WAYPOINT_FOR) or "service")
    if purpose == "none" or (user.is_workload and purpose == "service"):
        return f"is for {purpose}, by its label {_WAYPOINT_FOR}"
    return ""


@check(
    code="KIA1312",
    level="warning",
    title="Waypoint for workloads that are not in ambient mode",
    why="Nothing sends their traffic through the waypoint.",
    remedy="Add the workload or its namespace to ambient mode, or remove the label.",
    docs=_WAYPOINT_DOCS,
    needs=[POD, NAMESPACE],
)
def waypoint_without_ambient(mesh: Mesh, report: Report) -> None:
    captured = {workload.namespace for workload in mesh.workloads if is_captured(mesh, workload)}
    for namespace in mesh.of(NAMESPACE):
        if not waypoint_of(namespace.labels) or namespace.labels.get(DATAPLANE) == "ambient":
            continue
        # Workloads may join ambient mode one by one.
        if namespace.name not in captured and mesh.labels.matching(namespace.name, {}):
            text = f"names waypoint '{namespace.labels[USE_WAYPOINT]}', and no workload in it is in ambient mode"
            report(namespace, ("metadata", "labels", USE_WAYPOINT), text)
    for workload in mesh.workloads:
        known = mesh.namespace_labels(workload.namespace) is not None or workload.labels.get(DATAPLANE)
        if not known or not waypoint_of(workload.labels) or is_gateway(workload):
            continue
        if not is_captured(mesh, workload):
            text = f"names waypoint '{workload.labels[USE_WAYPOINT]}' and is not in ambient mode"
            report(workload.resource, _label(workload, USE_WAYPOINT), text)


@check(
    code="IST0167",
    level="warning",
    title="Sidecar resource for workloads without sidecars",
    why="Workloads in ambient mode have no sidecar that the resource could configure.",
    remedy="Remove the Sidecar. In ambient mode, use a waypoint and AuthorizationPolicies instead.",
    needs=[NAMESPACE],
)
def sidecar_without_sidecars(mesh: Mesh, report: Report) -> None:
    for sidecar in mesh.of(SIDECAR):
        labels = part(sidecar.spec, "workloadSelector", "labels")
        selected = mesh.labels.matching(sidecar.namespace, labels)
        if selected and all(is_captured(mesh, workload) for workload in selected):
            text = "all workloads that it selects are in ambient mode"
            report(sidecar, ("spec", "workloadSelector") if labels else ("metadata", "name"), text)
        elif not selected and not labels and sidecar.namespace in ambient_namespaces(mesh):
            report(sidecar, ("metadata", "name"), f"namespace '{sidecar.namespace}' is in ambient mode")
