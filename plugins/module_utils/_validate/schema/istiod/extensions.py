# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""WasmPlugin and TrafficExtension, as istiod's admission judges them."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    selector,
    some,
    targets,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go, values

_SCHEMES = ("", "file", "http", "https", "oci")


def wasm_plugin(resource: Resource, faults: Faults) -> None:
    selector(faults, ("spec", "selector"), resource.spec.get("selector"))
    targets(faults, resource.spec)
    _plugin(faults, ("spec",), resource.spec)
    _match(faults, resource.spec)


def traffic_extension(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    selector(faults, ("spec", "selector"), spec.get("selector"))
    targets(faults, spec, single=False)
    wasm, lua = spec.get("wasm"), spec.get("lua")
    if (wasm is None) == (lua is None):
        faults.error(("spec",), "a TrafficExtension needs exactly one of wasm and lua")
    if lua is not None and not lua.get("inlineCode"):
        faults.error(("spec", "lua", "inlineCode"), "the code is missing")
    if wasm is not None:
        _plugin(faults, ("spec", "wasm"), wasm)
    _match(faults, spec)


def _plugin(faults: Faults, path: Path, plugin: Object) -> None:
    faults.error((*path, "url"), _bad_url(plugin.get("url") or ""))
    seen: set[str] = set()
    for index, variable in enumerate(some((plugin.get("vmConfig") or {}).get("env"))):
        where = (*path, "vmConfig", "env", index)
        name = variable.get("name") or ""
        if not name:
            faults.error((*where, "name"), "the variable has no name")
        elif name in seen:
            faults.error((*where, "name"), f"the variable {name!r} is defined twice")
        elif variable.get("valueFrom") not in (None, "INLINE") and variable.get("value"):
            faults.error((*where, "value"), f"the value comes from {variable['valueFrom']}, so value must not be set")
        seen.add(name)


def _bad_url(text: str) -> str:
    if not text:
        return "the URL of the code is missing"
    found = go.url(text, True) or go.url("http://" + text, True)
    if found is None:
        return f"{text!r} is not a valid URL"
    return "" if found.scheme in _SCHEMES else f"{text!r}: {found.scheme!r} is not one of oci, http, https and file"


def _match(faults: Faults, spec: Object) -> None:
    for index, match in enumerate(some(spec.get("match"))):
        for place, port in enumerate(some(match.get("ports"))):
            path = ("spec", "match", index, "ports", place, "number")
            faults.error(path, values.bad_port(port.get("number") or 0))
