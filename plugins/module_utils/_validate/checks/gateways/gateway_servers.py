# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Gateways that select nothing, whose ports are unreachable, or that conflict with each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_gateway_pods
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import (
    Selector,
    Server,
    gateways_by_selector,
    knows_gateway_workloads,
    selector_of,
    selector_text,
    servers,
    service_ports,
    workloads_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import knows_in, once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY,
    POD,
    SERVICE,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


@check(
    code="IST0101",
    level="error",
    title="Gateway without proxies",
    why="No proxy serves the Gateway: nothing listens on its ports.",
    remedy="Give the selector the labels of the gateway's pods.",
    aliases=["KIA0302"],
    needs=[POD],
)
def gateway_selector(mesh: Mesh, report: Report) -> None:
    if not knows_gateway_workloads(mesh):
        return
    for gateway in mesh.of(GATEWAY):
        selector = selector_of(gateway)
        if not selector or workloads_of(mesh, selector):
            continue
        if lacking := unseen_gateway_pods(mesh, dict(selector)):
            report.undecided(lacking)
        else:
            report(gateway, ("spec", "selector"), f"no workload has the labels {selector_text(selector)}")


@check(
    code="IST0162",
    level="warning",
    title="Port of a Gateway that no Service offers",
    why="The gateway's pods listen on the port, but the gateway's Service does not expose it.",
    remedy="Add the port to the Service of the gateway's pods, or use one of its ports.",
    needs=[POD, SERVICE],
)
def gateway_port(mesh: Mesh, report: Report) -> None:
    offered: dict[Selector, set[int]] = {}
    for server in servers(mesh):
        if server.port is None or server.bind.startswith("unix:"):
            continue
        selector = server.selector
        if selector not in offered:
            workloads = workloads_of(mesh, selector)
            unknown = any(not knows_in(mesh, SERVICE, workload.namespace) for workload in workloads)
            ports = set() if unknown else {port for item in workloads for port in service_ports(mesh, item)}
            # Undecidable if the pods or their Services are not in the input.
            offered[selector] = ports if workloads and not unknown else set(range(65536))
        if server.port not in offered[selector]:
            text = f"no Service that selects {selector_text(selector) or 'all pods'} has port {server.port}"
            report(server.gateway, (*server.path, "port", "number"), text)


_Group = dict[Selector, list[Server]]


def _grouped(group: Iterable[Server]) -> _Group:
    found: _Group = defaultdict(list)
    for server in group:
        found[server.selector].append(server)
    return found


def _by_listener(mesh: Mesh) -> list[list[Server]]:
    """Servers on the same port and address."""
    found: dict[tuple[int, str], list[Server]] = defaultdict(list)
    for server in servers(mesh):
        if server.port is not None:
            found[(server.port, server.bind)].append(server)
    return list(found.values())


@once_per_mesh
def _neighbours(mesh: Mesh) -> dict[Selector, list[Selector]]:
    """For each selector those that select one of the same workloads; itself first."""
    by_workload: dict[int, list[Selector]] = defaultdict(list)
    for selector in gateways_by_selector(mesh):
        for workload in workloads_of(mesh, selector):
            by_workload[id(workload)].append(selector)
    found = {selector: {selector: None} for selector in gateways_by_selector(mesh)}
    for selectors in by_workload.values():
        if len(selectors) > 1:
            for selector in selectors:
                found[selector].update(dict.fromkeys(selectors))
    return {selector: list(others) for selector, others in found.items()}


def _others(mesh: Mesh, server: Server, group: _Group) -> list[Resource]:
    """Gateways of the group, other than the server's own, that configure one of its proxies; at most four."""
    found: dict[int, Resource] = {}
    for selector in _neighbours(mesh)[server.selector]:
        for other in group.get(selector, ()):
            if other.gateway is not server.gateway:
                found[id(other.gateway)] = other.gateway
                if len(found) > 3:
                    return list(found.values())
    return list(found.values())


@check(
    code="IST0145",
    level="error",
    title="Gateways with the same host on the same port",
    why="Of two TLS servers with the same host on one port, a proxy takes only one. HTTP servers are merged.",
    remedy="Keep the host in one of the Gateways, or give them selectors of different gateways.",
    aliases=["KIA0301"],
)
def conflicting_gateways(mesh: Mesh, report: Report) -> None:
    for group in _by_listener(mesh):
        by_host: dict[tuple[str, str], _Group] = defaultdict(lambda: defaultdict(list))
        for server in group:
            for _place, scope, host in server.hosts:
                by_host[(scope, host)][server.selector].append(server)
        plain = all(server.family == "http" for server in group)
        for server in group:
            for place, scope, host in server.hosts:
                if others := _others(mesh, server, by_host[(scope, host)]):
                    text = f"host '{host}' on port {server.port} is also in Gateway {names(others)}"
                    text += "; both are merged" if plain else "; the proxy takes only one of them"
                    report(server.gateway, (*server.path, "hosts", place), text, level="info" if plain else "")
                    break


@check(
    code="KIA0301",
    level="info",
    title="Host of a Gateway within another one's wildcard",
    why="Requests for the host go to the server that names it, never to the wildcard's, whatever its routes.",
    remedy="Nothing if this is intended. Otherwise leave the host to one of the Gateways.",
)
def host_within_wildcard(mesh: Mesh, report: Report) -> None:
    for group in _by_listener(mesh):
        by_pattern: dict[str, _Group] = defaultdict(lambda: defaultdict(list))
        for server in group:
            for _place, _scope, host in server.hosts:
                if host.startswith("*"):
                    by_pattern[host][server.selector].append(server)
        if not by_pattern:
            continue
        for server in group:
            for place, _scope, host in server.hosts:
                for pattern in _patterns_above(host):
                    if pattern in by_pattern and (others := _others(mesh, server, by_pattern[pattern])):
                        text = f"host '{host}' on port {server.port} is within '{pattern}' of Gateway {names(others)}"
                        report(server.gateway, (*server.path, "hosts", place), text)
                        break


def _patterns_above(host: str) -> Iterator[str]:
    if host == "*":
        return
    parts = host.split(".")
    for start in range(2 if host.startswith("*") else 1, len(parts)):
        yield "*." + ".".join(parts[start:])
    yield "*"


@check(
    code="IST0138",
    level="warning",
    title="One certificate in two Gateways",
    why="A browser reuses its HTTP/2 connection for every host of a certificate, and gets 404 from the other Gateway.",
    remedy="Put the hosts in one Gateway, or give each Gateway its own certificate.",
)
def duplicate_certificate(mesh: Mesh, report: Report) -> None:
    groups: dict[tuple[object, ...], list[Server]] = defaultdict(list)
    for server in servers(mesh):
        if (certificate := _certificate(server)) and server.port is not None:
            groups[(*certificate, server.port, server.bind)].append(server)
    reported = set()
    for group in groups.values():
        by_selector = _grouped(group)
        for server in group:
            if id(server.gateway) not in reported and (others := _others(mesh, server, by_selector)):
                reported.add(id(server.gateway))
                field, value = _certificate(server)[:2]
                text = f"Gateway {names(others)} serves port {server.port} with the same certificate '{value}'"
                report(server.gateway, (*server.path, "tls", field), text)


def _certificate(server: Server) -> tuple[str, ...]:
    """The field that names the certificate, and its value; empty if there is none."""
    credential, file, key = (server.tls.get(field) for field in ("credentialName", "serverCertificate", "privateKey"))
    if isinstance(credential, str) and credential:
        return "credentialName", credential
    if isinstance(file, str) and isinstance(key, str) and file and key:
        return "serverCertificate", file, key
    return ()


@check(
    code="MESH301",
    level="error",
    title="Servers of different protocols on one port",
    why="A proxy opens a port for HTTP, for TLS or for TCP; istiod drops the second server.",
    remedy="Give the server its own port.",
)
def protocols_on_one_port(mesh: Mesh, report: Report) -> None:
    for group in _by_listener(mesh):
        first: dict[Selector, Server] = {}
        for server in group:
            if not server.family:
                continue
            earlier = first.setdefault(server.selector, server)
            if earlier is server or (earlier.family == server.family != "tcp"):
                continue
            text = f"{server.protocol} on port {server.port}, where Gateway {names([earlier.gateway])}"
            report(server.gateway, (*server.path, "port", "protocol"), f"{text} has {earlier.protocol}")
