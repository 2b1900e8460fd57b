# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What an upgrade changes for workloads in ambient mode."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import DATAPLANE, Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    CONFIG_MAP,
    NAMESPACE,
    WORKLOAD_ENTRY,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import is_crossed, is_set, page_of

_DRY_RUN = "istio.io/dry-run"
_ENFORCED = "AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY"
_DNS_CAPTURE = "ambient.istio.io/dns-capture"
_CNI_CONFIG = "istio-cni-config"
_REGISTERED = "istio.io/autoRegistrationGroup"
_TUNNEL = "networking.istio.io/tunnel"


def _ambient_namespaces(mesh: Mesh) -> list[Resource]:
    return [namespace for namespace in mesh.of(NAMESPACE) if namespace.labels.get(DATAPLANE) == "ambient"]


@check(
    code="MESH604",
    level="warning",
    title="Upgrade: older ztunnels enforce a dry run",
    why=f"With {_ENFORCED}, istiod 1.29 sends policies of a dry run to ztunnel. A ztunnel before 1.29 does not know "
    "the mark and enforces them, so it may deny requests.",
    remedy="Set the variable only after every ztunnel is 1.29 or newer.",
    docs=page_of((1, 29)),
)
def enforced_dry_run(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 29)) or not is_set(mesh, _ENFORCED, "true"):
        return
    ambient = {namespace.name for namespace in _ambient_namespaces(mesh)}
    for policy in mesh.of(AUTHORIZATION_POLICY):
        everywhere = policy.namespace == mesh.settings.root_namespace and bool(ambient)
        if str(policy.annotations.get(_DRY_RUN)).lower() == "true" and (policy.namespace in ambient or everywhere):
            path = ("metadata", "annotations", _DRY_RUN)
            report(policy, path, "a ztunnel before 1.29 enforces this policy instead of only logging it")


@check(
    code="MESH605",
    level="info",
    title="Upgrade: ztunnel answers DNS in ambient mode",
    why="From Istio 1.29 on, new pods in ambient mode send their DNS queries through ztunnel by default.",
    remedy="Nothing, if that is intended. Else set cni.ambient.dnsCapture=false, or for a pod the annotation "
    f"{_DNS_CAPTURE}: 'false'.",
    docs=page_of((1, 29)),
)
def captured_dns(mesh: Mesh, report: Report) -> None:
    ambient = _ambient_namespaces(mesh) if is_crossed(mesh, (1, 29)) else []
    captures = any(part(found.obj, "data").get("AMBIENT_DNS_CAPTURE") == "true" for found in _cni_configs(mesh))
    if ambient and not captures:
        report(ambient[0], ("metadata", "labels", DATAPLANE), f"DNS of new pods is captured in {names(ambient)}")


@check(
    code="MESH608",
    level="warning",
    title="Upgrade: excluded namespace leaves ambient mode",
    why="From Istio 1.30 on, istio-cni's node agent obeys excludeNamespaces: pods of such a namespace leave the mesh, "
    "and its policies no longer apply to them.",
    remedy="Remove the namespace from excludeNamespaces of the chart istio-cni, or the ambient label from it.",
    docs=page_of((1, 30)),
)
def excluded_namespace(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 30)):
        return
    excluded = {
        name.strip()
        for found in _cni_configs(mesh)
        for name in str(part(found.obj, "data").get("EXCLUDE_NAMESPACES") or "").split(",")
    }
    for namespace in _ambient_namespaces(mesh):
        if namespace.name in excluded:
            report(namespace, ("metadata", "labels", DATAPLANE), "istio-cni's excludeNamespaces contains the namespace")


@check(
    code="MESH612",
    level="info",
    title="Upgrade: registered workload stays on plaintext",
    why="Istio 1.31 marks a workload that registers itself as reachable through HBONE only when it creates the "
    "WorkloadEntry. Earlier ones are still reached over plaintext.",
    remedy=f"Let the workload reconnect as a new instance, or add the label {_TUNNEL}: http to its WorkloadEntry.",
    docs=page_of((1, 31)),
    alone=True,
)
def registered_without_tunnel(mesh: Mesh, report: Report) -> None:
    for entry in mesh.of(WORKLOAD_ENTRY) if is_crossed(mesh, (1, 31)) else ():
        labels = {**part(entry.spec, "labels"), **entry.labels}
        if _REGISTERED in entry.annotations and _TUNNEL not in labels:
            report(entry, ("metadata", "annotations", _REGISTERED), f"the WorkloadEntry has no label {_TUNNEL}")


def _cni_configs(mesh: Mesh) -> list[Resource]:
    return [found for found in mesh.of(CONFIG_MAP) if found.name == _CNI_CONFIG]
