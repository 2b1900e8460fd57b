# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether traffic may go to a subset: it is defined, and it has ready endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import full_host
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects

# Label of an EndpointSlice.
SERVICE_NAME = "kubernetes.io/service-name"


def subset_labels(destination_rules: Iterable[Object], host: str) -> dict[str, dict[str, str]]:
    """Subset -> labels, of the rules for a host (a full name). The first definition of a subset wins, as in Istio."""
    found: dict[str, dict[str, str]] = {}
    for rule in destination_rules:
        spec = rule.get("spec", {})
        if full_host(str(spec.get("host", "")), str(rule["metadata"].get("namespace", ""))) == host:
            for subset in spec.get("subsets", []):
                found.setdefault(str(subset["name"]), dict(subset.get("labels", {})))
    return found


def ready_endpoints(slices: Iterable[Object], pods: Iterable[Object], labels: Mapping[str, str]) -> int:
    """How many ready endpoints of the slices are pods with these labels."""
    matching = {
        pod["metadata"]["name"]
        for pod in pods
        if labels.items() <= (pod["metadata"].get("labels") or {}).items()
        and not pod["metadata"].get("deletionTimestamp")
    }
    ready = set()
    for item in slices:
        for endpoint in item.get("endpoints") or []:
            target: Mapping[str, Any] = endpoint.get("targetRef") or {}
            if (endpoint.get("conditions") or {}).get("ready") and target.get("name") in matching:
                ready.add(target["name"])
    return len(ready)


def slices_of(slices: Iterable[Object], service: str) -> Objects:
    """The EndpointSlices of a Service."""
    return [item for item in slices if (item["metadata"].get("labels") or {}).get(SERVICE_NAME) == service]
