# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""EnvoyFilter, as istiod's admission judges it.

istiod also applies the patch to Envoy's own types, which are not available here. Of the values, only what is certain
without them is reported: types are given, they are of the API's third version, and filters have a typed_config.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    selector,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import regex

_OF_LISTENERS = frozenset({"LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER"})
_OF_ROUTES = frozenset({"ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"})
_FILTERS = frozenset({"NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER", "EXTENSION_CONFIG"})
_MATCHES = ("listener", "routeConfiguration", "cluster", "waypoint")
_CONNECTION_MANAGERS = ("envoy.filters.network.http_connection_manager", "envoy.http_connection_manager")
_LONGEST_VERSION = 1024
# Names from before Envoy 1.14, and where each filter is now.
_OLD_NAMES = {
    **{
        f"envoy.{name}": f"envoy.filters.http.{name}"
        for name in ("buffer", "cors", "csrf", "fault", "grpc_http1_bridge", "grpc_json_transcoder", "grpc_web", "gzip")
    },
    **{
        f"envoy.{name}": f"envoy.filters.http.{name}"
        for name in ("health_check", "ip_tagging", "lua", "router", "squash")
    },
    "envoy.http_dynamo_filter": "envoy.filters.http.dynamo",
    "envoy.ext_authz": "envoy.filters.http.ext_authz",
    "envoy.rate_limit": "envoy.filters.http.ratelimit",
    **{
        f"envoy.listener.{name}": f"envoy.filters.listener.{name}"
        for name in ("http_inspector", "original_dst", "original_src", "proxy_protocol", "tls_inspector")
    },
    **{
        f"envoy.{name}": f"envoy.filters.network.{name}"
        for name in (
            "client_ssl_auth",
            "http_connection_manager",
            "mongo_proxy",
            "ratelimit",
            "redis_proxy",
            "tcp_proxy",
        )
    },
}

# Fields of Envoy's own types with a text for a value, even if it stands for several: "GET, POST".
_CORS = tuple(("cors", name) for name in ("allow_headers", "allow_methods", "expose_headers", "max_age"))
_TEXTS = {
    "CLUSTER": (("connect_timeout",), ("lb_policy",), ("name",)),
    "HTTP_ROUTE": (("name",), ("route", "cluster"), ("route", "timeout"), *(("route", *place) for place in _CORS)),
    "VIRTUAL_HOST": (("name",), *_CORS),
}


def envoy_filter(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    selector(faults, ("spec", "workloadSelector"), spec.get("workloadSelector"), "labels")
    if any(not fault.warning for fault in faults.found):
        # istiod does not check the rest.
        return
    for index, patch in enumerate(some(spec.get("configPatches"))):
        _config_patch(faults, ("spec", "configPatches", index), patch)


def _config_patch(faults: Faults, path: Path, item: Object) -> None:
    match = item.get("match") or {}
    if match.get("context") == "WAYPOINT":
        return
    target = item.get("applyTo") or "INVALID"
    patch = item.get("patch")
    if target == "INVALID":
        faults.error((*path, "applyTo"), "applyTo is missing")
    elif patch is None:
        faults.error((*path, "patch"), "the patch is missing")
    elif (operation := patch.get("operation") or "INVALID") == "INVALID":
        faults.error((*path, "patch", "operation"), "the patch has no operation")
    elif operation != "REMOVE" and patch.get("value") is None:
        faults.error((*path, "patch", "value"), f"operation {operation} needs a value")
    elif _version(faults, path, match) and _fits(faults, (*path, "match"), match, target):
        _value(faults, (*path, "patch", "value"), patch.get("value"), target)


def _version(faults: Faults, path: Path, match: Object) -> bool:
    """Whether the rest is worth checking."""
    version = (match.get("proxy") or {}).get("proxyVersion") or ""
    where = (*path, "match", "proxy", "proxyVersion")
    if len(version) > _LONGEST_VERSION:
        faults.warning(where, f"the expression is longer than {_LONGEST_VERSION} characters, so istiod ignores it")
    elif fault := regex.error(version):
        faults.error(where, f"{version!r} is not a valid RE2 regular expression: {fault}")
        return False
    return True


def _fits(faults: Faults, path: Path, match: Object, target: str) -> bool:
    """Whether the match is for the target of the patch; otherwise istiod does not check the value."""
    kind = next((name for name in _MATCHES if match.get(name) is not None), "")
    wanted = "listener" if target in _OF_LISTENERS else "routeConfiguration" if target in _OF_ROUTES else ""
    wanted = "cluster" if target == "CLUSTER" else wanted
    if kind and wanted and kind != wanted:
        faults.error((*path, kind), f"applyTo {target} needs a {wanted} match, not a {kind} match")
        return wanted != "listener"
    if kind == wanted == "listener":
        found = (match["listener"].get("filterChain") or {}).get("filter")
        if found is not None:
            return _filter(faults, (*path, "listener", "filterChain", "filter"), found, target)
    return True


def _filter(faults: Faults, path: Path, found: Object, target: str) -> bool:
    if target in ("LISTENER", "FILTER_CHAIN"):
        faults.warning(path, f"a filter match has no effect with applyTo {target}")
    name = found.get("name") or ""
    inner = found.get("subFilter")
    if not name:
        faults.error((*path, "name"), "the match of the filter has no name")
        return False
    if inner is not None:
        fault = ""
        if target != "HTTP_FILTER":
            fault = f"subFilter is allowed with applyTo HTTP_FILTER only, not with {target}"
        elif name not in _CONNECTION_MANAGERS:
            fault = f"subFilter needs the filter {_CONNECTION_MANAGERS[0]}, not {name}"
        elif not inner.get("name"):
            fault = "the match of the subFilter has no name"
        if fault:
            faults.error((*path, "subFilter"), fault)
            return False
    for where, used in (((*path, "name"), name), ((*path, "subFilter", "name"), (inner or {}).get("name") or "")):
        if used in _OLD_NAMES:
            faults.warning(where, f"{used!r} is the old name of {_OLD_NAMES[used]}")
    return True


def _value(faults: Faults, path: Path, value: Any, target: str) -> None:
    if not isinstance(value, dict):
        return
    _texts(faults, path, value, target)
    wrong = False
    for where, found in _typed(value, path):
        kind = found.get("@type")
        if not kind:
            faults.error(where, "the type is missing: set @type")
            wrong = True
        elif isinstance(kind, str) and ".v2." in kind:
            faults.error(
                (*where, "@type"), f"{kind!r} is of version 2 of Envoy's API, which was removed: use version 3"
            )
            wrong = True
    if not wrong:
        _untyped(faults, path, value, target in _FILTERS)


def _texts(faults: Faults, path: Path, value: Object, target: str) -> None:
    """Lists in the place of a text, which is all that istiod decodes there."""
    for place in _TEXTS.get(target, ()):
        for names in dict.fromkeys((place, tuple(_camel(name) for name in place))):
            owner = part(value, *names[:-1])
            if isinstance(owner.get(names[-1]), list):
                faults.error((*path, *names), f"{names[-1]} is a text in Envoy, not a list")


def _camel(name: str) -> str:
    """The other form of a field's name that Envoy takes."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _typed(value: Any, path: Path) -> Iterator[tuple[Path, Object]]:
    """Every typed_config below the value."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in ("typed_config", "typedConfig") and isinstance(item, dict):
                yield (*path, str(name)), item
            yield from _typed(item, (*path, str(name)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _typed(item, (*path, index))


def _untyped(faults: Faults, path: Path, value: Object, needs_type: bool) -> None:
    """A filter or a transport socket that is identified by its name only."""
    names = ("typed_config", "typedConfig", "config_discovery", "configDiscovery")
    if needs_type and not any(name in value for name in names):
        faults.warning(
            path, f"{value.get('name') or 'the filter'!r} has no typed_config: Envoy cannot find it by its name"
        )
    for name in ("transport_socket", "transportSocket", "cluster_type", "clusterType"):
        inner = value.get(name)
        if isinstance(inner, dict):
            _untyped(faults, (*path, name), inner, True)
