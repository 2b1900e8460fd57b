# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Sidecar, as istiod's admission judges it."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import go, values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import Say, selector, some
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.destination_rule import (
    connection_pool,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.gateway import UNIX, server_tls
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.http_route import destination

_LOCAL = ("", "127.0.0.1", "0.0.0.0", "::1", "::")  # noqa: S104
_NOT_HERE = ("subjectAltNames", "httpsRedirect", "credentialName", "credentialNames", "tlsCertificates")


def sidecar(resource: Resource, say: Say) -> None:
    spec = resource.spec
    selector(say, ("spec", "workloadSelector"), spec.get("workloadSelector"), "labels")
    if any(not fault.warning for fault in say.faults):
        # istiod does not look at the rest.
        return
    settings = ("outboundTrafficPolicy", "inboundConnectionPool")
    if not spec.get("egress") and not spec.get("ingress") and all(spec.get(field) is None for field in settings):
        say.refused(("spec",), "the Sidecar says nothing")
        return
    ports: set[int] = set()
    for index, listener in enumerate(some(spec.get("ingress"))):
        _ingress(say, ("spec", "ingress", index), listener, ports)
    if (pool := spec.get("inboundConnectionPool")) is not None:
        connection_pool(say, ("spec", "inboundConnectionPool"), pool)
    _egress(say, spec.get("egress") or [], resource.namespace)
    if (policy := spec.get("outboundTrafficPolicy")) is not None:
        _outbound(say, ("spec", "outboundTrafficPolicy"), policy)


def _ingress(say: Say, path: Path, listener: Object, ports: set[int]) -> None:
    port = listener.get("port")
    if port is None:
        return
    _port(say, (*path, "port"), port)
    number = port.get("number") or 0
    say.refused((*path, "port", "number"), values.bad_port(number))
    if bind := listener.get("bind"):
        say.refused((*path, "bind"), values.bad_address(bind))
    if number in ports:
        say.refused((*path, "port", "number"), f"the port {number} is there twice")
    ports.add(number)
    if endpoint := listener.get("defaultEndpoint"):
        say.refused((*path, "defaultEndpoint"), _bad_endpoint(endpoint))
    protocol = (port.get("protocol") or "").lower()
    if (tls := listener.get("tls")) is not None:
        _tls(say, (*path, "tls"), tls, protocol)
    if (pool := listener.get("connectionPool")) is not None:
        connection_pool(say, (*path, "connectionPool"), pool)
        if pool.get("http") is not None and protocol not in values.HTTP_PROTOCOLS:
            message = f"the port's protocol is {port.get('protocol') or 'not said'}: only the settings of tcp apply"
            say.doubted((*path, "connectionPool", "http"), message)


def _port(say: Say, path: Path, port: Object) -> None:
    if port.get("targetPort"):
        say.refused((*path, "targetPort"), "targetPort has no effect on a Sidecar")
    if port.get("name"):
        say.refused((*path, "name"), values.bad_port_name(port["name"]))
    say.refused((*path, "protocol"), values.bad_protocol(port.get("protocol") or ""))


def _bad_endpoint(endpoint: str) -> str:
    if endpoint.startswith(UNIX):
        return values.bad_unix_address(endpoint.removeprefix(UNIX))
    found = go.split_host_port(endpoint)
    if found is None or found[0] not in _LOCAL or not found[1].isdecimal() or values.bad_port(int(found[1])):
        return f"{endpoint!r} is neither 127.0.0.1:port, 0.0.0.0:port, [::1]:port nor [::]:port, nor unix:///path"
    return ""


def _tls(say: Say, path: Path, tls: Object, protocol: str) -> None:
    for field in _NOT_HERE:
        if tls.get(field):
            say.refused((*path, field), f"{field} is not supported in a Sidecar")
    if tls.get("mode") in ("ISTIO_MUTUAL", "AUTO_PASSTHROUGH"):
        say.refused((*path, "mode"), f"mode {tls['mode']} is not supported in a Sidecar")
    if protocol not in values.TLS_PROTOCOLS:
        say.refused(path, f"the protocol {protocol.upper()!r} has no tls: HTTPS and TLS have")
    server_tls(say, path, tls)


def _egress(say: Say, listeners: list[Object], namespace: str) -> None:
    ports: set[int] = set()
    sockets: set[str] = set()
    for index, listener in enumerate(listeners):
        path = ("spec", "egress", index)
        port = listener.get("port")
        if port is None:
            if index < len(listeners) - 1:
                say.refused(path, "the listener without a port takes what the others leave: there is one, as the last")
        else:
            _egress_port(say, path, listener, port, ports, sockets)
        _egress_hosts(say, (*path, "hosts"), listener.get("hosts") or [], namespace)


def _egress_port(say: Say, path: Path, listener: Object, port: Object, ports: set[int], sockets: set[str]) -> None:
    _port(say, (*path, "port"), port)
    bind = listener.get("bind") or ""
    number = port.get("number") or 0
    if number:
        say.refused((*path, "port", "number"), values.bad_port(number))
        if bind:
            say.refused((*path, "bind"), values.bad_address(bind))
        if number in ports:
            say.refused((*path, "port", "number"), f"the port {number} is there twice")
        ports.add(number)
        return
    if bind.startswith(UNIX):
        say.refused((*path, "bind"), values.bad_unix_address(bind.removeprefix(UNIX)))
    else:
        say.refused((*path, "bind"), "a listener on port 0 needs a socket of Unix: unix:///path")
    if listener.get("captureMode") not in (None, "DEFAULT", "NONE"):
        say.refused((*path, "captureMode"), f"{listener['captureMode']} is not for a socket of Unix")
    if bind in sockets:
        say.refused((*path, "bind"), f"the socket {bind!r} is there twice")
    sockets.add(bind)


def _egress_hosts(say: Say, path: Path, hosts: list[str], namespace: str) -> None:
    if not hosts:
        say.refused(path, "the listener has no hosts")
    seen: dict[str, set[str]] = {}
    for index, host in enumerate(hosts):
        where, slash, service = host.partition("/")
        if slash and not where.startswith("~"):
            known = seen.setdefault(namespace if where == "." else where, set())
            if known if service == "*" else service in known or "*" in known:
                say.doubted((*path, index), f"{host!r} is covered by another entry")
            known.add(service)
        say.refused((*path, index), values.bad_namespaced_host(host, False))
    if "*" in seen.get("*", ()) and len(seen) > 1:
        say.doubted(path, "'*/*' covers every host: the others have no effect")


def _outbound(say: Say, path: Path, policy: Object) -> None:
    mode = policy.get("mode") or "REGISTRY_ONLY"
    if mode == "ALLOW_ANY_DYNAMIC_DNS":
        say.refused((*path, "mode"), "ALLOW_ANY_DYNAMIC_DNS can be set for the whole mesh only")
        return
    proxy = policy.get("egressProxy")
    if proxy is None:
        return
    if mode != "ALLOW_ANY":
        say.refused((*path, "egressProxy"), f"egressProxy needs mode ALLOW_ANY, here it is {mode}")
        return
    if fault := values.bad_domain(proxy.get("host") or ""):
        say.refused((*path, "egressProxy", "host"), fault)
    elif proxy.get("port") is None:
        say.refused((*path, "egressProxy", "port"), "egressProxy needs a port")
    else:
        destination(say, (*path, "egressProxy"), proxy)
