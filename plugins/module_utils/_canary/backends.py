# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The places to which a route sends a service's requests, and the pods behind each of them.

Each place is called a subset. For a VirtualService, a DestinationRule defines it. For a route of the Gateway API, it is
a Service.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.endpoints import SERVICE_NAME, subset_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    NETWORKING,
    Route,
    full_host,
    service_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Readable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Objects, Ref

_SECONDS = 2.0


class Members(NamedTuple):
    """Pods that may belong to a subset, and the EndpointSlices that name those of them that get requests."""

    pods: Objects
    slices: Objects


class Backends(Protocol):
    """Read again after two seconds, because they change rarely."""

    def subsets(self) -> Mapping[str, Mapping[str, str]]:
        """Subset -> the labels that make its pods those of one version. Also of a subset without a Service."""

    def labels(self, subset: str) -> dict[str, str] | None:
        """Those that select its pods. None if the subset or its Service is gone."""

    def gone(self, subset: str) -> str:
        """What is gone, in words."""

    def missing_service(self) -> str:
        """Why the service cannot have a canary, or empty: its Service does not exist."""

    def of(self, route: Route) -> list[tuple[str, str]]:
        """(subset, name of the route) of each destination of the service."""

    def members(self, subsets: Sequence[str]) -> dict[str, Members]: ...

    def known(self) -> str:
        """Where the subsets come from, and their names, for messages."""


class RuleSubsets:
    """The subsets that DestinationRules define for one Service."""

    def __init__(self, cluster: Readable, namespace: str, service: str) -> None:
        self._cluster, self._namespace, self._service = cluster, namespace, service
        self._host = full_host(service, namespace)
        self._ref = Ref("v1", "Service", namespace, service.partition(".")[0])
        self._selector: dict[str, str] | None = None
        self._subsets: dict[str, dict[str, str]] = {}
        self._read_at = -math.inf

    def subsets(self) -> Mapping[str, Mapping[str, str]]:
        self._read()
        return self._subsets

    def labels(self, subset: str) -> dict[str, str] | None:
        self._read()
        if self._selector is None or subset not in self._subsets:
            return None
        return {**self._selector, **self._subsets[subset]}

    def gone(self, subset: str) -> str:
        self._read()
        if self._selector is None:
            return f"{self._ref} is gone"
        return f"no DestinationRule defines subset {subset} of {self._host}"

    def missing_service(self) -> str:
        self._read()
        if self._selector is None:
            return f"{self._ref} does not exist: correct service, or deploy it first."
        return ""

    def of(self, route: Route) -> list[tuple[str, str]]:
        return route.backends(self._service)

    def members(self, subsets: Sequence[str]) -> dict[str, Members]:
        self._read()
        found = Members(
            self._cluster.list("v1", "Pod", self._namespace, labels=selected(self._selector or {})),
            slices(self._cluster, self._namespace, self._ref.name),
        )
        return dict.fromkeys(subsets, found)

    def known(self) -> str:
        names = ", ".join(sorted(self.subsets())) or "(none)"
        return f"DestinationRules define the subsets {names} of {self._host}"

    def _read(self) -> None:
        if time.monotonic() - self._read_at < _SECONDS:
            return
        service = self._cluster.get(self._ref)
        self._selector = dict(service["spec"].get("selector") or {}) if service else None
        self._subsets = subset_labels(self._cluster.list(NETWORKING, "DestinationRule"), self._host)
        self._read_at = time.monotonic()


class Services:
    """The Services among which a route of the Gateway API splits the requests.

    ``named``: those that are known. Without them, the route's own backends are meant.
    """

    def __init__(
        self, cluster: Readable, namespace: str, service: str, named: Sequence[str], route: Callable[[], Route]
    ) -> None:
        self._cluster, self._namespace, self._service = cluster, namespace, service.partition(".")[0]
        self._named, self._route = tuple(filter(None, named)), route
        # None: there is no such Service.
        self._selectors: dict[str, dict[str, str] | None] = {}
        self._read_at = -math.inf

    def subsets(self) -> Mapping[str, Mapping[str, str]]:
        self._read()
        return {name: selector or {} for name, selector in self._selectors.items()}

    def labels(self, subset: str) -> dict[str, str] | None:
        self._read()
        found = self._selectors.get(subset)
        # A Service without a selector has no pods that are known to be its own.
        return dict(found) if found else None

    def gone(self, subset: str) -> str:
        self._read()
        if self._selectors.get(subset) is None:
            return f"{self._ref(subset)} is gone"
        return f"{self._ref(subset)} has no selector"

    def missing_service(self) -> str:
        return ""

    def of(self, route: Route) -> list[tuple[str, str]]:
        every = (found for name in (self._service, *self._named) for found in route.backends(name))
        return list(dict.fromkeys(every))

    def members(self, subsets: Sequence[str]) -> dict[str, Members]:
        found = {}
        for subset in subsets:
            place, name = service_of(subset, self._namespace)
            pods = self._cluster.list("v1", "Pod", place, labels=selected(self.labels(subset) or {}))
            found[subset] = Members(pods, slices(self._cluster, place, name))
        return found

    def known(self) -> str:
        return f"the route has the backends {', '.join(sorted(self.subsets())) or '(none)'} for {self._service}"

    def _ref(self, subset: str) -> Ref:
        return Ref("v1", "Service", *service_of(subset, self._namespace))

    def _read(self) -> None:
        if time.monotonic() - self._read_at < _SECONDS:
            return
        names = set(self._named)
        if len(names) < 2:
            names |= {subset for subset, __ in self.of(self._route())}
        found = {name: self._cluster.get(self._ref(name)) for name in sorted(names)}
        self._selectors = {
            name: dict(service["spec"].get("selector") or {}) if service else None for name, service in found.items()
        }
        self._read_at = time.monotonic()


def selected(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def slices(cluster: Readable, namespace: str, service: str) -> Objects:
    return cluster.list("discovery.k8s.io/v1", "EndpointSlice", namespace, labels=f"{SERVICE_NAME}={service}")
