# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Certificates that the mesh depends on: its CA, and the one by which the API server trusts istiod."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.certificates import read_chain, unreadable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CONFIG_MAP,
    MUTATING_WEBHOOK,
    SECRET,
    VALIDATING_WEBHOOK,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_DAY = 86400.0
_DAYS = 30
_ROOT = "root-cert.pem"
# istiod's own CA, and a plugged-in one.
_AUTHORITIES = ("istio-ca-secret", "cacerts")
_CERTIFICATES = ("ca-cert.pem", _ROOT)


@check(
    code="MESH533",
    level="warning",
    title="The mesh's CA certificate expires",
    why="Then proxies no longer trust each other, or the API server no longer trusts istiod: calls and new pods fail.",
    remedy="Renew the CA while both certificates are valid; see Istio's pages on plugging in and rotating a CA.",
    needs=(CONFIG_MAP,),
    requires=unreadable,
)
def ending_authority(mesh: Mesh, report: Report) -> None:
    """Reads facts[certificate_days], the number of days before expiry; 30 if it is missing."""
    now = mesh.settings.now or time.time()
    days = mesh.settings.facts.get("certificate_days")
    limit = days if isinstance(days, int) else _DAYS
    for resource, path, pem in _certificates(mesh):
        chain = read_chain(pem)
        if not chain.certificates:
            continue
        left = min(certificate.ends for certificate in chain.certificates) - now
        if left < 0:
            report(resource, path, f"the certificate expired {int(-left // _DAY)} days ago", level="error")
        elif left < limit * _DAY:
            report(resource, path, f"the certificate expires in {int(left // _DAY)} days")


def _certificates(mesh: Mesh) -> Iterator[tuple[Resource, Path, bytes]]:
    """Certificates only, never a key."""
    root = mesh.settings.root_namespace
    for configuration in mesh.of(MUTATING_WEBHOOK, VALIDATING_WEBHOOK):
        for index, webhook in items(configuration.obj, "webhooks"):
            if str(webhook.get("name") or "").endswith("istio.io"):
                bundle = _decoded(part(webhook, "clientConfig").get("caBundle"))
                yield configuration, ("webhooks", index, "clientConfig", "caBundle"), bundle
    for name in _AUTHORITIES:
        if secret := mesh.find(SECRET, root, name):
            for field in _CERTIFICATES:
                yield secret, ("data", field), _decoded(part(secret.obj, "data").get(field))
    if trusted := mesh.find(CONFIG_MAP, root, "istio-ca-root-cert"):
        yield trusted, ("data", _ROOT), str(part(trusted.obj, "data").get(_ROOT) or "").encode()


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(text) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""
