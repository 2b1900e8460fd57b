# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as a size, a duration and an image, by the names that templates use."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.quantities import quantity
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.durations import duration_of
from ansible_collections.corpv3.service_mesh.plugins.test import duration, image_reference
from ansible_collections.corpv3.service_mesh.plugins.test import quantity as size

TESTS = {
    name: test for module in (duration, image_reference, size) for name, test in module.TestModule().tests().items()
}
DIGEST = f"sha256:{'0' * 64}"


def holds(test: str, value: Any) -> bool:
    return TESTS[test](value)


@pytest.mark.parametrize("value", ["500m", "1.5", ".5", "5.", "256Mi", "1k", "2P", 1, 1.5, 0])
def test_a_quantity(value: Any) -> None:
    assert holds("quantity", value)


@pytest.mark.parametrize("value", ["", "much", "1,5Gi", "1 000m", "256MiB", "1.2.3", ".", "-1", "1\n", True, None, []])
def test_what_is_not_a_quantity(value: Any) -> None:
    assert not holds("quantity", value)


def test_a_quantity_has_a_value() -> None:
    assert [quantity(value) for value in ("500m", ".5", "5.", "1Ki", "1k")] == [
        Decimal("0.5"),
        Decimal("0.5"),
        5,
        1024,
        1000,
    ]


@pytest.mark.parametrize("value", ["15d", "1h30m", "1y2w3d4h5m6s7ms", "500ms", "0s"])
def test_a_duration(value: Any) -> None:
    assert holds("duration", value)


@pytest.mark.parametrize("value", ["", "15", 15, "1.5h", "5m1h", "1m1m", "h", "soon", "1h ", None])
def test_what_is_not_a_duration(value: Any) -> None:
    assert not holds("duration", value)


def test_a_duration_has_a_value() -> None:
    assert [duration_of(text) for text in ("1h30m", "1m500ms", "0s")] == [5400, Decimal("60.5"), 0]


@pytest.mark.parametrize(
    "value",
    [
        "orders:2",
        "shop/orders:2.0.0-rc.1",
        f"shop/orders@{DIGEST}",
        f"shop/orders:2@{DIGEST}",
        "registry.example.com:5000/shop/the-orders:2",
        "Registry.example.com/shop/orders:2",
        f"orders:{'1' * 128}",
    ],
)
def test_an_image_reference(value: Any) -> None:
    assert holds("image_reference", value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "shop/orders",
        "registry.example.com:5000/shop/orders",
        "https://registry.example.com/shop/orders:2",
        "shop/Orders:2",
        "shop//orders:2",
        "shop/orders:",
        "shop/orders:-2",
        "shop/orders@sha256:abc",
        f"orders:{'1' * 129}",
        "orders:2\n",
        2,
        None,
    ],
)
def test_what_is_not_an_image_reference(value: Any) -> None:
    assert not holds("image_reference", value)
