# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""AuthorizationPolicy, as istiod's admission judges it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    selector,
    some,
    targets,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go

_IDENTITIES = (
    *("namespaces", "notNamespaces", "serviceAccounts", "notServiceAccounts", "trustDomains", "notTrustDomains"),
    *("principals", "notPrincipals", "requestPrincipals", "notRequestPrincipals"),
)
_ADDRESSES = ("ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks")
_OPERATION = ("ports", "methods", "paths", "hosts", "notPorts", "notMethods", "notPaths", "notHosts")
# What a proxy knows about a connection that is not HTTP.
_OF_CONNECTIONS = (
    *("principals", "notPrincipals", "namespaces", "notNamespaces", "serviceAccounts", "notServiceAccounts"),
    *_ADDRESSES,
)
_NOT_CUSTOM = ("source.namespace", "source.serviceAccount", "source.trustDomain", "source.principal")
_WITH_KEY = ("request.headers", "request.auth.claims", "experimental.envoy.filters.")
_PLAIN = (
    *("source.namespace", "source.principal", "request.auth.principal", "request.auth.audiences"),
    *("request.auth.presenter", "connection.sni"),
)
_GONE = {
    "destination.namespace": "use the namespace of the policy instead",
    "destination.name": "use the selector of the policy instead",
    "destination.user": "use the selector of the policy instead",
}
_LITERAL = re.compile(r"[a-zA-Z0-9\-._~%!$&'()+,;:@=]+")
_NUMBER = re.compile(r"[0-9]+")


def authorization_policy(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    selector(faults, ("spec", "selector"), spec.get("selector"))
    targets(faults, spec)
    action = spec.get("action") or "ALLOW"
    rules: list[Object] = spec.get("rules") or []
    if action in ("CUSTOM", "DENY") and not rules:
        message = f"{action} without rules never applies; the rule {{}} applies to every request"
        faults.error(("spec", "rules"), message)
    provider = spec.get("provider")
    if action != "CUSTOM" and provider is not None:
        faults.error(("spec", "provider"), f"provider needs action CUSTOM, and the action is {action}")
    elif action == "CUSTOM" and rules and not (provider or {}).get("name"):
        faults.error(("spec", "provider", "name"), "action CUSTOM needs a provider name")
    for index, rule in enumerate(rules):
        path = ("spec", "rules", index)
        if action == "CUSTOM":
            _custom(faults, path, rule)
        _rule(faults, path, rule, action == "DENY")


def _custom(faults: Faults, path: Path, rule: Object) -> None:
    for index, origin in enumerate(some(rule.get("from"))):
        for field in _IDENTITIES:
            if (origin.get("source") or {}).get(field):
                faults.error((*path, "from", index, "source", field), f"{field} is not supported with action CUSTOM")
    for index, condition in enumerate(some(rule.get("when"))):
        key = condition.get("key") or ""
        if key in _NOT_CUSTOM or key.startswith("request.auth."):
            faults.error((*path, "when", index, "key"), f"{key!r} is not supported with action CUSTOM")


def _rule(faults: Faults, path: Path, rule: Object, deny: bool) -> None:
    origins: list[Object] = rule.get("from") or []
    for index, origin in enumerate(origins):
        _source(faults, (*path, "from", index), origin)
    operations: list[Object] = rule.get("to") or []
    for index, item in enumerate(operations):
        _operation(faults, (*path, "to", index), item)
    for index, condition in enumerate(some(rule.get("when"))):
        _condition(faults, (*path, "when", index), condition)
    if deny:
        _denies_more(faults, path, origins, operations)


def _denies_more(faults: Faults, path: Path, origins: list[Object], operations: list[Object]) -> None:
    sources = [item["source"] for item in origins if item.get("source") is not None]
    wanted = [item["operation"] for item in operations if item.get("operation") is not None]
    if wanted:
        http_only = not any(item.get(field) for item in wanted for field in ("ports", "notPorts"))
    else:
        http_only = bool(sources) and not any(item.get(field) for item in sources for field in _OF_CONNECTIONS)
    if http_only:
        message = "the rule uses HTTP attributes only, so it denies every connection that is not HTTP; name the ports"
        faults.warning(path, message)


def _source(faults: Faults, path: Path, origin: Object) -> None:
    source = origin.get("source")
    if source is None:
        faults.error((*path, "source"), "the source is missing")
        return
    path = (*path, "source")
    fields = [field for field in (*_IDENTITIES, *_ADDRESSES) if source.get(field)]
    if not fields:
        faults.error(path, "the source is empty")
    for field in fields:
        for index, value in enumerate(source[field]):
            faults.error((*path, field, index), _bad_source(field, value))


def _bad_source(field: str, value: str) -> str:
    if not value:
        return "the value is empty"
    if field in _ADDRESSES:
        return _bad_range(value)
    if field.lower().endswith("serviceaccounts"):
        return _bad_account(value)
    if field.lower().endswith("trustdomains"):
        return _bad_wildcard(value) or (f"{value!r} contains a /, which trust domains must not" if "/" in value else "")
    return ""


def _bad_range(value: str) -> str:
    good = go.is_prefix(value) if "/" in value else go.is_address(value)
    return "" if good else f"{value!r} is not a valid IP address or range"


def _bad_account(value: str) -> str:
    namespace, slash, name = value.partition("/")
    if "*" in value or "/" in name or not namespace or (slash and not name):
        return f"{value!r} is not of the form namespace/account or account (a * is not allowed)"
    return ""


def _bad_wildcard(value: str) -> str:
    stars = value.count("*")
    misplaced = stars == 1 and not value.startswith("*") and not value.endswith("*")
    return f"{value!r}: one * is allowed, at the beginning or the end" if stars > 1 or misplaced else ""


def _bad_port(value: str) -> str:
    return "" if _NUMBER.fullmatch(value) and int(value) <= 65535 else f"{value!r} is not a valid port"


def _operation(faults: Faults, path: Path, item: Object) -> None:
    operation = item.get("operation")
    if operation is None:
        faults.error((*path, "operation"), "the operation is missing")
        return
    path = (*path, "operation")
    fields = [field for field in _OPERATION if operation.get(field)]
    if not fields:
        faults.error(path, "the operation is empty")
    for field in fields:
        judge = _OF_OPERATION.get(field)
        for index, value in enumerate(operation[field]):
            if not value:
                faults.error((*path, field, index), "the value is empty")
            elif judge:
                faults.error((*path, field, index), judge(value))


def _bad_path(value: str) -> str:
    """With ``{*}`` for one segment and ``{**}`` for all that follow."""
    is_template = "{*}" in value or "{**}" in value
    if not is_template and "{" not in value and "}" not in value:
        return ""
    rest_taken = False
    for part in value.strip("/").split("/"):
        if part in ("{*}", "{**}"):
            if rest_taken:
                return f"{value!r}: only text can follow {{**}}"
            rest_taken = part == "{**}"
        elif "{" in part or "}" in part:
            return f"{value!r}: {part!r} must be {{*}}, {{**}} or text"
        elif is_template and not _LITERAL.fullmatch(part):
            return f"{value!r}: {part!r} is not a valid segment of a path template"
    return ""


_OF_OPERATION: dict[str, Callable[[str], str]] = {
    "ports": _bad_port,
    "notPorts": _bad_port,
    "paths": _bad_path,
    "notPaths": _bad_path,
}


def _condition(faults: Faults, path: Path, condition: Object) -> None:
    key = condition.get("key") or ""
    if not key:
        faults.error((*path, "key"), "the key is empty")
        return
    if not condition.get("values") and not condition.get("notValues"):
        faults.error(path, f"the condition on {key!r} needs values or notValues")
        return
    if fault := _bad_key(key):
        faults.error((*path, "key"), fault)
        return
    for field in ("values", "notValues"):
        for index, value in enumerate(some(condition.get(field))):
            if value:
                faults.error((*path, field, index), _bad_condition(key, value))
            else:
                remedy = "" if key in _OF_CONDITION else _PRESENCE[field]
                faults.error((*path, field, index), "the value is empty", remedy)
        if key == "source.serviceAccount" and len(some(condition.get(field))) > _MOST_ACCOUNTS:
            faults.error((*path, field), f"more than {_MOST_ACCOUNTS} values")


_MOST_ACCOUNTS = 16
# What an empty value is usually meant to say.
_PRESENCE = {
    "values": 'To require that it is absent, write notValues: ["*"].',
    "notValues": 'To require that it is present, write values: ["*"].',
}


def _bad_key(key: str) -> str:
    if key.startswith(_WITH_KEY):
        begin = key.find("[")
        formed = key.endswith("]") and 0 < begin < len(key) - 2
        return "" if formed else f"{key!r} is not of the form {key.partition('[')[0].rstrip(']')}[name]"
    if key in _GONE or key.startswith("destination.labels"):
        return f"{key!r} is no longer supported: {_GONE.get(key, 'use the selector of the policy instead')}"
    known: Sequence[str] = (*_PLAIN, *_OF_CONDITION)
    return "" if key in known else f"{key!r} is not a valid condition key{nearest(key, (*known, *_WITH_KEY))}"


_OF_CONDITION: dict[str, Callable[[str], str]] = {
    "source.ip": _bad_range,
    "remote.ip": _bad_range,
    "destination.ip": _bad_range,
    "destination.port": _bad_port,
    "source.serviceAccount": _bad_account,
    "source.trustDomain": _bad_wildcard,
}


def _bad_condition(key: str, value: str) -> str:
    judge = _OF_CONDITION.get(key)
    return judge(value) if judge else ""
