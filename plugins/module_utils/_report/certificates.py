# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""When certificates expire: of gateways, of the mesh's own CA, of webhooks. Keys are never read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import iso_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.certificates import read_chain, unreadable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.credentials import (
    contents,
    credentials,
    has_data,
    value_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CONFIG_MAP,
    MUTATING_WEBHOOK,
    SECRET,
    VALIDATING_WEBHOOK,
    Resource,
)

GATEWAY, AUTHORITY, WEBHOOK = "gateway", "mesh authority", "webhook"
_DAY = 86_400
# A CA that istiod created itself, and a plugged-in one, in istiod's own names for the certificates.
_AUTHORITIES = ("istio-ca-secret", "cacerts")
_AUTHORITY_KEYS = ("ca-cert.pem", "cert-chain.pem", "root-cert.pem", "tls.crt", "ca.crt")
# The root that every namespace trusts. An account that may not read Secrets still sees when it expires.
_ROOT = "istio-ca-root-cert"


def certificates(mesh: Mesh) -> list[Object]:
    """use, where, used_by, subject, issuer, names, starts, ends, days_left, fault of each, the first to expire first.

    starts and ends: ISO, in UTC. days_left: whole days, negative if it has expired. fault: why there is no expiry.
    """
    if problem := unreadable():
        return [_faulty("", "", [], f"certificates cannot be read without {problem}")]
    found = [*_of_gateways(mesh), *_of_authority(mesh), *_of_webhooks(mesh)]
    return sorted(found, key=lambda item: (item["days_left"] is not None, item["ends"], item["where"]))


def _of_gateways(mesh: Mesh) -> Iterator[Object]:
    users: dict[tuple[str, str], list[str]] = {}
    for credential in credentials(mesh):
        gateway = credential.gateway
        users.setdefault((credential.namespace, credential.name), []).append(f"{gateway.namespace}/{gateway.name}")
    known = contents(mesh)
    for (namespace, name), gateways in sorted(users.items()):
        where, used_by = f"Secret {namespace}/{name}", sorted(set(gateways))
        secret = mesh.find(SECRET, namespace, name)
        if secret is None or not has_data(secret):
            missing = "the Secret does not exist" if SECRET in mesh.settings.listed else "the Secret was not read"
            yield _faulty(GATEWAY, where, used_by, missing)
            continue
        content = known[id(secret)]
        if content.fault:
            yield _faulty(GATEWAY, where, used_by, content.fault)
        else:
            yield _described(mesh, GATEWAY, where, used_by, value_of(secret, content.certificate_key) or b"")


def _of_authority(mesh: Mesh) -> Iterator[Object]:
    root = mesh.settings.root_namespace
    for name in _AUTHORITIES:
        secret = mesh.find(SECRET, root, name)
        if secret is not None:
            yield from _by_key(mesh, secret)
    published = mesh.find(CONFIG_MAP, root, _ROOT)
    if published is not None:
        text = str(part(published.obj, "data").get("root-cert.pem", ""))
        yield _described(mesh, AUTHORITY, f"ConfigMap {root}/{_ROOT}", ["every workload"], text.encode())


def _by_key(mesh: Mesh, secret: Resource) -> Iterator[Object]:
    for key in _AUTHORITY_KEYS:
        if pem := value_of(secret, key):
            yield _described(mesh, AUTHORITY, f"Secret {secret.namespace}/{secret.name}, {key}", ["istiod"], pem)


def _of_webhooks(mesh: Mesh) -> Iterator[Object]:
    for resource in mesh.of(MUTATING_WEBHOOK, VALIDATING_WEBHOOK):
        users: dict[str, list[str]] = {}
        for _index, webhook in items(resource.obj, "webhooks"):
            client = part(webhook, "clientConfig")
            bundle = client.get("caBundle")
            # The API server's own list of CAs may trust one at a URL.
            if bundle or client.get("service"):
                users.setdefault(str(bundle or ""), []).append(str(webhook.get("name", "")))
        where = f"{resource.kind.kind} {resource.name}"
        for bundle, names in users.items():
            if not bundle:
                yield _faulty(WEBHOOK, where, names, "has no CA bundle, so the API server cannot trust it")
                continue
            try:
                yield _described(mesh, WEBHOOK, where, names, base64.b64decode(bundle, validate=True))
            except (binascii.Error, ValueError):
                yield _faulty(WEBHOOK, where, names, "has a CA bundle that is not valid base64")


def _described(mesh: Mesh, use: str, where: str, used_by: Sequence[str], pem: bytes) -> Object:
    """The first certificate of the chain, and the expiry of the one that expires first."""
    chain = read_chain(pem)
    if chain.fault:
        return _faulty(use, where, used_by, chain.fault)
    first = chain.certificates[0]
    ends = min(certificate.ends for certificate in chain.certificates)
    return {
        "use": use,
        "where": where,
        "used_by": list(used_by),
        "subject": first.subject,
        "issuer": first.issuer,
        "names": list(first.names),
        "starts": iso_of(first.starts),
        "ends": iso_of(ends),
        "days_left": int((ends - mesh.settings.now) // _DAY),
        "fault": "",
    }


def _faulty(use: str, where: str, used_by: Sequence[str], fault: str) -> Object:
    empty: dict[str, Any] = dict.fromkeys(("subject", "issuer", "starts", "ends"), "")
    given = {"use": use, "where": where, "used_by": list(used_by)}
    return {**given, **empty, "names": [], "days_left": None, "fault": fault}
