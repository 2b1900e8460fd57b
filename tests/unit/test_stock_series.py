"""Rules, and the series that their tests make up, against what a stock cluster has, and where that is written."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from .test_kept_metrics import jobs_of

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "roles/prometheus/files/rules").glob("*.yml"))
# Of every target.
EVERYWHERE = {"instance", "job"}
# What `up` has is what its target has.
OF_TARGETS = "up"


@functools.cache
def stock() -> Any:
    return yaml.safe_load((ROOT / "tests/rules/sources/stock_series.yml").read_text())


def selectors(expression: str | promql_parser.Expr) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def see(node: promql_parser.Expr) -> None:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            found.append(selector)

    promql_parser.walk(promql_parser.parse(expression) if isinstance(expression, str) else expression, see)
    return found


def known(metric: str) -> set[str]:
    """The labels that a series of the metric can have."""
    targets = stock()["targets"]
    if metric == OF_TARGETS:
        return EVERYWHERE.union(*targets.values())
    entry = stock()["series"].get(metric)
    assert entry, f"{metric} is not in stock_series.yml: with which labels, and what says so?"
    return {*entry["labels"], *EVERYWHERE}.union(*(targets[job] for job in jobs_of(metric)))


def expressions() -> Iterator[tuple[str, str]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield f"{path.stem}: {rule.get('alert') or rule['record']}", rule["expr"]


def made_up() -> Iterator[tuple[str, promql_parser.VectorSelector]]:
    """The series of the rules' tests; those of recorded metrics are the rules' own."""
    for path in sorted((ROOT / "tests/rules").glob("*.yml")):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for series in test["input_series"]:
                (selector,) = selectors(series["series"])
                if ":" not in (selector.name or "") and not (selector.name or "").startswith("envoy_"):
                    yield f"{path.stem}: {series['series']}", selector


def labels(selector: promql_parser.VectorSelector) -> set[str]:
    return {matcher.name for matcher in selector.matchers.matchers} - {"__name__"}


@pytest.mark.parametrize(("name", "expression"), [*expressions()])
def test_a_rule_reads_what_a_stock_cluster_has(name: str, expression: str) -> None:
    for selector in selectors(expression):
        metric = selector.name
        if metric is None or ":" in metric:
            continue
        assert labels(selector) <= known(metric), f"{name}: {metric} has no such label"


@pytest.mark.parametrize(("name", "expression"), [*expressions()])
def test_a_rule_sums_by_labels_that_there_are(name: str, expression: str) -> None:
    def see(node: promql_parser.Expr) -> None:
        if not isinstance(node, promql_parser.AggregateExpr) or node.modifier is None:
            return
        metrics = [selector.name for selector in selectors(node.expr)]
        # Recorded series have the labels that their rules leave, and label_replace makes labels up.
        if all(metric and ":" not in metric for metric in metrics) and "label_replace" not in node.expr.prettify():
            possible = set.union(*(known(metric) for metric in metrics))
            assert {*node.modifier.labels} <= possible, f"{name}: {node.prettify()}"

    promql_parser.walk(promql_parser.parse(expression), see)


@pytest.mark.parametrize(("name", "selector"), [*made_up()], ids=lambda value: value if isinstance(value, str) else "")
def test_a_tests_series_could_be_a_real_one(name: str, selector: promql_parser.VectorSelector) -> None:
    assert selector.name
    assert labels(selector) <= known(selector.name), f"{name}: no stock series has these labels"


def test_each_entry_has_a_source_and_is_read() -> None:
    read = {selector.name for _name, expression in expressions() for selector in selectors(expression)}
    asked = {selector.name for _name, selector in made_up()}
    assert {*stock()["series"]} <= read | asked, "the rest is read by no rule any more"
    assert {entry["source"] for entry in stock()["series"].values()} <= {*stock()["sources"]}
