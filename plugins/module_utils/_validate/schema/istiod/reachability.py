# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which rules and matches of a VirtualService never receive a request because earlier ones take them all.

In http the first match wins: a match is covered if an earlier one has no condition that it does not have as well. In
tcp and tls the most exact match wins, so only an identical match covers. What a rule with a delegate does not take
falls through to the next rule, so such a rule covers nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import some

# Fields that do not affect which requests match.
_NAMES = ("name", "statPrefix")


class Dead(NamedTuple):
    """A rule, or a match of a rule, that is never used."""

    path: Path
    message: str
    is_rule: bool


class _Seen(NamedTuple):
    rule: str
    label: str
    match: Object


def dead_routes(spec: Object) -> Iterator[Dead]:
    for protocol in ("http", "tcp", "tls"):
        routes: list[Object] = spec.get(protocol) or []
        # Most have one rule with one match, which nothing can precede.
        if len(routes) > 1 or (routes and len(some(routes[0].get("match"))) > 1):
            yield from _dead(protocol, routes, _Covering() if protocol == "http" else _Same())


class _Same:
    """Earlier matches, of which only an identical one counts as a repetition."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}

    def earlier(self, match: Object, delegate: str) -> tuple[_Seen | None, bool]:
        """The earlier match that takes everything, and whether it is identical: same delegate, or none."""
        content = _content(match)
        found = self._seen.get((content, "")) or self._seen.get((content, delegate))
        return found, found is not None

    def add(self, seen: _Seen, delegate: str) -> None:
        self._seen.setdefault((_content(seen.match), delegate), seen)


class _Covering(_Same):
    """Earlier matches of http, indexed by uri, so that not every pair is compared."""

    def __init__(self) -> None:
        super().__init__()
        self._by_prefix: dict[str, list[_Seen]] = defaultdict(list)
        self._by_uri: dict[str, list[_Seen]] = defaultdict(list)

    def earlier(self, match: Object, delegate: str) -> tuple[_Seen | None, bool]:
        same, is_same = super().earlier(match, delegate)
        if is_same:
            return same, True
        for seen in self._candidates(match):
            if _covers(seen.match, match):
                return seen, False
        return None, False

    def add(self, seen: _Seen, delegate: str) -> None:
        super().add(seen, delegate)
        if delegate:
            return
        uri = seen.match.get("uri") or {}
        if uri.get("prefix") is not None and not seen.match.get("ignoreUriCase"):
            self._by_prefix[uri["prefix"]].append(seen)
        else:
            self._by_uri[_content(uri)].append(seen)

    def _candidates(self, match: Object) -> Iterator[_Seen]:
        uri = match.get("uri") or {}
        # Those without a uri, and those with the same uri.
        yield from self._by_uri.get("{}", ())
        if uri:
            yield from self._by_uri.get(_content(uri), ())
        path = uri.get("prefix") if uri.get("prefix") is not None else uri.get("exact")
        if path is not None and not match.get("ignoreUriCase"):
            for length in sorted({len(prefix) for prefix in self._by_prefix if len(prefix) <= len(path)}):
                yield from self._by_prefix.get(path[:length], ())


def _dead(protocol: str, routes: list[Object], known: _Same) -> Iterator[Dead]:
    # A rule without matches, and a match of a rule with some.
    catch_all = everything = ""
    for index, route in enumerate(routes):
        path = ("spec", protocol, index)
        label = f"rule {route['name']!r}" if route.get("name") else f"{protocol} rule {index}"
        matches: list[Object] = route.get("match") or []
        delegate = "" if route.get("delegate") is None else json.dumps(route["delegate"], sort_keys=True, default=str)
        if catch_all:
            yield Dead(path, f"{label} is never used: {catch_all}, before it, takes every request", True)
            continue
        if not matches:
            if everything:
                yield Dead(path, f"{label} is never used: {everything} takes every request", True)
            catch_all = "" if delegate else label
            continue
        repeated = covered = 0
        for place, match in enumerate(matches):
            seen, is_same = known.earlier(match, delegate)
            named = f"match {match['name']!r}" if match.get("name") else f"match {place}"
            if seen is not None:
                covered += 1
                repeated += is_same
                how = "the same as" if is_same else "covered by"
                message = f"{named} of {label} is {how} {seen.label} of {seen.rule}"
                yield Dead((*path, "match", place), message, False)
            else:
                known.add(_Seen(label, named, match), delegate)
                if protocol == "http" and not delegate and not everything and _takes_all(match):
                    everything = f"{named} of {label}, before it,"
        if covered == len(matches):
            why = "have the same matches" if repeated == covered else "take every request that it matches"
            yield Dead(path, f"{label} is never used: earlier rules {why}", True)


def _takes_all(match: Object) -> bool:
    conditions = {key: value for key, value in match.items() if key not in _NAMES and value}
    conditions.pop("ignoreUriCase", None)
    return conditions in ({}, {"uri": {"prefix": "/"}})


def _content(value: Object) -> str:
    return json.dumps({key: item for key, item in value.items() if key not in _NAMES}, sort_keys=True, default=str)


def _covers(earlier: Object, later: Object) -> bool:
    """Whether every request that the later match accepts is also accepted by the earlier one."""
    for field, wanted in earlier.items():
        if field in _NAMES or field == "ignoreUriCase" or wanted in (None, {}, [], "", 0):
            continue
        given = later.get(field)
        if given in (None, {}, [], "", 0):
            return False
        if field in ("headers", "queryParams"):
            if not all(name in given and _implies(given[name], value) for name, value in wanted.items()):
                return False
        elif field in ("sourceLabels", "withoutHeaders"):
            if not all(name in given and given[name] == value for name, value in wanted.items()):
                return False
        elif field == "gateways":
            if not set(given) <= set(wanted):
                return False
        elif field in ("uri", "scheme", "method", "authority"):
            if not _implies(given, wanted):
                return False
        elif given != wanted:
            return False
    return True


def _implies(given: Any, wanted: Any) -> bool:
    """Whether the one StringMatch accepts every text that the other accepts."""
    if given == wanted or not wanted:
        # An empty one only requires that there is a value.
        return True
    if not isinstance(given, dict) or not isinstance(wanted.get("prefix"), str):
        return False
    text = given.get("exact", given.get("prefix"))
    return isinstance(text, str) and text.startswith(wanted["prefix"])
