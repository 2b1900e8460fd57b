# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Sidecar, as istiod's admission judges it."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    selector,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.destination_rule import (
    connection_pool,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.gateway import (
    UNIX,
    server_tls,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.http_route import destination
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go, values

_LOCAL = ("", "127.0.0.1", "0.0.0.0", "::1", "::")  # noqa: S104
_NOT_HERE = ("subjectAltNames", "httpsRedirect", "credentialName", "credentialNames", "tlsCertificates")


def sidecar(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    selector(faults, ("spec", "workloadSelector"), spec.get("workloadSelector"), "labels")
    if any(not fault.warning for fault in faults.found):
        # istiod does not check the rest.
        return
    settings = ("outboundTrafficPolicy", "inboundConnectionPool")
    if not spec.get("egress") and not spec.get("ingress") and all(spec.get(field) is None for field in settings):
        faults.error(("spec",), "the Sidecar is empty")
        return
    ports: set[int] = set()
    for index, listener in enumerate(some(spec.get("ingress"))):
        _ingress(faults, ("spec", "ingress", index), listener, ports)
    if (pool := spec.get("inboundConnectionPool")) is not None:
        connection_pool(faults, ("spec", "inboundConnectionPool"), pool)
    # In the root namespace, "./" means the namespace of each workload.
    own = "." if resource.namespace == faults.root_namespace else resource.namespace
    _egress(faults, spec.get("egress") or [], own)
    if (policy := spec.get("outboundTrafficPolicy")) is not None:
        _outbound(faults, ("spec", "outboundTrafficPolicy"), policy)


def _ingress(faults: Faults, path: Path, listener: Object, ports: set[int]) -> None:
    port = listener.get("port")
    if port is None:
        return
    _port(faults, (*path, "port"), port)
    number = port.get("number") or 0
    faults.error((*path, "port", "number"), values.bad_port(number))
    if bind := listener.get("bind"):
        faults.error((*path, "bind"), values.bad_address(bind))
    if number in ports:
        faults.error((*path, "port", "number"), f"the port {number} is used twice")
    ports.add(number)
    if endpoint := listener.get("defaultEndpoint"):
        faults.error((*path, "defaultEndpoint"), _bad_endpoint(endpoint))
    protocol = (port.get("protocol") or "").lower()
    if (tls := listener.get("tls")) is not None:
        _tls(faults, (*path, "tls"), tls, protocol)
    if (pool := listener.get("connectionPool")) is not None:
        connection_pool(faults, (*path, "connectionPool"), pool)
        if pool.get("http") is not None and protocol not in values.HTTP_PROTOCOLS:
            message = f"the port's protocol is {port.get('protocol') or 'not set'}: only the tcp settings apply"
            faults.warning((*path, "connectionPool", "http"), message)


def _port(faults: Faults, path: Path, port: Object) -> None:
    if port.get("targetPort"):
        faults.error((*path, "targetPort"), "targetPort has no effect on a Sidecar")
    if port.get("name"):
        faults.error((*path, "name"), values.bad_port_name(port["name"]))
    faults.error((*path, "protocol"), values.bad_protocol(port.get("protocol") or ""))


def _bad_endpoint(endpoint: str) -> str:
    if endpoint.startswith(UNIX):
        return values.bad_unix_address(endpoint.removeprefix(UNIX))
    found = go.split_host_port(endpoint)
    if found is None or found[0] not in _LOCAL or not found[1].isdecimal() or values.bad_port(int(found[1])):
        return f"{endpoint!r} must be 127.0.0.1:port, 0.0.0.0:port, [::1]:port, [::]:port or unix:///path"
    return ""


def _tls(faults: Faults, path: Path, tls: Object, protocol: str) -> None:
    for field in _NOT_HERE:
        if tls.get(field):
            faults.error((*path, field), f"{field} is not supported in a Sidecar")
    if tls.get("mode") in ("ISTIO_MUTUAL", "AUTO_PASSTHROUGH"):
        faults.error((*path, "mode"), f"mode {tls['mode']} is not supported in a Sidecar")
    if protocol not in values.TLS_PROTOCOLS:
        faults.error(path, f"the protocol {protocol.upper()!r} does not allow tls; HTTPS and TLS do")
    server_tls(faults, path, tls)


def _egress(faults: Faults, listeners: list[Object], own_namespace: str) -> None:
    ports: set[int] = set()
    sockets: set[str] = set()
    for index, listener in enumerate(listeners):
        path = ("spec", "egress", index)
        port = listener.get("port")
        if port is None:
            if index < len(listeners) - 1:
                faults.error(path, "a listener without a port must be the last one, and the only one of its kind")
        else:
            _egress_port(faults, path, listener, port, ports, sockets)
        _egress_hosts(faults, (*path, "hosts"), listener.get("hosts") or [], own_namespace)


def _egress_port(
    faults: Faults, path: Path, listener: Object, port: Object, ports: set[int], sockets: set[str]
) -> None:
    _port(faults, (*path, "port"), port)
    bind = listener.get("bind") or ""
    number = port.get("number") or 0
    if number:
        faults.error((*path, "port", "number"), values.bad_port(number))
        if bind:
            faults.error((*path, "bind"), values.bad_address(bind))
        if number in ports:
            faults.error((*path, "port", "number"), f"the port {number} is used twice")
        ports.add(number)
        return
    if bind.startswith(UNIX):
        faults.error((*path, "bind"), values.bad_unix_address(bind.removeprefix(UNIX)))
    else:
        faults.error((*path, "bind"), "a listener on port 0 needs a Unix socket: unix:///path")
    if listener.get("captureMode") not in (None, "DEFAULT", "NONE"):
        faults.error((*path, "captureMode"), f"{listener['captureMode']} is not allowed with a Unix socket")
    if bind in sockets:
        faults.error((*path, "bind"), f"the socket {bind!r} is used twice")
    sockets.add(bind)


def _egress_hosts(faults: Faults, path: Path, hosts: list[str], own_namespace: str) -> None:
    if not hosts:
        faults.error(path, "the listener has no hosts")
    seen: dict[str, set[str]] = {}
    for index, host in enumerate(hosts):
        where, slash, service = host.partition("/")
        if slash and not where.startswith("~"):
            known = seen.setdefault(own_namespace if where == "." else where, set())
            if known if service == "*" else service in known or "*" in known:
                faults.warning((*path, index), f"{host!r} is covered by another entry")
            known.add(service)
        faults.error((*path, index), values.bad_namespaced_host(host, False))
    if "*" in seen.get("*", ()) and len(seen) > 1:
        faults.warning(path, "'*/*' covers every host: the other hosts have no effect")


def _outbound(faults: Faults, path: Path, policy: Object) -> None:
    mode = policy.get("mode") or "REGISTRY_ONLY"
    if mode == "ALLOW_ANY_DYNAMIC_DNS":
        faults.error((*path, "mode"), "ALLOW_ANY_DYNAMIC_DNS can be set for the whole mesh only")
        return
    proxy = policy.get("egressProxy")
    if proxy is None:
        return
    if mode != "ALLOW_ANY":
        faults.error((*path, "egressProxy"), f"egressProxy needs mode ALLOW_ANY, and the mode is {mode}")
        return
    if fault := values.bad_domain(proxy.get("host") or ""):
        faults.error((*path, "egressProxy", "host"), fault)
    elif proxy.get("port") is None:
        faults.error((*path, "egressProxy", "port"), "egressProxy needs a port")
    else:
        destination(faults, (*path, "egressProxy"), proxy)
