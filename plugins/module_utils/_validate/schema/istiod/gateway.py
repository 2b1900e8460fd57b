# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Gateway, as istiod's admission judges it, and the TLS settings of listeners."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import Faults, some
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import values

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


def gateway(resource: Resource, faults: Faults) -> None:
    if not values.is_label(resource.name):
        faults.error(("metadata", "name"), f"{resource.name!r} is not a valid Gateway name: it must be a DNS label")
    servers = resource.spec.get("servers") or []
    if not servers:
        faults.error(("spec", "servers"), "the Gateway has no servers")
    names: set[str] = set()
    for index, server in enumerate(servers):
        path = ("spec", "servers", index)
        _server(faults, path, server)
        port = server.get("port")
        if port is None:
            continue
        name = port.get("name") or ""
        if name in names:
            faults.error((*path, "port", "name"), f"another server already has the name {name!r}")
        names.add(name)
        is_http = (port.get("protocol") or "").lower() in values.HTTP_PROTOCOLS
        if not is_http and (server.get("tls") or {}).get("httpsRedirect"):
            faults.warning((*path, "tls", "httpsRedirect"), "httpsRedirect is for HTTP servers only")


def _server(faults: Faults, path: Path, server: Object) -> None:
    if not server.get("hosts"):
        faults.error((*path, "hosts"), "the server has no hosts")
    for index, host in enumerate(some(server.get("hosts"))):
        faults.error((*path, "hosts", index), values.bad_namespaced_host(host, True))
    bind = server.get("bind") or ""
    port = server.get("port")
    if port is not None:
        _port(faults, (*path, "port"), port, bind)
    if bind.startswith(UNIX):
        faults.error((*path, "bind"), values.bad_unix_address(bind.removeprefix(UNIX)))
        if port is not None and port.get("number"):
            faults.error((*path, "port", "number"), "a Unix socket needs port 0")
    elif bind:
        faults.error((*path, "bind"), values.bad_address(bind))
    tls = server.get("tls")
    if tls is not None:
        server_tls(faults, (*path, "tls"), tls)
    protocol = ((port or {}).get("protocol") or "").lower()
    if port is None or protocol not in values.PROTOCOLS:
        return
    if protocol in values.TLS_PROTOCOLS:
        if tls is None:
            faults.error((*path, "tls"), f"a server with protocol {protocol.upper()} needs tls")
    elif tls is not None and protocol in values.HTTP_PROTOCOLS:
        passed_on = (tls.get("mode") or "PASSTHROUGH") in ("PASSTHROUGH", "AUTO_PASSTHROUGH")
        if not passed_on or any(tls.get(field) for field in ("caCertificates", "privateKey", "serverCertificate")):
            faults.error((*path, "tls"), f"a plain {protocol.upper()} server allows only httpsRedirect in tls")
    elif tls is not None:
        faults.error((*path, "tls"), f"a server with protocol {protocol.upper()} does not allow tls; protocol TLS does")


def _port(faults: Faults, path: Path, port: Object, bind: str) -> None:
    protocol = port.get("protocol") or ""
    if not protocol:
        faults.error((*path, "protocol"), "the protocol is empty")
    faults.error((*path, "protocol"), values.bad_protocol(protocol))
    number = port.get("number") or 0
    if number > 0 or not bind.startswith(UNIX):
        faults.error((*path, "number"), values.bad_port(number))
    if port.get("targetPort"):
        faults.error((*path, "targetPort"), "targetPort has no effect on a Gateway")
    if not port.get("name"):
        faults.error((*path, "name"), "the port has no name")


def server_tls(faults: Faults, path: Path, tls: Object) -> None:
    mode = tls.get("mode") or "PASSTHROUGH"
    _ciphers(faults, path, tls)
    if mode == "ISTIO_MUTUAL":
        for field in _CERTIFICATES:
            if tls.get(field):
                faults.error((*path, field), f"mode ISTIO_MUTUAL uses the mesh's own certificates: remove {field}")
        return
    used = next((field for field in (*_CERTIFICATES, "caCrl") if tls.get(field)), "")
    if used and mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH"):
        faults.warning((*path, used), f"mode {mode} passes TLS through, so {used} has no effect")
    # The schema excludes other pairs.
    if tls.get("serverCertificate") and tls.get("privateKey"):
        for field in ("credentialName", "credentialNames", "tlsCertificates"):
            if tls.get(field):
                message = f"the certificate can come from one place only, and there are serverCertificate and {field}"
                faults.error((*path, field), message)
    terminated = mode in ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL")
    if terminated and (tls.get("credentialName") or tls.get("credentialNames")):
        return
    if terminated:
        _files(faults, path, tls, mode)
    if tls.get("caCrl"):
        if tls.get("credentialName"):
            faults.error((*path, "caCrl"), "with credentialName the certificate revocation list is part of the Secret")
        if mode == "SIMPLE":
            faults.error((*path, "caCrl"), "mode SIMPLE does not request client certificates: remove caCrl")


def _ciphers(faults: Faults, path: Path, tls: Object) -> None:
    suites = tls.get("cipherSuites") or []
    if tls.get("minProtocolVersion") in ("TLSV1_0", "TLSV1_1") and not suites:
        message = f"{tls['minProtocolVersion']} needs cipherSuites: today's defaults do not support it"
        faults.warning((*path, "minProtocolVersion"), message)
    seen: set[str] = set()
    for index, suite in enumerate(suites):
        if suite and suite != "ALL" and suite[0].isalnum() and suite not in _CIPHERS:
            faults.warning((*path, "cipherSuites", index), f"{suite!r} is not a cipher suite of Envoy and is ignored")
        elif suite in seen:
            faults.warning((*path, "cipherSuites", index), f"{suite!r} is in the list twice")
        seen.add(suite)


def _files(faults: Faults, path: Path, tls: Object, mode: str) -> None:
    if mode != "SIMPLE" and not tls.get("caCertificates"):
        faults.error((*path, "caCertificates"), f"mode {mode} needs caCertificates, or credentialName")
    certificates = [
        (item, (*path, "tlsCertificates", index)) for index, item in enumerate(some(tls.get("tlsCertificates")))
    ]
    for certificate, where in certificates or [(tls, path)]:
        for field in ("serverCertificate", "privateKey"):
            if not certificate.get(field):
                faults.error((*where, field), f"mode {mode} needs {field}, or credentialName")
