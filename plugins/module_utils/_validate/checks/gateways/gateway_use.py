# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Servers of Gateways from a client's view: hosts without routes, plaintext beside TLS, Services that disagree."""

from __future__ import annotations

from collections import defaultdict

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import (
    Selector,
    Server,
    servers,
    workloads_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.host_set import HostSet
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    POD,
    SERVICE,
    VIRTUAL_SERVICE,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import gateway_identity, gateways_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_GATEWAY_DOCS = "https://istio.io/latest/docs/reference/config/networking/gateway/"


@once_per_mesh
def _routed(mesh: Mesh) -> dict[tuple[str, str], list[Resource]]:
    """VirtualServices of each Gateway, by its namespace and name."""
    found: dict[tuple[str, str], dict[int, Resource]] = defaultdict(dict)
    for service in mesh.of(VIRTUAL_SERVICE):
        for _path, name in gateways_of(service):
            found[gateway_identity(name, service.namespace)][id(service)] = service
    return {place: list(services.values()) for place, services in found.items()}


def _place(gateway: Resource) -> tuple[str, str]:
    return gateway.namespace, gateway.name


@check(
    code="MESH311",
    level="info",
    title="Host of a Gateway without routes",
    why="Requests for the host get 404.",
    remedy="Bind a VirtualService with the host to the Gateway, or remove the host from it.",
    docs=_GATEWAY_DOCS,
)
def host_without_routes(mesh: Mesh, report: Report) -> None:
    # Without any VirtualService, the input belongs to the gateways' operators, and routes are elsewhere.
    if not mesh.of(VIRTUAL_SERVICE):
        return
    by_gateway: dict[int, list[Server]] = defaultdict(list)
    for server in servers(mesh):
        by_gateway[id(server.gateway)].append(server)
    for mine in by_gateway.values():
        gateway = mine[0].gateway
        # A server that passes through or redirects needs no routes.
        needy = [item for item in mine if item.tls.get("mode") != "AUTO_PASSTHROUGH" and not _redirects_all(item)]
        services = _routed(mesh).get(_place(gateway))
        if needy and not services:
            report(gateway, ("metadata", "name"), "no VirtualService is bound to the Gateway")
        elif services:
            _hosts_without_routes(needy, mine, services, report)


def _hosts_without_routes(
    needy: list[Server], all_of_it: list[Server], services: list[Resource], report: Report
) -> None:
    offered = HostSet(host for server in all_of_it for _index, _scope, host in server.hosts)
    wanted = [host for service in services for _index, host in texts(service.spec, "hosts")]
    # A host that the Gateway does not have is reported at its VirtualService, and is usually the missing one.
    if not all(offered.overlaps(host) for host in wanted):
        return
    routed = HostSet(wanted)
    for server in needy:
        for index, _scope, host in server.hosts:
            if host and not routed.overlaps(host):
                text = f"no VirtualService that is bound to the Gateway has host '{host}'"
                report(server.gateway, (*server.path, "hosts", index), text)


def _redirects_all(server: Server) -> bool:
    return server.tls.get("httpsRedirect") is True


@check(
    code="MESH312",
    level="info",
    title="Host without encryption beside TLS",
    why="The host is served both with and without TLS: clients that use http are not redirected to https.",
    remedy="Set tls.httpsRedirect on the HTTP server.",
    docs=_GATEWAY_DOCS,
)
def plain_beside_tls(mesh: Mesh, report: Report) -> None:
    encrypted: dict[Selector, set[str]] = defaultdict(set)
    for server in servers(mesh):
        if server.protocol == "HTTPS":
            encrypted[server.selector].update(host for _index, _scope, host in server.hosts)
    for server in servers(mesh):
        if server.family != "http" or _redirects_all(server) or _place(server.gateway) in _redirecting(mesh):
            continue
        for index, _scope, host in server.hosts:
            if host in encrypted[server.selector]:
                text = f"'{host}' on port {server.port} is not redirected to HTTPS, which the gateway serves for it"
                report(server.gateway, (*server.path, "hosts", index), text)


@once_per_mesh
def _redirecting(mesh: Mesh) -> set[tuple[str, str]]:
    """Gateways that have a route with its own redirect."""
    return {
        place
        for place, services in _routed(mesh).items()
        for service in services
        if any(part(route, "redirect") for _index, route in items(service.spec, "http"))
    }


@check(
    code="MESH313",
    level="info",
    title="Protocol of the Service differs from the Gateway's",
    why="Clients in the mesh and cloud load balancers use the Service's protocol, which the gateway does not speak.",
    remedy="Name the Service's port after the server's protocol. Nothing if a load balancer terminates TLS.",
    docs="https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/",
    needs=[POD, SERVICE],
)
def service_of_other_protocol(mesh: Mesh, report: Report) -> None:
    reported = set()
    for server in servers(mesh):
        if server.family not in ("http", "tls"):
            continue
        for workload in workloads_of(mesh, server.selector):
            for service in mesh.services_by_workload.get(id(workload), ()):
                for index, port in items(service.spec, "ports"):
                    if server.port not in (port.get("port"), port.get("targetPort")):
                        continue
                    family = _family_of(port)
                    if family and family != server.family and (id(service), index) not in reported:
                        reported.add((id(service), index))
                        field = "appProtocol" if port.get("appProtocol") else "name"
                        gateway = f"Gateway '{server.gateway.namespace}/{server.gateway.name}'"
                        text = f"'{port[field]}' on port {port.get('port')}, where {gateway} speaks {server.protocol}"
                        report(service, ("spec", "ports", index, field), text)


def _family_of(port: dict[str, object]) -> str:
    """http or tls, empty if the port has neither."""
    protocol = str(port.get("appProtocol") or str(port.get("name") or "").partition("-")[0]).lower()
    if protocol in ("http", "http2", "grpc", "grpc-web", "kubernetes.io/h2c"):
        return "http"
    return "tls" if protocol in ("https", "tls") else ""
