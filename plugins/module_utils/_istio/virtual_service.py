# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The split of traffic in a VirtualService. An edit returns a new object and leaves the rest of it alone.

Written against the API of networking.istio.io/v1 VirtualService. A weight that is missing on the only destination of a
route means 100, as Istio has it; elsewhere it means 0.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.front_routes import (
    NOT_OF_REQUESTS,
    set_affinity,
    set_match_route,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_parents import (
    GATEWAY_API,
    MESH_KINDS,
    called_in_mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    AFFINITY_SUFFIX,
    NETWORKING,
    Destinations,
    Mirror,
    RouteObject,
    Shares,
    Sources,
    Split,
    TrafficFailure,
    full_host,
    shares_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right

# An entry of one of the lists below, or a destination of one.
Entry = dict[str, Any]
PROTOCOLS = ("http", "tls", "tcp")
# The gateway that stands for every sidecar.
MESH = "mesh"
# Fields of a match by which it is for some clients only.
_OF_CLIENTS = {"headers", "withoutHeaders", "queryParams", "sourceLabels", "sourceNamespace"}


@dataclass(frozen=True)
class VirtualService(RouteObject):
    """A Route. Its first route of several that match counts."""

    api_version: ClassVar[str] = NETWORKING
    versions: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str] = "VirtualService"
    by_service: ClassVar[bool] = False

    @classmethod
    def rights(cls, namespace: str, name: str) -> list[Right]:
        group, plural = NETWORKING.partition("/")[0], "virtualservices"
        own = [Right(verb, group, plural, namespace, name) for verb in ("get", "update")]
        # Everywhere, since another namespace's VirtualService can claim the same host.
        return [*own, Right("list", group, plural)]

    def shifted(self, split: Split) -> VirtualService:
        result = copy.deepcopy(self.obj)
        places = [(protocol, index) for protocol, index, _route in self._places(split)]
        if not places:
            wanted = f"route '{split.route}'" if split.route else f"route to a subset of {split.host}"
            names = ", ".join(str(route["name"]) for _protocol, _index, route in self._routes() if route.get("name"))
            raise TrafficFailure(f"{self.title} has no {wanted}. Its routes: {names or 'none with a name'}.")
        for protocol, index in places:
            _set_weights(self, result["spec"][protocol][index], split)
        http = [index for protocol, index in places if protocol == "http"]
        if (split.mirror or split.match_routes or split.affinity) and len(http) != 1:
            raise TrafficFailure(
                f"mirror, match_routes and session_affinity need one http route; name it with the option route "
                f"({self.title} has {len(http)} that would fit)."
            )
        if http:
            routes = result["spec"]["http"]
            base = routes[http[0]]
            if split.mirror:
                _set_mirror(self, base, split, split.mirror)
            to = partial(_destination, self, copy.deepcopy(base), split)
            if split.affinity:
                set_affinity(routes, base, split, split.affinity, to)
            for entry in split.match_routes:
                set_match_route(routes, base, entry, to)
        return VirtualService(result)

    def weights(self, split: Split) -> dict[str, dict[str, int]]:
        return {
            _called(place): {self._label(each, split.host): _weight(each, place[2]) for each in place[2]["route"]}
            for place in self._places(split)
        }

    def for_some(self, split: Split) -> set[str]:
        return {
            _called(place)
            for place in self._places(split)
            if place[2].get("match") and all(_OF_CLIENTS & match.keys() for match in place[2]["match"])
        }

    def protocols(self, split: Split) -> set[str]:
        return {protocol for protocol, _index, _route in self._places(split)}

    def backends(self, service: str) -> list[tuple[str, str]]:
        return [
            (_subset(destination), str(route.get("name", "")))
            for _protocol, _index, route in self._routes()
            for destination in self.destinations(route, service)
        ]

    def mirrored(self) -> set[str]:
        mirrors = [route.get("mirror") or {} for route in self._spec.get("http") or []]
        return {str(mirror["subset"]) for mirror in mirrors if mirror.get("subset") is not None}

    def destinations_of(self, service: str) -> Destinations:
        return Destinations(
            lambda obj: (each[2]["route"] for each in VirtualService(obj)._routes() if each[2].get("route")),
            lambda entry: _subset(entry) if self.destinations({"route": [entry]}, service) else None,
            _set_subset,
        )

    def claims(self) -> set[tuple[str, str]]:
        """(host, gateway) pairs that it speaks for; no gateway means the mesh."""
        gateways = []
        for gateway in self._spec.get("gateways") or [MESH]:
            gateways.append(gateway if gateway == MESH or "/" in gateway else f"{self.namespace}/{gateway}")
        return {
            (full_host(host, self.namespace), gateway) for host in self._spec.get("hosts", []) for gateway in gateways
        }

    def rivals(self, listed: Callable[[str, str], Iterable[Object]]) -> list[str]:
        """In the mesh, Istio takes one VirtualService of a host and drops the others.

        At a gateway it merges them, so only the same match in two of them is open. One that is exported to other
        namespaces alone routes the clients there, as its owner wants it. Beside a route of the Gateway API for the
        same clients in the mesh, it is open which of the two counts.
        """
        own = self.claims()
        others = map(VirtualService, listed(self.api_version, self.kind))
        found = {
            f"{other.namespace}/{other.name}"
            for other in others
            if (other.namespace, other.name) != (self.namespace, self.name)
            and other.is_seen_in(self.namespace)
            and any(self._conflicts(other, gateway) for __, gateway in own & other.claims())
        }
        called = {host for host, gateway in own if gateway == MESH}
        return sorted({*found, *self._gateway_api_rivals(called, listed)})

    def _gateway_api_rivals(self, called: set[str], listed: Callable[[str, str], Iterable[Object]]) -> set[str]:
        """``called``: the hosts whose clients in the mesh this object routes."""
        return {
            f"{kind} {route['metadata'].get('namespace', '')}/{route['metadata']['name']}"
            for kind in (MESH_KINDS if called else ())
            for route in listed(f"{GATEWAY_API}/v1", kind)
            if called & called_in_mesh(route, self.namespace)
        }

    def sources(self) -> Sources:
        """By istiod's source, pilot/pkg/networking/core/route/route.go. Without hosts it is a delegate."""
        shares: dict[str, set[Shares]] = {}
        for route in self._spec.get("http", []):
            if route.get("route"):
                shares.setdefault(str(route.get("name", "")), set()).add(self._shares(route["route"]))
        hosts = bool(self._spec.get("hosts"))
        return Sources(
            path=re.compile(re.escape(f"/namespaces/{self.namespace}/virtual-service/{self.name}") + r"\Z")
            if hosts
            else None,
            namespace=self.namespace,
            for_mesh=hosts and MESH in (self._spec.get("gateways") or [MESH]),
            shares={name: frozenset(known) for name, known in shares.items()},
        )

    def unaccepted(self, get: Callable[[Ref], Object | None]) -> list[str]:
        """Its status is istiod's analysis, which does not show what istiod uses."""
        return []

    def is_seen_in(self, namespace: str) -> bool:
        """Whether clients of the namespace get it."""
        exported = self._spec.get("exportTo") or ["*"]
        return "*" in exported or namespace in {self.namespace if name == "." else name for name in exported}

    def _conflicts(self, other: VirtualService, gateway: str) -> bool:
        # Routes of TLS and TCP are not merged.
        if gateway == MESH or self._has_listener_routes() or other._has_listener_routes():
            return True
        return bool(self._matches() & other._matches())

    def _has_listener_routes(self) -> bool:
        return any(self._spec.get(protocol) for protocol in ("tls", "tcp"))

    def _matches(self) -> set[str]:
        """What its HTTP routes match, in a form that can be compared. A route without a match takes every request."""
        return {
            json.dumps({key: value for key, value in match.items() if key not in NOT_OF_REQUESTS}, sort_keys=True)
            for route in self._spec.get("http", [])
            for match in route.get("match") or [{}]
        }

    def _shares(self, destinations: list[Entry]) -> Shares:
        weights = [100] if len(destinations) == 1 else [int(each.get("weight", 0)) for each in destinations]
        return shares_of(
            (_subset(each), full_host(str(each["destination"]["host"]), self.namespace), weight)
            for each, weight in zip(destinations, weights, strict=True)
        )

    def _routes(self) -> Iterator[tuple[str, int, Entry]]:
        for protocol in PROTOCOLS:
            yield from ((protocol, index, route) for index, route in enumerate(self._spec.get(protocol, [])))

    def _places(self, split: Split) -> Iterator[tuple[str, int, Entry]]:
        """Where the split belongs."""
        known = [each for each in self._routes() if self.destinations(each[2], split.host)]
        if split.route:
            yield from (each for each in known if each[2].get("name") == split.route)
            return
        added = {entry.name for entry in split.match_routes}
        # A route that some split put in front has no share to give.
        known = [each for each in known if not _is_added(str(each[2].get("name", "")), added)]
        subsets = [{_subset(to) for to in self.destinations(route, split.host)} for _protocol, _index, route in known]
        yield from (known[index] for index in split.meant(subsets))

    def destinations(self, route: Entry, service: str) -> list[Entry]:
        host = full_host(service, self.namespace)
        return [d for d in route.get("route", []) if full_host(d["destination"]["host"], self.namespace) == host]

    def _label(self, destination: Entry, service: str) -> str:
        """The subset; of another service with its host."""
        host, subset = destination["destination"]["host"], _subset(destination)
        ours = full_host(host, self.namespace) == full_host(service, self.namespace)
        return subset if ours else f"{host}/{subset}".rstrip("/")


def _called(place: tuple[str, int, Entry]) -> str:
    """What weights and messages call a route, by its protocol and its index."""
    protocol, index, route = place
    return str(route.get("name") or f"{protocol}[{index}]")


def _set_weights(of: VirtualService, route: Entry, split: Split) -> None:
    if not split.weights:
        return
    own = of.destinations(route, split.host)
    by_subset = {_subset(destination): destination for destination in own}
    named = [by_subset[subset] for subset in split.weights if subset in by_subset]
    others = sum(_weight(d, route) for d in route["route"] if all(d is not ours for ours in named))
    total = others + sum(split.weights.values())
    if total != 100:
        raise TrafficFailure(
            f"the weights of {of.title}, route '{route.get('name', '')}', would sum to {total}, "
            f"not 100: {dict(split.weights)}"
            + (f" and {others} for destinations that are not named." if others else ".")
        )
    for subset, weight in split.weights.items():
        if subset not in by_subset:
            if weight == 0:
                continue
            destination = copy.deepcopy(own[0]["destination"])
            destination["subset"] = subset
            by_subset[subset] = {"destination": destination}
            # The others' weights are read before this one changes what a missing weight means.
            for other in route["route"]:
                other["weight"] = _weight(other, route)
            route["route"].append(by_subset[subset])
        unsaid = len(route["route"]) > 1 and "weight" not in by_subset[subset]
        if unsaid or _weight(by_subset[subset], route) != weight:
            by_subset[subset]["weight"] = weight


def _set_mirror(of: VirtualService, route: Entry, split: Split, mirror: Mirror) -> None:
    if route.get("mirrors"):
        raise TrafficFailure(
            f"{of.title}, route '{route.get('name', '')}', has a list 'mirrors', which is not this "
            "module's: take it away first."
        )
    if not mirror.present:
        route.pop("mirror", None)
        route.pop("mirrorPercentage", None)
        return
    route["mirror"] = _destination(of, route, split, mirror.subset)
    route["mirrorPercentage"] = {"value": mirror.percentage}


def _destination(of: VirtualService, route: Entry, split: Split, subset: str) -> dict[str, Any]:
    """Host and port as the route has them, with another subset."""
    for destination in of.destinations(route, split.host):
        return {**copy.deepcopy(destination["destination"]), "subset": subset}
    raise TrafficFailure(f"{of.title}, route '{route.get('name', '')}', has no destination {split.host}.")


def _weight(destination: Mapping[str, Any], route: Mapping[str, Any]) -> int:
    return int(destination.get("weight", 100 if len(route["route"]) == 1 else 0))


def _is_added(name: str, added: Collection[str]) -> bool:
    return name in added or name.endswith(AFFINITY_SUFFIX)


def _set_subset(destination: Entry, subset: str) -> None:
    if subset:
        destination["destination"]["subset"] = subset
    else:
        destination["destination"].pop("subset", None)


def _subset(destination: Mapping[str, Any]) -> str:
    return str(destination["destination"].get("subset", ""))
