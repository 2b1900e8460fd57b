# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""TLS credentials that gateways (Istio's and the Gateway API's) refer to, and the contents of their Secrets."""

from __future__ import annotations

import base64
import binascii
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.certificates import (
    NO_CHAIN,
    Chain,
    read_chain,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateway_api import (
    Listener,
    granted,
    listeners,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import servers, workloads_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    K8S_GATEWAY,
    SECRET,
    Kind,
    Path,
    Resource,
)

# In the order in which istiod tries them.
_PAIRS = (("cert", "key"), ("tls.crt", "tls.key"))
_CERTIFICATE_KEYS = {"ca.crt", "cacert", "cert", "tls.crt"}
_CA = ("cacert", "ca.crt")
_OWN_CERTIFICATE = {"ISTIO_MUTUAL", "PASSTHROUGH", "AUTO_PASSTHROUGH"}
_TERMINATE_MODE = "gateway.istio.io/tls-terminate-mode"

# Objects that create a Secret, and the field that names it; otherwise it has their own name.
_MAKERS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (Kind("cert-manager.io", "Certificate"), ("secretName",)),
    (Kind("external-secrets.io", "ExternalSecret"), ("target", "name")),
    (Kind("bitnami.com", "SealedSecret"), ("template", "metadata", "name")),
)

# cert-manager creates a Secret for each listener of a Gateway with one of these annotations.
_ISSUERS = {"cert-manager.io/issuer", "cert-manager.io/cluster-issuer"}


class Credential(NamedTuple):
    """A Secret that a gateway refers to, with the field that names it.

    hosts: the field and the host of everything that it serves. wants_ca: clients must present a certificate.
    permitted: whether the reference is allowed; always so within one namespace.
    """

    gateway: Resource
    path: Path
    namespace: str
    name: str
    hosts: tuple[tuple[Path, str], ...]
    wants_ca: bool
    permitted: bool = True

    def secret(self, mesh: Mesh) -> Resource | None:
        return mesh.find(SECRET, self.namespace, self.name)


class Content(NamedTuple):
    """fault: why it is unusable; certificate_key and private_key: the keys of the Secret's data that hold them."""

    fault: str = ""
    certificate_key: str = ""
    private_key: str = ""
    chain: Chain = NO_CHAIN


@once_per_mesh
def credentials(mesh: Mesh) -> list[Credential]:
    return [*_of_istio(mesh), *_of_gateway_api(mesh)]


def _of_istio(mesh: Mesh) -> list[Credential]:
    """Looked up in the namespaces of the gateway's pods, not in the Gateway's own."""
    found = []
    for server in servers(mesh):
        mode = str(server.tls.get("mode"))
        if mode in _OWN_CERTIFICATE:
            continue
        hosts = tuple(((*server.path, "hosts", place), host) for place, _scope, host in server.hosts)
        spaces = sorted({workload.namespace for workload in workloads_of(mesh, server.selector)})
        named: list[tuple[Path, Any]] = [(("credentialName",), server.tls.get("credentialName"))]
        named += [(("credentialNames", place), name) for place, name in texts(server.tls, "credentialNames")]
        for field, text in named:
            if not isinstance(text, str) or not (name := text.removeprefix("kubernetes://")) or "://" in name:
                continue
            space, slash, short = name.rpartition("/")
            for namespace in [space] if slash else spaces:
                wants_ca = mode in ("MUTUAL", "OPTIONAL_MUTUAL") and not server.tls.get("caCertCredentialName")
                path = (*server.path, "tls", *field)
                found.append(Credential(server.gateway, path, namespace, short, hosts, wants_ca))
    return found


def _of_gateway_api(mesh: Mesh) -> list[Credential]:
    return [
        credential
        for listener in listeners(mesh)
        if listener.tls.get("mode") in (None, "Terminate")
        for credential in _of_listener(mesh, listener)
    ]


def _of_listener(mesh: Mesh, listener: Listener) -> list[Credential]:
    gateway = listener.gateway
    mode = part(listener.tls, "options").get(_TERMINATE_MODE)
    hosts = (((*listener.path, "hostname"), listener.hostname),) if listener.hostname else ()
    found = []
    for place, reference in items(listener.tls, "certificateRefs"):
        name = reference.get("name")
        if reference.get("group") or reference.get("kind", "Secret") != "Secret" or not isinstance(name, str):
            continue
        namespace = str(reference.get("namespace") or gateway.namespace)
        permitted = granted(mesh, (K8S_GATEWAY, gateway.namespace), (SECRET, namespace), name)
        path = (*listener.path, "tls", "certificateRefs", place, "name")
        wants_ca = mode in ("MUTUAL", "OPTIONAL_MUTUAL")
        found.append(Credential(gateway, path, namespace, name, hosts, wants_ca, permitted))
    return found


def will_be_made(mesh: Mesh, credential: Credential, name: str = "") -> bool:
    """Whether another object of the input creates the Secret. One that had its time in the cluster does not count."""
    gateway = credential.gateway
    issued = gateway.kind == K8S_GATEWAY and any(str(key) in _ISSUERS for key in gateway.annotations)
    if issued and not _has_had_its_time(mesh, gateway):
        return True
    return (credential.namespace, name or credential.name) in _made_secrets(mesh)


def _has_had_its_time(mesh: Mesh, maker: Resource) -> bool:
    return maker.is_live and SECRET in mesh.settings.listed


@once_per_mesh
def _made_secrets(mesh: Mesh) -> set[tuple[str, str]]:
    """(namespace, name) of the Secrets that other objects create."""
    found = set()
    for kind, field in _MAKERS:
        for maker in mesh.of(kind):
            name = part(maker.spec, *field[:-1]).get(field[-1])
            if not _has_had_its_time(mesh, maker):
                found.add((maker.namespace, name if isinstance(name, str) else maker.name))
    return found


@once_per_mesh
def contents(mesh: Mesh) -> dict[int, Content]:
    """The contents of each Secret that a gateway refers to, by ``id`` of the Secret; each certificate is read once."""
    found: dict[int, Content] = {}
    for credential in credentials(mesh):
        secret = credential.secret(mesh)
        if secret is not None and id(secret) not in found and has_data(secret):
            found[id(secret)] = _content(secret)
    return found


@once_per_mesh
def _namespaces_of_certificates(mesh: Mesh) -> set[str]:
    return {secret.namespace for secret in mesh.of(SECRET) if _is_for_gateways(secret)}


def _is_for_gateways(secret: Resource) -> bool:
    keys = {*part(secret.obj, "data"), *part(secret.obj, "stringData")}
    return secret.obj.get("type") == "kubernetes.io/tls" or not keys.isdisjoint(_CERTIFICATE_KEYS)


def knows_certificates(mesh: Mesh, namespace: str) -> bool:
    """Whether the absence of a gateway's Secret means something: a Secret for another purpose does not show it."""
    return SECRET in mesh.settings.listed or namespace in _namespaces_of_certificates(mesh)


def has_data(secret: Resource) -> bool:
    """Possibly only its metadata was read."""
    return isinstance(secret.obj.get("data"), dict) or isinstance(secret.obj.get("stringData"), dict)


def _content(secret: Resource) -> Content:
    keys = sorted({str(key) for field in ("data", "stringData") for key in part(secret.obj, field)})
    for certificate_key, private_key in _PAIRS:
        if certificate_key not in keys or private_key not in keys:
            continue
        certificate, key = value_of(secret, certificate_key), value_of(secret, private_key)
        for name, value in ((certificate_key, certificate), (private_key, key)):
            if value is None:
                return Content(f"'{name}' is not valid base64")
            if not value:
                return Content(f"'{name}' is empty")
        chain = read_chain(certificate or b"", key)
        fault = f"'{certificate_key}' {chain.fault}" if chain.fault else ""
        if not fault and chain.key_fault:
            fault = f"'{private_key}' {chain.key_fault}"
        return Content(fault, certificate_key, private_key, chain)
    shown = ", ".join(keys[:3]) or "none"
    return Content(f"has neither tls.crt and tls.key nor cert and key; its keys: {shown}")


def value_of(secret: Resource, key: str) -> bytes | None:
    """None if it is not valid base64."""
    plain = part(secret.obj, "stringData").get(key)
    if isinstance(plain, str):
        return plain.encode()
    value = part(secret.obj, "data").get(key)
    try:
        return base64.b64decode("".join(value.split()), validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return None


def ca_of(mesh: Mesh, credential: Credential) -> tuple[Resource, str] | None:
    """The Secret and the key with the CA of the clients' certificates, as istiod looks for them."""
    for name in (f"{credential.name}-cacert", credential.name):
        secret = mesh.find(SECRET, credential.namespace, name)
        for key in _CA if secret is not None else ():
            if secret is not None and value_of(secret, key):
                return secret, key
    return None
