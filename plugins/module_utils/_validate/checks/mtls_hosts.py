# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""mTLS that DestinationRules have clients send to pods that do not take it; see mtls_destinations for single hosts."""

from __future__ import annotations

from collections import defaultdict

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.hosts import is_wildcard, service_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mtls import (
    DISABLE,
    ISTIO_MUTUAL,
    MODE,
    container_port,
    port_modes,
    wide_rules,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import (
    DESTINATION_RULE,
    NAMESPACE,
    PEER_AUTHENTICATION,
    POD,
    SERVICE,
    Resource,
    part,
)

_DOCS = "https://istio.io/latest/docs/ops/common-problems/network-issues/#503-errors-after-setting-destination-rule"


@check(
    code="MESH210",
    level="error",
    title="mTLS to pods that have it disabled",
    why="The servers' proxies take plain text only: every connection fails, with 503 at the client.",
    remedy="Remove the TLS mode (auto mTLS does what the server asks for), or change the PeerAuthentication.",
    docs=_DOCS,
    needs=[SERVICE, POD],
)
def mtls_to_disabled(mesh: Mesh, report: Report) -> None:
    if not any(_disables(resource) for resource in mesh.of(PEER_AUTHENTICATION)):
        return
    for rule in mesh.of(DESTINATION_RULE):
        host = rule.spec.get("host")
        if not isinstance(host, str) or is_wildcard(host):
            continue
        place = service_of(mesh.qualified(host, rule.namespace), mesh.settings.cluster_domain)
        service = mesh.find(SERVICE, *place) if place else None
        for entry in port_modes(rule, service) if service else ():
            if service is None or entry.mode != ISTIO_MUTUAL:
                continue
            refusing = [
                workload.resource
                for workload in mesh.behind(service)
                if mesh.has_sidecar(workload)
                and mesh.mtls_mode(workload, container_port(workload, entry.target)) == DISABLE
            ]
            if refusing:
                message = f"mode ISTIO_MUTUAL for '{host}', and a PeerAuthentication disables mTLS for {refusing[0]!r}"
                report(rule, entry.path, message)


def _disables(authentication: Resource) -> bool:
    ports = part(authentication.spec, "portLevelMtls").values()
    modes = [part(port).get("mode") for port in (part(authentication.spec, "mtls"), *ports)]
    return DISABLE in modes


@check(
    code="MESH211",
    level="error",
    title="mTLS to Services without proxies",
    why="Nobody at the other end speaks Istio's mTLS: every connection fails, with 503 at the client.",
    remedy="Add a DestinationRule with mode DISABLE for them, or leave the mode out: auto mTLS sends plain text there.",
    docs=_DOCS,
    needs=[SERVICE, POD, NAMESPACE],
)
def wide_mtls_without_proxies(mesh: Mesh, report: Report) -> None:
    wide = wide_rules(mesh)
    by_namespace: dict[str, list[Resource]] = defaultdict(list)
    for service in mesh.of(SERVICE):
        by_namespace[service.namespace].append(service)
    scopes = [(by_namespace.get(namespace, []), found) for namespace, found in wide.namespace.items()]
    for services, found in (*scopes, (mesh.of(SERVICE), wide.mesh)):
        for rule, mode in found:
            if mode != ISTIO_MUTUAL:
                continue
            bare = [item for item in services if _has_no_proxy(mesh, item) and not _has_nearer_rule(mesh, item, rule)]
            if bare:
                report(rule, MODE, f"mode ISTIO_MUTUAL, and no pod of Service {names(bare)} has a proxy")


def _has_no_proxy(mesh: Mesh, service: Resource) -> bool:
    """Whether the Service has workloads, and it is known of all that they are outside the mesh."""
    behind = mesh.behind(service)
    return bool(behind) and all(
        mesh.has_sidecar(workload) is False and not mesh.is_ambient(workload) for workload in behind
    )


def _has_nearer_rule(mesh: Mesh, service: Resource, rule: Resource) -> bool:
    """Whether a rule for less than this wildcard is in force for the Service."""
    length = len(str(rule.spec["host"]))
    for other in mesh.destination_rules(mesh.qualified(service.name, service.namespace)):
        host = str(other.spec["host"])
        if not is_wildcard(host) or len(host) > length:
            return True
    return False
