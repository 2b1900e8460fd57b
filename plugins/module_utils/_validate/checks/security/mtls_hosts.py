# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""TLS modes of DestinationRules compared with what the pods of their hosts accept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import is_gateway
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.hosts import is_wildcard, service_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mtls import (
    DISABLE,
    ISTIO_MUTUAL,
    MODE,
    MUTUAL,
    SIMPLE,
    STRICT,
    PortMode,
    container_port,
    port_modes,
    wide_rules,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    NAMESPACE,
    PEER_AUTHENTICATION,
    POD,
    SERVICE,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_DOCS = "https://istio.io/latest/docs/ops/common-problems/network-issues/#503-errors-after-setting-destination-rule"


def _rules(mesh: Mesh) -> Iterator[tuple[Resource, Resource]]:
    """DestinationRules for one Service, with it."""
    for rule in mesh.of(DESTINATION_RULE):
        host = rule.spec.get("host")
        if not isinstance(host, str) or is_wildcard(host):
            continue
        place = service_of(mesh.qualified(host, rule.namespace), mesh.settings.cluster_domain)
        service = mesh.find(SERVICE, *place) if place else None
        if service is not None:
            yield rule, service


def _servers(mesh: Mesh, service: Resource, entry: PortMode) -> list[Workload]:
    """The pods that the mode is for. Gateways' proxies accept what their own configuration allows."""
    return [
        workload
        for workload in mesh.behind(service)
        if not is_gateway(workload)
        and all(str(workload.labels.get(key)) == str(value) for key, value in entry.labels.items())
    ]


@check(
    code="MESH210",
    level="error",
    title="TLS mode that the pods do not accept",
    why="Clients and servers disagree on mTLS: every connection fails, with 503 at the client.",
    remedy="Remove the TLS mode (auto mTLS follows the server), or change the PeerAuthentication.",
    docs=_DOCS,
    needs=[SERVICE, POD],
)
def rule_against_peer_authentication(mesh: Mesh, report: Report) -> None:
    if not mesh.of(PEER_AUTHENTICATION):
        return
    for rule, service in _rules(mesh):
        reported: set[Path] = set()
        for entry in port_modes(rule, service):
            if entry.path in reported:
                continue
            for workload in _servers(mesh, service, entry):
                taken = mesh.mtls_mode(workload, container_port(workload, entry.target))
                if _refuses(taken, entry.mode) and (mesh.has_sidecar(workload) or mesh.is_ambient(workload)):
                    reported.add(entry.path)
                    what = f"mode {entry.mode} for port {entry.port} of '{rule.spec['host']}'"
                    by = f"PeerAuthentication has {taken} for {workload!r}"
                    report(rule, entry.path, f"{what}, and {by}")
                    break


def _refuses(taken: str, sent: str) -> bool:
    if taken == STRICT:
        return sent in (DISABLE, SIMPLE, MUTUAL)
    return taken == DISABLE and sent == ISTIO_MUTUAL


@check(
    code="MESH211",
    level="error",
    title="mTLS to pods without a proxy",
    why="The other end does not speak Istio's mTLS: every connection fails, with 503 at the client.",
    remedy="Set the mode DISABLE for them, or remove it: auto mTLS sends plain text where there is no proxy.",
    docs=_DOCS,
    needs=[SERVICE, POD, NAMESPACE],
)
def mtls_without_proxy(mesh: Mesh, report: Report) -> None:
    for rule, service in _rules(mesh):
        reported: set[Path] = set()
        for entry in port_modes(rule, service):
            if entry.mode != ISTIO_MUTUAL or entry.path in reported:
                continue
            servers = _servers(mesh, service, entry)
            if servers and all(_is_outside(mesh, workload) for workload in servers):
                reported.add(entry.path)
                report(
                    rule, entry.path, f"mode ISTIO_MUTUAL for '{rule.spec['host']}', and {servers[0]!r} has no proxy"
                )


@check(
    code="MESH211",
    level="error",
    title="mTLS to Services without proxies",
    why="The other end does not speak Istio's mTLS: every connection fails, with 503 at the client.",
    remedy="Add a DestinationRule with mode DISABLE for them, or remove the mode: auto mTLS sends plain text there.",
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
    """Whether the Service has workloads, and all of them are known to be outside the mesh."""
    behind = mesh.behind(service)
    return bool(behind) and all(_is_outside(mesh, workload) for workload in behind)


def _is_outside(mesh: Mesh, workload: Workload) -> bool:
    return mesh.has_sidecar(workload) is False and not mesh.is_ambient(workload) and not is_gateway(workload)


def _has_nearer_rule(mesh: Mesh, service: Resource, rule: Resource) -> bool:
    """Whether a rule for less than this wildcard applies to the Service."""
    length = len(str(rule.spec["host"]))
    for other in mesh.destination_rules(mesh.qualified(service.name, service.namespace)):
        host = str(other.spec["host"])
        if not is_wildcard(host) or len(host) > length:
            return True
    return False
