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
from typing import Any, ClassVar

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    AFFINITY_SUFFIX,
    NETWORKING,
    Affinity,
    Destinations,
    MatchRoute,
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
# What follows the name of the route for which it looks for cookies.
_AFFINITY = re.compile(r"(\d+-)?affinity")
# The gateway that stands for every sidecar.
MESH = "mesh"
# Fields of a match that do not choose among requests.
_NOT_OF_REQUESTS = ("name", "gateways", "statPrefix")


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
            if split.affinity:
                _set_affinity(self, routes, base, split, split.affinity)
            for entry in split.match_routes:
                _set_match_route(self, routes, base, split, entry)
        return VirtualService(result)

    def weights(self, split: Split) -> dict[str, dict[str, int]]:
        return {
            str(route.get("name") or f"{protocol}[{index}]"): {
                self._label(destination, split.host): _weight(destination, route) for destination in route["route"]
            }
            for protocol, index, route in self._places(split)
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
        namespaces alone routes the clients there, as its owner wants it.
        """
        own = self.claims()
        others = map(VirtualService, listed(self.api_version, self.kind))
        return sorted(
            f"{other.namespace}/{other.name}"
            for other in others
            if (other.namespace, other.name) != (self.namespace, self.name)
            and other.is_seen_in(self.namespace)
            and any(self._conflicts(other, gateway) for __, gateway in own & other.claims())
        )

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
            json.dumps({key: value for key, value in match.items() if key not in _NOT_OF_REQUESTS}, sort_keys=True)
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


def _set_affinity(of: VirtualService, routes: list[Entry], base: Entry, split: Split, affinity: Affinity) -> None:
    """The routes that look for the cookie, in front of the route that draws and sets it."""
    prefix = f"{base.get('name', '')}-"
    own = [route for route in routes if _AFFINITY.fullmatch(str(route.get("name", "")).removeprefix(prefix))]
    place = routes.index(own[0]) if own else routes.index(base)
    routes[:] = [route for route in routes if all(route is not mine for mine in own)]
    # Routes are copied from the base, so before the base sets cookies.
    for destination in base["route"]:
        _set_cookie(destination, affinity.cookie, "")
    if not affinity.present:
        return
    value = affinity.value or affinity.subset
    found = [_looking_for(of, base, split, affinity, f"{prefix}affinity", value, {affinity.subset: 100})]
    cookies = {affinity.subset: affinity.set_cookie(value)}
    if affinity.moved is not None:
        (other,) = set(split.weights) - {affinity.subset}
        step = len(affinity.moved)
        cookies[other] = affinity.set_cookie(f"{value}.{step}")
        shares = [{affinity.subset: moved, other: 100 - moved} for moved in affinity.moved]
        for number, weights_there in [(step, {other: 100}), *enumerate(shares)]:
            name = f"{prefix}{number}-affinity"
            route = _looking_for(of, base, split, affinity, name, f"{value}.{number}", weights_there)
            if number < step:
                _set_cookies(route, cookies, affinity.cookie)
            found.append(route)
    _set_cookies(base, cookies, affinity.cookie)
    routes[place:place] = found


def _looking_for(
    of: VirtualService,
    base: Entry,
    split: Split,
    affinity: Affinity,
    name: str,
    value: str,
    shares: Mapping[str, int],
) -> Entry:
    """A route of the requests with this cookie."""
    entry = MatchRoute(name, cookie={affinity.cookie: value})
    targets: list[Entry] = [{"destination": _destination(of, base, split, subset)} for subset in shares]
    if len(shares) > 1:
        targets = [{**target, "weight": share} for target, share in zip(targets, shares.values(), strict=True)]
    return _narrowed(base, entry, targets)


def _set_cookies(route: Entry, cookies: Mapping[str, str], name: str) -> None:
    for destination in route["route"]:
        subset = destination["destination"].get("subset")
        if subset in cookies:
            _set_cookie(destination, name, cookies[subset])


def _set_cookie(destination: Entry, name: str, cookie: str) -> None:
    """Set, or with an empty cookie take away, the header; nothing empty stays behind."""
    add = destination.get("headers", {}).get("response", {}).get("add", {})
    if cookie:
        destination.setdefault("headers", {}).setdefault("response", {}).setdefault("add", {})["Set-Cookie"] = cookie
    elif str(add.get("Set-Cookie", "")).startswith(f"{name}="):
        del add["Set-Cookie"]
        for path in (("response", "add"), ("response",), ()):
            parent = destination["headers"] if path else destination
            keys = path or ("headers",)
            for key in keys[:-1]:
                parent = parent[key]
            if not parent[keys[-1]]:
                del parent[keys[-1]]


def _set_match_route(of: VirtualService, routes: list[Entry], base: Entry, split: Split, entry: MatchRoute) -> None:
    if entry.name == base.get("name") or not entry.name:
        raise TrafficFailure("a route of match_routes needs a name of its own, other than the route's.")
    existing = next((route for route in routes if route.get("name") == entry.name), None)
    if not entry.present:
        if existing is not None:
            routes.remove(existing)
        return
    target = {"destination": _destination(of, base, split, entry.subset)}
    wanted = _narrowed(base, entry, [target])
    if existing is None:
        routes.insert(routes.index(base), wanted)
    else:
        routes[routes.index(existing)] = wanted


def _narrowed(base: Entry, entry: MatchRoute, targets: list[Entry]) -> Entry:
    """The base for fewer requests, with destinations of its own."""
    wanted = copy.deepcopy(base)
    for key in ("mirror", "mirrorPercentage", "mirrors"):
        wanted.pop(key, None)
    wanted["name"] = entry.name
    wanted["match"] = [_with_headers(match, entry) for match in base.get("match") or [{}]]
    wanted["route"] = targets
    return wanted


def _with_headers(match: Mapping[str, Any], entry: MatchRoute) -> dict[str, Any]:
    headers: dict[str, Any] = {name: dict(how) for name, how in entry.headers.items()}
    for name, value in entry.cookie.items():
        headers["cookie"] = {"regex": rf"^(.*?;\s*)?{re.escape(name)}={re.escape(value)}(;.*)?$"}
    if not headers:
        raise TrafficFailure(f"match_routes: route '{entry.name}' has neither headers nor a cookie: it would take all.")
    taken = set(headers) & set(match.get("headers", {}))
    if taken:
        raise TrafficFailure(f"match_routes: '{entry.name}': the route already matches header {', '.join(taken)}.")
    return {**match, "headers": {**match.get("headers", {}), **headers}}


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
