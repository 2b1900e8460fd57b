# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Identities in AuthorizationPolicies: whether any workload has them."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_account
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import (
    Names,
    conditions,
    service_account_of_principal,
    sources,
    values,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    K8S_GATEWAY,
    NAMESPACE,
    POD,
    SERVICE_ACCOUNT,
    WORKLOAD_ENTRY,
    WORKLOAD_GROUP,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_SCHEME = "spiffe://"


@check(
    code="KIA0106",
    level="error",
    title="Unknown ServiceAccount",
    why="No workload has this identity, so the source matches no request.",
    remedy="Name the ServiceAccount that the calling workload uses.",
)
def unknown_service_account(mesh: Mesh, report: Report) -> None:
    policies = mesh.of(AUTHORIZATION_POLICY)
    accounts = _accounts(mesh) if policies else {}
    remote = _remote(mesh)
    for policy in policies:
        for path, principal in _principals(mesh, policy):
            identity = service_account_of_principal(principal)
            if identity is None or principal in remote:
                continue
            domain, namespace, name = identity
            if "*" not in domain and not _is_local(mesh, domain):
                continue
            _report_unknown(mesh, report, (policy, path), f"principal {principal!r}", (accounts, namespace, name))
        for path, account in _service_accounts(mesh, policy):
            namespace, slash, name = account.rpartition("/")
            identity_of = (accounts, namespace if slash else policy.namespace, name)
            _report_unknown(mesh, report, (policy, path), f"ServiceAccount {account!r}", identity_of)


def _report_unknown(
    mesh: Mesh, report: Report, place: tuple[Resource, Path], what: str, account: tuple[dict[str, Names], str, str]
) -> None:
    if problem := _unknown(mesh, *account):
        if lacking := unseen_account(mesh, *account[1:]):
            report.undecided(lacking)
        else:
            report(*place, f"{what}: {problem}")


@check(
    code="KIA0107",
    level="info",
    title="ServiceAccount of another cluster",
    why="The identity belongs to a cluster of the mesh that this validation does not read.",
    remedy="Nothing if calls from that cluster are intended.",
    live=True,
)
def remote_service_account(mesh: Mesh, report: Report) -> None:
    """facts["remote_service_accounts"]: {cluster: [principal, ...]} of the mesh's other clusters."""
    remote = _remote(mesh)
    if not remote:
        return
    accounts = _accounts(mesh)
    for policy in mesh.of(AUTHORIZATION_POLICY):
        for path, principal in _principals(mesh, policy):
            identity = service_account_of_principal(principal)
            if identity and principal in remote and identity[2] not in accounts.get(identity[1], ()):
                report(policy, path, f"principal {principal!r} is known in cluster {remote[principal]} only")


@check(
    code="KIA0108",
    level="warning",
    title="Unknown trust domain",
    why="Only a mesh with this trust domain, or with this alias for it, issues such identities.",
    remedy="Use the mesh's own trust domain, or add this one to trustDomainAliases.",
)
def unknown_trust_domain(mesh: Mesh, report: Report) -> None:
    # Without MeshConfig the mesh's own trust domain is a guess.
    level = "" if mesh.knows_mesh_config else "info"
    for policy in mesh.of(AUTHORIZATION_POLICY):
        for path, principal in _principals(mesh, policy):
            identity = service_account_of_principal(principal)
            if identity and "*" not in identity[0] and not _is_local(mesh, identity[0]):
                own = mesh.mesh_config.get("trustDomain") or mesh.settings.trust_domain
                message = f"principal {principal!r} is of trust domain {identity[0]!r}; the mesh's is {own!r}"
                report(policy, path, message, level=level)


@check(
    code="MESH416",
    level="error",
    title="Principal that never matches",
    why="Istio adds the prefix spiffe:// itself, so no caller has this identity: an ALLOW rule admits none of the "
    "intended callers, and a DENY rule refuses none of them.",
    remedy="Remove spiffe://.",
    docs="https://istio.io/latest/docs/reference/config/security/authorization-policy/#Source",
    alone=True,
)
def principal_with_scheme(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(AUTHORIZATION_POLICY):
        for path, principal in _principals(mesh, policy):
            if principal.startswith(_SCHEME):
                meant = principal.removeprefix(_SCHEME)
                report(policy, path, f"principal {principal!r} matches no caller; {meant!r} is probably meant")


def _principals(mesh: Mesh, policy: Resource) -> Iterator[tuple[Path, str]]:
    for path, source in sources(mesh, policy):
        yield from values(source, path, "principals", "notPrincipals")
    for path, condition in conditions(mesh, policy):
        if condition.get("key") == "source.principal":
            yield from values(condition, path, "values", "notValues")


def _service_accounts(mesh: Mesh, policy: Resource) -> Iterator[tuple[Path, str]]:
    for path, source in sources(mesh, policy):
        yield from values(source, path, "serviceAccounts", "notServiceAccounts")


def _is_local(mesh: Mesh, domain: str) -> bool:
    # Istio accepts cluster.local as the mesh's own trust domain, whatever its name.
    own = {"cluster.local", mesh.settings.trust_domain, mesh.mesh_config.get("trustDomain")}
    return domain in own or domain in [alias for _index, alias in texts(mesh.mesh_config, "trustDomainAliases")]


def _accounts(mesh: Mesh) -> dict[str, Names]:
    """ServiceAccounts of each namespace in which the input has any workload or account."""
    found: dict[str, set[str]] = {}
    for workload in mesh.workloads:
        found.setdefault(workload.namespace, set()).add(workload.service_account)
    for account in mesh.of(SERVICE_ACCOUNT):
        found.setdefault(account.namespace, set()).add(account.name)
    if not found:
        return {}
    for namespace, account_name in _accounts_outside_of_pods(mesh):
        # Files with a machine or a Gateway do not show that they contain the namespace's workloads, too.
        if namespace in found or POD in mesh.settings.listed:
            found.setdefault(namespace, set()).add(account_name)
    return {namespace: Names(accounts) for namespace, accounts in found.items()}


def _accounts_outside_of_pods(mesh: Mesh) -> Iterator[tuple[str, str]]:
    """Namespace and ServiceAccount of machines, and of the proxies that istiod deploys."""
    for entry in mesh.of(WORKLOAD_ENTRY):
        yield entry.namespace, str(entry.spec.get("serviceAccount") or "default")
    for group in mesh.of(WORKLOAD_GROUP):
        yield group.namespace, str(part(group.spec, "template").get("serviceAccount") or "default")
    for gateway in mesh.of(K8S_GATEWAY):
        class_name = str(gateway.spec.get("gatewayClassName") or "istio")
        yield gateway.namespace, gateway.name
        yield gateway.namespace, f"{gateway.name}-{class_name}"


def _unknown(mesh: Mesh, accounts: dict[str, Names], namespace: str, name: str) -> str:
    if namespace in accounts:
        if name in accounts[namespace]:
            return ""
        return f"no workload of namespace {namespace} runs as ServiceAccount {name!r}"
    if "*" not in namespace and NAMESPACE in mesh.settings.listed and not mesh.find(NAMESPACE, "", namespace):
        return f"namespace {namespace!r} does not exist"
    return ""


def _remote(mesh: Mesh) -> dict[str, str]:
    """Cluster of each principal that other clusters know."""
    found: dict[str, str] = {}
    for cluster, principals in part(mesh.settings.facts, "remote_service_accounts").items():
        for principal in principals if isinstance(principals, list) else ():
            found.setdefault(str(principal), str(cluster))
    return found
