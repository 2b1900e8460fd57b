# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Shifting traffic in a cluster: read, edit, check, write unless it changed meanwhile, and wait for the proxies."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.endpoints import (
    ready_endpoints,
    slices_of,
    subset_labels,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.propagation import Propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    NETWORKING,
    Route,
    Split,
    TrafficFailure,
    full_host,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import kind_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Readable, Writable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import Written, conditional_put
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right

FIELD_MANAGER = "corpv3-service-mesh-traffic"
_POLL_SECONDS = 0.1


# For an argument spec: the attributes of the cookie of an Affinity.
COOKIE_OPTIONS: dict[str, Any] = {
    "max_age": {"type": "int", "default": 86400},
    "secure": {"type": "bool", "default": True},
    "same_site": {"type": "str", "choices": ["Lax", "Strict", "None"], "default": "Lax"},
}


@dataclass(frozen=True)
class Acknowledged:
    """How the waiting ended. ``proof`` is False where istiod could not be queried and only time was waited."""

    proof: bool
    proxies: int
    seconds: float
    problem: str = ""


def shift_rights(route: Ref, service: str) -> list[Right]:
    """What an account needs for :func:`shift`. ``service``: as the split has it, a short name or a host."""
    pods = full_host(service, route.namespace).split(".")[1]
    return [
        *kind_of(route).rights(route.namespace, route.name),
        Right("list", NETWORKING.partition("/")[0], "destinationrules"),
        Right("list", "discovery.k8s.io", "endpointslices", pods),
        Right("list", "", "pods", pods),
    ]


def shift(cluster: Writable, ref: Ref, split: Split, min_ready: int, dry_run: bool) -> Written:
    """Write the split, on condition that the object is as it was read; after a conflict everything is decided again."""
    kind = kind_of(ref)

    def split_of(before: Object | None) -> Object:
        if before is None:
            raise TrafficFailure(f"there is no {ref}: correct namespace and virtual_service, or deploy it first.")
        return kind(before).shifted(split).obj

    def refuse(before: Object) -> None:
        refuse_unsafe(cluster, kind(before), split, min_ready)

    return conditional_put(cluster, ref, split_of, FIELD_MANAGER, refuse, dry_run)


def refuse_rivals(cluster: Readable, routes: Sequence[Route]) -> None:
    """Raise TrafficFailure where another object decides about what one of these routes."""
    listed = cache(lambda api_version, kind: cluster.list(api_version, kind))  # pylint: disable=unnecessary-lambda
    competing = sorted({name for route in routes for name in route.rivals(listed)})
    if competing:
        raise TrafficFailure(
            f"{', '.join(competing)} routes the same host at the same gateway, so it is open which of them counts: "
            "take one of them away, or merge them."
        )


def refuse_unsafe(cluster: Readable, route: Route, split: Split, min_ready: int) -> None:
    """Raise TrafficFailure where requests would reach no pod, or where another object decides."""
    refuse_rivals(cluster, [route])
    host = full_host(split.host, route.namespace)
    subsets = subset_labels(cluster.list(NETWORKING, "DestinationRule"), host)
    missing = sorted(split.receiving - set(subsets))
    if missing:
        raise TrafficFailure(
            f"no DestinationRule defines subset {', '.join(missing)} of {host} (there are: "
            f"{', '.join(sorted(subsets)) or 'none'}): add it, and let the proxies learn of it, before it gets traffic."
        )
    service, service_namespace = host.split(".")[:2]
    slices = slices_of(cluster.list("discovery.k8s.io/v1", "EndpointSlice", service_namespace), service)
    pods = cluster.list("v1", "Pod", service_namespace)
    for subset in sorted(split.receiving):
        ready = ready_endpoints(slices, pods, subsets[subset])
        if ready < min_ready:
            raise TrafficFailure(
                f"subset {subset} of {host} has {ready} ready endpoints, and min_ready asks for {min_ready}: "
                f"wait until pods with labels {subsets[subset]} are ready."
            )


def wait_for_proxies(propagation: Propagation, timeout: float) -> Acknowledged:
    """Wait until every client has accepted what was written last. TrafficFailure after ``timeout`` seconds."""
    begin = time.monotonic()
    while not propagation.acknowledged():
        if time.monotonic() - begin >= timeout and propagation.proxies:
            raise TrafficFailure(f"after {timeout:.0f} s not every proxy has the new routes: {propagation.stragglers}")
        time.sleep(_POLL_SECONDS)
    return Acknowledged(
        bool(propagation.proxies) and not propagation.unproven,
        propagation.proxies,
        time.monotonic() - begin,
        propagation.unproven or propagation.problem,
    )


def wait_without_proof(seconds: float) -> Acknowledged:
    """Where istiod cannot be asked, time must do."""
    time.sleep(seconds)
    return Acknowledged(False, 0, seconds)
