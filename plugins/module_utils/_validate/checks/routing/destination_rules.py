# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""DestinationRules: their hosts, subsets and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_workloads
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import (
    is_guess_of_service,
    is_internal,
    nearest,
    seen_by,
    undecided_host,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import MADE_BY_CONTROLLERS, Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    POD,
    SERVICE,
    WORKLOAD_ENTRY,
    WORKLOAD_GROUP,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import whole
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import ROLLOUT
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# Labels that istiod adds to endpoints by where they run, and controllers to pods; no template has them.
_ADDED = MADE_BY_CONTROLLERS | {
    "kubernetes.io/hostname",
    "topology.istio.io/cluster",
    "topology.istio.io/network",
    "topology.istio.io/subzone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
}


def _host(mesh: Mesh, rule: Resource) -> str:
    written = rule.spec.get("host")
    return mesh.qualified(written, rule.namespace) if isinstance(written, str) else ""


def _report_unknown(mesh: Mesh, report: Report, *, internal: bool) -> None:
    for rule in mesh.of(DESTINATION_RULE):
        host = _host(mesh, rule)
        if not host or is_internal(host, mesh.settings.cluster_domain) != internal:
            continue
        owners = mesh.registry.owners(host)
        if seen_by(rule, owners):
            continue
        if owners:
            report(
                rule,
                ("spec", "host"),
                f"host '{rule.spec['host']}' is not exported to namespace {rule.namespace}"
                f" by {owners[0].kind.kind} {names(owners[:1])}",
            )
        elif lacking := undecided_host(mesh, host, rule):
            report.undecided(lacking)
        else:
            kinds = "Service or ServiceEntry" if internal else "ServiceEntry"
            text = f"host '{rule.spec['host']}' is not a {kinds}{nearest(mesh, host, rule.namespace)}"
            milder = is_guess_of_service(mesh, host, str(rule.spec["host"]), rule)
            report(rule, ("spec", "host"), text, milder=milder)


@check(
    code="IST0174",
    aliases=["KIA0202"],
    level="warning",
    title="DestinationRule of an unknown Service",
    why="The rule applies nowhere.",
    remedy="Correct the host, or remove the rule.",
    needs=[SERVICE],
)
def rule_of_unknown_service(mesh: Mesh, report: Report) -> None:
    _report_unknown(mesh, report, internal=True)


@check(
    code="IST0174",
    aliases=["KIA0202"],
    level="warning",
    title="DestinationRule of an unknown host",
    why="The rule applies nowhere: Istio completes only names without a dot.",
    remedy="Correct the host (a Service elsewhere is name.namespace.svc.cluster.local), or add a ServiceEntry.",
)
def rule_of_unknown_external_host(mesh: Mesh, report: Report) -> None:
    _report_unknown(mesh, report, internal=False)


@check(
    code="IST0173",
    aliases=["KIA0203"],
    level="error",
    title="Subset without workload",
    why="No pod has the labels of both the subset and the Service, so requests to the subset get 503.",
    remedy="Correct the labels (those of the pod template count), or remove the subset.",
    needs=[SERVICE, POD],
)
def subset_without_workload(mesh: Mesh, report: Report) -> None:
    used = {(destination.host, destination.subset) for _service, destination in mesh.destinations}
    for rule in mesh.of(DESTINATION_RULE):
        host = _host(mesh, rule)
        subsets = items(rule.spec, "subsets")
        owners = mesh.registry.owners(host) if subsets and host and not hosts.is_wildcard(host) else []
        if not owners:
            continue
        for index, subset in subsets:
            labels = part(subset, "labels")
            if not _ADDED.isdisjoint(labels):
                labels = {key: value for key, value in labels.items() if key not in _ADDED}
            if labels and not any(_selects(mesh, owner, labels) for owner in owners):
                if lacking := _unseen(mesh, owners, labels):
                    report.undecided(lacking)
                    continue
                wanted = ", ".join(f"{key}={value}" for key, value in labels.items())
                path: Path = ("spec", "subsets", index, "labels")
                is_used = (host, str(subset.get("name"))) in used
                report(
                    rule,
                    path,
                    f"subset '{subset.get('name')}': no workload of '{rule.spec['host']}' has the labels {wanted}"
                    + ("" if is_used else "; no route uses the subset"),
                    # A subset must be known before a route may name it.
                    level="" if is_used else "info",
                )


def _selects(mesh: Mesh, owner: Resource, labels: Mapping[str, Any]) -> bool:
    """Whether any endpoint of the owner has the labels, or may have them."""
    if owner.kind == SERVICE:
        selector = part(owner.spec, "selector")
        wanted = {**selector, **labels}
        if not selector:
            return True
        return bool(mesh.labels.matching(owner.namespace, wanted)) or _machines(mesh, owner.namespace, wanted)
    if selected := part(owner.spec, "workloadSelector", "labels"):
        wanted = {**selected, **labels}
        return bool(mesh.labels.matching(owner.namespace, wanted)) or _machines(mesh, owner.namespace, wanted)
    endpoints = items(owner.spec, "endpoints")
    # Without endpoints, those of a Service of the same host are used, or the host itself, which has no labels.
    return any(labels.items() <= part(endpoint, "labels").items() for _index, endpoint in endpoints)


def _unseen(mesh: Mesh, owners: list[Resource], labels: Mapping[str, Any]) -> str:
    """What the input lacks to decide whether one of the owners has an endpoint with the labels."""
    for owner in owners:
        selector = part(owner.spec, "selector") or part(owner.spec, "workloadSelector", "labels")
        if selector and (lacking := unseen_workloads(mesh, owner.namespace, {**selector, **labels}, owner)):
            return lacking
    return ""


def _machines(mesh: Mesh, namespace: str, wanted: Mapping[str, Any]) -> bool:
    """Whether a WorkloadEntry has the labels, or a WorkloadGroup gives them to machines that register."""
    return any(
        wanted.items() <= part(entry.spec, "labels").items()
        for entry in mesh.of(WORKLOAD_ENTRY)
        if entry.namespace == namespace
    ) or any(
        wanted.items() <= {**part(group.spec, "metadata", "labels"), **part(group.spec, "template", "labels")}.items()
        for group in mesh.of(WORKLOAD_GROUP)
        if group.namespace == namespace
    )


@check(
    code="KIA0209",
    level="warning",
    title="Subset without labels",
    why="The subset contains all pods of the host, so it does not distinguish versions.",
    remedy="Add the version's labels, or remove the subset.",
)
def subset_without_labels(mesh: Mesh, report: Report) -> None:
    labelled = _labelled_by_rollouts(mesh)
    for rule in mesh.of(DESTINATION_RULE):
        subsets = list(items(rule.spec, "subsets"))
        for index, subset in subsets:
            if part(subset, "labels") or (rule.namespace, rule.name, subset.get("name")) in labelled:
                continue
            host = _host(mesh, rule)
            # With a policy of its own, the subset is a way of calling all pods; for an external host this is common. A
            # single one, as for egress gateways, distinguishes nothing.
            meant = bool(part(subset, "trafficPolicy")) or len(subsets) == 1
            meant = meant or not is_internal(host, mesh.settings.cluster_domain)
            report(
                rule,
                ("spec", "subsets", index),
                f"subset '{subset.get('name')}' has no labels and selects every pod",
                level="info" if meant else "",
            )


def _labelled_by_rollouts(mesh: Mesh) -> list[tuple[str, object, object]]:
    """Namespace, DestinationRule and subset: the controller of Rollouts labels them while it runs."""
    # Not a set: invalid names can be lists.
    found = []
    for rollout in mesh.of(ROLLOUT):
        rule = part(rollout.spec, "strategy", "canary", "trafficRouting", "istio", "destinationRule")
        for field in ("canarySubsetName", "stableSubsetName"):
            found.append((rollout.namespace, rule.get("name"), rule.get(field)))
    return found


@once_per_mesh
def _policies(mesh: Mesh) -> list[tuple[Resource, Path, Object]]:
    """Every traffic policy of the rules: for hosts, their ports and subsets."""
    found: list[tuple[Resource, Path, Object]] = []
    for rule in mesh.of(DESTINATION_RULE):
        policies: list[tuple[Path, Object]] = [(("spec", "trafficPolicy"), part(rule.spec, "trafficPolicy"))]
        for index, subset in items(rule.spec, "subsets"):
            if policy := part(subset, "trafficPolicy"):
                policies.append((("spec", "subsets", index, "trafficPolicy"), policy))
        for path, policy in policies:
            found.append((rule, path, policy))
            for index, port in items(policy, "portLevelSettings"):
                found.append((rule, (*path, "portLevelSettings", index), port))
    return found


@check(
    code="MESH208",
    level="warning",
    title="One error ejects all pods",
    why="A single error ejects a pod, and all pods may be ejected at once: then requests fail, or all pods return.",
    remedy="Tolerate more errors first, or lower maxEjectionPercent.",
    alone=True,
)
def outlier_ejects_everything(mesh: Mesh, report: Report) -> None:
    for rule, path, policy in _policies(mesh):
        detection = part(policy, "outlierDetection")
        if whole(detection.get("maxEjectionPercent")) != 100:
            continue
        for field in ("consecutive5xxErrors", "consecutiveGatewayErrors", "consecutiveErrors"):
            if whole(detection.get(field)) == 1:
                message = f"{field} is 1 and maxEjectionPercent 100: single errors can eject every pod"
                report(rule, (*path, "outlierDetection", field), message)
                break


_LIMITS = (("tcp", "maxConnections"), ("http", "http1MaxPendingRequests"), ("http", "http2MaxRequests"))


@check(
    code="MESH209",
    level="info",
    title="Connection pool of one",
    why="Each client's proxy has one request or connection at a time; concurrent ones wait or get 503.",
    remedy="Raise the limit, unless it is there to demonstrate circuit breaking.",
    alone=True,
)
def connection_pool_of_one(mesh: Mesh, report: Report) -> None:
    for rule, path, policy in _policies(mesh):
        pool = part(policy, "connectionPool")
        for protocol, field in _LIMITS if pool else ():
            if whole(part(pool, protocol).get(field)) == 1:
                report(rule, (*path, "connectionPool", protocol, field), f"{field} is 1")
