# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A graph in layers, as Sugiyama draws it: callers on the left, as few crossings as a few sweeps find.

Pure and deterministic. Boxes are in the even layers. Each edge has a place in every layer between its ends, so it never
passes through a box; the odd layers have room for the edges' labels.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

# The place of an edge in a layer between its ends: the edge's index and the layer.
Via = tuple[int, int]
# A box by its key, or such a place.
Item = str | Via
Pair = tuple[str, str]
_SWEEPS = 8


@dataclass(frozen=True)
class Chain:
    """An edge from left to right."""

    left: str
    vias: Sequence[Via]
    right: str

    @property
    def items(self) -> list[Item]:
        return [self.left, *self.vias, self.right]


@dataclass(frozen=True)
class Layers:
    """rows: the items of each layer, from top to bottom. chains: by the edge's index.

    backward: the edges that lead from right to left, because their calls are part of a cycle.
    """

    rows: list[list[Item]]
    chains: dict[int, Chain]
    backward: frozenset[int]


def layered(pairs: Sequence[Pair]) -> Layers:
    """Of client and server of each edge. Edges of a box to itself are in no layer."""
    between = {index: pair for index, pair in enumerate(pairs) if pair[0] != pair[1]}
    order = _order(between.values())
    place = {key: index for index, key in enumerate(order)}
    backward = frozenset(index for index, (client, server) in between.items() if place[client] > place[server])
    forward = {index: pair[::-1] if index in backward else pair for index, pair in between.items()}
    level = _levels(order, forward.values())
    chains = {
        index: Chain(left, [(index, layer) for layer in range(2 * level[left] + 1, 2 * level[right])], right)
        for index, (left, right) in forward.items()
    }
    rows: list[list[Item]] = [[] for _layer in range(2 * max(level.values(), default=-1) + 1)]
    for key in order:
        rows[2 * level[key]].append(key)
    for chain in chains.values():
        for via in chain.vias:
            rows[via[1]].append(via)
    return Layers(_with_few_crossings(rows, chains.values()), chains, backward)


def _order(pairs: Iterable[Pair]) -> list[str]:
    """All keys so that few edges lead back (Eades, Lin and Smyth): none of them does if there is no cycle."""
    rest = sorted({key for pair in pairs for key in pair})
    edges = sorted(pairs)
    first: list[str] = []
    last: list[str] = []
    while rest:
        calls = Counter(client for client, _server in edges)
        called = Counter(server for _client, server in edges)
        sources = [key for key in rest if not called[key]]
        sinks = [key for key in rest if called[key] and not calls[key]]
        if sources:
            first += sources
        elif sinks:
            last = [*sinks, *last]
        else:
            first.append(max(rest, key=lambda key: calls[key] - called[key]))
        done = {*first, *last}
        rest = [key for key in rest if key not in done]
        edges = [(client, server) for client, server in edges if client not in done and server not in done]
    return [*first, *last]


def _levels(order: Sequence[str], pairs: Iterable[Pair]) -> dict[str, int]:
    """Each key is one level right of its last caller; a key without callers is just left of its first server."""
    servers: dict[str, set[str]] = defaultdict(set)
    callers: dict[str, set[str]] = defaultdict(set)
    for client, server in pairs:
        servers[client].add(server)
        callers[server].add(client)
    level: dict[str, int] = {}
    for key in order:
        level[key] = max((level[caller] + 1 for caller in callers[key]), default=0)
    for key in order:
        if not callers[key]:
            level[key] = min(level[server] for server in servers[key]) - 1
    return level


def _with_few_crossings(rows: list[list[Item]], chains: Iterable[Chain]) -> list[list[Item]]:
    """The rows in the best of the orders in which items are close to their neighbours of the layer before, or after."""
    left, right = neighbours(chains)
    best, fewest = rows, crossings(rows, right)
    for sweep in range(_SWEEPS):
        rows = [list(row) for row in rows]
        near = right if sweep % 2 else left
        layers = range(len(rows) - 2, -1, -1) if sweep % 2 else range(1, len(rows))
        for layer in layers:
            before = rows[layer + 1 if sweep % 2 else layer - 1]
            _sort(rows[layer], {item: index for index, item in enumerate(before)}, near)
        found = crossings(rows, right)
        if found < fewest:
            best, fewest = rows, found
    return best


def _sort(row: list[Item], position: Mapping[Item, int], near: Mapping[Item, Sequence[Item]]) -> None:
    current = {item: index for index, item in enumerate(row)}

    def wanted(item: Item) -> tuple[float, int]:
        places = [position[other] for other in near[item]]
        return (sum(places) / len(places) if places else current[item], current[item])

    row.sort(key=wanted)


def neighbours(chains: Iterable[Chain]) -> tuple[Mapping[Item, list[Item]], Mapping[Item, list[Item]]]:
    """Of each item those in the layer to its left, and those in the layer to its right."""
    left: dict[Item, list[Item]] = defaultdict(list)
    right: dict[Item, list[Item]] = defaultdict(list)
    for chain in chains:
        for one, other in pairwise(chain.items):
            right[one].append(other)
            left[other].append(one)
    return left, right


def crossings(rows: Sequence[Sequence[Item]], right: Mapping[Item, Sequence[Item]]) -> int:
    """How many pairs of edges cross between two layers."""
    found = 0
    for row, following in pairwise(rows):
        position = {item: index for index, item in enumerate(following)}
        seen: list[int] = []
        for item in row:
            ends = sorted(position[other] for other in right[item])
            found += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return found
