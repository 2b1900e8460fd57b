# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which workloads the security policies select."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import shortened
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_workloads
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import is_guess_of_workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import (
    has_target,
    reach,
    selected_twice,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    PEER_AUTHENTICATION,
    POD,
    REQUEST_AUTHENTICATION,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_SELECTOR = ("spec", "selector", "matchLabels")


@check(
    code="IST0127",
    level="warning",
    title="AuthorizationPolicy without workloads",
    why="A policy protects only what it selects, and this one selects no workload in the mesh.",
    remedy="Correct the selector or the namespace. A policy applies only to pods with a proxy.",
    aliases=["KIA0004"],
    needs=[POD],
)
def authorization_without_workload(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(AUTHORIZATION_POLICY):
        labels = selector_labels(policy)
        if has_target(policy) or (not labels and policy.namespace == mesh.settings.root_namespace):
            continue
        selected = reach(mesh, policy)
        path: tuple[str, ...] = _SELECTOR if labels else ("metadata", "namespace")
        if not selected:
            _report_none(mesh, report, policy, path)
        elif selected and all(mesh.has_sidecar(item) is False and not mesh.is_ambient(item) for item in selected):
            found = names([item.resource for item in selected])
            report(policy, path, f"the policy is for {found} only, which has no proxy")


@check(
    code="KIA0004",
    level="warning",
    title="Policy without workloads",
    why="The policy has no effect: no workload has these labels.",
    remedy="Correct the selector or the namespace.",
    needs=[POD],
)
def authentication_without_workload(mesh: Mesh, report: Report) -> None:
    for kind in (PEER_AUTHENTICATION, REQUEST_AUTHENTICATION):
        for policy in mesh.of(kind):
            if not selector_labels(policy) or has_target(policy) or _is_ignored(mesh, policy):
                continue
            if not reach(mesh, policy):
                _report_none(mesh, report, policy, _SELECTOR)


@check(
    code="KIA0002",
    level="error",
    title="Two PeerAuthentications for one namespace",
    why="Istio uses the oldest one and ignores the others.",
    remedy="Keep one, or give the others a selector.",
)
def several_for_namespace(mesh: Mesh, report: Report) -> None:
    by_namespace: dict[str, list[Resource]] = {}
    for policy in mesh.of(PEER_AUTHENTICATION):
        if not selector_labels(policy):
            by_namespace.setdefault(policy.namespace, []).append(policy)
    for namespace, policies in by_namespace.items():
        for policy in policies if len(policies) > 1 else ():
            others = names([other for other in policies if other is not policy][:4])
            report(policy, ("metadata", "name"), f"namespace {namespace} also has {others}")


@check(
    code="KIA0003",
    level="error",
    title="Two PeerAuthentications for one workload",
    why="Istio uses the oldest one and ignores the others.",
    remedy="Make the selectors exclude each other, or merge both into one PeerAuthentication.",
    needs=[POD],
)
def several_for_workload(mesh: Mesh, report: Report) -> None:
    found = (
        (policy, {} if _is_ignored(mesh, policy) else selector_labels(policy))
        for policy in mesh.of(PEER_AUTHENTICATION)
    )
    for policy, message in selected_twice(mesh, found):
        report(policy, _SELECTOR, message)


@check(
    code="MESH402",
    level="warning",
    title="PeerAuthentication that Istio ignores",
    why="In the root namespace Istio reads a PeerAuthentication for the whole mesh only, and none with a selector.",
    remedy="Move it to the workload's namespace, or remove the selector if it is for the whole mesh.",
    alone=True,
)
def peer_selector_in_root_namespace(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(PEER_AUTHENTICATION):
        if _is_ignored(mesh, policy):
            report(policy, ("spec", "selector"), f"a selector in the root namespace {policy.namespace} has no effect")


@check(
    code="MESH401",
    level="info",
    title="Policy of the root namespace that selects several namespaces",
    why="In the root namespace a selector applies to the whole mesh, so it also matches equal labels elsewhere.",
    remedy="Move the policy to the workload's namespace if it is for that one only.",
)
def selector_in_root_namespace(mesh: Mesh, report: Report) -> None:
    for kind in (AUTHORIZATION_POLICY, REQUEST_AUTHENTICATION):
        for policy in mesh.of(kind):
            if policy.namespace != mesh.settings.root_namespace or not selector_labels(policy):
                continue
            namespaces = sorted({workload.namespace for workload in reach(mesh, policy)})
            if len(namespaces) > 1:
                message = f"workloads of {len(namespaces)} namespaces have these labels: {shortened(namespaces)}"
                report(policy, _SELECTOR, message)


def _is_ignored(mesh: Mesh, policy: Resource) -> bool:
    in_root = policy.namespace == mesh.settings.root_namespace
    return in_root and policy.kind == PEER_AUTHENTICATION and bool(selector_labels(policy))


def _report_none(mesh: Mesh, report: Report, policy: Resource, path: tuple[str, ...]) -> None:
    """A policy that selects nothing, if the input would show the workloads that it can select."""
    if lacking := unseen_workloads(mesh, policy.namespace, selector_labels(policy), policy):
        report.undecided(lacking)
    else:
        report(policy, path, _no_workload(mesh, policy), milder=is_guess_of_workload(mesh, policy))


def _no_workload(mesh: Mesh, policy: Resource) -> str:
    labels = selector_labels(policy)
    where = "the mesh" if policy.namespace == mesh.settings.root_namespace else f"namespace {policy.namespace}"
    if not labels:
        return f"{where} has no workload"
    text = ",".join(f"{key}={value}" for key, value in labels.items())
    return f"no workload of {where} has the labels {text}"
