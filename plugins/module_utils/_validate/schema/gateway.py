# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Gateway, as istiod's admission judges it, and the TLS settings of what listens."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import Say, some

UNIX = "unix://"
_CIPHERS = frozenset(
    (
        *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        *("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
        *("ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA"),
        *("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA"),
    )
)
_CERTIFICATES = (
    *("serverCertificate", "privateKey", "caCertificates", "tlsCertificates", "credentialName", "credentialNames"),
)


def gateway(resource: Resource, say: Say) -> None:
    if not values.is_label(resource.name):
        say.refused(("metadata", "name"), f"{resource.name!r} is no name of a Gateway: it has to be a label of DNS")
    servers = resource.spec.get("servers") or []
    if not servers:
        say.refused(("spec", "servers"), "the Gateway has no servers")
    names: set[str] = set()
    for index, server in enumerate(servers):
        path = ("spec", "servers", index)
        _server(say, path, server)
        port = server.get("port")
        if port is None:
            continue
        name = port.get("name") or ""
        if name in names:
            say.refused((*path, "port", "name"), f"the name {name!r} is another server's, too")
        names.add(name)
        is_http = (port.get("protocol") or "").lower() in values.HTTP_PROTOCOLS
        if not is_http and (server.get("tls") or {}).get("httpsRedirect"):
            say.doubted((*path, "tls", "httpsRedirect"), "httpsRedirect is for servers of HTTP")


def _server(say: Say, path: Path, server: Object) -> None:
    if not server.get("hosts"):
        say.refused((*path, "hosts"), "the server has no hosts")
    for index, host in enumerate(some(server.get("hosts"))):
        say.refused((*path, "hosts", index), values.bad_namespaced_host(host, True))
    bind = server.get("bind") or ""
    port = server.get("port")
    if port is not None:
        _port(say, (*path, "port"), port, bind)
    if bind.startswith(UNIX):
        say.refused((*path, "bind"), values.bad_unix_address(bind.removeprefix(UNIX)))
        if port is not None and port.get("number"):
            say.refused((*path, "port", "number"), "a socket of Unix has the port 0")
    elif bind:
        say.refused((*path, "bind"), values.bad_address(bind))
    tls = server.get("tls")
    if tls is not None:
        server_tls(say, (*path, "tls"), tls)
    protocol = ((port or {}).get("protocol") or "").lower()
    if port is None or protocol not in values.PROTOCOLS:
        return
    if protocol in values.TLS_PROTOCOLS:
        if tls is None:
            say.refused((*path, "tls"), f"a server of {protocol.upper()} needs tls")
    elif tls is not None and protocol in values.HTTP_PROTOCOLS:
        passed_on = (tls.get("mode") or "PASSTHROUGH") in ("PASSTHROUGH", "AUTO_PASSTHROUGH")
        if not passed_on or any(tls.get(field) for field in ("caCertificates", "privateKey", "serverCertificate")):
            say.refused((*path, "tls"), f"a server of plain {protocol.upper()} can have no tls but httpsRedirect")
    elif tls is not None:
        say.refused((*path, "tls"), f"a server of {protocol.upper()} has no tls; the protocol TLS would")


def _port(say: Say, path: Path, port: Object, bind: str) -> None:
    protocol = port.get("protocol") or ""
    if not protocol:
        say.refused((*path, "protocol"), "the protocol is empty")
    say.refused((*path, "protocol"), values.bad_protocol(protocol))
    number = port.get("number") or 0
    if number > 0 or not bind.startswith(UNIX):
        say.refused((*path, "number"), values.bad_port(number))
    if port.get("targetPort"):
        say.refused((*path, "targetPort"), "targetPort has no effect on a Gateway")
    if not port.get("name"):
        say.refused((*path, "name"), "the port has no name")


def server_tls(say: Say, path: Path, tls: Object) -> None:
    mode = tls.get("mode") or "PASSTHROUGH"
    _ciphers(say, path, tls)
    if mode == "ISTIO_MUTUAL":
        for field in _CERTIFICATES:
            if tls.get(field):
                say.refused((*path, field), f"mode ISTIO_MUTUAL uses the mesh's own certificates: {field} has no place")
        return
    used = next((field for field in (*_CERTIFICATES, "caCrl") if tls.get(field)), "")
    if used and mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH"):
        say.doubted((*path, used), f"mode {mode} passes TLS on, so {used} has no effect")
    # Other pairs are excluded by the schema.
    if tls.get("serverCertificate") and tls.get("privateKey"):
        for field in ("credentialName", "credentialNames", "tlsCertificates"):
            if tls.get(field):
                message = f"the certificate comes from one place only, here from serverCertificate and {field}"
                say.refused((*path, field), message)
    terminated = mode in ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL")
    if terminated and (tls.get("credentialName") or tls.get("credentialNames")):
        return
    if terminated:
        _files(say, path, tls, mode)
    if tls.get("caCrl"):
        if tls.get("credentialName"):
            say.refused((*path, "caCrl"), "with credentialName the list of revoked certificates is part of the Secret")
        if mode == "SIMPLE":
            say.refused((*path, "caCrl"), "mode SIMPLE asks for no certificate of clients, so caCrl has no place")


def _ciphers(say: Say, path: Path, tls: Object) -> None:
    suites = tls.get("cipherSuites") or []
    if tls.get("minProtocolVersion") in ("TLSV1_0", "TLSV1_1") and not suites:
        message = f"{tls['minProtocolVersion']} needs cipherSuites: those of today's default are not for it"
        say.doubted((*path, "minProtocolVersion"), message)
    seen: set[str] = set()
    for index, suite in enumerate(suites):
        if suite and suite != "ALL" and suite[0].isalnum() and suite not in _CIPHERS:
            say.doubted((*path, "cipherSuites", index), f"{suite!r} is no cipher suite of Envoy and is passed by")
        elif suite in seen:
            say.doubted((*path, "cipherSuites", index), f"{suite!r} is in the list twice")
        seen.add(suite)


def _files(say: Say, path: Path, tls: Object, mode: str) -> None:
    if mode != "SIMPLE" and not tls.get("caCertificates"):
        say.refused((*path, "caCertificates"), f"mode {mode} needs caCertificates, or credentialName")
    certificates = [
        (item, (*path, "tlsCertificates", index)) for index, item in enumerate(some(tls.get("tlsCertificates")))
    ]
    for certificate, where in certificates or [(tls, path)]:
        for field in ("serverCertificate", "privateKey"):
            if not certificate.get(field):
                say.refused((*where, field), f"mode {mode} needs {field}, or credentialName")
