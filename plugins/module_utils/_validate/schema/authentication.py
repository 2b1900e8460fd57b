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

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import go
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import (
    Say,
    durations,
    selector,
    some,
    targets,
)

_HEADER = re.compile(r"[-_A-Za-z0-9]+")
# Parameters of a key that have to be there, and those that only its owner may know.
_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "oct": ("k",)}
_PRIVATE = {"RSA": "d", "EC": "d", "OKP": "d", "oct": "k"}


def peer_authentication(resource: Resource, say: Say) -> None:
    spec = resource.spec
    selector(say, ("spec", "selector"), spec.get("selector"))
    ports = spec.get("portLevelMtls") or {}
    if ports and not (spec.get("selector") or {}).get("matchLabels"):
        say.refused(
            ("spec", "portLevelMtls"), "ports need a selector: without one the policy is for the whole namespace"
        )
    for port in ports:
        if not str(port).isdecimal() or not 0 < int(port) <= 65535:
            say.refused(("spec", "portLevelMtls", port), f"{port!r} is no port, 1 to 65535 are")


def request_authentication(resource: Resource, say: Say) -> None:
    spec = resource.spec
    selector(say, ("spec", "selector"), spec.get("selector"))
    targets(say, spec)
    for index, rule in enumerate(some(spec.get("jwtRules"))):
        _jwt_rule(say, ("spec", "jwtRules", index), rule)


def _jwt_rule(say: Say, path: Path, rule: Object) -> None:
    uri_field = "jwksUri" if rule.get("jwksUri") else "jwks_uri"
    uri = rule.get(uri_field) or ""
    if not rule.get("issuer") and not uri:
        say.refused((*path, "issuer"), "the rule has neither an issuer nor a jwksUri")
    for field, what in (("audiences", "audience"), ("fromParams", "parameter"), ("fromCookies", "name of a cookie")):
        for index, value in enumerate(some(rule.get(field))):
            if not value:
                say.refused((*path, field, index), f"the {what} is empty")
    if uri:
        found = go.url(uri)
        if found is None or found.scheme not in ("http", "https"):
            say.refused((*path, uri_field), f"{uri!r} is no URL of http or https")
    if rule.get("jwks"):
        _keys(say, (*path, "jwks"), rule["jwks"])
    for index, location in enumerate(some(rule.get("fromHeaders"))):
        if not location.get("name"):
            say.refused((*path, "fromHeaders", index, "name"), "the name of the header is empty")
    for index, claim in enumerate(some(rule.get("outputClaimToHeaders"))):
        where = (*path, "outputClaimToHeaders", index)
        if not claim.get("claim") or not claim.get("header"):
            say.refused(where, "a claim and a header are needed")
        elif not _HEADER.fullmatch(claim["header"]):
            say.refused((*where, "header"), f"{claim['header']!r} is no name of a header")
    durations(say, path, rule, "timeout")


def _keys(say: Say, path: Path, text: str) -> None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        say.refused(path, "the keys are no JSON")
        return
    keys = content.get("keys") if isinstance(content, dict) and "keys" in content else [content]
    if not isinstance(content, dict) or not isinstance(keys, list):
        say.refused(path, 'the keys are no set of JSON Web Keys: {"keys": [...]} is')
        return
    for index, key in enumerate(keys):
        if fault := _bad_key(key):
            say.refused(path, f"key {index}: {fault}")
        elif isinstance(key, dict) and key.get(_PRIVATE.get(str(key.get("kty")), "")):
            say.doubted(
                path, f"key {index} is a private one: the mesh needs the public part only, and everybody can read this"
            )


def _bad_key(key: Any) -> str:
    if not isinstance(key, dict):
        return "it is no JSON Web Key"
    kind = str(key.get("kty") or "")
    if kind not in _PUBLIC:
        return f"kty {kind!r} is none of {', '.join(_PUBLIC)}"
    for name in _PUBLIC[kind]:
        if not isinstance(key.get(name), str) or not key[name]:
            return f"{name} is missing"
        if name != "crv" and not _is_base64(key[name]):
            return f"{name} is no base64url"
    return ""


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(
            text.replace("-", "+").replace("_", "/").rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True
        )
    except (binascii.Error, ValueError):
        return False
    return True
