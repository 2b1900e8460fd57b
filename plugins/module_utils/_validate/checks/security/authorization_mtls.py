# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""AuthorizationPolicies that require an identity, which only mutual TLS provides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_callers
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import is_gateway
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mtls import ISTIO_MUTUAL, MUTUAL, mode_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import (
    action,
    applied,
    conditions,
    has_target,
    reach,
    service_account_of_principal,
    sources,
    values,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    DESTINATION_RULE,
    PEER_AUTHENTICATION,
    POD,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_MTLS = (ISTIO_MUTUAL, MUTUAL)
_POSITIVE = ("principals", "namespaces", "serviceAccounts", "trustDomains")
_NEGATIVE = ("notPrincipals", "notNamespaces", "notServiceAccounts", "notTrustDomains")
_IDENTITY = frozenset((*_POSITIVE, *_NEGATIVE))
_KEYS = ("source.principal", "source.namespace", "source.serviceAccount", "source.trustDomain", "connection.sni")


@check(
    code="KIA0105",
    level="error",
    title="Identity required, mutual TLS off",
    why="Without mutual TLS callers have no identity: naming an identity matches nothing, excluding one does nothing.",
    remedy="Set the PeerAuthentication to STRICT or PERMISSIVE and leave auto mTLS on, or remove the identity.",
)
def identity_without_mtls(mesh: Mesh, report: Report) -> None:
    disabled = any(_is_disabled(peer) for peer in mesh.of(PEER_AUTHENTICATION))
    if not disabled and mesh.auto_mtls:
        return
    for policy in mesh.of(AUTHORIZATION_POLICY):
        fields = list(_identity_fields(mesh, policy))
        why = ""
        if fields and disabled and _mode(mesh, policy) == "DISABLE":
            why = "the workloads' PeerAuthentication is DISABLE"
        elif fields and not mesh.auto_mtls and not _clients_send_mtls(mesh, policy.namespace):
            why = "MeshConfig disables auto mTLS, and no DestinationRule makes clients send mTLS"
        for path in fields if why else ():
            report(policy, path, f"{why}, so callers have no identity")


@check(
    code="MESH407",
    level="info",
    title="Identity required, plaintext accepted",
    why="PERMISSIVE admits callers without a certificate. They have no identity: ALLOW refuses them, DENY does not.",
    remedy="Set the PeerAuthentication to STRICT once all callers have a sidecar.",
    needs=[PEER_AUTHENTICATION],
)
def identity_with_plaintext(mesh: Mesh, report: Report) -> None:
    declared = {
        peer.namespace for peer in mesh.of(PEER_AUTHENTICATION) if part(peer.spec, "mtls").get("mode") == "PERMISSIVE"
    }
    everywhere = mesh.settings.root_namespace in declared
    # With the default mode this is every policy of the mesh; once is enough.
    reported = False
    for policy in mesh.of(AUTHORIZATION_POLICY):
        kind = action(policy)
        asks = any(not _IDENTITY.isdisjoint(source) for _path, source in sources(mesh, policy))
        if not asks or kind not in ("ALLOW", "DENY") or _mode(mesh, policy) != "PERMISSIVE":
            continue
        for path, source in sources(mesh, policy):
            positive = [name for name in _POSITIVE if source.get(name)]
            negative = [name for name in _NEGATIVE if source.get(name)]
            if kind == "DENY" and positive:
                message = f"callers without a sidecar have no {positive[0]}, so this DENY does not stop them"
                report(policy, (*path, positive[0]), message, level="warning")
            elif kind == "ALLOW" and negative and not positive:
                message = f"callers without a sidecar match none of {negative[0]}, so this ALLOW admits them"
                report(policy, (*path, negative[0]), message, level="warning")
            elif kind == "ALLOW" and positive and (policy.namespace in declared or everywhere or not reported):
                reported = True
                report(policy, (*path, positive[0]), f"plaintext callers reach it, but never match {positive[0]}")


@check(
    code="MESH408",
    level="warning",
    title="Allowed caller without a sidecar",
    why="Only a proxy presents a certificate. A caller without one has no identity and is refused.",
    remedy="Inject a sidecar into the caller, or allow it by ipBlocks and let its port be PERMISSIVE.",
    needs=[POD],
)
def caller_without_sidecar(mesh: Mesh, report: Report) -> None:
    accounts, namespaces = _without_identity(mesh)
    for policy in mesh.of(AUTHORIZATION_POLICY) if accounts else ():
        if action(policy) != "ALLOW":
            continue
        for path, source in sources(mesh, policy):
            for where, principal in values(source, path, "principals"):
                identity = service_account_of_principal(principal)
                if identity and (callers := accounts.get((identity[1], identity[2]))):
                    found = names([caller.resource for caller in callers])
                    report(policy, where, f"{principal!r} is {found}, without a sidecar")
            for where, namespace in values(source, path, "namespaces"):
                if namespace not in namespaces:
                    continue
                if lacking := unseen_callers(mesh, namespace):
                    report.undecided(lacking)
                else:
                    report(policy, where, f"no workload of namespace {namespace} has a sidecar")


@check(
    code="KIA1301",
    level="warning",
    title="Workload without an AuthorizationPolicy",
    why="Any client that reaches the workload may call it.",
    remedy="Add an AuthorizationPolicy for it, or a default one that denies everything not allowed.",
    needs=[POD],
    # As in Kiali: many meshes do not want it.
    enabled=False,
)
def workload_without_policy(mesh: Mesh, report: Report) -> None:
    policies = applied(mesh, AUTHORIZATION_POLICY)
    for workload in mesh.workloads:
        if mesh.has_sidecar(workload) is not False and not policies.to(workload):
            report(workload.resource, ("metadata", "name"), "no AuthorizationPolicy applies to this workload")


def _without_identity(mesh: Mesh) -> tuple[dict[tuple[str, str], list[Workload]], set[str]]:
    """ServiceAccounts, and namespaces, all of whose workloads have no proxy."""
    accounts: dict[tuple[str, str], list[Workload]] = defaultdict(list)
    with_proxy: set[tuple[str, str]] = set()
    for workload in mesh.workloads:
        key = (workload.namespace, workload.service_account)
        if mesh.has_sidecar(workload) is False and not mesh.is_ambient(workload) and not is_gateway(workload):
            accounts[key].append(workload)
        else:
            with_proxy.add(key)
    mixed = {namespace for namespace, _account in with_proxy}
    return (
        {key: found for key, found in accounts.items() if key not in with_proxy},
        {namespace for namespace, _account in accounts} - mixed,
    )


def _is_disabled(peer: Resource) -> bool:
    ports = part(peer.spec, "portLevelMtls")
    return "DISABLE" in (part(peer.spec, "mtls").get("mode"), *(part(ports, key).get("mode") for key in ports))


def _clients_send_mtls(mesh: Mesh, namespace: str) -> bool:
    """Whether a DestinationRule makes clients of any Service of the namespace send mTLS, without auto mTLS."""
    domain = mesh.settings.cluster_domain
    for rule in mesh.of(DESTINATION_RULE):
        policies = [part(rule.spec, "trafficPolicy")]
        policies += [part(subset, "trafficPolicy") for _index, subset in items(rule.spec, "subsets")]
        policies += [setting for policy in policies[:] for _index, setting in items(policy, "portLevelSettings")]
        host = mesh.qualified(str(rule.spec.get("host") or ""), rule.namespace)
        if hosts.overlap(host, f"*.{namespace}.svc.{domain}") and any(mode_of(item) in _MTLS for item in policies):
            return True
    return namespace == mesh.settings.root_namespace


def _mode(mesh: Mesh, policy: Resource) -> str:
    """The one mTLS mode of all the workloads of a policy; empty if they differ or ports have their own."""
    if has_target(policy):
        return ""
    exceptions = _namespaces_with_exceptions(mesh)
    if not selector_labels(policy):
        mode = mesh.namespace_mtls_mode(policy.namespace)
        return "" if mode == "DISABLE" and policy.namespace in exceptions else mode
    selected = [workload for workload in reach(mesh, policy) if not is_gateway(workload)]
    if not selected and not reach(mesh, policy) and policy.namespace not in exceptions:
        # The files do not contain its workloads, whatever they are.
        return mesh.namespace_mtls_mode(policy.namespace)
    modes = {mesh.mtls_mode(workload) for workload in selected}
    by_port = any(exceptions.get(workload.namespace) for workload in selected)
    return modes.pop() if len(modes) == 1 and not by_port else ""


@once_per_mesh
def _namespaces_with_exceptions(mesh: Mesh) -> dict[str, bool]:
    """Namespaces with PeerAuthentications for some workloads, and whether one has modes for single ports."""
    found: dict[str, bool] = {}
    for peer in mesh.of(PEER_AUTHENTICATION):
        if selector_labels(peer):
            found[peer.namespace] = found.get(peer.namespace, False) or bool(part(peer.spec, "portLevelMtls"))
    return found


def _identity_fields(mesh: Mesh, policy: Resource) -> Iterator[Path]:
    for path, source in sources(mesh, policy):
        yield from ((*path, name) for name in (*_POSITIVE, *_NEGATIVE) if source.get(name))
    for path, condition in conditions(mesh, policy):
        if condition.get("key") in _KEYS:
            yield (*path, "key")
