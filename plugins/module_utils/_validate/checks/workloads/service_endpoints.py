# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether anything is behind a Service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_workloads
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import is_guess_of_workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import SERVICES_BY_CLUSTER, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    POD,
    SERVICE,
    WORKLOAD_ENTRY,
    WORKLOAD_GROUP,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# Created at run time, with the Deployment behind it.
_MANAGED = "gateway.istio.io/managed"


@check(
    code="MESH213",
    level="warning",
    title="Service that selects nothing",
    why="The Service has no endpoints: connections to it are refused, requests through a proxy get 503.",
    remedy="Correct the selector (the labels of the pod template count), or remove the Service.",
    needs=[SERVICE, POD],
)
def service_selects_nothing(mesh: Mesh, report: Report) -> None:
    machines = _machines(mesh)
    for service in mesh.of(SERVICE):
        selector = part(service.spec, "selector")
        if not selector or service.spec.get("type") == "ExternalName" or _MANAGED in service.labels:
            continue
        if mesh.behind(service) or any(_has(labels, selector) for labels in machines.get(service.namespace, ())):
            continue
        if lacking := unseen_workloads(mesh, service.namespace, selector, service):
            report.undecided(lacking)
            continue
        wanted = ", ".join(f"{key}={value}" for key, value in selector.items())
        text = f"no workload of namespace {service.namespace} has the labels {wanted}"
        report(service, ("spec", "selector"), text, milder=is_guess_of_workload(mesh, service))


def _machines(mesh: Mesh) -> dict[str, list[Object]]:
    """Namespace -> labels of its WorkloadEntries and of those that its WorkloadGroups will create."""
    found: dict[str, list[Object]] = {}
    for entry in mesh.of(WORKLOAD_ENTRY):
        found.setdefault(entry.namespace, []).append(part(entry.spec, "labels"))
    for group in mesh.of(WORKLOAD_GROUP):
        found.setdefault(group.namespace, []).append(part(group.spec, "metadata", "labels"))
    return found


def _has(labels: Mapping[str, Any], selector: Mapping[str, Any]) -> bool:
    return all(str(labels.get(key)) == str(value) for key, value in selector.items())


@check(
    code="MESH214",
    level="warning",
    title="Service without a ready pod",
    why="Connections to the Service are refused, requests through a proxy get 503.",
    remedy="Find out why the pods do not start, or are not ready.",
    needs=[SERVICE, POD],
)
def service_without_ready_pod(mesh: Mesh, report: Report) -> None:
    if all(workload.ready != 0 for workload in mesh.workloads):
        return
    for service in mesh.of(SERVICE):
        if service.spec.get("publishNotReadyAddresses") is True:
            continue
        behind = mesh.behind(service)
        if not behind or any(workload.ready != 0 for workload in behind):
            continue
        if all(workload.replicas == 0 for workload in behind):
            # Scaled down on purpose.
            report(service, ("spec", "selector"), "all its workloads have 0 replicas", level="info")
        else:
            names = ", ".join(f"{item.resource.kind.kind} {item.name}" for item in behind[:3])
            report(service, ("spec", "selector"), f"no pod of {names} is ready")


@check(
    code="IST0170",
    level="warning",
    title="Service that differs between clusters",
    why="Proxies merge the clusters' Services of one name. If ports or types differ, the effective one is undefined.",
    remedy="Make the Services equal.",
)
def service_differs_between_clusters(mesh: Mesh, report: Report) -> None:
    """Reads facts[SERVICES_BY_CLUSTER]: name of another cluster -> its Services, as the API server returns them."""
    for cluster, services in part(mesh.settings.facts, SERVICES_BY_CLUSTER).items():
        remote = {
            (part(item, "metadata").get("namespace"), part(item, "metadata").get("name")): item
            for item in (services if isinstance(services, list) else ())
            if isinstance(item, dict)
        }
        for service in mesh.of(SERVICE):
            other = remote.get((service.namespace, service.name))
            differences = _differences(service.spec, part(other, "spec")) if other is not None else []
            if differences:
                report(service, ("spec",), f"differs from cluster {cluster}: {', '.join(differences)}")


def _differences(one: Object, other: Object) -> list[str]:
    found = []
    if (one.get("clusterIP") == "None") != (other.get("clusterIP") == "None"):
        found.append("headless here or there only")
    own, others = one.get("type") or "ClusterIP", other.get("type") or "ClusterIP"
    if own != others:
        found.append(f"type {own} and {others}")
    if _ports(one) != _ports(other):
        found.append("ports")
    return found


def _ports(spec: Object) -> list[str]:
    """Without the node ports, which each cluster allocates itself."""
    fields = ("appProtocol", "name", "port", "protocol", "targetPort")
    return sorted(str([port.get(field) for field in fields]) for _index, port in items(spec, "ports"))
