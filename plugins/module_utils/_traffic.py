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
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object

Route = dict[str, Any]
PROTOCOLS = ("http", "tls", "tcp")
AFFINITY_SUFFIX = "-affinity"


class TrafficFailure(ValueError):
    """What is asked for does not fit the VirtualService; the message names the option and the way out."""


@dataclass(frozen=True)
class Mirror:
    """A copy of a share of the requests, whose answers are thrown away. ``present`` False takes it away."""

    subset: str = ""
    percentage: float = 100.0
    present: bool = True


@dataclass(frozen=True)
class MatchRoute:
    """A route in front of the split: requests with these headers, or this cookie, go to one subset."""

    name: str
    subset: str = ""
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cookie: Mapping[str, str] = field(default_factory=dict)
    present: bool = True


@dataclass(frozen=True)
class Affinity:
    """Whoever was once answered by ``subset`` stays there: the answer sets a cookie that a route in front looks for."""

    cookie: str
    subset: str = ""
    max_age: int = 86400
    present: bool = True


@dataclass(frozen=True)
class Split:
    """What is asked for. ``route`` empty means all routes that have one of the subsets of ``host``."""

    host: str
    route: str = ""
    weights: Mapping[str, int] = field(default_factory=dict)
    mirror: Mirror | None = None
    match_routes: Sequence[MatchRoute] = ()
    affinity: Affinity | None = None

    @property
    def receiving(self) -> set[str]:
        """The subsets that will get requests, so must be there and have ready endpoints."""
        found = {subset for subset, weight in self.weights.items() if weight > 0}
        found |= {entry.subset for entry in self.match_routes if entry.present}
        for extra in (self.mirror, self.affinity):
            if extra and extra.present:
                found.add(extra.subset)
        return found

    @property
    def named(self) -> set[str]:
        """Every subset that the request speaks of."""
        return self.receiving | set(self.weights)


def full_host(host: str, namespace: str) -> str:
    """A short name belongs to the namespace of the object that says it; one with dots is taken as it is."""
    return host if "." in host else f"{host}.{namespace}.svc.cluster.local"


def shifted(virtual_service: Object, split: Split) -> Object:
    """The VirtualService with the split. Raises TrafficFailure where it has no place for it."""
    result = copy.deepcopy(virtual_service)
    places = list(_places(result, split))
    if not places:
        wanted = f"route '{split.route}'" if split.route else f"route to a subset of {split.host}"
        names = ", ".join(_names(virtual_service)) or "none with a name"
        raise TrafficFailure(f"{_title(virtual_service)} has no {wanted}. Its routes: {names}.")
    for protocol, index in places:
        _set_weights(virtual_service, result["spec"][protocol][index], split)
    http = [index for protocol, index in places if protocol == "http"]
    if (split.mirror or split.match_routes or split.affinity) and len(http) != 1:
        raise TrafficFailure(
            f"mirror, match_routes and session_affinity need one http route; name it with the option route "
            f"({_title(virtual_service)} has {len(http)} that would fit)."
        )
    if http:
        routes = result["spec"]["http"]
        base = routes[http[0]]
        if split.mirror:
            _set_mirror(virtual_service, base, split, split.mirror)
        if split.affinity:
            _set_affinity(virtual_service, routes, base, split, split.affinity)
        for entry in split.match_routes:
            _set_match_route(virtual_service, routes, base, split, entry)
    return result


def weights(virtual_service: Object, split: Split) -> dict[str, dict[str, int]]:
    """Route -> subset -> weight, of the routes that the split is about. One without a name is called by its place.

    Of a destination with another host, the host is named too.
    """
    namespace = virtual_service["metadata"].get("namespace", "")
    host = full_host(split.host, namespace)
    return {
        _label(virtual_service, protocol, index): {
            _destination_label(destination, host, namespace): _weight(destination, route)
            for destination in route["route"]
        }
        for protocol, index in _places(virtual_service, split)
        for route in [virtual_service["spec"][protocol][index]]
    }


def protocols(virtual_service: Object, split: Split) -> set[str]:
    """Of the routes that the split is about: ``http``, ``tls``, ``tcp``."""
    return {protocol for protocol, __ in _places(virtual_service, split)}


def claims(virtual_service: Object) -> set[tuple[str, str]]:
    """(host, gateway) pairs that the VirtualService speaks for; no gateway means the mesh."""
    namespace = virtual_service["metadata"].get("namespace", "")
    spec = virtual_service.get("spec", {})
    gateways = []
    for gateway in spec.get("gateways") or ["mesh"]:
        gateways.append(gateway if gateway == "mesh" or "/" in gateway else f"{namespace}/{gateway}")
    return {(full_host(host, namespace), gateway) for host in spec.get("hosts", []) for gateway in gateways}


def _places(virtual_service: Object, split: Split) -> Iterator[tuple[str, int]]:
    """Where the split belongs: protocol and index of each route."""
    namespace = virtual_service["metadata"].get("namespace", "")
    host = full_host(split.host, namespace)
    own = {entry.name for entry in split.match_routes}
    for protocol in PROTOCOLS:
        for index, route in enumerate(virtual_service.get("spec", {}).get(protocol, [])):
            name = str(route.get("name", ""))
            found = [
                destination["destination"].get("subset", "")
                for destination in route.get("route", [])
                if full_host(destination["destination"]["host"], namespace) == host
            ]
            if split.route:
                fits = name == split.route and bool(found)
            else:
                # A route that some split put in front of the others has one destination and no share to give.
                fits = bool(split.named & set(found)) and name not in own and not name.endswith(AFFINITY_SUFFIX)
            if fits:
                yield protocol, index


def _set_weights(virtual_service: Object, route: Route, split: Split) -> None:
    if not split.weights:
        return
    namespace = virtual_service["metadata"].get("namespace", "")
    host = full_host(split.host, namespace)
    own = [d for d in route["route"] if full_host(d["destination"]["host"], namespace) == host]
    by_subset = {d["destination"].get("subset", ""): d for d in own}
    named = [by_subset[subset] for subset in split.weights if subset in by_subset]
    others = sum(_weight(d, route) for d in route["route"] if all(d is not ours for ours in named))
    total = others + sum(split.weights.values())
    if total != 100:
        raise TrafficFailure(
            f"the weights of {_title(virtual_service)}, route '{route.get('name', '')}', would sum to {total}, "
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


def _set_mirror(virtual_service: Object, route: Route, split: Split, mirror: Mirror) -> None:
    if route.get("mirrors"):
        raise TrafficFailure(
            f"{_title(virtual_service)}, route '{route.get('name', '')}', has a list 'mirrors', which is not this "
            "module's: take it away first."
        )
    if not mirror.present:
        route.pop("mirror", None)
        route.pop("mirrorPercentage", None)
        return
    route["mirror"] = _destination(virtual_service, route, split, mirror.subset)
    route["mirrorPercentage"] = {"value": mirror.percentage}


def _set_affinity(virtual_service: Object, routes: list[Route], base: Route, split: Split, affinity: Affinity) -> None:
    name = f"{base.get('name', '')}{AFFINITY_SUFFIX}"
    entry = MatchRoute(name, affinity.subset, cookie={affinity.cookie: affinity.subset}, present=affinity.present)
    # Routes are copied from the base, so before the base sets cookies.
    for destination in base["route"]:
        _set_cookie(destination, affinity.cookie, "")
    _set_match_route(virtual_service, routes, base, split, entry)
    if affinity.present:
        for destination in base["route"]:
            if destination["destination"].get("subset") == affinity.subset:
                cookie = f"{affinity.cookie}={affinity.subset}; Max-Age={affinity.max_age}; Path=/"
                _set_cookie(destination, affinity.cookie, cookie)


def _set_cookie(destination: Route, name: str, cookie: str) -> None:
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


def _set_match_route(
    virtual_service: Object, routes: list[Route], base: Route, split: Split, entry: MatchRoute
) -> None:
    if entry.name == base.get("name") or not entry.name:
        raise TrafficFailure("a route of match_routes needs a name of its own, other than the route's.")
    existing = next((route for route in routes if route.get("name") == entry.name), None)
    if not entry.present:
        if existing is not None:
            routes.remove(existing)
        return
    wanted = copy.deepcopy(base)
    for key in ("mirror", "mirrorPercentage", "mirrors"):
        wanted.pop(key, None)
    wanted["name"] = entry.name
    wanted["match"] = [_with_headers(match, entry) for match in base.get("match") or [{}]]
    wanted["route"] = [{"destination": _destination(virtual_service, base, split, entry.subset)}]
    if existing is None:
        routes.insert(routes.index(base), wanted)
    else:
        routes[routes.index(existing)] = wanted


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


def _destination(virtual_service: Object, route: Route, split: Split, subset: str) -> dict[str, Any]:
    """Host and port as the route has them, with another subset."""
    namespace = virtual_service["metadata"].get("namespace", "")
    host = full_host(split.host, namespace)
    for destination in route["route"]:
        if full_host(destination["destination"]["host"], namespace) == host:
            return {**copy.deepcopy(destination["destination"]), "subset": subset}
    raise TrafficFailure(
        f"{_title(virtual_service)}, route '{route.get('name', '')}', has no destination {split.host}."
    )


def _weight(destination: Mapping[str, Any], route: Mapping[str, Any]) -> int:
    return int(destination.get("weight", 100 if len(route["route"]) == 1 else 0))


def _label(virtual_service: Object, protocol: str, index: int) -> str:
    route = virtual_service["spec"][protocol][index]
    return str(route.get("name") or f"{protocol}[{index}]")


def _destination_label(destination: Route, host: str, namespace: str) -> str:
    where = destination["destination"]
    subset = str(where.get("subset", ""))
    return subset if full_host(where["host"], namespace) == host else f"{where['host']}/{subset}".rstrip("/")


def _names(virtual_service: Object) -> list[str]:
    spec = virtual_service.get("spec", {})
    return [str(route["name"]) for protocol in PROTOCOLS for route in spec.get(protocol, []) if route.get("name")]


def _title(virtual_service: Object) -> str:
    metadata = virtual_service["metadata"]
    return f"VirtualService {metadata.get('namespace', '')}/{metadata['name']}"
