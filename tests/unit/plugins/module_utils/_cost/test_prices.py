# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of prices: what is accepted, and how an invalid one is reported."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.prices import (
    DOCUMENT,
    old_prices,
    prices_of,
    read_prices,
)

from ....support.cost_cluster import calculate, container, documents_cluster, documents_prices, node, pod

ROOT = Path(__file__).resolve().parents[5]
OWN = """
name: ours
currency: EUR
source: offer 4711
date: 2026-11-01
cpu_core_hour: 0.03
memory_gib_hour: {price: 0.004, source: a newer offer, date: 2026-11-20}
volume_gib_month: {default: 0.05, fast: {price: 0.2}}
load_balancer_month: {default: 10, internal: 0}
node_hour: {m5.large: 0.096}
"""


def test_a_file_of_ones_own() -> None:
    prices = read_prices(OWN, "prices.yml")
    assert (prices.currency, prices.hours) == ("EUR", 730)
    assert prices.of_volume("fast") == Decimal("0.2")
    assert prices.of_volume("another") == Decimal("0.05")
    assert prices.of_load_balancer("internal") == 0
    named = dict(prices.named())
    assert (named["memory_gib_hour"].source, named["memory_gib_hour"].date) == ("a newer offer", "2026-11-20")
    assert (named["node_hour.m5.large"].source, named["node_hour.m5.large"].date) == ("offer 4711", "2026-11-01")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("cpu_core_hour: 1,5", "cpu_core_hour must be a number from 0, not '1,5'"),
        ("cpu_core_hour: -1", "cpu_core_hour must be a number from 0, not -1"),
        ("cpu_core_hour: .nan", "cpu_core_hour must be a number from 0, not nan"),
        ("cpu_core_hour: true", "cpu_core_hour must be a number from 0, not True"),
        ("memory_gib_hour: {source: x}", "memory_gib_hour.price is missing"),
        ("memory_gib_hour: {price: 1, sauce: x}", "memory_gib_hour.sauce is unknown (did you mean source?)"),
        ("volume_gib_month: 0.1", "volume_gib_month must be a mapping of names to prices, not 0.1"),
        ("volume_gib_month: {gp3: 0.1}", "volume_gib_month.default is missing"),
        ("load_balancer_month: {default: ten}", "load_balancer_month.default must be a number from 0, not 'ten'"),
        ("date: yesterday", "date must be a date like 2026-11-25, not 'yesterday'"),
        ("currency: 3", "currency must be a string, not 3"),
        ("hours_per_month: 0", "hours_per_month is 0; a month has 720 to 744"),
        ("node_hours: {}", "node_hours is unknown (did you mean node_hour?)"),
    ],
)
def test_a_wrong_entry_is_named(change: str, message: str) -> None:
    data = yaml.safe_load(OWN) | yaml.safe_load(change)
    with pytest.raises(InputError, match=f"price_file: prices.yml: {re.escape(message)}. docs/cost.md has an example."):
        prices_of(data, "prices.yml")


def test_all_errors_are_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read_prices("cpu_core_hour: x\n", "prices.yml")
    for name in ("currency", "source", "date", "memory_gib_hour", "volume_gib_month", "load_balancer_month"):
        assert f"{name} is missing" in str(caught.value)
    assert "cpu_core_hour must be a number" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not valid YAML: while parsing"),
        ("- 1", "must be a mapping with the keys currency"),
        ("", "a mapping"),
    ],
)
def test_what_is_not_a_mapping_is_reported(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_prices(text, "prices.yml")


def test_old_prices_are_reported() -> None:
    prices = documents_prices()
    assert old_prices(prices, datetime.date(2026, 12, 30)) == ""
    assert old_prices(prices, datetime.date(2026, 12, 31)) == "the oldest price is 366 days old, of 2025-12-30"


def test_the_documentation_has_the_documents_prices_as_a_file() -> None:
    text = (ROOT / "docs/cost.md").read_text()
    example = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    assert prices_of(example, "docs/cost.md") == documents_prices()
    assert list(example) == list(DOCUMENT)


def test_a_nodes_own_price_is_shared_by_what_is_requested_of_it() -> None:
    """Half of its CPU and half of its memory is half of its price, whatever the prices by unit are."""
    inventory = documents_cluster()
    inventory.objects["Node"] = [node("node-1", "2", "8Gi", "m5.large"), node("node-2", "2", "8Gi", "other")]
    inventory.objects["Pod"] = [
        pod("istiod", container("discovery", "1", "4Gi"), labels={"app": "istiod"}),
        pod("lone", container("app", "1", "4Gi"), namespace="else", node="node-2"),
    ]
    found = calculate(inventory, prices=read_prices(OWN, "prices.yml"))
    compute = {item["component"]: item["cost"]["compute"] for item in found["components"]}
    assert compute["istiod"] == pytest.approx(0.096 * 730 / 2, abs=0.005)
    assert compute["else"] == pytest.approx((0.03 + 4 * 0.004) * 730, abs=0.005)
    assert found["nodes"]["cost"] == pytest.approx(0.096 * 730 + (2 * 0.03 + 8 * 0.004) * 730, abs=0.01)
    assert "node_hour has no price for instance type other: its CPU and memory are priced by unit" in found["notes"]
