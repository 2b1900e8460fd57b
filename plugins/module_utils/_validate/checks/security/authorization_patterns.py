# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Patterns in AuthorizationPolicies: where Istio takes a * for a wildcard, and where for a plain character."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import (
    conditions,
    operations,
    sources,
    values,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# Not namespaces, of which istiod makes a regular expression, so that each * is a wildcard. Methods have KIA0102, and
# istiod refuses a * in accounts, trust domains, ports and addresses (IST0106).
_SOURCES = ("principals", "notPrincipals", "requestPrincipals", "notRequestPrincipals")
_PATHS = ("paths", "notPaths")
_HOSTS = ("hosts", "notHosts")
_CONDITIONS = ("source.principal", "connection.sni", "request.headers", "request.auth.", "experimental.envoy.filters.")
# Clients do send this text, in the header Accept.
_ANY_MEDIA_TYPE = "*/*"


@check(
    code="MESH417",
    level="warning",
    title="Wildcard in the middle of a value",
    why="Istio knows a * at the beginning or at the end of a value only. Any other * is a plain character, so the "
    "value matches no request: an ALLOW rule admits none of the intended ones, and a DENY rule refuses none of them.",
    remedy="In paths, write {*} for one segment, or {**} at the end for all that follow. Elsewhere, list the values, "
    "or keep one * at the beginning or the end.",
    docs="https://istio.io/latest/docs/reference/config/security/authorization-policy/#Operation",
    alone=True,
)
def wildcard_in_the_middle(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(AUTHORIZATION_POLICY):
        for path, operation in operations(mesh, policy):
            for where, text in values(operation, path, *_PATHS):
                # istiod refuses a * beside a template (IST0106).
                if "{" not in text and has_plain_star(text):
                    report(policy, where, _message(text) + _template(text))
        for where, text in _others(mesh, policy):
            if has_plain_star(text):
                report(policy, where, _message(text))


def has_plain_star(text: str) -> bool:
    """Whether a * is not a wildcard. A wildcard at the beginning makes one at the end a plain character."""
    return "*" in (text[1:] if text.startswith("*") else text[:-1])


def _others(mesh: Mesh, policy: Resource) -> Iterator[tuple[Path, str]]:
    for path, source in sources(mesh, policy):
        yield from values(source, path, *_SOURCES)
    for path, operation in operations(mesh, policy):
        yield from values(operation, path, *_HOSTS)
    for path, condition in conditions(mesh, policy):
        key = str(condition.get("key") or "")
        if key.startswith(_CONDITIONS):
            # A value of a filter's metadata in brackets is an element of a list.
            found = ((where, text.strip("[]")) for where, text in values(condition, path, "values", "notValues"))
            yield from ((where, text) for where, text in found if text != _ANY_MEDIA_TYPE)


def _message(text: str) -> str:
    if text.startswith("*") and text.endswith("*") and text.count("*") == 2:
        return f"{text!r} has a * at both ends, and Istio takes the last one for a plain character"
    return f"{text!r} has a * in the middle, which Istio takes for a plain character"


def _template(text: str) -> str:
    """The same path as a template, if each * is a whole segment of it."""
    parts = text.split("/")
    if parts[0] or any("*" in part and part != "*" for part in parts):
        return ""
    middle = ["{*}" if part == "*" else part for part in parts[:-1]]
    meant = "/".join([*middle, "{**}" if parts[-1] == "*" else parts[-1]])
    return f"; {meant!r} is probably meant"
