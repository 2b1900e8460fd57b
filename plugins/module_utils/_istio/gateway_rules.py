# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The rules of a route of the Gateway API: which one a split is about, and edits of it.

A backend is called by its Service: name, or namespace/name where that is another namespace than the route's. Weights
are relative in this API. A split needs them to sum to 100, so that a number is a percentage. The functions change the
rules that they get, which are copies.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    MatchRoute,
    Mirror,
    Split,
    TrafficFailure,
    service_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part

# A rule, or a backend of one.
Entry = dict[str, Any]
_MIRROR, _MIRROR_FIELD = "RequestMirror", "requestMirror"
_FULL = 100
# A share of the requests that has a part of a percent is written as a fraction of this.
_DENOMINATOR = 100_000
# What the API server adds to a match of an HTTPRoute. Without it, a second run would find another match than it wrote.
ANY_PATH = {"path": {"type": "PathPrefix", "value": "/"}}
# How a header is compared, in the words of match_routes and in the API's.
_COMPARISONS = {"exact": "Exact", "regex": "RegularExpression"}


@dataclass(frozen=True)
class Rules:
    """The rules of one route. ``title`` and ``namespace``: of the route."""

    title: str
    namespace: str
    entries: Sequence[Entry]

    def named(self, index: int) -> str:
        """What results and messages call a rule."""
        return str(self.entries[index].get("name") or f"rules[{index}]")

    def is_for_some(self, index: int) -> bool:
        """Whether each match is for some clients only."""
        matches = self.entries[index].get("matches") or [{}]
        return all(match.get("headers") or match.get("queryParams") for match in matches)

    def labels(self, rule: Entry) -> list[str]:
        return [label(backend, self.namespace) for backend in backends_of(rule)]

    def places(self, split: Split) -> list[int]:
        """The rules that the split may be about: the named one, or those with its backends.

        Those that have every backend of the split go before those that have one of them. A route with one rule needs
        neither.
        """
        if split.route:
            return self._chosen(split.route)
        added = {entry.name for entry in split.match_routes}
        every = [index for index, rule in enumerate(self.entries) if rule.get("name") not in added]
        wanted = set(split.weights) or split.named
        whole = [index for index in every if wanted and wanted <= set(self.labels(self.entries[index]))]
        some = [every[index] for index in split.meant([self.labels(self.entries[index]) for index in every])]
        return whole or some or (every if len(every) == 1 else [])

    def places_to_shift(self, split: Split) -> list[int]:
        """The rules that the split is about: one, or all that have each of its backends.

        Raises TrafficFailure where it is open which.
        """
        found = self.places(split)
        whole = [
            index for index in found if split.weights and set(split.weights) <= set(self.labels(self.entries[index]))
        ]
        if len(found) == 1 or (found and len(whole) == len(found)):
            return found
        known = ", ".join(
            f"{self.named(index)} ({', '.join(self.labels(rule)) or 'no backends'})"
            for index, rule in enumerate(self.entries)
        )
        if split.route:
            raise TrafficFailure(f"{self.title} has no rule '{split.route}'. Its rules: {known or 'none'}.")
        problem = "has several rules" if found else "has no rule"
        raise TrafficFailure(
            f"{self.title} {problem} with {', '.join(sorted(split.named))}: set route_ref.rule to the name or the "
            f"index of one. Its rules: {known or 'none'}."
        )

    def _chosen(self, rule: str) -> list[int]:
        names = [index for index, entry in enumerate(self.entries) if entry.get("name") == rule]
        if names or not rule.isdecimal():
            return names
        return [int(rule)] if int(rule) < len(self.entries) else []


def backends_of(rule: Mapping[str, Any]) -> list[Entry]:
    found: list[Entry] = rule.get("backendRefs") or []
    return found


def label(backend: Mapping[str, Any], namespace: str) -> str:
    """The Service of a backend; of another kind of backend, a text that is not the name of a Service."""
    place = str(backend.get("namespace") or namespace)
    name = str(backend.get("name", ""))
    if not is_service(backend):
        return f"{backend.get('kind')} {place}/{name}"
    return name if place == namespace else f"{place}/{name}"


def is_service(backend: Mapping[str, Any]) -> bool:
    return backend.get("group") in (None, "", "core") and backend.get("kind") in (None, "Service")


def weight_of(backend: Mapping[str, Any], rule: Mapping[str, Any]) -> int:
    """A weight that is missing is 1. A lone backend gets all requests, whatever its weight, unless that is 0."""
    weight = backend.get("weight")
    given = 1 if weight is None else int(weight)
    return _FULL if given and len(backends_of(rule)) == 1 else given


def set_weights(title: str, namespace: str, rule: Entry, split: Split) -> None:
    """``title``: of the rule. A backend that the rule does not have yet gets the port of one that it has."""
    if not split.weights:
        return
    by_label: dict[str, Entry] = {}
    for backend in backends_of(rule):
        name = label(backend, namespace)
        if name in by_label and name in split.weights:
            raise TrafficFailure(
                f"{title} has {name} twice, so it is open which of them the weight is for: merge them."
            )
        by_label[name] = backend
    _refuse_wrong_sum(title, rule, split, [by_label[name] for name in split.weights if name in by_label])
    # Before any weight is written: what a lone backend's weight means changes with the second one.
    for name, weight in split.weights.items():
        if name not in by_label and weight:
            by_label[name] = _added(title, namespace, rule, split, name)
    for name in split.weights.keys() & by_label.keys():
        backend, weight = by_label[name], split.weights[name]
        unsaid = len(backends_of(rule)) > 1 and "weight" not in backend
        if unsaid or weight_of(backend, rule) != weight:
            backend["weight"] = weight


def _refuse_wrong_sum(title: str, rule: Entry, split: Split, named: Sequence[Entry]) -> None:
    rest = [backend for backend in backends_of(rule) if all(backend is not own for own in named)]
    others = sum(weight_of(backend, rule) for backend in rest)
    total = others + sum(split.weights.values())
    if total != _FULL:
        raise TrafficFailure(
            f"the weights of {title} would sum to {total}, not 100: {dict(split.weights)}"
            + (f" and {others} for backends that are not named." if others else ".")
        )


def _added(title: str, namespace: str, rule: Entry, split: Split, name: str) -> Entry:
    backend = _reference(title, namespace, rule, split, name)
    # The others' weights are read before this one changes what they mean.
    for other in backends_of(rule):
        other["weight"] = weight_of(other, rule)
    rule["backendRefs"].append(backend)
    return backend


def _reference(title: str, namespace: str, rule: Entry, split: Split, name: str) -> Entry:
    """A reference to another Service, with the port of a backend of the rule."""
    found = [backend for backend in backends_of(rule) if is_service(backend)]
    models = [backend for backend in found if label(backend, namespace) in split.named] or found
    if not models:
        raise TrafficFailure(f"{title} has no Service among its backends, so {name} cannot be added: add it first.")
    reference: Entry = {key: models[0][key] for key in ("group", "kind", "port") if key in models[0]}
    place, service = service_of(name, namespace)
    return {**reference, "name": service, **({"namespace": place} if place != namespace else {})}


def mirrors_of(rule: Mapping[str, Any]) -> list[Entry]:
    """The filters that mirror requests."""
    return [entry for entry in rule.get("filters") or [] if entry.get("type") == _MIRROR]


def mirrored_by(rule: Mapping[str, Any], namespace: str) -> list[str]:
    """The Services that get copies of a rule's requests. ``namespace``: of the route."""
    targets = [part(entry, _MIRROR_FIELD, "backendRef") for entry in mirrors_of(rule)]
    return [label(target, namespace) for target in targets if target]


def set_mirror(title: str, namespace: str, rule: Entry, split: Split, mirror: Mirror) -> None:
    own = mirrors_of(rule)
    if len(own) > 1:
        raise TrafficFailure(f"{title} has {len(own)} filters {_MIRROR}, and this module sets one: remove them first.")
    if not mirror.present:
        _without_mirrors(rule)
        return
    share = round(mirror.percentage * _DENOMINATOR / _FULL)
    wanted: Entry = {"backendRef": _reference(title, namespace, rule, split, mirror.subset)}
    if mirror.percentage == int(mirror.percentage) and mirror.percentage != _FULL:
        wanted["percent"] = int(mirror.percentage)
    elif mirror.percentage != _FULL:
        wanted["fraction"] = {"numerator": share, "denominator": _DENOMINATOR}
    if own:
        own[0][_MIRROR_FIELD] = wanted
    else:
        rule.setdefault("filters", []).append({"type": _MIRROR, _MIRROR_FIELD: wanted})


def _without_mirrors(rule: Entry) -> None:
    """Nothing empty remains."""
    kept = [entry for entry in rule.get("filters") or [] if entry.get("type") != _MIRROR]
    if kept:
        rule["filters"] = kept
    else:
        rule.pop("filters", None)


def set_match_route(of: Rules, rules: list[Entry], base: Entry, split: Split, entry: MatchRoute, paths: bool) -> None:
    """``paths``: whether a match has a path, as that of an HTTPRoute does."""
    if not entry.name or entry.name == base.get("name"):
        raise TrafficFailure("a route of match_routes needs a name of its own, other than the rule's.")
    existing = next((rule for rule in rules if rule.get("name") == entry.name), None)
    if not entry.present:
        if existing is not None:
            rules.remove(existing)
        return
    wanted = copy.deepcopy(base)
    _without_mirrors(wanted)
    wanted["name"] = entry.name
    wanted["matches"] = [_narrowed(match, entry, paths) for match in base.get("matches") or [{}]]
    wanted["backendRefs"] = [{**_reference(of.title, of.namespace, base, split, entry.subset), "weight": 1}]
    if existing is None:
        rules.insert(rules.index(base), wanted)
    else:
        rules[rules.index(existing)] = wanted


def _narrowed(match: Mapping[str, Any], entry: MatchRoute, paths: bool) -> Entry:
    """A match for fewer requests. It has more headers than the base's, so it goes first wherever it is in the list."""
    wanted = [_header(entry, name, how) for name, how in entry.headers.items()]
    for name, value in entry.cookie.items():
        pattern = rf"^(.*?;\s*)?{re.escape(name)}={re.escape(value)}(;.*)?$"
        wanted.append({"type": "RegularExpression", "name": "cookie", "value": pattern})
    if not wanted:
        raise TrafficFailure(f"match_routes: route '{entry.name}' has neither headers nor a cookie: it would take all.")
    known = list(match.get("headers") or [])
    taken = {str(header.get("name")).lower() for header in known} & {header["name"].lower() for header in wanted}
    if taken:
        raise TrafficFailure(f"match_routes: '{entry.name}': the rule already matches header {', '.join(taken)}.")
    return {**(ANY_PATH if paths else {}), **match, "headers": [*known, *wanted]}


def _header(entry: MatchRoute, name: str, how: Mapping[str, str]) -> Entry:
    (comparison, value), *more = [*how.items()] or [("", "")]
    if more or comparison not in (*_COMPARISONS, "prefix"):
        raise TrafficFailure(f"match_routes: '{entry.name}': header {name} needs one of exact, prefix and regex.")
    if comparison == "prefix":
        # The API has no prefixes of headers. Istio compares the whole value with the pattern.
        return {"type": "RegularExpression", "name": name, "value": f"{re.escape(value)}.*"}
    return {"type": _COMPARISONS[comparison], "name": name, "value": value}
