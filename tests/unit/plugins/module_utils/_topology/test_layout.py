# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The geometry of the topology's picture: nothing covers anything else, whatever the graph is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.graph import Edge, Node
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.layers import (
    Pair,
    crossings,
    layered,
    neighbours,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.layout import (
    Curve,
    Layout,
    Rect,
    layout,
    settled,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.picture import box_size, label_size, svg

CHART = Path(__file__).parents[5] / "roles/restaurant_app/files/chart/values.yaml"


def generated(count: int) -> tuple[list[Node], list[Edge]]:
    """A mesh of so many services, some of which call themselves, each other in a cycle, or no other."""
    dice = random.Random(count)  # noqa: S311  (the same graphs in every run)
    keys = [f"shop/{'service-' * dice.randint(0, 3)}{index}" for index in range(count)]
    nodes = [Node(key, key, dice.choice(["", "v1", "v1, v2 · P95 1234 ms"]), "healthy") for key in keys]
    wanted = int(count * dice.uniform(0.5, 2.5))
    pairs = sorted({(dice.choice(keys), dice.choice(keys)) for _edge in range(wanted)})
    security = ["mutual_tls", "plaintext", "refused", "unknown"]
    return nodes, [
        Edge(client, server, dice.uniform(0, 2000), dice.choice([0, 0, 33.3]), dice.choice(security))
        for client, server in pairs
    ]


def restaurant() -> tuple[list[Node], list[Edge]]:
    """The application's own graph, with its gateway, its databases, and spans to Jaeger from everywhere."""
    services = yaml.safe_load(CHART.read_text())["services"]
    pairs = [("gateway", "frontend"), ("gateway", "api-gateway"), ("frontend", "api-gateway")]
    pairs += [(name, called) for name, service in services.items() for called in service.get("calls", [])]
    pairs += [("order-service", name) for name in ("postgres", "redis", "rabbitmq")]
    pairs += [(name, "jaeger-collector") for name in [*services, "gateway"]]
    nodes = [Node(key, key, "v1, v2 · P95 39.5 ms", "healthy") for key in sorted({*sum(pairs, ())})]
    return nodes, [Edge(*pair, 13.7, 100.0, "plaintext") for pair in sorted({*pairs})]


GRAPHS = [pytest.param(generated(count), id=f"{count} services") for count in range(2, 61)]
GRAPHS.append(pytest.param(restaurant(), id="restaurant"))
Graph = tuple[list[Node], list[Edge]]


def laid_out(graph: Graph) -> Layout:
    nodes, edges = graph
    pairs = [(edge.client, edge.server) for edge in edges]
    return layout({node.key: box_size(node) for node in nodes}, pairs, [label_size(edge) for edge in edges])


def overlap(one: Rect, other: Rect) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom


def hull(curve: Curve) -> Rect:
    """A Bezier curve never leaves the rectangle around the points that define it."""
    left, top = (min(point[axis] for point in curve) for axis in (0, 1))
    right, bottom = (max(point[axis] for point in curve) for axis in (0, 1))
    return Rect(left, top, right - left, max(1, bottom - top))


@pytest.mark.parametrize("graph", GRAPHS)
def test_nothing_covers_anything_else(graph: Graph) -> None:
    nodes, edges = graph
    found = laid_out(graph)
    canvas = Rect(0, 0, found.size.width, found.size.height)
    boxes = [*found.boxes.items()]
    assert {key for key, _box in boxes} == {node.key for node in nodes}
    for place in [*found.boxes.values(), *found.labels]:
        assert canvas.left <= place.left < place.right <= canvas.right, place
        assert canvas.top <= place.top < place.bottom <= canvas.bottom, place
    assert [pair for pair in combinations(found.boxes.values(), 2) if overlap(*pair)] == []
    assert [pair for pair in combinations(found.labels, 2) if overlap(*pair)] == []
    for index, (edge, label, line) in enumerate(zip(edges, found.labels, found.lines, strict=True)):
        assert [key for key, box in boxes if overlap(label, box)] == [], edge
        foreign = [box for key, box in boxes if key not in (edge.client, edge.server)]
        labels = [other for place, other in enumerate(found.labels) if place != index]
        for curve in map(hull, line):
            assert [box for box in foreign if overlap(curve, box)] == [], edge
            assert [other for other in labels if overlap(curve, other)] == [], edge


@pytest.mark.parametrize("graph", GRAPHS)
def test_an_edge_leads_from_its_client_to_its_server_in_one_line(graph: Graph) -> None:
    found = laid_out(graph)
    for edge, line in zip(graph[1], found.lines, strict=True):
        assert [one[-1] for one in line[:-1]] == [other[0] for other in line[1:]]
        for (x, y), box in ((line[0][0], found.boxes[edge.client]), (line[-1][-1], found.boxes[edge.server])):
            assert x in (box.left, box.right) or y == box.bottom, edge
            assert box.left <= x <= box.right, edge
            assert box.top <= y <= box.bottom, edge


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_label_is_at_its_own_edge(graph: Graph) -> None:
    found = laid_out(graph)
    for edge, label, line in zip(graph[1], found.labels, found.lines, strict=True):
        if edge.client != edge.server:
            assert any(overlap(label, hull(curve)) for curve in line), edge


def test_the_picture_shows_what_the_layout_has() -> None:
    nodes, edges = restaurant()
    found = laid_out((nodes, edges))
    root = ElementTree.fromstring(svg(nodes, edges))  # noqa: S314  (our own text)
    assert (root.get("width"), root.get("height")) == (str(found.size.width), str(found.size.height))
    rects = root.findall("{*}g/{*}rect")
    drawn = [[int(rect.get(name, "")) for name in ("x", "y", "width", "height")] for rect in rects]
    expected = [found.boxes[node.key] for node in nodes]
    assert drawn == [[box.left, box.top, box.width, box.height] for box in expected]
    texts = [text for text in root.findall("{*}text") if text.get("class") == "small edge"]
    for text, label in zip(texts, found.labels, strict=True):
        for line in text.findall("{*}tspan"):
            half = len(line.text or "") * 3.5
            x, y = int(line.get("x", "")), int(line.get("y", ""))
            assert label.left <= x - half <= x + half <= label.right
            # A letter is above its baseline, some of it below.
            assert label.top <= y - 11 < y + 3 <= label.bottom


def tree(count: int) -> list[Pair]:
    """Each service is called by one other, in a random order."""
    dice = random.Random(count)  # noqa: S311  (the same trees in every run)
    pairs = [(str(dice.randrange(index)), str(index)) for index in range(1, count)]
    dice.shuffle(pairs)
    return pairs


@pytest.mark.parametrize("count", [5, 15, 40])
def test_a_tree_has_no_crossings(count: int) -> None:
    found = layered(tree(count))
    _left, right = neighbours(found.chains.values())
    assert crossings(found.rows, right) == 0


def test_crossings_are_fewer_than_in_the_order_of_the_names() -> None:
    _nodes, edges = restaurant()
    found = layered([(edge.client, edge.server) for edge in edges])
    _left, right = neighbours(found.chains.values())
    by_name = [sorted(row, key=str) for row in found.rows]
    assert crossings(found.rows, right) < crossings(by_name, right)


def test_only_calls_against_the_others_in_a_cycle_lead_back() -> None:
    assert layered([("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")]).backward == frozenset()
    assert len(layered([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "d")]).backward) == 1


def test_the_same_graph_has_the_same_picture() -> None:
    assert svg(*generated(20)) == svg(*generated(20))


def test_a_mesh_of_a_thousand_services_has_a_picture() -> None:
    pairs = [(f"s{index}", f"s{index + 1}") for index in range(1000)]
    assert len(layered(pairs).rows) == 2001


@pytest.mark.parametrize(
    ("wanted", "apart", "expected"),
    [
        ([], [], []),
        ([5.0, 30.0], [10], [5, 30]),
        # Both want the same place: they share the way.
        ([10.0, 10.0], [10], [5, 15]),
        ([30.0, 0.0, 0.0], [10, 10], [0, 10, 20]),
    ],
)
def test_places_keep_their_distance_near_what_they_want(
    wanted: Sequence[float], apart: Sequence[int], expected: Sequence[int]
) -> None:
    assert settled(wanted, apart) == expected
