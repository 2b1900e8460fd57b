# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The destinations of VirtualServices: hosts, ports and subsets."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import (
    is_guess_of_service,
    is_internal,
    nearest,
    seen_by,
    undecided_host,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import GATEWAY, SERVICE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import (
    Destination,
    on_mesh,
    own_gateways,
    whole,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import (
    port_number,
    ports_of,
    visible,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


def _report_unknown(mesh: Mesh, report: Report, *, internal: bool) -> None:
    """Internal hosts are names of Services, others can only be those of ServiceEntries."""
    for service, destination in mesh.destinations:
        host = destination.host
        if is_internal(host, mesh.settings.cluster_domain) != internal:
            continue
        owners = mesh.registry.owners(host)
        if seen_by(service, owners):
            continue
        what = "mirror host" if destination.mirror else "host"
        path = (*destination.path, "host")
        if owners:
            report(
                service,
                path,
                f"{what} '{destination.written}' is not exported to namespace {service.namespace}"
                f" by {owners[0].kind.kind} {names(owners[:1])}",
                remedy="Add the namespace to exportTo of the host's owner, or route to another host.",
            )
        elif lacking := undecided_host(mesh, host, service):
            report.undecided(lacking)
        else:
            kinds = "Service or ServiceEntry" if internal else "ServiceEntry"
            hint = nearest(mesh, host, service.namespace)
            milder = is_guess_of_service(mesh, host, destination.written, service)
            report(service, path, f"{what} '{destination.written}' is not a {kinds}{hint}", milder=milder)


@check(
    code="IST0101",
    aliases=["KIA1101"],
    level="error",
    title="Route to an unknown Service",
    why="Proxies answer 503 to every request that matches the route.",
    remedy="Correct the name, or create the Service.",
    needs=[SERVICE],
)
def route_to_unknown_service(mesh: Mesh, report: Report) -> None:
    _report_unknown(mesh, report, internal=True)


@check(
    code="IST0101",
    aliases=["KIA1101"],
    level="error",
    title="Route to an unknown host",
    why="Proxies answer 503 to every request that matches the route: Istio completes only names without a dot.",
    remedy="Correct the name (a Service elsewhere is name.namespace.svc.cluster.local), or add a ServiceEntry.",
)
def route_to_unknown_external_host(mesh: Mesh, report: Report) -> None:
    _report_unknown(mesh, report, internal=False)


def _owners_with_ports(mesh: Mesh, service: Resource, destination: Destination) -> list[Resource]:
    """None if one of them is an alias, whose ports are another host's."""
    owners = seen_by(service, mesh.registry.owners(destination.host))
    if any(owner.spec.get("type") == "ExternalName" for owner in owners):
        return []
    return owners


@check(
    code="IST0101",
    level="error",
    title="Route to an unknown port",
    why="The port has no cluster in Envoy, so proxies answer 503.",
    remedy="Name a port of the Service (port, not targetPort).",
)
def route_to_unknown_port(mesh: Mesh, report: Report) -> None:
    for service, destination in mesh.destinations:
        if destination.port is None:
            continue
        owners = _owners_with_ports(mesh, service, destination)
        known = sorted({number for owner in owners for port in ports_of(owner) if (number := port_number(port))})
        if owners and destination.port not in known:
            have = ", ".join(map(str, known)) or "none"
            report(
                service,
                (*destination.path, "port", "number"),
                f"host '{destination.written}' has no port {destination.port}; its ports: {have}",
            )


@check(
    code="IST0112",
    level="error",
    title="Destination needs a port",
    why="The host has several ports. Without a port, the listener's is used, and the host may not have it.",
    remedy="Name the port in the destination.",
)
def route_without_port(mesh: Mesh, report: Report) -> None:
    for service, destination in mesh.destinations:
        if destination.port is not None:
            continue
        owners = _owners_with_ports(mesh, service, destination)
        # Ports of one owner: a Service and a ServiceEntry of the same host are not combined.
        for owner in owners[:1]:
            numbers = [number for port in ports_of(owner) if (number := port_number(port))]
            if len(numbers) > 1:
                called = _called_ports(mesh, service)
                kept = bool(called) and called <= set(numbers)
                listed = ", ".join(map(str, numbers))
                report(
                    service,
                    (*destination.path, "host"),
                    f"host '{destination.written}' has the ports {listed}, and the destination names none"
                    + ("; requests keep the port that they were sent to" if kept else ""),
                    level="info" if kept else "",
                )


def _called_ports(mesh: Mesh, service: Resource) -> set[int]:
    """Ports on which clients call the VirtualService's hosts; empty if the input does not show them."""
    ports: set[int] = set()
    for place in own_gateways(service):
        gateway = mesh.find(GATEWAY, *place)
        if gateway is None:
            return set()
        for _index, server in items(gateway.spec, "servers"):
            ports.add(whole(part(server, "port").get("number")) or 0)
    if on_mesh(service):
        for _place, host in texts(service.spec, "hosts"):
            owners = mesh.registry.owners(mesh.qualified(host, service.namespace))
            if not owners:
                return set()
            ports |= {port_number(port) or 0 for owner in owners for port in ports_of(owner)}
    return ports


@check(
    code="IST0101",
    aliases=["KIA1107"],
    level="error",
    title="Unknown subset",
    why="Proxies have no cluster for the subset and answer 503 to every request that matches the route.",
    remedy="Correct the name, or define the subset in a DestinationRule of the host.",
)
def route_to_unknown_subset(mesh: Mesh, report: Report) -> None:
    for service, destination in mesh.destinations:
        if not destination.subset or _is_reported_already(mesh, service, destination):
            continue
        rules = mesh.destination_rules(destination.host)
        having = [rule for rule in rules if _has_subset(rule, destination.subset)]
        if any(visible(rule, service.namespace) for rule in having):
            continue
        subset = f"subset '{destination.subset}' of host '{destination.written}'"
        path = (*destination.path, "subset")
        if having:
            report(
                service,
                path,
                f"{subset} is not exported to namespace {service.namespace} by DestinationRule {names(having[:1])}",
                remedy="Add the namespace to exportTo of the DestinationRule.",
            )
            continue
        known = sorted({str(subset.get("name")) for rule in rules for _place, subset in items(rule.spec, "subsets")})
        have = (
            f"; known subsets: {', '.join(known)}" if known else f"; no DestinationRule of the host {_has_any(rules)}"
        )
        # Of a host of which the input has nothing at all, the rule may be there as well.
        milder = not rules and not mesh.registry.owners(destination.host)
        report(service, path, f"{subset} is in no DestinationRule{have}", milder=milder)


def _has_any(rules: list[Resource]) -> str:
    return "has subsets" if rules else "exists"


def _has_subset(rule: Resource, name: str) -> bool:
    return any(subset.get("name") == name for _place, subset in items(rule.spec, "subsets"))


def _is_reported_already(mesh: Mesh, service: Resource, destination: Destination) -> bool:
    """An unknown host is one fault, not two."""
    owners = mesh.registry.owners(destination.host)
    if owners:
        return not seen_by(service, owners)
    internal = is_internal(destination.host, mesh.settings.cluster_domain)
    return not undecided_host(mesh, destination.host, service) and (mesh.knows(SERVICE) or not internal)


def _port_text(destination: Destination) -> str:
    return "" if destination.port is None else f":{destination.port}"


@check(
    code="KIA1105",
    level="warning",
    title="The same destination twice",
    why="The weights add up, so neither line shows the actual share.",
    remedy="Keep one of the two, with the sum of the weights.",
    alone=True,
)
def repeated_destination(mesh: Mesh, report: Report) -> None:
    seen: dict[tuple[object, ...], Destination] = {}
    for service, destination in mesh.destinations:
        # A destination that gets everything, or nothing, shares with no other one.
        if destination.mirror or destination.share in (0, 1):
            continue
        entry = service.spec
        for step in destination.path[1:-1]:
            entry = entry[step]  # type: ignore[index]
        # The same version with other headers is intentionally a second destination.
        headers = str(part(entry, "headers"))
        route = destination.path[:3]
        key = (service.identity, route, destination.host, destination.subset, destination.port, headers)
        if key in seen:
            subset = f" subset '{destination.subset}'" if destination.subset else ""
            report(
                service,
                (*destination.path, "host"),
                f"host '{destination.written}{_port_text(destination)}'{subset} is already a destination of this route",
            )
        seen.setdefault(key, destination)
