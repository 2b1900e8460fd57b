# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A version that a canary decided is named with its share, until the inventory asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.filter.decided_versions import FilterModule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.images import version_of

decided_versions = FilterModule().filters()["decided_versions"]
DECLARED = "registry.example.com:5000/corpv3/order-service:1.0.0"
DIGEST = f"sha256:{'0' * 64}"


def deployment(decided: str | None, **changed: Any) -> dict[str, Any]:
    prefix = "canary.service-mesh.corpv3.com"
    annotations = {f"{prefix}/declared-image": DECLARED, f"{prefix}/image": decided}
    return {
        "metadata": {
            "name": "order-service-v2",
            "labels": {"app": "order-service", "version": "v2"},
            "annotations": {name: value for name, value in annotations.items() if value is not None},
            **changed,
        }
    }


def routes(weights: dict[str, int | None], name: str = "primary") -> dict[str, Any]:
    to = [
        {"destination": {"host": "order-service", "subset": subset}, **({} if weight is None else {"weight": weight})}
        for subset, weight in weights.items()
    ]
    http = [{"name": "canary-header", "route": to[:1]}, {"name": name, "route": to}]
    return {"metadata": {"name": "order-service", "namespace": "shop"}, "spec": {"http": http}}


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"v1": 75, "v2": 25}, "version 2.0.0 (slot v2, 25 %), which a canary decided; the inventory asks for 1.0.0."),
        ({"v1": 0, "v2": 100}, "version 2.0.0 (slot v2, 100 %), which a canary promoted; the inventory asks for 1.0"),
        ({"v2": None}, "version 2.0.0 (slot v2, 100 %), which a canary promoted"),
    ],
)
def test_a_version_with_traffic_is_named(weights: dict[str, int | None], said: str) -> None:
    given = deployment("corpv3/order-service:2.0.0")
    (line,) = decided_versions([given], [routes(weights)])
    assert line.startswith(f"order-service keeps {said}")
    assert line.endswith("To deploy another version: change its image tag.")


@pytest.mark.parametrize(
    ("given", "virtual_services"),
    [
        (deployment(DECLARED), [routes({"v1": 0, "v2": 100})]),
        (deployment(""), [routes({"v1": 0, "v2": 100})]),
        (deployment(None), [routes({"v1": 0, "v2": 100})]),
        (deployment(None, annotations=None), [routes({"v1": 0, "v2": 100})]),
        (deployment("order-service:2.0.0"), [routes({"v1": 100, "v2": 0})]),
        (deployment("order-service:2.0.0"), [routes({"v1": 100})]),
        (deployment("order-service:2.0.0"), [routes({"v1": 0, "v2": 100}, name="other")]),
        (deployment("order-service:2.0.0"), []),
    ],
)
def test_all_others_are_not_reported(given: dict[str, Any], virtual_services: list[dict[str, Any]]) -> None:
    assert decided_versions([given], virtual_services) == []


def test_what_a_check_run_would_change_is_left_out() -> None:
    given = deployment("order-service:2.0.0")
    assert decided_versions([given], [routes({"v2": 100})], without=["order-service-v2"]) == []


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (DECLARED, "1.0.0"),
        ("order-service:2", "2"),
        (f"shop/order-service@{DIGEST}", DIGEST),
        (f"shop/order-service:2@{DIGEST}", DIGEST),
        ("registry:5000/order-service", "registry:5000/order-service"),
        ("", ""),
    ],
)
def test_the_version_of_an_image(image: str, version: str) -> None:
    assert version_of(image) == version
