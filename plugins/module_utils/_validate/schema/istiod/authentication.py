# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""PeerAuthentication and RequestAuthentication, as istiod's admission judges them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    durations,
    selector,
    some,
    targets,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go

_HEADER = re.compile(r"[-_A-Za-z0-9]+")
# Parameters that a key must have, and those that only its owner may know.
_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "oct": ("k",)}
_PRIVATE = {"RSA": "d", "EC": "d", "OKP": "d", "oct": "k"}


def peer_authentication(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    selector(faults, ("spec", "selector"), spec.get("selector"))
    ports = spec.get("portLevelMtls") or {}
    if ports and not (spec.get("selector") or {}).get("matchLabels"):
        faults.error(
            ("spec", "portLevelMtls"), "ports need a selector: without one the policy is for the whole namespace"
        )
    for port in ports:
        if not str(port).isdecimal() or not 0 < int(port) <= 65535:
            faults.error(("spec", "portLevelMtls", port), f"{port!r} is not a valid port (1 to 65535)")


def request_authentication(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    selector(faults, ("spec", "selector"), spec.get("selector"))
    targets(faults, spec)
    for index, rule in enumerate(some(spec.get("jwtRules"))):
        _jwt_rule(faults, ("spec", "jwtRules", index), rule)


def _jwt_rule(faults: Faults, path: Path, rule: Object) -> None:
    uri_field = "jwksUri" if rule.get("jwksUri") else "jwks_uri"
    uri = rule.get(uri_field) or ""
    if not rule.get("issuer") and not uri:
        faults.error((*path, "issuer"), "the rule has neither an issuer nor a jwksUri")
    for field, what in (("audiences", "audience"), ("fromParams", "parameter"), ("fromCookies", "name of a cookie")):
        for index, value in enumerate(some(rule.get(field))):
            if not value:
                faults.error((*path, field, index), f"the {what} is empty")
    if uri:
        found = go.url(uri)
        if found is None or found.scheme not in ("http", "https"):
            faults.error((*path, uri_field), f"{uri!r} is not a valid http or https URL")
    if rule.get("jwks"):
        _keys(faults, (*path, "jwks"), rule["jwks"])
    for index, location in enumerate(some(rule.get("fromHeaders"))):
        if not location.get("name"):
            faults.error((*path, "fromHeaders", index, "name"), "the name of the header is empty")
    for index, claim in enumerate(some(rule.get("outputClaimToHeaders"))):
        where = (*path, "outputClaimToHeaders", index)
        if not claim.get("claim") or not claim.get("header"):
            faults.error(where, "claim and header are both needed")
        elif not _HEADER.fullmatch(claim["header"]):
            faults.error((*where, "header"), f"{claim['header']!r} is not a valid header name")
    durations(faults, path, rule, "timeout")


def _keys(faults: Faults, path: Path, text: str) -> None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        faults.error(path, "the keys are not valid JSON")
        return
    keys = content.get("keys") if isinstance(content, dict) and "keys" in content else [content]
    if not isinstance(content, dict) or not isinstance(keys, list):
        faults.error(path, 'the keys are not a JSON Web Key Set, as in {"keys": [...]}')
        return
    for index, key in enumerate(keys):
        if fault := _bad_key(key):
            faults.error(path, f"key {index}: {fault}")
        elif isinstance(key, dict) and key.get(_PRIVATE.get(str(key.get("kty")), "")):
            faults.warning(
                path, f"key {index} is a private key, which everyone can read here: the mesh needs the public part only"
            )


def _bad_key(key: Any) -> str:
    if not isinstance(key, dict):
        return "it is not a JSON Web Key"
    kind = str(key.get("kty") or "")
    if kind not in _PUBLIC:
        return f"kty {kind!r} is not one of {', '.join(_PUBLIC)}"
    for name in _PUBLIC[kind]:
        if not isinstance(key.get(name), str) or not key[name]:
            return f"{name} is missing"
        if name != "crv" and not _is_base64(key[name]):
            return f"{name} is not valid base64url"
    return ""


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(
            text.replace("-", "+").replace("_", "/").rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True
        )
    except (binascii.Error, ValueError):
        return False
    return True
