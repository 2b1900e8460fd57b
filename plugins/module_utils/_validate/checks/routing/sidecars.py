# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Sidecars: which workloads they are for, and which hosts these see."""

from __future__ import annotations

from collections import defaultdict

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_workloads
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import (
    is_guess_of_workload,
    is_internal,
    nearest,
    undecided_host,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    DATAPLANE,
    INJECTION,
    REVISION,
    Mesh,
    names,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    POD,
    SERVICE,
    SIDECAR,
    VIRTUAL_SERVICE,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import on_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


def _selector(sidecar: Resource) -> Object:
    return part(sidecar.spec, "workloadSelector", "labels")


@check(
    code="IST0101",
    aliases=["KIA0004"],
    level="error",
    title="Sidecar for no workload",
    why="No workload of the namespace has the labels, so the Sidecar applies nowhere.",
    remedy="Correct the labels (those of the pod template count), or remove the Sidecar.",
    needs=[POD],
)
def sidecar_for_no_workload(mesh: Mesh, report: Report) -> None:
    for sidecar in mesh.of(SIDECAR):
        selector = _selector(sidecar)
        if not selector or mesh.labels.matching(sidecar.namespace, selector):
            continue
        if lacking := unseen_workloads(mesh, sidecar.namespace, selector, sidecar):
            report.undecided(lacking)
            continue
        wanted = ", ".join(f"{key}={value}" for key, value in selector.items())
        message = f"no workload of namespace {sidecar.namespace} has the labels {wanted}"
        milder = is_guess_of_workload(mesh, sidecar)
        report(sidecar, ("spec", "workloadSelector", "labels"), message, milder=milder)


@check(
    code="IST0110",
    aliases=["KIA0003"],
    level="error",
    title="Two Sidecars for one workload",
    why="The older one applies, and the other one is ignored.",
    remedy="Merge the Sidecars, or make their selectors exclude each other.",
    needs=[POD],
)
def sidecars_for_one_workload(mesh: Mesh, report: Report) -> None:
    by_workload: dict[int, list[Resource]] = defaultdict(list)
    selected = {}
    for sidecar in mesh.of(SIDECAR):
        for workload in mesh.labels.matching(sidecar.namespace, _selector(sidecar)) if _selector(sidecar) else ():
            if not mesh.is_ambient(workload):
                by_workload[id(workload)].append(sidecar)
                selected[id(workload)] = workload
    reported: set[int] = set()
    for key, sidecars in by_workload.items():
        for sidecar in sidecars if len(sidecars) > 1 else ():
            if id(sidecar) not in reported:
                reported.add(id(sidecar))
                others = [other for other in sidecars[:4] if other is not sidecar]
                workload = selected[key]
                message = f"{workload.resource.kind.kind} {workload.name} is also selected by Sidecar {names(others)}"
                report(sidecar, ("spec", "workloadSelector", "labels"), message)


@check(
    code="IST0111",
    aliases=["KIA0002"],
    level="error",
    title="Two Sidecars for a whole namespace",
    why="The older one applies, and the other one is ignored.",
    remedy="Merge the Sidecars, or give all but one a workloadSelector.",
)
def sidecars_for_one_namespace(mesh: Mesh, report: Report) -> None:
    by_namespace: dict[str, list[Resource]] = defaultdict(list)
    for sidecar in mesh.of(SIDECAR):
        if not _selector(sidecar):
            by_namespace[sidecar.namespace].append(sidecar)
    for namespace, sidecars in by_namespace.items():
        if len(sidecars) < 2 or _is_ambient(mesh, namespace):
            continue
        for sidecar in sidecars:
            others = [other for other in sidecars[:4] if other is not sidecar]
            message = f"Sidecar {names(others)} has no workloadSelector either"
            report(sidecar, ("metadata", "name"), message)


def _is_ambient(mesh: Mesh, namespace: str) -> bool:
    labels = mesh.namespace_labels(namespace) or {}
    return labels.get(DATAPLANE) == "ambient" and labels.get(INJECTION) != "enabled" and not labels.get(REVISION)


def _report_unknown(mesh: Mesh, report: Report, *, internal: bool) -> None:
    for sidecar in mesh.of(SIDECAR):
        for index, listener in items(sidecar.spec, "egress"):
            for number, text in texts(listener, "hosts"):
                place, slash, host = text.partition("/")
                # Names without a dot are not valid hosts here; the schema check reports them.
                if not slash or "." not in host or is_internal(host, mesh.settings.cluster_domain) != internal:
                    continue
                _report_host(mesh, report, sidecar, (index, number), place, host)


def _report_host(
    mesh: Mesh, report: Report, sidecar: Resource, position: tuple[int, int], place: str, host: str
) -> None:
    owners = mesh.registry.owners(host)
    namespace = sidecar.namespace if place == "." else place
    path = ("spec", "egress", position[0], "hosts", position[1])
    if owners and namespace not in ("*", "~") and not any(owner.namespace == namespace for owner in owners):
        message = f"host '{host}' is not in namespace {namespace}, but in {names(owners)}"
        report(sidecar, path, message)
    elif not owners and (lacking := undecided_host(mesh, host, sidecar)):
        report.undecided(lacking)
    elif not owners:
        kinds = "Service or ServiceEntry" if _is_internal(mesh, host) else "ServiceEntry"
        # Written in full, like everything here.
        hint = nearest(mesh, host, "")
        report(sidecar, path, f"host '{host}' is not a {kinds}{hint}")


def _is_internal(mesh: Mesh, host: str) -> bool:
    return is_internal(host, mesh.settings.cluster_domain)


@check(
    code="KIA1004",
    level="warning",
    title="Egress to an unknown Service",
    why="The entry allows nothing: the workloads do not see the intended Service.",
    remedy="Correct it, as namespace/name.namespace.svc.cluster.local.",
    needs=[SERVICE],
)
def egress_to_unknown_service(mesh: Mesh, report: Report) -> None:
    _report_unknown(mesh, report, internal=True)


@check(
    code="KIA1004",
    level="warning",
    title="Egress to an unknown host",
    why="The entry allows nothing: a host outside the mesh needs a ServiceEntry.",
    remedy="Correct the host, or add a ServiceEntry for it in the namespace before the slash.",
)
def egress_to_unknown_external_host(mesh: Mesh, report: Report) -> None:
    _report_unknown(mesh, report, internal=False)


@check(
    code="KIA1006",
    level="warning",
    title="Sidecar of the root namespace with a selector",
    why="Only a Sidecar without a selector is the mesh's default; this one is for workloads of the root namespace.",
    remedy="Remove the workloadSelector, or move the Sidecar to its workloads' namespace.",
)
def root_sidecar_with_selector(mesh: Mesh, report: Report) -> None:
    for sidecar in mesh.of(SIDECAR):
        if sidecar.namespace == mesh.settings.root_namespace and _selector(sidecar):
            meant = bool(mesh.labels.matching(sidecar.namespace, _selector(sidecar)))
            report(
                sidecar,
                ("spec", "workloadSelector"),
                f"a Sidecar with a selector in the root namespace {sidecar.namespace} is not the mesh's default",
                level="info" if meant else "",
            )


@check(
    code="KIA1007",
    level="info",
    title="outboundTrafficPolicy without a mode",
    why="Without a mode it means REGISTRY_ONLY, which refuses unknown hosts, and not the mesh's own setting.",
    remedy="Set mode to ALLOW_ANY or REGISTRY_ONLY.",
    alone=True,
)
def outbound_policy_without_mode(mesh: Mesh, report: Report) -> None:
    for sidecar in mesh.of(SIDECAR):
        policy = sidecar.spec.get("outboundTrafficPolicy")
        if isinstance(policy, dict) and not policy.get("mode"):
            report(sidecar, ("spec", "outboundTrafficPolicy"), "outboundTrafficPolicy has no mode")


@check(
    code="MESH215",
    level="warning",
    title="Host that the namespace's Sidecar leaves out",
    why="The namespace's workloads do not see the host, so this applies to none of them.",
    remedy="Add the host to the Sidecar's egress, or remove this.",
)
def host_left_out_by_sidecar(mesh: Mesh, report: Report) -> None:
    imports = _imports(mesh)
    for resource in mesh.of(VIRTUAL_SERVICE, DESTINATION_RULE) if imports else ():
        seen = imports.get(resource.namespace)
        if seen is None or (resource.kind == VIRTUAL_SERVICE and not on_mesh(resource)):
            continue
        wanted: list[tuple[Path, str]]
        if resource.kind == VIRTUAL_SERVICE:
            wanted = [(("spec", "hosts", index), host) for index, host in texts(resource.spec, "hosts")]
        else:
            wanted = [(("spec", "host"), str(resource.spec.get("host") or ""))]
        for path, written in wanted:
            host = mesh.qualified(written, resource.namespace)
            owners = mesh.registry.owners(host)
            # It applies to clients in other namespaces as well.
            if not owners or any(owner.namespace == resource.namespace for owner in owners):
                continue
            if not any(_lets(entry, owner.namespace, host) for entry in seen for owner in owners):
                message = f"no egress of the Sidecars in namespace {resource.namespace} includes host '{written}'"
                report(resource, path, message)


def _imports(mesh: Mesh) -> dict[str, set[tuple[str, str]]]:
    """Namespace -> (namespace, host) patterns that its Sidecars allow; absent if one of them allows everything."""
    found: dict[str, set[tuple[str, str]]] = {}
    everything: set[str] = set()
    is_default: set[str] = set()
    for sidecar in mesh.of(SIDECAR):
        entries = found.setdefault(sidecar.namespace, set())
        if not _selector(sidecar):
            is_default.add(sidecar.namespace)
        listeners = items(sidecar.spec, "egress")
        if not listeners:
            everything.add(sidecar.namespace)
        for _index, listener in listeners:
            for _number, text in texts(listener, "hosts"):
                place, _slash, host = text.partition("/")
                entries.add((sidecar.namespace if place == "." else place, host))
    return {
        namespace: entries
        for namespace, entries in found.items()
        if namespace in is_default and namespace not in everything and namespace != mesh.settings.root_namespace
    }


def _lets(entry: tuple[str, str], namespace: str, host: str) -> bool:
    place, pattern = entry
    return place in ("*", namespace) and hosts.overlap(pattern, host)
