# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The topology as a picture: a self-contained SVG for light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.graph import COLOURS, Edge, Node
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.layout import Curve, Rect, Size, layout
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.services import NOT_MEASURED

# Of the widest of the usual fonts, DejaVu Sans: a letter of a name (13 px) and of small text (11 px); a small line.
_LETTER, _SMALL_LETTER, _LINE = 8, 7, 14
_LONGEST = 30
_HEIGHT, _LOW, _INSIDE, _NARROWEST = 50, 34, 12, 96
# A wide picture becomes smaller with the page down to this share of its size; then it scrolls.
_SMALLEST = 0.65

# The border's style differs as well, for readers who cannot distinguish red from green.
_DASHES = {"healthy": "", "degraded": "6 3", "failed": "2 2", "idle": "1 4", NOT_MEASURED: "1 4"}
_STYLE = """
.topology { font: 13px system-ui, sans-serif; color-scheme: light dark; }
.topology text { fill: #1c2128; } .topology .small { font-size: 11px; fill: #57606a; }
.topology rect { fill: #f6f8fa; stroke-width: 2; } .topology .behind { fill: #fff; }
.topology path { fill: none; stroke-width: 1.5; }
@media screen and (prefers-color-scheme: dark) {
  .topology text { fill: #e6edf3; } .topology .small { fill: #9198a1; }
  .topology rect { fill: #161b22; } .topology .behind { fill: #0d1117; }
}
"""


def svg(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """Callers are on the left. Edges to a node that is not one of ``nodes`` are left out."""
    known = {node.key for node in nodes}
    drawn = [edge for edge in edges if edge.client in known and edge.server in known]
    found = layout(
        {node.key: box_size(node) for node in nodes},
        [(edge.client, edge.server) for edge in drawn],
        [label_size(edge) for edge in drawn],
    )
    width, height = found.size.width, found.size.height
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="topology" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" style="min-width:{round(width * _SMALLEST)}px" '
            'role="img" aria-label="Service topology">',
            f"<style>{_STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerUnits="userSpaceOnUse" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" style="fill:#8a8f98;stroke:none"/></marker></defs>',
            *(_drawn_edge(edge, line) for edge, line in zip(drawn, found.lines, strict=True)),
            *(_drawn_node(node, found.boxes[node.key]) for node in nodes),
            *(_drawn_label(edge, label) for edge, label in zip(drawn, found.labels, strict=True)),
            "</svg>\n",
        ]
    )


def box_size(node: Node) -> Size:
    text = max(len(_short(node.label)) * _LETTER, len(node.note) * _SMALL_LETTER)
    return Size(max(_NARROWEST, text + 2 * _INSIDE), _HEIGHT if node.note else _LOW)


def label_size(edge: Edge) -> Size:
    return Size(max(map(len, edge.texts)) * _SMALL_LETTER, len(edge.texts) * _LINE)


def _drawn_edge(edge: Edge, line: Sequence[Curve]) -> str:
    (x, y), *_bends = line[0]
    curves = "".join(f"C{' '.join(f'{x} {y}' for x, y in bends)}" for _start, *bends in line)
    dashes = ' stroke-dasharray="4 3"' if edge.is_plain else ""
    return f'<path d="M{x} {y}{curves}" stroke="{COLOURS[edge.health]}"{dashes} marker-end="url(#tip)"/>'


def _drawn_label(edge: Edge, place: Rect) -> str:
    lines = "".join(
        f'<tspan x="{place.left + place.width // 2}" y="{place.top + _LINE * index + 11}">{escape(text)}</tspan>'
        for index, text in enumerate(edge.texts)
    )
    behind = f'<rect class="behind" x="{place.left}" y="{place.top}" width="{place.width}" height="{place.height}"/>'
    return f'{behind}<text class="small edge" text-anchor="middle">{lines}</text>'


def _drawn_node(node: Node, box: Rect) -> str:
    line = f'stroke="{COLOURS[node.health]}" stroke-dasharray="{_DASHES[node.health]}"'
    left = box.left + _INSIDE
    second = f'<text class="small" x="{left}" y="{box.top + 40}">{escape(node.note)}</text>' if node.note else ""
    return (
        f"<g><title>{escape(f'{node.key}: {node.health}')}</title>"
        f'<rect x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" rx="6" {line}/>'
        f'<text x="{left}" y="{box.top + 22}">{escape(_short(node.label))}</text>{second}</g>'
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
