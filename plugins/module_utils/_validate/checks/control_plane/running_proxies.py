# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What only the running control plane knows about its proxies."""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.checks.control_plane.proxy_versions import (
    connected_proxies,
    pod_of,
)


@check(
    code="MESH531",
    level="error",
    title="Proxy that rejected its configuration",
    why="It keeps the last configuration that it accepted; later changes have no effect there.",
    remedy="Fix the object that the proxy's message names, often an EnvoyFilter, a WasmPlugin or a gateway's Secret.",
    live=True,
)
def refused_configuration(mesh: Mesh, report: Report) -> None:
    """facts["proxies"]: [{name, namespace, rejected: ["RouteConfiguration: <the proxy's message>", ...], ...}]."""
    for proxy in connected_proxies(mesh):
        for words in _texts(proxy.get("rejected")):
            report(pod_of(mesh, proxy), ("metadata", "name"), f"the proxy rejected {' '.join(words.split())[:300]}")


@check(
    code="MESH532",
    level="warning",
    title="Proxy that has not accepted its configuration",
    why="It runs with an older configuration than istiod has; requests through it follow the old routes.",
    remedy="Wait some seconds. If it persists, check the proxy's memory and CPU, and its connection to istiod.",
    live=True,
)
def stale_configuration(mesh: Mesh, report: Report) -> None:
    """facts["proxies"]: [{name, namespace, stale: ["route", ...], ...}], only what a second read still shows."""
    for proxy in connected_proxies(mesh):
        if stale := _texts(proxy.get("stale")):
            report(pod_of(mesh, proxy), ("metadata", "name"), f"the proxy has not accepted {', '.join(stale)}")


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple)) else []
