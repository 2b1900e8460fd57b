# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Shifting traffic in a cluster: read, edit, check, write unless it changed meanwhile, and wait for the proxies."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

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
    service_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import kind_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, Readable, Writable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import Written, conditional_put
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right

FIELD_MANAGER = "corpv3-service-mesh-traffic"
_POLL_SECONDS = 0.1
# A status is several objects of the API server.
_STATUS_POLL_SECONDS = 0.5


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


def shift_rights(route: Ref, split: Split) -> list[Right]:
    """What an account needs for :func:`shift`."""
    kind = kind_of(route)
    own = kind.rights(route.namespace, route.name)
    if kind.by_service:
        places = sorted({service_of(subset, route.namespace)[0] for subset in split.named} or {route.namespace})
        return [*own, *(Right("get", "", "services", place) for place in places), *_of_endpoints(places)]
    rules = Right("list", NETWORKING.partition("/")[0], "destinationrules")
    return [*own, rules, *_of_endpoints([full_host(split.host, route.namespace).split(".")[1]])]


def _of_endpoints(namespaces: Sequence[str]) -> list[Right]:
    return [
        right
        for place in namespaces
        for right in (Right("list", "discovery.k8s.io", "endpointslices", place), Right("list", "", "pods", place))
    ]


def shift(cluster: Writable, ref: Ref, split: Split, min_ready: int, dry_run: bool) -> Written:
    """Write the split, on condition that the object is as it was read; after a conflict everything is decided again."""
    kind = kind_of(ref)
    checked: list[Any] = []

    def split_of(before: Object | None) -> Object:
        if before is None:
            raise TrafficFailure(f"there is no {ref}: correct its name and its namespace, or deploy it first.")
        return kind(before).shifted(split).obj

    def refuse(before: Object) -> None:
        if before["spec"] not in checked:
            refuse_unsafe(cluster, kind(before), split, min_ready)
            checked.append(before["spec"])

    if kind.versions:
        tried = conditional_put(cluster, ref, split_of, FIELD_MANAGER, refuse, dry_run=True)
        refuse_dropped_fields(ref, kind(tried.after), split)
        if dry_run or not tried.changed:
            return tried
    return conditional_put(cluster, ref, split_of, FIELD_MANAGER, refuse, dry_run)


def refuse_dropped_fields(ref: Ref, answered: Route, split: Split) -> None:
    """Raise TrafficFailure where the API server would store something else than what is asked for.

    It drops what its definition of the kind lacks, such as the share of a mirror, which then copies every request.
    """
    try:
        kept = answered.shifted(split).obj["spec"] == answered.obj["spec"]
    except TrafficFailure:
        # What was asked for could be read a moment ago, so it is the answer that cannot.
        kept = False
    if not kept:
        raise TrafficFailure(
            f"the cluster's definition of {ref.kind} lacks a field that this needs, such as the name of a rule or the "
            "share of a mirror. Install a newer release of the Gateway API's CustomResourceDefinitions. Nothing was "
            "changed."
        )


def refuse_rivals(cluster: Readable, routes: Sequence[Route]) -> None:
    """Raise TrafficFailure where another object decides about what one of these routes."""
    own = {route.kind for route in routes}

    @cache
    def listed(api_version: str, kind: str) -> Objects:
        try:
            return cluster.list(api_version, kind)
        except ApiFailure as failure:
            # An account that shifts VirtualServices need not have rights for kinds of the Gateway API.
            if failure.status != http.client.FORBIDDEN or kind in own or api_version == NETWORKING:
                raise
            return []

    competing = sorted({name for route in routes for name in route.rivals(listed)})
    if competing:
        raise TrafficFailure(
            f"{', '.join(competing)} routes the same host at the same gateway, so it is open which of them counts: "
            "take one of them away, or merge them."
        )


def refuse_unsafe(cluster: Readable, route: Route, split: Split, min_ready: int) -> None:
    """Raise TrafficFailure where requests would reach no pod, or where another object decides."""
    refuse_rivals(cluster, [route])
    listed = cache(lambda version, kind, place: cluster.list(version, kind, place))  # pylint: disable=unnecessary-lambda
    for backend in (_services if route.by_service else _subsets)(cluster, route, split):
        slices = slices_of(listed("discovery.k8s.io/v1", "EndpointSlice", backend.namespace), backend.service)
        ready = ready_endpoints(slices, listed("v1", "Pod", backend.namespace), backend.labels)
        if ready < min_ready:
            raise TrafficFailure(
                f"{backend.title} has {ready} ready endpoints, and min_ready asks for {min_ready}: "
                f"wait until {f'pods with labels {backend.labels}' if backend.labels else 'its pods'} are ready."
            )


class _Backend(NamedTuple):
    """The pods that get requests: of a Service those with these labels."""

    title: str
    namespace: str
    service: str
    labels: Mapping[str, str]


def _subsets(cluster: Readable, route: Route, split: Split) -> list[_Backend]:
    host = full_host(split.host, route.namespace)
    subsets = subset_labels(cluster.list(NETWORKING, "DestinationRule"), host)
    missing = sorted(split.receiving - set(subsets))
    if missing:
        raise TrafficFailure(
            f"no DestinationRule defines subset {', '.join(missing)} of {host} (there are: "
            f"{', '.join(sorted(subsets)) or 'none'}): add it, and let the proxies learn of it, before it gets traffic."
        )
    service, namespace = host.split(".")[:2]
    return [_Backend(f"subset {name} of {host}", namespace, service, subsets[name]) for name in sorted(split.receiving)]


def _services(cluster: Readable, route: Route, split: Split) -> list[_Backend]:
    found = []
    for subset in sorted(split.receiving):
        namespace, name = service_of(subset, route.namespace)
        if cluster.get(Ref("v1", "Service", namespace, name)) is None:
            raise TrafficFailure(
                f"there is no Service {namespace}/{name}: a route of kind {route.kind} has Services as backends, not "
                "subsets of a DestinationRule. Correct the name, or deploy the Service first."
            )
        found.append(_Backend(f"Service {namespace}/{name}", namespace, name, {}))
    return found


def wait_for_status(cluster: Readable, ref: Ref, timeout: float) -> bool:
    """Wait until the status shows that the object is used as it is now. TrafficFailure after ``timeout`` seconds.

    False where the kind has no such status.
    """
    kind, begin = kind_of(ref), time.monotonic()
    while lacking := _unaccepted(cluster, kind, ref):
        if time.monotonic() - begin >= timeout:
            raise TrafficFailure(
                f"after {timeout:.0f} s the new {ref} is written, but not accepted: {'; '.join(lacking)}. Fix what the "
                "status names, or roll back with the previous weights."
            )
        time.sleep(_STATUS_POLL_SECONDS)
    return bool(kind.versions)


def _unaccepted(cluster: Readable, kind: type[Route], ref: Ref) -> list[str]:
    if not kind.versions:
        return []
    found = cluster.get(ref)
    return kind(found).unaccepted(cluster.get) if found else [f"{ref} was deleted"]


def wait_for_proxies(propagation: Propagation, timeout: float, unseen_wait: float | None = None) -> Acknowledged:
    """Wait until every client has accepted what was written last. TrafficFailure after ``timeout`` seconds.

    ``unseen_wait``: for routes whose names at a proxy are not verified on a cluster. Where no proxy shows one of them,
    that proves nothing, and so many seconds pass instead.
    """
    begin = time.monotonic()
    while not propagation.acknowledged():
        if time.monotonic() - begin >= timeout and propagation.proxies:
            raise TrafficFailure(f"after {timeout:.0f} s not every proxy has the new routes: {propagation.stragglers}")
        time.sleep(_POLL_SECONDS)
    unproven = propagation.unproven
    if unseen_wait is not None and propagation.proxies and not propagation.seen and not unproven:
        unproven = f"no connected proxy shows a route of it, so {unseen_wait:.0f} s took the place of proof"
        time.sleep(max(0.0, unseen_wait - (time.monotonic() - begin)))
    return Acknowledged(
        bool(propagation.proxies) and not unproven,
        propagation.proxies,
        time.monotonic() - begin,
        unproven or propagation.problem,
    )


def wait_without_proof(seconds: float) -> Acknowledged:
    """Where istiod cannot be asked, time must do."""
    time.sleep(seconds)
    return Acknowledged(False, 0, seconds)
