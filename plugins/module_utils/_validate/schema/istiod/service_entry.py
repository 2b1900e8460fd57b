# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""ServiceEntry and WorkloadEntry, as istiod's admission judges them."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    export_to,
    labels,
    selector,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.gateway import UNIX
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go, values

_BY_DNS = ("DNS", "DNS_ROUND_ROBIN")
_OF_DYNAMIC_DNS = ("http", "tls", "grpc", "http2")
_WAYPOINT = "istio.io/use-waypoint"


def service_entry(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    before = len(faults.found)
    selector(faults, ("spec", "workloadSelector"), spec.get("workloadSelector"), "labels")
    if any(not fault.warning for fault in faults.found[before:]):
        # istiod does not check the rest.
        return
    resolution = spec.get("resolution") or "NONE"
    hosts: list[str] = spec.get("hosts") or []
    ports: list[Object] = spec.get("ports") or []
    _hosts(faults, hosts, resolution)
    for index, address in enumerate(some(spec.get("addresses"))):
        faults.error(("spec", "addresses", index), values.bad_subnet(address))
        if "/" in address and resolution not in ("NONE", "STATIC"):
            message = f"{address!r} is a range of addresses, which resolution {resolution} does not allow"
            faults.error(("spec", "addresses", index), message)
    _ports(faults, ports)
    _by_resolution(faults, resource, resolution, ports)
    if resolution != "NONE" and len(hosts) > 1:
        _several_hosts(faults, ports)
    export_to(faults, resource, entry=True)


def _hosts(faults: Faults, hosts: list[str], resolution: str) -> None:
    if not hosts:
        faults.error(("spec", "hosts"), "the ServiceEntry has no hosts")
    for index, host in enumerate(hosts):
        path = ("spec", "hosts", index)
        if host == "*":
            faults.error(path, "'*' is not a valid host")
            continue
        faults.error(path, values.bad_wildcard_domain(host))
        if resolution != "DYNAMIC_DNS":
            faults.warning(path, values.bad_partial_wildcard(host))


def _ports(faults: Faults, ports: list[Object]) -> None:
    # The schema ensures that names and numbers are unique.
    for index, port in enumerate(ports):
        path = ("spec", "ports", index)
        name, number = port.get("name") or "", port.get("number") or 0
        if port.get("targetPort"):
            faults.error((*path, "targetPort"), values.bad_port(port["targetPort"]))
        faults.error((*path, "name"), values.bad_port_name(name))
        faults.error((*path, "protocol"), values.bad_protocol(port.get("protocol") or ""))
        faults.error((*path, "number"), values.bad_port(number))


def _by_resolution(faults: Faults, resource: Resource, resolution: str, ports: list[Object]) -> None:
    spec = resource.spec
    endpoints: list[Object] = spec.get("endpoints") or []
    names = {port.get("name") or "" for port in ports}
    if spec.get("workloadSelector") is not None:
        if endpoints:
            faults.error(("spec", "endpoints"), "a ServiceEntry can have only one of workloadSelector and endpoints")
        if resolution == "NONE":
            faults.warning(("spec", "workloadSelector"), "resolution NONE ignores workloadSelector")
    if resolution == "NONE" and endpoints:
        faults.error(("spec", "endpoints"), "resolution NONE does not allow endpoints; STATIC and DNS do")
    elif resolution == "STATIC":
        for index, endpoint in enumerate(endpoints):
            _entry(faults, ("spec", "endpoints", index), endpoint, names, may_be_name=False)
    elif resolution in _BY_DNS:
        _by_dns(faults, spec, resolution, endpoints, names)
    elif resolution == "DYNAMIC_DNS":
        _by_dynamic_dns(faults, resource, ports)


def _by_dns(faults: Faults, spec: Object, resolution: str, endpoints: list[Object], names: set[str]) -> None:
    hosts: list[str] = spec.get("hosts") or []
    for index, host in enumerate(hosts if not endpoints else ()):
        if values.bad_domain(host) and host != "*" and not values.bad_wildcard_domain(host):
            message = f"{host!r} cannot be resolved by DNS: resolution {resolution} needs endpoints for it"
            faults.error(("spec", "hosts", index), message)
            break
    if resolution == "DNS_ROUND_ROBIN" and len(endpoints) > 1:
        faults.error(("spec", "endpoints"), f"resolution {resolution} allows one endpoint, not {len(endpoints)}")
    for index, endpoint in enumerate(endpoints):
        path = ("spec", "endpoints", index)
        _address(faults, path, endpoint.get("address") or "", may_be_name=True)
        _endpoint(faults, path, endpoint, names)
    if spec.get("addresses") and len(hosts) > 1:
        # With addresses, TCP connections are identified by the address alone.
        protocols = [(port.get("protocol") or "").lower() for port in some(spec.get("ports"))]
        if any(protocol in values.TCP_PROTOCOLS for protocol in protocols):
            faults.warning(("spec", "hosts"), "several hosts share the addresses: a TCP port cannot distinguish them")


def _by_dynamic_dns(faults: Faults, resource: Resource, ports: list[Object]) -> None:
    spec = resource.spec
    for index, host in enumerate(some(spec.get("hosts"))):
        if not host.startswith("*"):
            faults.error(("spec", "hosts", index), f"{host!r}: resolution DYNAMIC_DNS is for hosts with a * only")
    for field in ("addresses", "endpoints"):
        if spec.get(field):
            faults.error(
                ("spec", field), f"resolution DYNAMIC_DNS does not allow {field}: requests go to the host they name"
            )
    for index, port in enumerate(ports):
        protocol = port.get("protocol") or ""
        if protocol.lower() not in _OF_DYNAMIC_DNS:
            message = f"{protocol!r}: resolution DYNAMIC_DNS is for HTTP, HTTP2, GRPC and TLS only"
            faults.error(("spec", "ports", index, "protocol"), message)
    waypoint = str(resource.labels.get(_WAYPOINT) or "")
    if spec.get("location") == "MESH_INTERNAL" and waypoint and waypoint.lower() != "none":
        message = "location MESH_INTERNAL with resolution DYNAMIC_DNS is not supported behind a waypoint"
        faults.error(("spec", "location"), message)


def _several_hosts(faults: Faults, ports: list[Object]) -> None:
    for index, port in enumerate(ports):
        protocol = port.get("protocol") or ""
        if protocol.lower() not in values.HTTP_PROTOCOLS | values.TLS_PROTOCOLS:
            shown = protocol or "a port without a protocol"
            message = f"{shown} does not distinguish the hosts of the ServiceEntry: only HTTP and TLS do"
            faults.error(("spec", "ports", index, "protocol"), message)
            return


def workload_entry(resource: Resource, faults: Faults) -> None:
    _entry(faults, ("spec",), resource.spec, None, may_be_name=True)


def _entry(faults: Faults, path: Path, entry: Object, names: set[str] | None, *, may_be_name: bool) -> None:
    """names: of the ports of the ServiceEntry, None if it is not known which."""
    address = entry.get("address") or ""
    if not address:
        if not entry.get("network"):
            faults.error((*path, "address"), "an address or a network is needed")
            return
        faults.warning((*path, "address"), f"only the network {entry['network']!r} is given, and no address")
    elif address.startswith(UNIX):
        faults.error((*path, "address"), values.bad_unix_address(address.removeprefix(UNIX)))
        if entry.get("ports"):
            faults.error((*path, "ports"), "a Unix socket cannot have ports")
        if names is not None and len(names) != 1:
            faults.error((*path, "address"), "a Unix socket needs a ServiceEntry with exactly one port")
    else:
        _address(faults, path, address, may_be_name)
    _endpoint(faults, path, entry, names)


def _address(faults: Faults, path: Path, address: str, may_be_name: bool) -> None:
    if go.is_address(address):
        return
    if not may_be_name:
        faults.error((*path, "address"), f"{address!r} is not a valid IP address: resolution STATIC does not use DNS")
    elif values.bad_domain(address):
        faults.error((*path, "address"), f"{address!r} is neither an IP address nor a domain name")


def _endpoint(faults: Faults, path: Path, endpoint: Object, names: set[str] | None) -> None:
    labels(faults, (*path, "labels"), endpoint.get("labels"))
    for name, number in (endpoint.get("ports") or {}).items():
        where = (*path, "ports", name)
        if names is not None and name not in names:
            faults.error(where, f"{name!r} is not a port of the ServiceEntry: {', '.join(sorted(names))}")
        faults.error(where, values.bad_port_name(name))
        faults.error(where, values.bad_port(number))
