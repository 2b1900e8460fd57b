# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""VirtualService, as istiod's admission judges it. http_route.py has the parts of HTTP routes."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    export_to,
    gateway_names,
    labels,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.http_route import (
    destination,
    http_route,
    is_claim,
    weights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go, values

_SNI = "outbound_"


def virtual_service(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    hosts: list[str] = spec.get("hosts") or []
    gateways: list[str] = spec.get("gateways") or []
    is_delegate = not hosts
    if is_delegate:
        for field, what in (("gateways", "gateways"), ("tls", "tls routes"), ("tcp", "tcp routes")):
            if spec.get(field):
                faults.error(("spec", field), f"a VirtualService without hosts is a delegate and must not have {what}")
    gateway_names(faults, ("spec", "gateways"), gateways)
    on_mesh = not gateways or "mesh" in gateways
    if on_mesh:
        _no_claims(spec, faults)
    _hosts(spec, hosts, on_mesh, faults)
    if not (spec.get("http") or spec.get("tcp") or spec.get("tls")):
        faults.error(("spec",), "there is no route: set http, tcp or tls")
    for index, route in enumerate(some(spec.get("http"))):
        http_route(faults, ("spec", "http", index), route, is_delegate)
    for index, route in enumerate(some(spec.get("tls"))):
        _tls_route(faults, ("spec", "tls", index), route, hosts, "mesh" not in gateways)
    for index, route in enumerate(some(spec.get("tcp"))):
        _tcp_route(faults, ("spec", "tcp", index), route)
    export_to(faults, resource)


def _no_claims(spec: Object, faults: Faults) -> None:
    for index, route in enumerate(some(spec.get("http"))):
        for place, match in enumerate(some(route.get("match"))):
            for field in ("headers", "withoutHeaders"):
                for name in some(match.get(field)):
                    if is_claim(name):
                        path = ("spec", "http", index, "match", place, field, name)
                        faults.error(
                            path, f"{name!r}: claims of a token can be matched at a gateway only, not in the mesh"
                        )


def _hosts(spec: Object, hosts: list[str], on_mesh: bool, faults: Faults) -> None:
    sni = any(match.get("sniHosts") for route in some(spec.get("tls")) for match in some(route.get("match")))
    valid = True
    for index, host in enumerate(hosts):
        fault = bad_bound_host(host, sni) if not on_mesh else values.bad_wildcard_domain(host)
        if fault and not go.is_address(host):
            faults.error(("spec", "hosts", index), fault)
            valid = False
        elif not fault and on_mesh and host == "*":
            faults.error(("spec", "hosts", index), "the host '*' is allowed at a gateway only, not in the mesh")
            valid = False
    # Hosts without a * are compared by means of a set, so that a long list does not take long.
    if valid and len(hosts) > 1:
        _overlapping(hosts, faults)


def _overlapping(hosts: list[str], faults: Faults) -> None:
    wildcards = [(index, host) for index, host in enumerate(hosts) if host.startswith("*")]
    seen: dict[str, int] = {}
    for index, host in enumerate(hosts):
        earlier = seen.setdefault(host, index)
        if earlier != index:
            faults.error(("spec", "hosts", index), f"{host!r} is in the list twice")
            continue
        for place, pattern in wildcards:
            if place != index and pattern != host and values.matches(pattern, host):
                if place > index and host.startswith("*"):
                    continue
                faults.error(("spec", "hosts", index), f"{host!r} and {pattern!r} match the same requests")
                break


def bad_bound_host(host: str, sni: bool) -> str:
    """At a gateway that passes TLS through, hosts may have the names that istiod derives from ports and Services."""
    if not (sni and host.startswith(_SNI)):
        return values.bad_wildcard_domain(host)
    parts = host.split("_")
    port, name = (parts[1].strip("."), parts[3].strip(".")) if len(parts) > 3 else ("", "")
    numbered = any(character in "0123456789" for character in port)
    named = any(character.isascii() and character.isalpha() for character in name)
    return "" if numbered and named else f"{host!r} is not of the form outbound_.<port>_._.<host>"


def _tls_route(faults: Faults, path: Path, route: Object, hosts: list[str], bound: bool) -> None:
    if not route.get("match"):
        faults.error((*path, "match"), "a tls route needs a match")
    for index, match in enumerate(some(route.get("match"))):
        where = (*path, "match", index)
        if not match.get("sniHosts"):
            faults.error((*where, "sniHosts"), "a match of a tls route needs sniHosts")
        for place, name in enumerate(some(match.get("sniHosts"))):
            _sni(faults, (*where, "sniHosts", place), name, hosts, bound)
        _layer4_match(faults, where, match)
    _layer4_destinations(faults, path, route)


def _sni(faults: Faults, path: Path, name: str, hosts: list[str], bound: bool) -> None:
    fault = bad_bound_host(name, True) if bound else values.bad_wildcard_domain(name)
    if fault and go.is_address(name):
        faults.warning(path, f"{name!r} is an IP address: clients do not send addresses as SNI")
    elif fault:
        faults.error(path, fault)
    elif not any(values.is_within(name, host) for host in hosts):
        faults.error(path, f"{name!r} is not within any host of the VirtualService: {', '.join(hosts)}")


def _tcp_route(faults: Faults, path: Path, route: Object) -> None:
    for index, match in enumerate(some(route.get("match"))):
        _layer4_match(faults, (*path, "match", index), match)
    _layer4_destinations(faults, path, route)


def _layer4_match(faults: Faults, path: Path, match: Object) -> None:
    for place, subnet in enumerate(some(match.get("destinationSubnets"))):
        faults.error((*path, "destinationSubnets", place), values.bad_subnet(subnet))
    if match.get("port"):
        faults.error((*path, "port"), values.bad_port(match["port"]))
    labels(faults, (*path, "sourceLabels"), match.get("sourceLabels"))
    gateway_names(faults, (*path, "gateways"), match.get("gateways"))


def _layer4_destinations(faults: Faults, path: Path, route: Object) -> None:
    routes = route.get("route") or []
    if not routes:
        faults.error((*path, "route"), "the route has no destination")
    for index, item in enumerate(routes):
        destination(faults, (*path, "route", index, "destination"), item.get("destination"))
    weights(faults, (*path, "route"), routes)
