# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Routes to all pods of a service become routes to one subset, and are restored.

An annotation on the object keeps what the restoration needs, so it does not depend on a run's state.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import adoption
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route, TrafficFailure


def is_plain(route: Route, service: str) -> bool:
    """Whether a destination means all pods of the service."""
    of = route.destinations_of(service)
    return any(of.subset(entry) == of.plain for entries in of.lists(route.obj) for entry in entries)


def adopted(route: Route, service: str, subset: str) -> Route:
    """Destinations that mean all pods of the service name this subset."""
    obj, of = route.obj, route.destinations_of(service)
    annotations = obj["metadata"].get("annotations") or {}
    known = annotations.get(adoption(service))
    note: dict[str, Any] = json.loads(known) if known else {"subset": "", "weight": None}
    result = copy.deepcopy(obj)
    for entries in of.lists(result):
        own = [entry for entry in entries if of.subset(entry) is not None]
        if own and len(entries) == 1 and not known:
            note["weight"] = own[0].get("weight")
        for entry in own:
            if of.subset(entry) == of.plain:
                note["subset"] = subset
                of.name(entry, subset)
    result["metadata"]["annotations"] = {**annotations, adoption(service): dump(note)}
    return type(route)(result)


def detached(route: Route, service: str, canary: str) -> Route:
    """As it was before :func:`adopted`. Raises TrafficFailure while the canary's subset gets requests."""
    obj, of = route.obj, route.destinations_of(service)
    annotations = {**(obj["metadata"].get("annotations") or {})}
    text = annotations.pop(adoption(service), "")
    if not text:
        return route
    note = json.loads(text)
    result = copy.deepcopy(obj)
    for entries in of.lists(result):
        if any(of.subset(entry) == canary and entry.get("weight") != 0 for entry in entries):
            raise TrafficFailure(
                f"{route.kind} {route.name} sends requests to {canary}, which detaching would remove. "
                "Return them first: undo the promotion, or run a canary with target.keep=original."
            )
        left = [entry for entry in entries if of.subset(entry) != canary]
        if len(left) < len(entries) and len(left) == 1:
            left[0].pop("weight", None)
            if note["weight"] is not None:
                left[0]["weight"] = note["weight"]
        entries[:] = left
        for entry in entries:
            if note["subset"] and of.subset(entry) == note["subset"]:
                of.name(entry, of.plain)
    metadata = {key: value for key, value in result["metadata"].items() if key != "annotations"}
    metadata |= {"annotations": annotations} if annotations else {}
    return type(route)({**result, "metadata": metadata})


def dump(note: object) -> str:
    return json.dumps(note, separators=(",", ":"), sort_keys=True)
