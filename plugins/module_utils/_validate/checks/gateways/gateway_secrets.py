# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Secrets of gateways that are missing, unusable, about to expire, or do not fit the hosts."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.certificates import (
    Certificate,
    Chain,
    read_chain,
    unreadable,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.credentials import (
    Credential,
    ca_of,
    contents,
    credentials,
    has_data,
    knows_certificates,
    value_of,
    will_be_made,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_grant
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import GATEWAY, SECRET, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

DAY = 86400
DAYS = 30
# In settings.facts: how many days before its expiry a certificate is reported.
DAYS_FACT = "certificate_days"


@check(
    code="IST0101",
    level="error",
    title="Missing Secret of a gateway",
    why="Without the Secret the proxy has no certificate: TLS connections to the server are refused.",
    remedy="Create the Secret in the namespace of the gateway's pods, or correct the name.",
    aliases=["IST0171"],
    needs=[SECRET],
)
def gateway_secret(mesh: Mesh, report: Report) -> None:
    for credential in credentials(mesh):
        if not credential.permitted or credential.secret(mesh) or not knows_certificates(mesh, credential.namespace):
            continue
        if will_be_made(mesh, credential):
            continue
        text = f"Secret '{credential.name}' is not in namespace '{credential.namespace}'"
        own = credential.gateway.namespace
        if credential.gateway.kind == GATEWAY and own != credential.namespace:
            text += ", where the gateway's pods run"
            if mesh.find(SECRET, own, credential.name):
                text += f"; the one in '{own}' is not used"
        report(credential.gateway, credential.path, text)


@check(
    code="MESH302",
    level="error",
    title="Certificate of another namespace without a grant",
    why="Using another namespace's Secret needs a ReferenceGrant there. Without it the listener stays down.",
    remedy="Add a ReferenceGrant to the Secret's namespace, or copy the Secret.",
    aliases=["IST0171"],
)
def secret_not_granted(mesh: Mesh, report: Report) -> None:
    for credential in credentials(mesh):
        if credential.permitted:
            continue
        if lacking := unseen_grant(mesh, credential.namespace):
            report.undecided(lacking)
        else:
            text = f"no ReferenceGrant in namespace '{credential.namespace}' allows Gateways from"
            text += f" '{credential.gateway.namespace}' to use Secret '{credential.name}'"
            report(credential.gateway, credential.path, text)


@check(
    code="IST0161",
    level="error",
    title="Unusable Secret of a gateway",
    why="The proxy rejects the certificate, or the clients do: no TLS connection to the server succeeds.",
    remedy="Put a valid certificate and its private key in the Secret.",
    aliases=["IST0171"],
    needs=[SECRET],
    requires=unreadable,
)
def invalid_credential(mesh: Mesh, report: Report) -> None:
    now = _now(mesh)
    for credential in credentials(mesh):
        secret = credential.secret(mesh) if credential.permitted else None
        content = contents(mesh).get(id(secret))
        if secret is None or content is None:
            continue
        if fault := content.fault or _out_of_time(_needed(content.chain), now):
            where = f"Secret '{secret.namespace}/{secret.name}'"
            report(credential.gateway, credential.path, f"{where}: {fault}")


def _now(mesh: Mesh) -> float:
    return mesh.settings.now or time.time()


def _needed(chain: Chain) -> list[Certificate]:
    """Ignores a root in the chain: clients use their own."""
    first, *others = chain.certificates
    return [first, *(certificate for certificate in others if certificate.subject != certificate.issuer)]


def _out_of_time(certificates: Iterable[Certificate], now: float) -> str:
    for certificate in certificates:
        if now > certificate.ends:
            return f"certificate {certificate.subject} expired on {_day(certificate.ends)}"
        if now < certificate.starts:
            return f"certificate {certificate.subject} is not valid before {_day(certificate.starts)}"
    return ""


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _used_secrets(mesh: Mesh) -> Iterator[tuple[Resource, list[Credential]]]:
    """Each Secret that may be used, with those who use it."""
    found: dict[int, tuple[Resource, list[Credential]]] = {}
    for credential in credentials(mesh):
        if credential.permitted and (secret := credential.secret(mesh)):
            found.setdefault(id(secret), (secret, []))[1].append(credential)
    yield from found.values()


def _users(uses: Iterable[Credential]) -> str:
    return names(list({id(use.gateway): use.gateway for use in uses}.values()))


def _data_path(secret: Resource, key: str) -> Path:
    return ("stringData" if key in part(secret.obj, "stringData") else "data", key)


@check(
    code="MESH303",
    level="warning",
    title="Certificate that expires soon",
    why="After that day no client can connect to the gateways that use it.",
    remedy="Renew the certificate, or find out why it was not renewed automatically.",
    needs=[SECRET],
    requires=unreadable,
)
def certificate_runs_out(mesh: Mesh, report: Report) -> None:
    """Reads facts[certificate_days], the number of days before expiry; 30 if it is missing."""
    now = _now(mesh)
    days = mesh.settings.facts.get(DAYS_FACT, DAYS)
    for secret, uses in _used_secrets(mesh):
        content = contents(mesh).get(id(secret))
        if content is None or content.fault or _out_of_time(_needed(content.chain), now):
            continue
        first = min(content.chain.certificates, key=lambda certificate: certificate.ends)
        if first.ends - now < days * DAY:
            left = int((first.ends - now) // DAY)
            text = f"certificate {first.subject} expires on {_day(first.ends)}, in {left} days; used by {_users(uses)}"
            report(secret, _data_path(secret, content.certificate_key), text)


@check(
    code="MESH304",
    level="warning",
    title="Certificate without the server's host",
    why="Clients reject a certificate that does not name the requested host.",
    remedy="Use a certificate that names the host, or remove the host from the server.",
    needs=[SECRET],
    requires=unreadable,
)
def certificate_without_host(mesh: Mesh, report: Report) -> None:
    # A server may have several certificates; one of them must fit.
    by_host: dict[tuple[int, Path, str], list[Credential]] = defaultdict(list)
    for credential in credentials(mesh):
        if credential.permitted:
            for path, host in credential.hosts:
                by_host[(id(credential.gateway), path, host)].append(credential)
    for (_gateway, path, host), offered in by_host.items():
        found = [contents(mesh).get(id(item.secret(mesh))) for item in offered]
        chains = [content.chain for content in found if content is not None and content.chain.certificates]
        if len(chains) < len(offered) or any(serves(chain, host) for chain in chains):
            continue
        shown = ", ".join(chains[0].certificates[0].names[:5]) or "no name"
        text = f"the certificate in Secret '{offered[0].name}' does not name host '{host}', only: {shown}"
        report(offered[0].gateway, path, text)


def serves(chain: Chain, host: str) -> bool:
    """Whether clients of the host would accept the certificate; for a wildcard, whether those of any host would."""
    names_of = chain.certificates[0].names
    if host == "*":
        return True
    if host.startswith("*."):
        return any(name == host or name.endswith(host[1:]) for name in names_of)
    parent = "*." + host.partition(".")[2]
    return any(name.lower() in (host.lower(), parent.lower()) for name in names_of)


@check(
    code="MESH305",
    level="warning",
    title="Certificate chain out of order",
    why="Clients that do not reorder the chain themselves reject the certificate.",
    remedy="Write the server's certificate first, then each issuer after the certificate that it issued.",
    needs=[SECRET],
    requires=unreadable,
)
def broken_chain(mesh: Mesh, report: Report) -> None:
    for secret, _uses in _used_secrets(mesh):
        content = contents(mesh).get(id(secret))
        if content is None or content.chain.broken_at is None:
            continue
        before, after = content.chain.certificates[content.chain.broken_at : content.chain.broken_at + 2]
        text = f"after {before.subject} comes {after.subject}, not its issuer {before.issuer}"
        report(secret, _data_path(secret, content.certificate_key), text)


@check(
    code="MESH306",
    level="error",
    title="No CA for client certificates",
    why="The server requires a client certificate and has no CA to verify it with: it does not start.",
    remedy="Put the CA as ca.crt in the Secret, or in a second one whose name ends in -cacert.",
    needs=[SECRET],
    requires=unreadable,
)
def client_ca(mesh: Mesh, report: Report) -> None:
    now = _now(mesh)
    for credential in credentials(mesh):
        secret = credential.secret(mesh) if credential.permitted else None
        if not credential.wants_ca or secret is None or not has_data(secret):
            continue
        if will_be_made(mesh, credential, f"{credential.name}-cacert"):
            continue
        if (place := ca_of(mesh, credential)) is None:
            text = f"neither Secret '{credential.name}-cacert' nor '{credential.name}' has a ca.crt or cacert"
            report(credential.gateway, credential.path, text)
            continue
        chain = read_chain(value_of(*place) or b"")
        # One valid CA is enough.
        expired = [_out_of_time([certificate], now) for certificate in chain.certificates]
        if fault := f"{place[1]} {chain.fault}" if chain.fault else expired[0] if all(expired) else "":
            report(credential.gateway, credential.path, f"Secret '{place[0].namespace}/{place[0].name}': {fault}")
