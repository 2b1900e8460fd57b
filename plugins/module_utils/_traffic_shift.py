# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Shifting traffic in a cluster: read, edit, check, write if nobody did meanwhile, and wait for the proxies."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istiod import IstiodFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._proxy_sync import Proxy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._rights import Right
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic import (
    Split,
    TrafficFailure,
    full_host,
    shifted,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic_safety import (
    ready_endpoints,
    rivals,
    slices_of,
    subset_labels,
)

NETWORKING = "networking.istio.io/v1"
FIELD_MANAGER = "corpv3-service-mesh-traffic"
_ATTEMPTS = 20
_POLL_SECONDS = 0.1
# istiod collects changes for 100 ms before it pushes. By this time a push that changes any route is under way.
SETTLE_SECONDS = 1.0


class Cluster(Api, Protocol):
    """A cluster that can be written to on condition."""

    def path(self, ref: Ref) -> str:
        """Where the API server keeps the object."""

    def request(self, method: str, path: str, body: Any = None, query: Sequence[tuple[str, Any]] = ()) -> Any:
        """The API server's answer."""


@dataclass(frozen=True)
class Shift:
    """What became of a split. ``before`` and ``after`` are the same object where nothing was to be done."""

    before: Object
    after: Object
    attempts: int

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class Acknowledged:
    """How the waiting ended. ``proof`` is False where istiod could not be asked and time alone had to do."""

    proof: bool
    proxies: int
    seconds: float
    problem: str = ""


def shift_rights(virtual_service: Ref, service: str) -> list[Right]:
    """What an account needs for :func:`shift`. ``service``: as the split has it, a short name or a host."""
    networking = NETWORKING.partition("/")[0]
    pods = full_host(service, virtual_service.namespace).split(".")[1]
    return [
        *(
            Right(verb, networking, "virtualservices", virtual_service.namespace, virtual_service.name)
            for verb in ("get", "update")
        ),
        # Everywhere, since another namespace's VirtualService can claim the same host.
        Right("list", networking, "virtualservices"),
        Right("list", networking, "destinationrules"),
        Right("list", "discovery.k8s.io", "endpointslices", pods),
        Right("list", "", "pods", pods),
    ]


def shift(cluster: Cluster, ref: Ref, split: Split, min_ready: int, dry_run: bool) -> Shift:
    """Write the split, on condition that the object is as it was read; after a conflict all is decided anew."""
    safe: Object | None = None
    for attempt in range(1, _ATTEMPTS + 1):
        before = cluster.get(ref)
        if before is None:
            raise TrafficFailure(f"there is no {ref}: correct namespace and virtual_service, or deploy it first.")
        after = shifted(before, split)
        if after == before:
            return Shift(before, before, attempt)
        # Looking takes longer than reading and writing, so it is not repeated for a writer who only touched metadata.
        if before["spec"] != safe:
            refuse_unsafe(cluster, before, split, min_ready)
            safe = before["spec"]
        query: list[tuple[str, Any]] = [("fieldManager", FIELD_MANAGER)]
        if dry_run:
            query.append(("dryRun", "All"))
        try:
            return Shift(before, cluster.request("put", cluster.path(ref), body=after, query=query), attempt)
        except ApiFailure as failure:
            if failure.status != 409:
                raise
    raise TrafficFailure(f"{ref} was changed by somebody else at each of {_ATTEMPTS} attempts; nothing was written.")


def refuse_unsafe(cluster: Cluster, virtual_service: Object, split: Split, min_ready: int) -> None:
    """Raise TrafficFailure where requests would go to nobody, or where another VirtualService decides."""
    namespace = str(virtual_service["metadata"]["namespace"])
    competing = rivals(virtual_service, cluster.list(NETWORKING, "VirtualService"))
    if competing:
        raise TrafficFailure(
            f"{', '.join(competing)} routes the same host at the same gateway, so it is open which of them counts: "
            "take one of them away, or merge them."
        )
    host = full_host(split.host, namespace)
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


def wait_for_proxies(
    ask: Callable[[], list[Proxy]],
    before: Mapping[str, str] | None,
    timeout: float,
    unproven_wait: float,
    protocols: Collection[str],
) -> Acknowledged:
    """Wait until every connected proxy has accepted all that requests of these protocols are routed by.

    ``before`` has each proxy's route nonce from before the write (see :func:`nonces`). New nonces show that every
    istiod has pushed the change. A proxy that the change does not concern gets none, so a second without one has to do.
    Where istiod cannot be asked, ``unproven_wait`` seconds pass.
    """
    begin = time.monotonic()
    if before is None:
        time.sleep(unproven_wait)
        return Acknowledged(False, 0, time.monotonic() - begin)
    while True:
        try:
            found = ask()
        except (IstiodFailure, ApiFailure) as failure:
            time.sleep(unproven_wait)
            return Acknowledged(False, 0, time.monotonic() - begin, str(failure))
        elapsed = time.monotonic() - begin
        pushed = _all_new(before, nonces(found)) or elapsed >= SETTLE_SECONDS
        behind = [proxy for proxy in found if not proxy.has_routes(protocols)]
        if pushed and not behind:
            return Acknowledged(True, len(found), elapsed)
        if elapsed >= timeout:
            raise TrafficFailure(
                f"after {timeout:.0f} s not every proxy has the new routes: "
                + "; ".join(proxy.describe() for proxy in behind)
            )
        time.sleep(_POLL_SECONDS)


def _all_new(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return all(now[name] != nonce for name, nonce in before.items() if name in now)


def nonces(proxies: Sequence[Proxy]) -> dict[str, str]:
    """Proxy -> the nonce of the routes that were last sent to it."""
    return {f"{proxy.namespace}/{proxy.name}": proxy.route_nonce for proxy in proxies}
