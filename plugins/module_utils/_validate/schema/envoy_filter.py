# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""EnvoyFilter, as istiod's admission judges it.

istiod also tries the patch on Envoy's own types, which are not here: of the values only what is sure without them is
said, that types are given, that they are of the API's third version, and that filters have a typed_config.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import regex
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import Say, selector, some

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


def envoy_filter(resource: Resource, say: Say) -> None:
    spec = resource.spec
    selector(say, ("spec", "workloadSelector"), spec.get("workloadSelector"), "labels")
    if any(not fault.warning for fault in say.faults):
        # istiod does not look at the rest.
        return
    for index, patch in enumerate(some(spec.get("configPatches"))):
        _config_patch(say, ("spec", "configPatches", index), patch)


def _config_patch(say: Say, path: Path, item: Object) -> None:
    match = item.get("match") or {}
    if match.get("context") == "WAYPOINT":
        return
    target = item.get("applyTo") or "INVALID"
    patch = item.get("patch")
    if target == "INVALID":
        say.refused((*path, "applyTo"), "applyTo says nothing")
    elif patch is None:
        say.refused((*path, "patch"), "the patch is missing")
    elif (operation := patch.get("operation") or "INVALID") == "INVALID":
        say.refused((*path, "patch", "operation"), "the patch has no operation")
    elif operation != "REMOVE" and patch.get("value") is None:
        say.refused((*path, "patch", "value"), f"operation {operation} needs a value")
    elif _version(say, path, match) and _fits(say, (*path, "match"), match, target):
        _value(say, (*path, "patch", "value"), patch.get("value"), target)


def _version(say: Say, path: Path, match: Object) -> bool:
    """Whether the rest is worth a look."""
    version = (match.get("proxy") or {}).get("proxyVersion") or ""
    where = (*path, "match", "proxy", "proxyVersion")
    if len(version) > _LONGEST_VERSION:
        say.doubted(where, f"the expression is longer than {_LONGEST_VERSION} characters and is passed by")
    elif fault := regex.error(version):
        say.refused(where, f"{version!r} is no regular expression of RE2: {fault}")
        return False
    return True


def _fits(say: Say, path: Path, match: Object, target: str) -> bool:
    """Whether the match is one for what the patch is applied to; else istiod does not look at the value."""
    kind = next((name for name in _MATCHES if match.get(name) is not None), "")
    wanted = "listener" if target in _OF_LISTENERS else "routeConfiguration" if target in _OF_ROUTES else ""
    wanted = "cluster" if target == "CLUSTER" else wanted
    if kind and wanted and kind != wanted:
        say.refused((*path, kind), f"applyTo {target} needs a match of {wanted}, not of {kind}")
        return wanted != "listener"
    if kind == wanted == "listener":
        found = (match["listener"].get("filterChain") or {}).get("filter")
        if found is not None:
            return _filter(say, (*path, "listener", "filterChain", "filter"), found, target)
    return True


def _filter(say: Say, path: Path, found: Object, target: str) -> bool:
    if target in ("LISTENER", "FILTER_CHAIN"):
        say.doubted(path, f"a match of a filter has no effect with applyTo {target}")
    name = found.get("name") or ""
    inner = found.get("subFilter")
    if not name:
        say.refused((*path, "name"), "the match of the filter has no name")
        return False
    if inner is not None:
        fault = ""
        if target != "HTTP_FILTER":
            fault = f"subFilter is for applyTo HTTP_FILTER only, not for {target}"
        elif name not in _CONNECTION_MANAGERS:
            fault = f"subFilter needs the filter {_CONNECTION_MANAGERS[0]}, not {name}"
        elif not inner.get("name"):
            fault = "the match of the subFilter has no name"
        if fault:
            say.refused((*path, "subFilter"), fault)
            return False
    for where, used in (((*path, "name"), name), ((*path, "subFilter", "name"), (inner or {}).get("name") or "")):
        if used in _OLD_NAMES:
            say.doubted(where, f"{used!r} is the old name of {_OLD_NAMES[used]}")
    return True


def _value(say: Say, path: Path, value: Any, target: str) -> None:
    if not isinstance(value, dict):
        return
    wrong = False
    for where, found in _typed(value, path):
        kind = found.get("@type")
        if not kind:
            say.refused(where, "the type is not said: @type is missing")
            wrong = True
        elif isinstance(kind, str) and ".v2." in kind:
            say.refused(
                (*where, "@type"), f"{kind!r} is of the second version of Envoy's API, which is gone: v3 is wanted"
            )
            wrong = True
    if not wrong:
        _untyped(say, path, value, target in _FILTERS)


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


def _untyped(say: Say, path: Path, value: Object, needs_type: bool) -> None:
    """A filter or a transport socket that is known by its name only."""
    names = ("typed_config", "typedConfig", "config_discovery", "configDiscovery")
    if needs_type and not any(name in value for name in names):
        say.doubted(
            path, f"{value.get('name') or 'the filter'!r} has no typed_config: Envoy will not know it by its name"
        )
    for name in ("transport_socket", "transportSocket", "cluster_type", "clusterType"):
        inner = value.get(name)
        if isinstance(inner, dict):
            _untyped(say, (*path, name), inner, True)
