# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.storage import StoredRelease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.retired_registries import (
    ADDRESSES,
    INSTALL,
    PAGE,
    retired_address,
    retired_injectors,
    retired_releases,
    retired_workloads,
    warnings_of,
)

IMAGES, OLDER_IMAGES, CHARTS = ADDRESSES
NEW = "docker.io/istio"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (f"{IMAGES}/release/pilot:1.30.3", IMAGES),
        (f"{OLDER_IMAGES}/proxyv2@sha256:00", OLDER_IMAGES),
        (f"https://{CHARTS}/charts", CHARTS),
        (f"oci://{OLDER_IMAGES}/charts", OLDER_IMAGES),
        (OLDER_IMAGES, OLDER_IMAGES),
        (f'{{"hub": "{IMAGES}/release"}}', IMAGES),
        (f"      image: {IMAGES}/release/pilot:1.30.3\n", IMAGES),
        ("docker.io/istio/pilot:1.31.1", ""),
        ("https://blob.istio.io/istio-release/charts", ""),
        # Mirrors that keep the name of what they mirror.
        (f"mirror.example.com/{IMAGES}/release/pilot:1.30.3", ""),
        (f"https://mirror.example.com/{CHARTS}/charts", ""),
        (f"{OLDER_IMAGES}-tests/pilot:1", ""),
        (f"{IMAGES}.example.com/pilot:1", ""),
        (f"my-{IMAGES}/pilot:1", ""),
        ("", ""),
    ],
)
def test_only_what_comes_from_there_is_meant(text: str, address: str) -> None:
    assert retired_address(text) == address


def pod(name: str, owner: tuple[str, str] | None = None, phase: str = "Running", **images: str) -> dict[str, Any]:
    """images: image by container."""
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    containers = [{"name": key.replace("_", "-"), "image": image} for key, image in images.items()]
    return {
        "metadata": {
            "namespace": "shop",
            "name": name,
            "labels": {"pod-template-hash": "5d4f"},
            "ownerReferences": owners,
        },
        "spec": {"initContainers": containers[:1], "containers": containers[1:]},
        "status": {"phase": phase},
    }


def test_pods_are_reported_by_their_controller() -> None:
    old, older = f"{IMAGES}/release/proxyv2:1.30.3", f"{OLDER_IMAGES}/proxyv2:1.29.0"
    cart = ("ReplicaSet", "cart-5d4f")
    found = retired_workloads(
        [
            pod("cart-1", cart, istio_init=old, cart="shop/cart:1", istio_proxy=old),
            pod("cart-2", cart, istio_init=old, cart="shop/cart:1", istio_proxy=older),
            pod("cart-3", cart, istio_init=f"{NEW}/proxyv2:1.31.1", istio_proxy=f"{NEW}/proxyv2:1.31.1"),
            pod("till-0", ("StatefulSet", "till"), till=old, istio_proxy=old),
            pod("by-hand", None, istio_proxy=old),
            pod("own-set", ("ReplicaSet", "lone"), istio_proxy=old),
            pod("job-1", ("Job", "job"), phase="Succeeded", istio_proxy=old),
        ]
    )
    assert found == [
        {
            "namespace": "shop",
            "kind": "Deployment",
            "name": "cart",
            "pods": 2,
            "images": [older, old],
            "injected": True,
        },
        {"namespace": "shop", "kind": "Pod", "name": "by-hand", "pods": 1, "images": [old], "injected": True},
        {"namespace": "shop", "kind": "ReplicaSet", "name": "lone", "pods": 1, "images": [old], "injected": True},
        {
            "namespace": "shop",
            "kind": "StatefulSet",
            "name": "till",
            "pods": 1,
            "images": [old],
            "injected": False,
        },
    ]


def test_no_pod_is_a_reason_to_fail() -> None:
    assert retired_workloads([{}, {"spec": None}, {"spec": {"containers": [{"image": 1}, "no dict"]}}]) == []


def injector(name: str, hub: str) -> dict[str, Any]:
    values = json.dumps({"global": {"hub": hub, "tag": "1.30.3"}})
    return {"metadata": {"namespace": "istio-system", "name": name}, "data": {"values": values}}


def test_injectors_are_reported() -> None:
    found = retired_injectors(
        [
            injector("istio-sidecar-injector-old", f"{IMAGES}/release"),
            injector("istio-sidecar-injector", NEW),
            # No injector.
            injector("values", IMAGES),
            {"metadata": {"name": "istio-sidecar-injector"}},
        ]
    )
    assert found == [{"namespace": "istio-system", "name": "istio-sidecar-injector-old", "address": IMAGES}]


def test_a_release_is_found_by_its_values_and_objects_and_no_value_is_shown() -> None:
    def release(name: str, **content: Any) -> StoredRelease:
        return StoredRelease("istio-system", name, 1, "deployed", content)

    found = retired_releases(
        [
            release("by-value", config={"global": {"hub": f"{IMAGES}/release"}, "password": "SECRET"}),
            release("by-object", manifest=f"image: {OLDER_IMAGES}/pilot:1.29.0"),
            # What the chart would take if nothing else were given is not what was installed.
            release("by-default", chart={"values": {"global": {"hub": IMAGES}}}, config={}, manifest="image: x"),
            release("unreadable"),
        ]
    )
    assert found == [
        {"namespace": "istio-system", "name": "by-value", "address": IMAGES},
        {"namespace": "istio-system", "name": "by-object", "address": OLDER_IMAGES},
    ]


NOTHING: dict[str, Any] = {"workloads": [], "injectors": [], "releases": []}


def test_the_warning_names_what_when_and_how() -> None:
    workloads = retired_workloads(
        [pod(f"p-{n}", ("StatefulSet", f"s{n}"), a="x", istio_proxy=IMAGES) for n in range(7)]
    )
    found = {
        "workloads": workloads,
        "injectors": [{"namespace": "istio-system", "name": "istio-sidecar-injector", "address": IMAGES}],
        "releases": [{"namespace": "istio-system", "name": "istiod", "address": IMAGES}],
    }
    (warning,) = warnings_of(found, {"istio_hub": NEW})
    for words in (
        "8 December 2026, 15:00 UTC",
        "running pods of shop/s0 (1), shop/s1 (1)",
        "and 2 more",
        "new pods, by ConfigMap istio-system/istio-sidecar-injector",
        "Helm releases istio-system/istiod",
        f"{INSTALL}, then kubectl -n shop rollout restart statefulset/s0",
        PAGE,
        *ADDRESSES,
    ):
        assert words in warning, words


def test_settings_are_reported_by_their_names() -> None:
    (warning,) = warnings_of(NOTHING, {"istio_hub": NEW, "istio_chart_repository": f"https://{CHARTS}/charts"})
    assert warning.startswith(f"istio_chart_repository is 'https://{CHARTS}/charts', but Istio retires {CHARTS}")


def test_nothing_found_is_nothing_reported() -> None:
    assert warnings_of(NOTHING, {"istio_hub": NEW}) == []
