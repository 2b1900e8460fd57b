# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""ServiceEntry and WorkloadEntry, as istiod's admission judges them."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import go, values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import (
    Say,
    export_to,
    labels,
    selector,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.gateway import UNIX

_BY_DNS = ("DNS", "DNS_ROUND_ROBIN")
_OF_DYNAMIC_DNS = ("http", "tls", "grpc", "http2")
_WAYPOINT = "istio.io/use-waypoint"


def service_entry(resource: Resource, say: Say) -> None:
    spec = resource.spec
    before = len(say.faults)
    selector(say, ("spec", "workloadSelector"), spec.get("workloadSelector"), "labels")
    if any(not fault.warning for fault in say.faults[before:]):
        # istiod does not look at the rest.
        return
    resolution = spec.get("resolution") or "NONE"
    hosts: list[str] = spec.get("hosts") or []
    ports: list[Object] = spec.get("ports") or []
    _hosts(say, hosts, resolution)
    for index, address in enumerate(some(spec.get("addresses"))):
        say.refused(("spec", "addresses", index), values.bad_subnet(address))
        if "/" in address and resolution not in ("NONE", "STATIC"):
            message = f"{address!r} is a range of addresses, which resolution {resolution} does not allow"
            say.refused(("spec", "addresses", index), message)
    _ports(say, ports)
    _by_resolution(say, resource, resolution, ports)
    if resolution != "NONE" and len(hosts) > 1:
        _several_hosts(say, ports)
    export_to(say, resource, entry=True)


def _hosts(say: Say, hosts: list[str], resolution: str) -> None:
    if not hosts:
        say.refused(("spec", "hosts"), "the ServiceEntry has no hosts")
    for index, host in enumerate(hosts):
        path = ("spec", "hosts", index)
        if host == "*":
            say.refused(path, "the host '*' is no host")
            continue
        say.refused(path, values.bad_wildcard_domain(host))
        if resolution != "DYNAMIC_DNS":
            say.doubted(path, values.bad_partial_wildcard(host))


def _ports(say: Say, ports: list[Object]) -> None:
    # The schema sees to it that names and numbers differ.
    for index, port in enumerate(ports):
        path = ("spec", "ports", index)
        name, number = port.get("name") or "", port.get("number") or 0
        if port.get("targetPort"):
            say.refused((*path, "targetPort"), values.bad_port(port["targetPort"]))
        say.refused((*path, "name"), values.bad_port_name(name))
        say.refused((*path, "protocol"), values.bad_protocol(port.get("protocol") or ""))
        say.refused((*path, "number"), values.bad_port(number))


def _by_resolution(say: Say, resource: Resource, resolution: str, ports: list[Object]) -> None:
    spec = resource.spec
    endpoints: list[Object] = spec.get("endpoints") or []
    names = {port.get("name") or "" for port in ports}
    if spec.get("workloadSelector") is not None:
        if endpoints:
            say.refused(("spec", "endpoints"), "a ServiceEntry has one of workloadSelector and endpoints")
        if resolution == "NONE":
            say.doubted(("spec", "workloadSelector"), "resolution NONE takes no notice of a workloadSelector")
    if resolution == "NONE" and endpoints:
        say.refused(("spec", "endpoints"), "resolution NONE takes no endpoints: STATIC and DNS do")
    elif resolution == "STATIC":
        for index, endpoint in enumerate(endpoints):
            _entry(say, ("spec", "endpoints", index), endpoint, names, may_be_name=False)
    elif resolution in _BY_DNS:
        _by_dns(say, spec, resolution, endpoints, names)
    elif resolution == "DYNAMIC_DNS":
        _by_dynamic_dns(say, resource, ports)


def _by_dns(say: Say, spec: Object, resolution: str, endpoints: list[Object], names: set[str]) -> None:
    hosts: list[str] = spec.get("hosts") or []
    for index, host in enumerate(hosts if not endpoints else ()):
        if values.bad_domain(host) and host != "*" and not values.bad_wildcard_domain(host):
            message = f"{host!r} cannot be asked for at a DNS server: resolution {resolution} needs endpoints for it"
            say.refused(("spec", "hosts", index), message)
            break
    if resolution == "DNS_ROUND_ROBIN" and len(endpoints) > 1:
        say.refused(("spec", "endpoints"), f"resolution {resolution} takes one endpoint, here are {len(endpoints)}")
    for index, endpoint in enumerate(endpoints):
        path = ("spec", "endpoints", index)
        _address(say, path, endpoint.get("address") or "", may_be_name=True)
        _endpoint(say, path, endpoint, names)
    if spec.get("addresses") and len(hosts) > 1:
        # With addresses, connections of TCP are known by the address alone.
        protocols = [(port.get("protocol") or "").lower() for port in some(spec.get("ports"))]
        if any(protocol in values.TCP_PROTOCOLS for protocol in protocols):
            say.doubted(("spec", "hosts"), "several hosts share the addresses: a port of TCP cannot tell them apart")


def _by_dynamic_dns(say: Say, resource: Resource, ports: list[Object]) -> None:
    spec = resource.spec
    for index, host in enumerate(some(spec.get("hosts"))):
        if not host.startswith("*"):
            say.refused(("spec", "hosts", index), f"{host!r}: resolution DYNAMIC_DNS is for hosts with a * only")
    for field in ("addresses", "endpoints"):
        if spec.get(field):
            say.refused(
                ("spec", field), f"resolution DYNAMIC_DNS takes no {field}: the host of a request says where it goes"
            )
    for index, port in enumerate(ports):
        protocol = port.get("protocol") or ""
        if protocol.lower() not in _OF_DYNAMIC_DNS:
            message = f"{protocol!r}: resolution DYNAMIC_DNS is for HTTP, HTTP2, GRPC and TLS only"
            say.refused(("spec", "ports", index, "protocol"), message)
    waypoint = str(resource.labels.get(_WAYPOINT) or "")
    if spec.get("location") == "MESH_INTERNAL" and waypoint and waypoint.lower() != "none":
        message = "location MESH_INTERNAL with resolution DYNAMIC_DNS is not supported behind a waypoint"
        say.refused(("spec", "location"), message)


def _several_hosts(say: Say, ports: list[Object]) -> None:
    for index, port in enumerate(ports):
        protocol = port.get("protocol") or ""
        if protocol.lower() not in values.HTTP_PROTOCOLS | values.TLS_PROTOCOLS:
            shown = protocol or "a protocol that is not said"
            message = f"{shown} does not tell the hosts of the ServiceEntry apart: only HTTP and TLS do"
            say.refused(("spec", "ports", index, "protocol"), message)
            return


def workload_entry(resource: Resource, say: Say) -> None:
    _entry(say, ("spec",), resource.spec, None, may_be_name=True)


def _entry(say: Say, path: Path, entry: Object, names: set[str] | None, *, may_be_name: bool) -> None:
    """names: of the ports of the ServiceEntry, None where it is not known which."""
    address = entry.get("address") or ""
    if not address:
        if not entry.get("network"):
            say.refused((*path, "address"), "there is neither an address nor a network")
            return
        say.doubted((*path, "network"), f"only the network {entry['network']!r} is given, and no address")
    elif address.startswith(UNIX):
        say.refused((*path, "address"), values.bad_unix_address(address.removeprefix(UNIX)))
        if entry.get("ports"):
            say.refused((*path, "ports"), "a socket of Unix has no ports")
        if names is not None and len(names) != 1:
            say.refused((*path, "address"), "a socket of Unix needs a ServiceEntry with one port")
    else:
        _address(say, path, address, may_be_name)
    _endpoint(say, path, entry, names)


def _address(say: Say, path: Path, address: str, may_be_name: bool) -> None:
    if go.is_address(address):
        return
    if not may_be_name:
        say.refused((*path, "address"), f"{address!r} is no IP address: resolution STATIC asks no DNS server")
    elif values.bad_domain(address):
        say.refused((*path, "address"), f"{address!r} is neither an IP address nor a domain name")


def _endpoint(say: Say, path: Path, endpoint: Object, names: set[str] | None) -> None:
    labels(say, (*path, "labels"), endpoint.get("labels"))
    for name, number in (endpoint.get("ports") or {}).items():
        where = (*path, "ports", name)
        if names is not None and name not in names:
            say.refused(where, f"{name!r} is none of the ports of the ServiceEntry: {', '.join(sorted(names))}")
        say.refused(where, values.bad_port_name(name))
        say.refused(where, values.bad_port(number))
