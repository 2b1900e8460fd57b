# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Routes of a VirtualService that a split puts in front of the route that it is about: for testers, and for cookies.

The functions change the lists that they get, which are copies. ``base``: the route that the split is about. ``to``: a
subset -> a destination as the base has it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    Affinity,
    MatchRoute,
    Split,
    TrafficFailure,
)

Entry = dict[str, Any]
# What follows the name of the route for which it looks for cookies.
_AFFINITY = re.compile(r"(\d+-)?affinity")
# Fields of a match that do not choose among requests.
NOT_OF_REQUESTS = ("name", "gateways", "statPrefix")
# Those with a condition for each name.
_NAMED = ("headers", "withoutHeaders", "queryParams", "sourceLabels")


def set_affinity(
    routes: list[Entry], base: Entry, split: Split, affinity: Affinity, to: Callable[[str], Entry]
) -> None:
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
    found = [_looking_for(base, affinity, f"{prefix}affinity", value, {affinity.subset: 100}, to)]
    cookies = {affinity.subset: affinity.set_cookie(value)}
    if affinity.moved is not None:
        (other,) = set(split.weights) - {affinity.subset}
        step = len(affinity.moved)
        cookies[other] = affinity.set_cookie(f"{value}.{step}")
        shares = [{affinity.subset: moved, other: 100 - moved} for moved in affinity.moved]
        for number, weights_there in [(step, {other: 100}), *enumerate(shares)]:
            name = f"{prefix}{number}-affinity"
            route = _looking_for(base, affinity, name, f"{value}.{number}", weights_there, to)
            if number < step:
                _set_cookies(route, cookies, affinity.cookie)
            found.append(route)
    _set_cookies(base, cookies, affinity.cookie)
    routes[place:place] = found


def _looking_for(
    base: Entry,
    affinity: Affinity,
    name: str,
    value: str,
    shares: Mapping[str, int],
    to: Callable[[str], Entry],
) -> Entry:
    """A route of the requests with this cookie."""
    entry = MatchRoute(name, cookie={affinity.cookie: value})
    targets: list[Entry] = [{"destination": to(subset)} for subset in shares]
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


def set_match_route(routes: list[Entry], base: Entry, entry: MatchRoute, to: Callable[[str], Entry]) -> None:
    if entry.name == base.get("name") or not entry.name:
        raise TrafficFailure("a route of match_routes needs a name of its own, other than the route's.")
    existing = next((route for route in routes if route.get("name") == entry.name), None)
    if not entry.present:
        if existing is not None:
            routes.remove(existing)
        return
    wanted = _narrowed(base, entry, [{"destination": to(entry.subset)}])
    if existing is None:
        routes.insert(_first_that_takes(routes, base, wanted), wanted)
    else:
        routes[routes.index(existing)] = wanted


def _first_that_takes(routes: list[Entry], base: Entry, wanted: Entry) -> int:
    """The place of the first route that would take every request of another one, which would then never match."""
    place = routes.index(base)
    return next((index for index, route in enumerate(routes[:place]) if _takes(route, wanted)), place)


def _takes(route: Entry, wanted: Entry) -> bool:
    known = [_conditions(match) for match in route.get("match") or [{}]]
    return all(any(match <= _conditions(own) for match in known) for own in wanted["match"])


def _conditions(match: Mapping[str, Any]) -> set[str]:
    """Each condition of a match as a text. More conditions match fewer requests."""
    return {
        f"{key} {name} {json.dumps(part, sort_keys=True)}"
        for key, value in match.items()
        if key not in NOT_OF_REQUESTS
        for name, part in (value if key in _NAMED else {"": value}).items()
    }


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
