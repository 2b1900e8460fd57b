# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Addresses from which the new istiod and proxies fetch nothing."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    REQUEST_AUTHENTICATION,
    TRAFFIC_EXTENSION,
    WASM_PLUGIN,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import is_crossed, page_of

# Addresses of clouds that are not link-local.
_METADATA = ("100.100.100.200/32", "fd00:ec2::/32")
_REMEDY = "Serve it from an address of the cluster or of the network."


@check(
    code="MESH617",
    level="error",
    title="Upgrade: keys at a blocked address",
    why="Istio 1.32, and later patch releases of 1.29 to 1.31, do not fetch keys from link-local addresses and clouds' "
    "metadata services. Without keys, every request with a token is refused.",
    remedy=_REMEDY,
    docs=f"{page_of((1, 32))}/jwks-ssrf-default-block.yaml",
    alone=True,
)
def blocked_keys(mesh: Mesh, report: Report) -> None:
    for authentication in mesh.of(REQUEST_AUTHENTICATION) if is_crossed(mesh, (1, 32)) else ():
        for index, rule in items(authentication.spec, "jwtRules"):
            if host := _blocked(rule.get("jwksUri")):
                report(authentication, ("spec", "jwtRules", index, "jwksUri"), f"istiod fetches nothing from {host}")


@check(
    code="MESH617",
    level="error",
    title="Upgrade: Wasm module at a blocked address",
    why="Istio 1.32 does not fetch modules from link-local addresses. By default, a proxy without its module refuses "
    "every request.",
    remedy=_REMEDY,
    docs=f"{page_of((1, 32))}/wasm-ssrf-redirect-dial-context.yaml",
    alone=True,
)
def blocked_module(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 32)):
        return
    for plugin in mesh.of(WASM_PLUGIN, TRAFFIC_EXTENSION):
        at = ("spec",) if plugin.kind == WASM_PLUGIN else ("spec", "wasm")
        if host := _blocked(part(plugin.obj, *at).get("url")):
            report(plugin, (*at, "url"), f"a proxy fetches nothing from {host}")


def _blocked(url: object) -> str:
    """The address in a URL, if it is one of those; names are resolved later."""
    if not isinstance(url, str):
        return ""
    # Here, because most runs need neither.
    from ipaddress import ip_address, ip_network
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url if "://" in url else f"oci://{url}").hostname or ""
        address = ip_address(host)
    except ValueError:
        return ""
    blocked = address.is_link_local or any(address in ip_network(network) for network in _METADATA)
    return host if blocked else ""
