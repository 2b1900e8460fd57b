# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A VirtualService, and the routes that istiod makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService

HOST = "reviews.shop.svc.cluster.local"


def virtual_service(canary: int, name: str = "reviews", gateways: Sequence[str] = ()) -> VirtualService:
    destinations = [
        {"destination": {"host": "reviews", "subset": subset}, "weight": weight}
        for subset, weight in (("v1", 100 - canary), ("v2", canary))
    ]
    spec: dict[str, Any] = {"hosts": ["reviews"], "http": [{"name": "primary", "route": destinations}]}
    if gateways:
        spec["gateways"] = list(gateways)
    return VirtualService({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})


def configuration(canary: int, name: str = "reviews", route: str = "primary") -> dict[str, Any]:
    """As istiod sends it: without destinations of weight 0."""
    clusters = [
        {"name": f"outbound|9080|{subset}|{HOST}", "weight": weight}
        for subset, weight in (("v1", 100 - canary), ("v2", canary))
        if weight
    ]
    path = f"/apis/networking.istio.io/v1/namespaces/shop/virtual-service/{name}"
    sent = {
        "name": route,
        "route": {"weightedClusters": {"clusters": clusters}},
        "metadata": {"filterMetadata": {"istio": {"config": path}}},
    }
    return {"name": "9080", "virtualHosts": [{"name": f"{HOST}:9080", "routes": [sent]}]}
