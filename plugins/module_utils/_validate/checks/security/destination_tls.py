# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""DestinationRules that start TLS and do not set whom to trust."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import DESTINATION_RULE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_WHY = (
    "Without caCertificates the proxy trusts every CA of the system, and before Istio 1.21 it verified nothing; with"
    " insecureSkipVerify it still does not."
)
_REMEDY = "Set caCertificates to the CA that signs the server's certificate, or credentialName for selected pods."


def _unverified(mesh: Mesh, rule: Resource, tls: Object) -> tuple[str, str] | None:
    """The message and its level; None if the server is verified or there is no TLS.

    It is fine to verify a public server by the system's CAs; they cannot verify the mesh's own certificates.
    """
    mode = tls.get("mode")
    if mode not in ("SIMPLE", "MUTUAL") or tls.get("caCertificates"):
        return None
    if tls.get("credentialName") and isinstance(rule.spec.get("workloadSelector"), dict):
        return None
    host = str(rule.spec.get("host") or "")
    if tls.get("insecureSkipVerify") is True:
        return f"the certificate of '{host}' is not verified: insecureSkipVerify", ""
    text = f"TLS mode {mode} to '{host}' has no caCertificates: a certificate of any CA of the system is accepted"
    inside = hosts.service_of(mesh.qualified(host, rule.namespace), mesh.settings.cluster_domain) is not None
    return text, "" if inside else "info"


@check(
    code="IST0128",
    level="warning",
    title="TLS to a server that is not verified",
    why=_WHY,
    remedy=_REMEDY,
    alone=True,
)
def destination_not_verified(mesh: Mesh, report: Report) -> None:
    for rule in mesh.of(DESTINATION_RULE):
        if found := _unverified(mesh, rule, part(rule.spec, "trafficPolicy", "tls")):
            report(rule, ("spec", "trafficPolicy", "tls", "mode"), found[0], level=found[1])


@check(
    code="IST0129",
    level="warning",
    title="TLS to a server's port that is not verified",
    why=_WHY,
    remedy=_REMEDY,
    alone=True,
)
def port_not_verified(mesh: Mesh, report: Report) -> None:
    for rule in mesh.of(DESTINATION_RULE):
        for index, settings in items(rule.spec, "trafficPolicy", "portLevelSettings"):
            if found := _unverified(mesh, rule, part(settings, "tls")):
                path = ("spec", "trafficPolicy", "portLevelSettings", index, "tls", "mode")
                report(rule, path, f"port {part(settings, 'port').get('number')}: {found[0]}", level=found[1])
