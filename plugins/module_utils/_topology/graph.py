# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Who calls whom as a graph: its nodes and edges from mesh_info's result, and as text for Graphviz."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.figures import rate_with_unit
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.services import NOT_MEASURED

_GREY = "#8a8f98"
# Readable on white and black.
COLOURS = {"healthy": "#2e9e5b", "degraded": "#c98a00", "failed": "#d0342c", "idle": _GREY, NOT_MEASURED: _GREY}
# The worst first: of several calls that are one edge, the worst is what counts. The others need no words.
_SECURITY = {"refused": "plaintext refused", "plaintext": "no mTLS", "unknown": "", "mutual_tls": ""}


@dataclass(frozen=True)
class Node:
    """label: its name; note: a second line; health: a key of COLOURS."""

    key: str
    label: str
    note: str
    health: str


@dataclass(frozen=True)
class Edge:
    """rate: requests per second; errors: percent; security: as in mesh_info's calls."""

    client: str
    server: str
    rate: float
    errors: float
    security: str

    @property
    def texts(self) -> list[str]:
        """How many requests, the share that fails, and what the connection lacks."""
        errors = f"{self.errors:.3g} % errors" if self.errors >= 0.05 else ""
        return [text for text in (rate_with_unit(self.rate), errors, _SECURITY[self.security]) if text]

    @property
    def is_plain(self) -> bool:
        return self.security in ("plaintext", "refused")

    @property
    def health(self) -> str:
        return "failed" if self.errors > 5 else "degraded" if self.errors > 0.1 else "healthy"


def graph_of(info: Mapping[str, Any]) -> tuple[list[Node], list[Edge]]:
    """Nodes and edges of mesh_info's result. A calling workload and a service of the same name are one node."""
    services = {f"{item['namespace']}/{item['name']}": item for item in info["services"]}
    owner = {
        f"{item['namespace']}/{workload['name']}": key
        for key, item in services.items()
        for workload in item["workloads"]
    }
    edges: dict[tuple[str, str], Edge] = {}
    for call in info["calls"]:
        client = f"{call['client']['namespace']}/{call['client']['workload']}"
        client = owner.get(client, client)
        server = f"{call['service']['namespace']}/{call['service']['name']}"
        edge = Edge(client, server, call["requests_per_second"], call["error_percent"] or 0.0, call["security"])
        earlier = edges.get((client, server))
        edges[(client, server)] = _together(earlier, edge) if earlier else edge
    used = {key for pair in edges for key in pair}
    nodes = []
    for key in sorted(used | {key for key, item in services.items() if item["workloads"]}):
        item = services.get(key)
        nodes.append(Node(key, key.partition("/")[2] or key, _note(item), item["health"] if item else "healthy"))
    return nodes, [edges[pair] for pair in sorted(edges)]


def _together(one: Edge, other: Edge) -> Edge:
    rate = one.rate + other.rate
    errors = (one.errors * one.rate + other.errors * other.rate) / rate if rate else 0.0
    return Edge(one.client, one.server, rate, errors, min(one.security, other.security, key=[*_SECURITY].index))


def _note(item: Mapping[str, Any] | None) -> str:
    if item is None:
        return ""
    running = [workload for workload in item["workloads"] if workload["ready"] != 0]
    versions = sorted({workload["version"] for workload in running if workload["version"]})
    p95 = (item["traffic"] or {}).get("p95")
    return " · ".join([*([", ".join(versions)] if versions else []), *([f"P95 {p95:g} ms"] if p95 is not None else [])])


def dot(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """For Graphviz: ``dot -Tsvg``."""
    lines = ["digraph mesh {", '  rankdir=LR; node [shape=box style=rounded fontname="sans-serif"];']
    for node in nodes:
        label = f"{node.label}\\n{node.note}" if node.note else node.label
        lines.append(f'  {_quoted(node.key)} [label={_quoted(label)} color="{COLOURS[node.health]}"];')
    for edge in edges:
        style = "dashed" if edge.is_plain else "solid"
        attributes = f'label={_quoted(", ".join(edge.texts))} color="{COLOURS[edge.health]}" style={style}'
        lines.append(f"  {_quoted(edge.client)} -> {_quoted(edge.server)} [{attributes}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'
