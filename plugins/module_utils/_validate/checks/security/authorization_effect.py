# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What AuthorizationPolicies admit: no client, every client, or another protocol than they describe."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import (
    Applied,
    action,
    applied,
    has_target,
    matches_everything,
    operations,
    reach,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.protocols import protocol_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    POD,
    SERVICE,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workload_ports import (
    is_opaque,
    ports_by_workload,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_HTTP = ("methods", "notMethods", "paths", "notPaths", "hosts", "notHosts")


@check(
    code="MESH403",
    level="warning",
    title="Policy that denies every request",
    why="DENY takes precedence over every ALLOW, so no client can call these workloads.",
    remedy="Say in the rule which requests are refused. To refuse all that nothing allows, use a policy with spec: {}.",
    alone=True,
)
def deny_everything(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(AUTHORIZATION_POLICY):
        if action(policy) == "DENY":
            for index, rule in items(policy.spec, "rules"):
                if matches_everything(rule):
                    report(
                        policy,
                        ("spec", "rules", index),
                        f"an empty rule refuses every request to {_scope(mesh, policy)}",
                    )


@check(
    code="MESH404",
    level="warning",
    title="Workload that no client may call",
    why="A policy refuses everything that no other policy allows, and none allows anything: every request gets 403.",
    remedy="Add an ALLOW policy with rules for the workloads that should be called.",
    needs=[POD, SERVICE],
)
def allow_nothing(mesh: Mesh, report: Report) -> None:
    reported: set[int] = set()
    for policy in mesh.of(AUTHORIZATION_POLICY):
        if action(policy) != "ALLOW" or policy.spec.get("rules") or has_target(policy):
            continue
        called = [
            workload
            for workload in reach(mesh, policy)
            if id(workload) in mesh.services_by_workload and mesh.has_sidecar(workload) is not False
        ]
        closed = [workload for workload in called if not _is_allowed(applied(mesh, AUTHORIZATION_POLICY), workload)]
        fresh = [workload for workload in closed if id(workload) not in reported]
        reported.update(id(workload) for workload in closed)
        if fresh:
            # If others are open, the closed ones may be intended.
            level = "" if len(closed) == len(called) else "info"
            found = names([workload.resource for workload in fresh])
            report(policy, ("spec",), f"no policy allows any client to call {found}", level=level)


@check(
    code="MESH405",
    level="info",
    title="Policy that allows every request",
    why="An empty rule allows every client, with or without an identity, whatever other ALLOW policies say.",
    remedy="Set who may call in from, or what in to. Nothing if the workload should be open.",
    alone=True,
)
def allow_everything(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(AUTHORIZATION_POLICY):
        if action(policy) == "ALLOW":
            for index, rule in items(policy.spec, "rules"):
                if matches_everything(rule):
                    path = ("spec", "rules", index)
                    report(policy, path, f"an empty rule allows every request to {_scope(mesh, policy)}")


@check(
    code="MESH406",
    level="warning",
    title="HTTP attributes for a TCP port",
    why="On a TCP port the proxy sees no methods, paths or hosts: the rule matches nothing, connections are refused.",
    remedy="Allow by ports and sources only, or name the Service's port http if it speaks HTTP.",
    needs=[POD, SERVICE],
)
def http_on_tcp(mesh: Mesh, report: Report) -> None:
    if not _has_opaque_ports(mesh):
        return
    for policy in mesh.of(AUTHORIZATION_POLICY):
        if action(policy) != "ALLOW" or has_target(policy):
            continue
        for path, operation in operations(mesh, policy):
            used = [name for name in _HTTP if operation.get(name)]
            if not used:
                continue
            ports = _ports(mesh, policy, operation)
            if ports and all(is_opaque(protocol) for protocols in ports.values() for protocol in protocols):
                shown = ", ".join(f"{number} ({'/'.join(sorted(ports[number]))})" for number in sorted(ports)[:3])
                report(policy, (*path, used[0]), f"the proxy cannot see {used[0]} on port {shown}")


def _has_opaque_ports(mesh: Mesh) -> bool:
    ports = (port for service in mesh.of(SERVICE) for _index, port in items(service.spec, "ports"))
    return any(is_opaque(protocol_of(port)) for port in ports)


def _ports(mesh: Mesh, policy: Resource, operation: Object) -> dict[int, set[str]]:
    """The ports that an operation can apply to, with their protocols; none if any of them is unknown."""
    wanted = {int(text) for _index, text in texts(operation, "ports") if text.isdecimal()}
    found: dict[int, set[str]] = {}
    for workload in reach(mesh, policy):
        ports = ports_by_workload(mesh).get(id(workload))
        if not ports:
            return {}
        for number, protocols in ports.items():
            if not wanted or number in wanted:
                found.setdefault(number, set()).update(protocols)
    return found if wanted <= set(found) else {}


def _is_allowed(policies: Applied, workload: Workload) -> bool:
    return any(action(policy) == "ALLOW" and policy.spec.get("rules") for policy in policies.to(workload))


def _scope(mesh: Mesh, policy: Resource) -> str:
    if has_target(policy):
        return "its targets"
    if labels := selector_labels(policy):
        return "workloads with " + ",".join(f"{key}={value}" for key, value in labels.items())
    if policy.namespace == mesh.settings.root_namespace:
        return "all workloads of the mesh"
    return f"all workloads of namespace {policy.namespace}"
