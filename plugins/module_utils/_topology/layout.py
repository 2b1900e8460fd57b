# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where the boxes, edges and labels of a graph are: nothing covers anything else, and only edges cross each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor

from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.layers import (
    Chain,
    Item,
    Layers,
    Pair,
    layered,
    neighbours,
)

_MARGIN = 12
# Between two boxes of a layer, and between an edge and what is above or below it.
_BETWEEN_BOXES, _BESIDE_EDGE = 24, 10
# Between two layers, where edges bend: wider if an edge climbs far.
_NARROW, _WIDE, _CLIMB = 24, 96, 6
# Between the places of edges at one side of a box, and between the outer ones and its corners.
_PORTS, _CORNER = 9, 10
# An edge of a box to itself hangs from its lower side: where it ends and begins, how far it hangs, where its label is.
_LOOP_END, _LOOP_START, _LOOP, _LOOP_LABEL = 16, 52, 24, 60
_SWEEPS = 6
# Boxes without edges are in rows below the others, which are at least so wide.
_ROW = 900

Point = tuple[int, int]
# A cubic Bezier curve: its start, the two points that bend it, its end.
Curve = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Size:
    width: int
    height: int


@dataclass(frozen=True)
class Rect:
    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def middle(self) -> int:
        return self.top + self.height // 2


@dataclass(frozen=True)
class Layout:
    """boxes: by key. labels and lines: by the edge's index; a line leads from the client to the server."""

    size: Size
    boxes: Mapping[str, Rect]
    labels: Sequence[Rect]
    lines: Sequence[Sequence[Curve]]


def layout(sizes: Mapping[str, Size], pairs: Sequence[Pair], labels: Sequence[Size]) -> Layout:
    """sizes: of the boxes. pairs: client and server of each edge, each pair once. labels: the sizes of their labels."""
    return _Drawing(sizes, pairs, labels).layout()


class _Drawing:
    def __init__(self, sizes: Mapping[str, Size], pairs: Sequence[Pair], labels: Sequence[Size]) -> None:
        self.sizes, self.pairs, self.label_sizes = sizes, pairs, labels
        self.layers: Layers = layered(pairs)
        self.left, self.right = neighbours(self.layers.chains.values())
        self.loops = {client: index for index, (client, server) in enumerate(pairs) if client == server}
        # The layer of an edge in which its label is: the middle one of those without boxes.
        self.label_layer = {
            index: chain.vias[len(chain.vias) // 4 * 2][1] for index, chain in self.layers.chains.items()
        }

    def layout(self) -> Layout:
        middles = self._middles()
        boxes, spans = self._columns(middles)
        bottom = max((box.top + self._slot(key) for key, box in boxes.items()), default=0)
        bottom = max([bottom, *(middles[item] + self._height(item) // 2 for item in middles)])
        width = max((right for _left, right in spans), default=0)
        boxes, size = self._with_lonely(boxes, width, bottom)
        labels: dict[int, Rect] = {}
        lines: dict[int, list[Curve]] = {}
        ports = self._ports(boxes, middles)
        for index, chain in self.layers.chains.items():
            lines[index] = self._line(index, chain, boxes, spans, middles, ports)
            label, layer = self.label_sizes[index], self.label_layer[index]
            left, right = spans[layer]
            middle = middles[(index, layer)]
            labels[index] = Rect(
                (left + right - label.width) // 2, middle - label.height // 2, label.width, label.height
            )
        for key, index in self.loops.items():
            lines[index], labels[index] = [_loop(boxes[key])], self._loop_label(boxes[key], index)
        order = range(len(self.pairs))
        return Layout(size, boxes, [labels[index] for index in order], [lines[index] for index in order])

    def _slot(self, key: str) -> int:
        """The height of a box with the edge to itself."""
        loop = self.loops.get(key)
        below = 0 if loop is None else max(_LOOP, self.label_sizes[loop].height + 4)
        return self.sizes[key].height + below

    def _height(self, item: Item) -> int:
        if isinstance(item, str):
            return self._slot(item)
        index, layer = item
        return self.label_sizes[index].height if layer == self.label_layer[index] else 2

    def _width(self, item: Item) -> int:
        if isinstance(item, str):
            loop = self.loops.get(item)
            below = 0 if loop is None else _LOOP_LABEL + self.label_sizes[loop].width
            return max(self.sizes[item].width, below)
        index, layer = item
        return self.label_sizes[index].width if layer == self.label_layer[index] else 0

    def _middles(self) -> dict[Item, int]:
        """The middle of each item, near those of its neighbours; the first item begins at the margin."""
        rows = self.layers.rows
        apart = [[self._apart(one, other) for one, other in pairwise(row)] for row in rows]
        found: dict[Item, int] = {}
        for row, distances in zip(rows, apart, strict=True):
            start = -sum(distances) // 2
            found |= dict(zip(row, settled([start] * len(row), distances), strict=True))
        for sweep in range(_SWEEPS + 1):
            last = sweep == _SWEEPS
            for layer in range(len(rows)) if sweep % 2 == 0 else reversed(range(len(rows))):
                near = [self._near(item, last, sweep % 2 == 0) for item in rows[layer]]
                wanted = [
                    sum(found[other] for other in others) / len(others) if others else found[item]
                    for item, others in zip(rows[layer], near, strict=True)
                ]
                found |= dict(zip(rows[layer], settled(wanted, apart[layer]), strict=True))
        top = min((middle - self._height(item) // 2 for item, middle in found.items()), default=0)
        return {item: middle - top + _MARGIN for item, middle in found.items()}

    def _near(self, item: Item, both: bool, from_left: bool) -> Sequence[Item]:
        left, right = self.left[item], self.right[item]
        if both:
            return [*left, *right]
        return (left or right) if from_left else (right or left)

    def _apart(self, one: Item, other: Item) -> int:
        between = _BETWEEN_BOXES if isinstance(one, str) and isinstance(other, str) else _BESIDE_EDGE
        return (self._height(one) + self._height(other) + 1) // 2 + between

    def _columns(self, middles: Mapping[Item, int]) -> tuple[dict[str, Rect], list[tuple[int, int]]]:
        """The boxes, each as wide as its layer, and the left and right end of each layer."""
        boxes: dict[str, Rect] = {}
        spans: list[tuple[int, int]] = []
        left = _MARGIN
        for row in self.layers.rows:
            right = left + max(map(self._width, row))
            spans.append((left, right))
            for key in row:
                if isinstance(key, str):
                    top = middles[key] - self._slot(key) // 2
                    boxes[key] = Rect(left, top, right - left, self.sizes[key].height)
            climbs = [abs(middles[item] - middles[other]) for item in row for other in self.right[item]]
            left = right + min(_WIDE, max([_NARROW, *(climb // _CLIMB for climb in climbs)]))
        return boxes, spans

    def _with_lonely(self, boxes: Mapping[str, Rect], width: int, bottom: int) -> tuple[dict[str, Rect], Size]:
        """The boxes with those that have no edge to another one, in rows below, and the size of it all."""
        found = dict(boxes)
        limit, left, top, row = max(width, _ROW), _MARGIN, bottom + _BETWEEN_BOXES if boxes else _MARGIN, 0
        for key, size in self.sizes.items():
            if key in boxes:
                continue
            wide = self._width(key)
            if left > _MARGIN and left + wide > limit:
                left, top, row = _MARGIN, top + row + _BETWEEN_BOXES, 0
            found[key] = Rect(left, top, wide, size.height)
            width, row = max(width, left + wide), max(row, self._slot(key))
            bottom = top + row
            left += wide + _BETWEEN_BOXES
        return found, Size(width + _MARGIN, bottom + _MARGIN)

    def _ports(self, boxes: Mapping[str, Rect], middles: Mapping[Item, int]) -> dict[tuple[int, str], int]:
        """Where an edge (its index) meets a box (its key): in the order of where they come from, so that none cross."""
        sides: dict[tuple[str, bool], list[tuple[int, int]]] = defaultdict(list)
        for index, chain in self.layers.chains.items():
            sides[(chain.left, True)].append((middles[chain.vias[0]], index))
            sides[(chain.right, False)].append((middles[chain.vias[-1]], index))
        found: dict[tuple[int, str], int] = {}
        for (key, _side), ends in sides.items():
            box = boxes[key]
            step = min(_PORTS, (box.height - 2 * _CORNER) / max(1, len(ends) - 1))
            for place, (_middle, index) in enumerate(sorted(ends)):
                found[(index, key)] = box.middle + round((place - (len(ends) - 1) / 2) * step)
        return found

    def _line(
        self,
        index: int,
        chain: Chain,
        boxes: Mapping[str, Rect],
        spans: Sequence[tuple[int, int]],
        middles: Mapping[Item, int],
        ports: Mapping[tuple[int, str], int],
    ) -> list[Curve]:
        """Curves between the layers, straight within them."""
        curves: list[Curve] = []
        at = (boxes[chain.left].right, ports[(index, chain.left)])
        for via in chain.vias:
            left, right = spans[via[1]]
            entry, leaving = (left, middles[via]), (right, middles[via])
            curves += [_curve(at, entry), _curve(entry, leaving)]
            at = leaving
        curves.append(_curve(at, (boxes[chain.right].left, ports[(index, chain.right)])))
        if index in self.layers.backward:
            return [(end, second, one, start) for start, one, second, end in reversed(curves)]
        return curves

    def _loop_label(self, box: Rect, index: int) -> Rect:
        size = self.label_sizes[index]
        return Rect(box.left + _LOOP_LABEL, box.bottom + 4, size.width, size.height)


def _curve(start: Point, end: Point) -> Curve:
    half = (start[0] + end[0]) // 2
    return start, (half, start[1]), (half, end[1]), end


def _loop(box: Rect) -> Curve:
    start, end = box.left + _LOOP_START, box.left + _LOOP_END
    low = box.bottom + _LOOP
    return (start, box.bottom), (start, low), (end, low), (end, box.bottom)


def settled(wanted: Sequence[float], apart: Sequence[int]) -> list[int]:
    """The places nearest to the wanted ones, by least squares, that keep their order and their distances.

    apart[i]: the least distance of i and i + 1.
    """
    offsets = [0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    # Places that would be too close become one block, at the mean of what they want.
    blocks: list[tuple[float, int]] = []
    for place, offset in zip(wanted, offsets, strict=False):
        total, count = place - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / count:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    starts = [floor(total / count) for total, count in blocks for _member in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=False)]
