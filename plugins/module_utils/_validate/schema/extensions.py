# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""WasmPlugin and TrafficExtension, as istiod's admission judges them."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import go, values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import (
    Say,
    selector,
    some,
    targets,
)

_SCHEMES = ("", "file", "http", "https", "oci")


def wasm_plugin(resource: Resource, say: Say) -> None:
    selector(say, ("spec", "selector"), resource.spec.get("selector"))
    targets(say, resource.spec)
    _plugin(say, ("spec",), resource.spec)
    _match(say, resource.spec)


def traffic_extension(resource: Resource, say: Say) -> None:
    spec = resource.spec
    selector(say, ("spec", "selector"), spec.get("selector"))
    targets(say, spec, single=False)
    wasm, lua = spec.get("wasm"), spec.get("lua")
    if (wasm is None) == (lua is None):
        say.refused(("spec",), "a TrafficExtension has one of wasm and lua")
    if lua is not None and not lua.get("inlineCode"):
        say.refused(("spec", "lua", "inlineCode"), "there is no code")
    if wasm is not None:
        _plugin(say, ("spec", "wasm"), wasm)
    _match(say, spec)


def _plugin(say: Say, path: Path, plugin: Object) -> None:
    say.refused((*path, "url"), _bad_url(plugin.get("url") or ""))
    seen: set[str] = set()
    for index, variable in enumerate(some((plugin.get("vmConfig") or {}).get("env"))):
        where = (*path, "vmConfig", "env", index)
        name = variable.get("name") or ""
        if not name:
            say.refused((*where, "name"), "the variable has no name")
        elif name in seen:
            say.refused((*where, "name"), f"the variable {name!r} is there twice")
        elif variable.get("valueFrom") not in (None, "INLINE") and variable.get("value"):
            say.refused((*where, "value"), f"the value comes from {variable['valueFrom']}, so none can be given")
        seen.add(name)


def _bad_url(text: str) -> str:
    if not text:
        return "there is no URL of the code"
    found = go.url(text, True) or go.url("http://" + text, True)
    if found is None:
        return f"{text!r} is no URL"
    return "" if found.scheme in _SCHEMES else f"{text!r}: {found.scheme!r} is none of oci, http, https and file"


def _match(say: Say, spec: Object) -> None:
    for index, match in enumerate(some(spec.get("match"))):
        for place, port in enumerate(some(match.get("ports"))):
            path = ("spec", "match", index, "ports", place, "number")
            say.refused(path, values.bad_port(port.get("number") or 0))
