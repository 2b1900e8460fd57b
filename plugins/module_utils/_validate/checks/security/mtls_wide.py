# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""mTLS between DestinationRules and PeerAuthentications of a mesh or a namespace.

With auto mTLS, which is on by default, clients follow the servers, and only rules with another mode can fail.
"""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mtls import (
    DISABLE,
    ISTIO_MUTUAL,
    MODE,
    MUTUAL,
    PERMISSIVE,
    STRICT,
    wide_authentications,
    wide_rules,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    SERVICE,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_DOCS = "https://istio.io/latest/docs/concepts/security/#mutual-tls-authentication"
_PLAIN = "Clients send plain text to servers that accept mTLS only: every connection fails."
_TLS = "Clients send mTLS to servers that accept plain text only: every connection fails."


@check(
    code="KIA0204",
    level="warning",
    title="DestinationRule without mTLS settings",
    why="The most specific rule wins as a whole: this one has no TLS settings, and the wider rule's do not apply.",
    remedy="Add trafficPolicy.tls.mode ISTIO_MUTUAL.",
    docs=_DOCS,
)
def rule_drops_mtls(mesh: Mesh, report: Report) -> None:
    wide = wide_rules(mesh)
    if not wide.mesh and not wide.namespace:
        return
    for rule in mesh.of(DESTINATION_RULE):
        host = mesh.qualified(str(rule.spec.get("host") or ""), rule.namespace)
        place = hosts.service_of(host, mesh.settings.cluster_domain)
        policy = part(rule.spec, "trafficPolicy")
        if place is None or "tls" in policy or any("tls" in item for _i, item in items(policy, "portLevelSettings")):
            continue
        above = [other for other, mode in (*wide.namespace.get(place[0], ()), *wide.mesh) if mode == ISTIO_MUTUAL]
        if above:
            report(
                rule,
                ("spec", "trafficPolicy") if policy else ("spec", "host"),
                f"no TLS settings here, and those of DestinationRule {names(above[:1])} do not apply"
                + ("; auto mTLS takes over" if mesh.auto_mtls else ""),
                level="info" if mesh.auto_mtls else "",
            )


def _enables(found: list[tuple[Resource, str]]) -> bool:
    return any(mode in (STRICT, PERMISSIVE) for _resource, mode in found)


@check(
    code="KIA0205",
    level="info",
    title="mTLS of the mesh is not enforced",
    why="Clients send mTLS, but without a PeerAuthentication servers also accept plain text from others.",
    remedy="Add a PeerAuthentication for the mesh, in the root namespace and without a selector.",
    docs=_DOCS,
)
def mesh_mtls_not_demanded(mesh: Mesh, report: Report) -> None:
    if mesh.auto_mtls or _enables(wide_authentications(mesh).get(mesh.settings.root_namespace, [])):
        return
    for rule, mode in wide_rules(mesh).mesh:
        if mode == ISTIO_MUTUAL:
            report(rule, MODE, "no PeerAuthentication of the mesh enables mTLS")


@check(
    code="KIA0206",
    level="info",
    title="mTLS of the namespace is not enforced",
    why="Clients send mTLS, but without a PeerAuthentication servers also accept plain text from others.",
    remedy="Add a PeerAuthentication for the namespace or the mesh, without a selector.",
    docs=_DOCS,
)
def namespace_mtls_not_demanded(mesh: Mesh, report: Report) -> None:
    wide = wide_authentications(mesh)
    if mesh.auto_mtls or _enables(wide.get(mesh.settings.root_namespace, [])):
        return
    for namespace, found in wide_rules(mesh).namespace.items():
        if _enables(wide.get(namespace, [])):
            continue
        for rule, mode in found:
            if mode == ISTIO_MUTUAL:
                report(rule, MODE, f"no PeerAuthentication of namespace {namespace} or of the mesh enables mTLS")


def _with_mode(found: list[tuple[Resource, str]], mode: str) -> list[Resource]:
    return [resource for resource, its in found if its == mode]


@check(
    code="KIA0207",
    level="error",
    title="mTLS disabled towards a namespace that requires it",
    why=_PLAIN,
    remedy="Remove the TLS mode from the DestinationRule, or make the PeerAuthentication PERMISSIVE.",
    docs=_DOCS,
)
def namespace_rule_disables_mtls(mesh: Mesh, report: Report) -> None:
    wide = wide_authentications(mesh)
    for namespace, found in wide_rules(mesh).namespace.items():
        strict = _with_mode(wide.get(namespace, []), STRICT)
        for rule in _with_mode(found, DISABLE) if strict else ():
            report(rule, MODE, f"mTLS is disabled, and PeerAuthentication {names(strict[:1])} is STRICT")


@check(
    code="KIA0208",
    level="error",
    title="mTLS disabled in a mesh that requires it",
    why=_PLAIN,
    remedy="Remove the TLS mode from the DestinationRule, or make the PeerAuthentication PERMISSIVE.",
    docs=_DOCS,
)
def rule_disables_mtls_of_the_mesh(mesh: Mesh, report: Report) -> None:
    wide = wide_authentications(mesh)
    strict = _with_mode(wide.get(mesh.settings.root_namespace, []), STRICT)
    if not strict:
        return
    rules = wide_rules(mesh)
    # A namespace's own PeerAuthentication takes precedence over the mesh's.
    without_mode = [rule for namespace, found in rules.namespace.items() if not wide.get(namespace) for rule in found]
    for rule in _with_mode([*rules.mesh, *without_mode], DISABLE):
        report(rule, MODE, f"mTLS is disabled, and PeerAuthentication {names(strict[:1])} is STRICT")


@check(
    code="KIA0401",
    level="error",
    title="Strict mesh without clients that send mTLS",
    why=_PLAIN,
    remedy="Add a DestinationRule for *.local with mode ISTIO_MUTUAL, or turn on enableAutoMtls.",
    docs=_DOCS,
)
def strict_mesh_without_rule(mesh: Mesh, report: Report) -> None:
    if mesh.auto_mtls or any(mode == ISTIO_MUTUAL for _rule, mode in wide_rules(mesh).mesh):
        return
    for resource in _with_mode(wide_authentications(mesh).get(mesh.settings.root_namespace, []), STRICT):
        report(resource, ("spec", "mtls"), "STRICT, auto mTLS is off, and no DestinationRule of the mesh sends mTLS")


@check(
    code="KIA0501",
    level="error",
    title="Strict namespace without clients that send mTLS",
    why=_PLAIN,
    remedy="Add a DestinationRule for the namespace's hosts with mode ISTIO_MUTUAL, or turn on enableAutoMtls.",
    docs=_DOCS,
)
def strict_namespace_without_rule(mesh: Mesh, report: Report) -> None:
    rules = wide_rules(mesh)
    if mesh.auto_mtls or any(mode == ISTIO_MUTUAL for _rule, mode in rules.mesh):
        return
    for namespace, found in wide_authentications(mesh).items():
        if namespace == mesh.settings.root_namespace or _each_service_has_mtls(mesh, namespace):
            continue
        if any(mode == ISTIO_MUTUAL for _rule, mode in rules.namespace.get(namespace, ())):
            continue
        for resource in _with_mode(found, STRICT):
            message = "STRICT, auto mTLS is off, and no DestinationRule of the namespace's hosts sends mTLS"
            report(resource, ("spec", "mtls"), message)


def _each_service_has_mtls(mesh: Mesh, namespace: str) -> bool:
    services = [service for service in mesh.of(SERVICE) if service.namespace == namespace]
    return bool(services) and all(
        any(
            part(rule.spec, "trafficPolicy", "tls").get("mode") == ISTIO_MUTUAL
            for rule in mesh.destination_rules(mesh.qualified(service.name, namespace))
        )
        for service in services
    )


@check(
    code="KIA0505",
    level="error",
    title="Namespace without mTLS, and clients that send it",
    why=_TLS,
    remedy="Add a DestinationRule for the namespace's hosts with mode DISABLE, or remove the one with mTLS.",
    docs=_DOCS,
)
def disabled_namespace_gets_mtls(mesh: Mesh, report: Report) -> None:
    rules = wide_rules(mesh)
    for namespace, found in wide_authentications(mesh).items():
        # The namespace's rules take precedence over the mesh's.
        sending = [
            rule for rule, mode in (rules.namespace.get(namespace) or rules.mesh) if mode in (ISTIO_MUTUAL, MUTUAL)
        ]
        if namespace == mesh.settings.root_namespace or not sending:
            continue
        for resource in _with_mode(found, DISABLE):
            message = f"mTLS is disabled, and DestinationRule {names(sending[:1])} makes clients send it"
            report(resource, ("spec", "mtls"), message)


@check(
    code="KIA0506",
    level="error",
    title="Mesh without mTLS, and clients that send it",
    why=_TLS,
    remedy="Remove the DestinationRule's TLS mode, or make the PeerAuthentication PERMISSIVE.",
    docs=_DOCS,
)
def disabled_mesh_gets_mtls(mesh: Mesh, report: Report) -> None:
    sending = [rule for rule, mode in wide_rules(mesh).mesh if mode in (ISTIO_MUTUAL, MUTUAL)]
    for resource in _with_mode(wide_authentications(mesh).get(mesh.settings.root_namespace, []), DISABLE):
        if sending:
            message = f"mTLS is disabled, and DestinationRule {names(sending[:1])} makes clients send it"
            report(resource, ("spec", "mtls"), message)
