# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""All of it together: what module mesh_info returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.figures import rate
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.services import (
    calls,
    gateways,
    services,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.traffic import Traffic


def info_of(mesh: Mesh, traffic: Traffic, namespaces: list[str]) -> dict[str, Any]:
    """services, each with its health, gateways, calls."""
    return {
        "services": services(mesh, traffic, namespaces),
        "gateways": gateways(mesh),
        "calls": calls(mesh, traffic, namespaces),
    }


_COLUMNS = (
    ("SERVICE", 46),
    ("RPS", 8),
    ("ERROR %", 8),
    ("P50", 9),
    ("P95", 9),
    ("P99", 9),
    ("MTLS", 11),
    ("WEIGHTS", 0),
)


def table(info: Mapping[str, Any]) -> list[str]:
    """The document's traffic table, with mTLS and the split of each service that has pods."""
    lines = ["".join(f"{name:<{width}}" for name, width in _COLUMNS).rstrip()]
    for item in info["services"]:
        if not item["workloads"]:
            continue
        traffic = item["traffic"] or {}
        cells = [
            f"{item['namespace']}/{item['name']}",
            rate(traffic["requests_per_second"]) if traffic else "-",
            _number(traffic.get("error_percent"), "", 2),
            *(_number(traffic.get(name), " ms", 0) for name in ("p50", "p95", "p99")),
            item["mtls"],
            _weights(item["routes"]),
        ]
        lines.append("".join(f"{cell:<{width}}" for cell, (_name, width) in zip(cells, _COLUMNS, strict=True)).rstrip())
    return lines


def _number(value: float | None, unit: str, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def _weights(routes: Sequence[Mapping[str, Any]]) -> str:
    splits = {
        " ".join(f"{target['subset']}={target['weight']}" for target in route["destinations"] if target["subset"])
        for route in routes
    }
    return "; ".join(sorted(split for split in splits if split))
