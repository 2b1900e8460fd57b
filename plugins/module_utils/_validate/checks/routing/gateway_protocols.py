# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Routes of VirtualServices that their gateway's servers never use, because these speak another protocol."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import (
    Server,
    hosts_for,
    servers_by_gateway,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import written_and_qualified_hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import VIRTUAL_SERVICE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import (
    MESH,
    PROTOCOLS,
    gateway_identity,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


@check(
    code="MESH224",
    level="warning",
    title="Routes of another protocol than the gateway's",
    why="A server that terminates HTTP or HTTPS uses http routes only, one with TLS passthrough only tls routes, and"
    " any other one only tcp routes. So the gateway uses none of these routes.",
    remedy="Write the routes in the list that the server uses, or correct the server's protocol or tls.mode.",
)
def routes_of_other_protocol(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(VIRTUAL_SERVICE):
        written = [protocol for protocol in PROTOCOLS if service.spec.get(protocol)]
        for index, name in texts(service.spec, "gateways") if written else ():
            serving = _serving(mesh, service, name)
            used = {list_ for server in serving for list_ in _lists(server)}
            if serving and used.isdisjoint(written):
                spoken = ", ".join(sorted({_spoken(server) for server in serving}))
                text = f"gateway '{name}' uses only {_joined(used)} routes for these hosts ({spoken})"
                report(service, ("spec", "gateways", index), f"{text}; here are only {_joined(written)} routes")


def _serving(mesh: Mesh, service: Resource, name: str) -> list[Server]:
    """The servers of the gateway that serve a host of the VirtualService."""
    wanted = written_and_qualified_hosts(mesh, service)
    found = [] if name == MESH else servers_by_gateway(mesh).get(gateway_identity(name, service.namespace), [])
    return [
        server
        for server in found
        if any(hosts.overlap(own, other) for own in hosts_for(server, service.namespace) for other in wanted)
    ]


def _lists(server: Server) -> tuple[str, ...]:
    """The lists of routes that istiod reads for the server; all where it is not clear."""
    mode = _mode(server)
    if not server.family or mode == "AUTO_PASSTHROUGH" or (server.family == "tls" and not server.tls):
        return PROTOCOLS
    if server.family == "http" or (server.protocol == "HTTPS" and mode != "PASSTHROUGH"):
        return ("http",)
    return ("tls",) if mode == "PASSTHROUGH" else ("tcp",)


def _mode(server: Server) -> str:
    # istiod's default.
    return str(server.tls.get("mode") or "PASSTHROUGH") if server.tls else ""


def _spoken(server: Server) -> str:
    mode = _mode(server)
    return f"{server.protocol} with tls.mode {mode}" if mode else server.protocol


def _joined(lists: Iterable[str]) -> str:
    return " and ".join(sorted(lists))
