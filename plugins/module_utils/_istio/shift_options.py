# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The options of module traffic_shift: their spec, and what is asked for with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import ISTIOD_OPTIONS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    Affinity,
    MatchRoute,
    Mirror,
    Route,
    Split,
    TrafficFailure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import KINDS, kind_called
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import COOKIE_OPTIONS

_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}


class Asked(NamedTuple):
    """Which object is meant, and what is asked of it."""

    kind: type[Route]
    namespace: str
    name: str
    split: Split


def argument_spec() -> dict[str, Any]:
    subset = {"type": "str", "default": ""}
    return {
        "namespace": {"type": "str", "default": ""},
        "virtual_service": {"type": "str", "default": ""},
        "route_ref": {
            "type": "dict",
            "options": {
                "kind": {"type": "str", "choices": [kind.kind for kind in KINDS], "default": KINDS[0].kind},
                "name": {"type": "str", "required": True},
                "namespace": {"type": "str", "default": ""},
                "rule": {"type": "str", "default": ""},
            },
        },
        "service": {"type": "str", "default": ""},
        "route": {"type": "str", "default": ""},
        "weights": {"type": "dict", "default": {}},
        "mirror": {
            "type": "dict",
            "options": {"subset": subset, "percentage": {"type": "float", "default": 100}, "state": _STATE},
        },
        "match_routes": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "subset": subset,
                "headers": {"type": "dict", "default": {}},
                "cookie": {"type": "dict", "default": {}},
                "state": _STATE,
            },
        },
        "session_affinity": {
            "type": "dict",
            "options": {
                "cookie_name": {"type": "str", "required": True},
                "subset": subset,
                **COOKIE_OPTIONS,
                "state": _STATE,
            },
        },
        "min_ready": {"type": "int", "default": 1},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 30},
        "unproven_wait": {"type": "float", "default": 5},
        **ISTIOD_OPTIONS,
    }


def asked(params: Mapping[str, Any]) -> Asked:
    """Raises TrafficFailure where options contradict each other, or one is missing."""
    named = params["route_ref"] or {}
    _refuse_conflicts(params, named)
    kind = kind_called(named["kind"]) if named else KINDS[0]
    namespace = str(named.get("namespace") or params["namespace"])
    if not namespace:
        raise TrafficFailure("no namespace is set: set namespace, or route_ref.namespace.")
    if kind.by_service and params["service"]:
        raise TrafficFailure(
            f"service is for subsets of a DestinationRule, which {kind.kind} does not have: name the Services in "
            "weights, and remove service."
        )
    if not kind.by_service and not params["service"]:
        raise TrafficFailure(f"service is not set, and the subsets of a {kind.kind} need it: set the service's name.")
    name = str(named.get("name") or params["virtual_service"])
    split = _split(params, str(named.get("rule") or params["route"]))
    return Asked(kind, namespace, name, _of_services(split, namespace) if kind.by_service else split)


def _of_services(split: Split, namespace: str) -> Split:
    """The split with each Service called in one way: without the namespace where that is the route's."""

    def short(option: str, name: str) -> str:
        found = name.removeprefix(f"{namespace}/")
        if not found:
            raise TrafficFailure(f"{option} names no Service: set the name of one.")
        return found

    weights = {short("weights", name): weight for name, weight in split.weights.items()}
    if len(weights) != len(split.weights):
        raise TrafficFailure("weights name a Service of the route's namespace twice: set each of them once.")
    mirror = split.mirror
    if mirror and mirror.present:
        mirror = replace(mirror, subset=short("mirror.subset", mirror.subset))
    added = [
        replace(each, subset=short(f"match_routes: '{each.name}': subset", each.subset)) if each.present else each
        for each in split.match_routes
    ]
    return replace(split, weights=weights, mirror=mirror, match_routes=added)


def _refuse_conflicts(params: Mapping[str, Any], named: Mapping[str, Any]) -> None:
    if not named:
        if not params["virtual_service"]:
            raise TrafficFailure("no route is named: set virtual_service, or route_ref for another kind.")
        return
    for option, instead in (("virtual_service", "name"), ("route", "rule")):
        if params[option]:
            raise TrafficFailure(
                f"{option} and route_ref are both set: set route_ref.{instead} only, and remove {option}."
            )
    places = params["namespace"], named["namespace"]
    if all(places) and places[0] != places[1]:
        raise TrafficFailure(
            f"namespace is {places[0]} and route_ref.namespace is {places[1]}: remove the one that is not meant."
        )


def _split(params: Mapping[str, Any], route: str) -> Split:
    mirror, affinity = params["mirror"], params["session_affinity"]
    stays = {key: affinity[key] for key in ("subset", "max_age", "secure", "same_site")} if affinity else {}
    return Split(
        host=params["service"],
        route=route,
        weights=_whole_numbers(params["weights"]),
        mirror=mirror and Mirror(mirror["subset"], mirror["percentage"], mirror["state"] == "present"),
        match_routes=[
            MatchRoute(e["name"], e["subset"], e["headers"], e["cookie"], e["state"] == "present")
            for e in params["match_routes"]
        ],
        affinity=affinity and Affinity(affinity["cookie_name"], present=affinity["state"] == "present", **stays),
    )


def _whole_numbers(given: Mapping[str, Any]) -> dict[str, int]:
    """Weights, which may be text from a survey or the command line. They are not rounded."""
    result = {}
    for subset, weight in given.items():
        if isinstance(weight, bool) or not str(weight).isdecimal() or int(weight) > 100:
            raise TrafficFailure(f"weights: {subset} is {weight!r}: set a whole number from 0 to 100.")
        result[subset] = int(weight)
    return result
