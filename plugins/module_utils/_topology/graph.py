# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The topology as a picture: nodes in columns, callers on the left; as SVG and as Graphviz text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.services import NOT_MEASURED

_COLUMN, _ROW, _WIDTH, _HEIGHT, _MARGIN = 320, 100, 190, 52, 24
# The size of a label, and where it may be along its edge and beside it: in the middle, if that is free.
_LETTER, _LINE = 6, 13
_ALONG, _BESIDE = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8), (0, -_LINE, _LINE)

# Readable on white and black. The border's style differs as well, for readers who cannot distinguish red from green.
_COLOURS = {
    "healthy": "#2e9e5b",
    "degraded": "#c98a00",
    "failed": "#d0342c",
    "idle": "#8a8f98",
    NOT_MEASURED: "#8a8f98",
}
_DASHES = {"healthy": "", "degraded": "6 3", "failed": "2 2", "idle": "1 4", NOT_MEASURED: "1 4"}
_STYLE = """
.topology { font: 13px system-ui, sans-serif; color-scheme: light dark; }
.topology text { fill: #1c2128; } .topology .small { font-size: 11px; fill: #57606a; }
.topology .edge { paint-order: stroke; stroke: #fff; stroke-width: 4; }
.topology rect { fill: #f6f8fa; stroke-width: 2; } .topology path { fill: none; stroke-width: 1.5; }
@media screen and (prefers-color-scheme: dark) {
  .topology text { fill: #e6edf3; } .topology .edge { stroke: #0d1117; }
  .topology .small { fill: #9198a1; } .topology rect { fill: #161b22; }
}
"""


Point = tuple[int, int]
# Left, top, width, height.
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Node:
    """label: its name; note: a second line; health: healthy, degraded, failed or idle."""

    key: str
    label: str
    note: str
    health: str


@dataclass(frozen=True)
class Edge:
    """rate: requests per second; errors: percent; mutual: whether by mutual TLS."""

    client: str
    server: str
    rate: float
    errors: float
    mutual: bool

    @property
    def label(self) -> str:
        wrong = f", {self.errors:.3g} % errors" if self.errors >= 0.05 else ""
        return f"{self.rate:.1f}/s{wrong}" + ("" if self.mutual else ", no mTLS")

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
        edge = Edge(
            client, server, call["requests_per_second"], call["error_percent"] or 0.0, call["security"] == "mutual_tls"
        )
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
    return Edge(one.client, one.server, rate, errors, one.mutual and other.mutual)


def _note(item: Mapping[str, Any] | None) -> str:
    if item is None:
        return ""
    running = [workload for workload in item["workloads"] if workload["ready"] != 0]
    versions = sorted({workload["version"] for workload in running if workload["version"]})
    p95 = (item["traffic"] or {}).get("p95")
    return " · ".join([*([", ".join(versions)] if versions else []), *([f"P95 {p95:g} ms"] if p95 is not None else [])])


def columns(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, int]:
    """Each node is one column to the right of its callers; in a cycle, the first node found stays left.

    A node without calls in either direction is in a column of its own at the right end.
    """
    callers: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        if edge.client != edge.server:
            callers[edge.server].add(edge.client)
    known: dict[str, int] = {}
    path: set[str] = set()

    def column(key: str) -> int:
        if key in known:
            return known[key]
        if key in path:
            return -1
        path.add(key)
        known_callers = [column(caller) for caller in sorted(callers[key])]
        path.discard(key)
        known[key] = max(known_callers, default=-1) + 1
        return known[key]

    connected = {key for edge in edges for key in (edge.client, edge.server)}
    for node in nodes:
        if node.key in connected:
            column(node.key)
    last = max(known.values(), default=-1) + 1
    return known | {node.key: last for node in nodes if node.key not in connected}


def places(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, tuple[int, int]]:
    """Upper left corners. Within a column, nodes are close to their callers, which avoids most crossings."""
    in_column: dict[int, list[str]] = defaultdict(list)
    for key, column in columns(nodes, edges).items():
        in_column[column].append(key)
    callers: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        callers[edge.server].append(edge.client)
    row: dict[str, float] = {}
    found: dict[str, tuple[int, int]] = {}
    tallest = max((len(keys) for keys in in_column.values()), default=0)
    for column in sorted(in_column):
        keys = in_column[column]

        def wanted(key: str) -> tuple[float, str]:
            rows = [row[caller] for caller in callers[key] if caller in row]
            return (sum(rows) / len(rows) if rows else tallest / 2, key)

        keys.sort(key=wanted)
        offset = (tallest - len(keys)) / 2
        for index, key in enumerate(keys):
            row[key] = index + offset
            found[key] = (_MARGIN + column * _COLUMN, int(_MARGIN + row[key] * _ROW))
    return found


def svg(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """A self-contained picture, for light and dark pages."""
    at = places(nodes, edges)
    width = max((x for x, _y in at.values()), default=0) + _WIDTH + _MARGIN
    height = max((y for _x, y in at.values()), default=0) + _HEIGHT + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="topology" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="Service topology">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" style="fill:#8a8f98;stroke:none"/></marker></defs>',
    ]
    drawn = [edge for edge in edges if edge.client in at and edge.server in at]
    lines += [_drawn_edge(edge, at) for edge in drawn]
    lines += [_drawn_node(node, *at[node.key]) for node in nodes if node.key in at]
    lines += _drawn_labels(drawn, at)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _curve(edge: Edge, at: Mapping[str, tuple[int, int]]) -> tuple[Point, Point, Point, Point]:
    """A Bezier curve: its start, the two points that bend it, its end."""
    (x1, y1), (x2, y2) = at[edge.client], at[edge.server]
    start, end = (x1 + _WIDTH, y1 + _HEIGHT // 2), (x2, y2 + _HEIGHT // 2)
    if x2 <= x1:
        start, end = (x1 + _WIDTH // 2, y1 + _HEIGHT), (x2 + _WIDTH // 2, y2 + _HEIGHT)
    bend = max(40, abs(end[0] - start[0]) // 2)
    return start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end


def _drawn_edge(edge: Edge, at: Mapping[str, tuple[int, int]]) -> str:
    start, *bends_and_end = _curve(edge, at)
    curve = f"M{start[0]} {start[1]}C{' '.join(f'{x} {y}' for x, y in bends_and_end)}"
    colour, dashes = _COLOURS[edge.health], "" if edge.mutual else "4 3"
    return f'<path d="{curve}" stroke="{colour}" stroke-dasharray="{dashes}" marker-end="url(#tip)"/>'


def _drawn_labels(edges: Sequence[Edge], at: Mapping[str, tuple[int, int]]) -> list[str]:
    """Each along its edge where it covers the least of the nodes and other labels."""
    taken: list[Box] = [(x, y, _WIDTH, _HEIGHT) for x, y in at.values()]
    found = []
    for edge in edges:
        rate, comma, rest = edge.label.partition(", ")
        texts = [rate, rest] if comma else [rate]
        width, height = max(map(len, texts)) * _LETTER, len(texts) * _LINE
        places = [_point(_curve(edge, at), along) for along in _ALONG]
        boxes = [(x - width // 2, y - height // 2 + beside, width, height) for beside in _BESIDE for x, y in places]
        left, top, *_size = best = min(boxes, key=lambda box: sum(_covered(box, other) for other in taken))
        taken.append(best)
        lines = "".join(
            f'<tspan x="{left + width // 2}" y="{top + _LINE * place + 10}">{escape(text)}</tspan>'
            for place, text in enumerate(texts)
        )
        found.append(f'<text class="small edge" text-anchor="middle">{lines}</text>')
    return found


def _point(curve: tuple[Point, Point, Point, Point], along: float) -> Point:
    back = 1 - along
    shares = (back**3, 3 * back**2 * along, 3 * back * along**2, along**3)
    x, y = (sum(share * point[axis] for share, point in zip(shares, curve, strict=True)) for axis in (0, 1))
    return round(x), round(y)


def _covered(one: Box, other: Box) -> int:
    """The area that the two share."""
    sides = [
        max(0, min(one[axis] + one[axis + 2], other[axis] + other[axis + 2]) - max(one[axis], other[axis]))
        for axis in (0, 1)
    ]
    return sides[0] * sides[1]


def _drawn_node(node: Node, x: int, y: int) -> str:
    line = f'stroke="{_COLOURS[node.health]}" stroke-dasharray="{_DASHES[node.health]}"'
    second = f'<text class="small" x="{x + 12}" y="{y + 40}">{escape(node.note)}</text>' if node.note else ""
    return (
        f"<g><title>{escape(f'{node.key}: {node.health}')}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" {line}/>'
        f'<text x="{x + 12}" y="{y + 22}">{escape(_short(node.label))}</text>{second}</g>'
    )


def _short(text: str, limit: int = 24) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def dot(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """For Graphviz: ``dot -Tsvg``."""
    lines = ["digraph mesh {", '  rankdir=LR; node [shape=box style=rounded fontname="sans-serif"];']
    for node in nodes:
        label = f"{node.label}\\n{node.note}" if node.note else node.label
        lines.append(f'  {_quoted(node.key)} [label={_quoted(label)} color="{_COLOURS[node.health]}"];')
    for edge in edges:
        style = "solid" if edge.mutual else "dashed"
        attributes = f'label={_quoted(edge.label)} color="{_COLOURS[edge.health]}" style={style}'
        lines.append(f"  {_quoted(edge.client)} -> {_quoted(edge.server)} [{attributes}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'
