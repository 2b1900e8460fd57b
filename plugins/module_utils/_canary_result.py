# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A run, planned or ended, as return values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils import _yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_plan import SPLIT, describe_plan
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_requests import Canary, Result
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_table import report, stamp, table

# So many measurements are returned.
_SHOWN = 40


def planned(canary: Canary, params: Mapping[str, Any]) -> dict[str, Any]:
    """A check run: nothing is written, not even the lock."""
    if params["state"] == "aborted":
        existing, nothing = canary.to_abort()
        shown = {**report(existing), "table": table(existing)} if existing else {"phase": ""}
        return {**shown, "changed": not nothing, **({"reason": nothing} if nothing else {})}
    existing = canary.objects.state()
    if params["state"] != "progressed":
        active = existing is not None and not existing.final
        shown = {**report(existing), "table": table(existing)} if existing else {"phase": "", "reason": "no run"}
        return {**shown, "changed": active}
    state = canary.planned()
    if state is None:
        return {"changed": False, "phase": "", "reason": "the image is the stable one already", "plan": []}
    if existing != state:
        canary.objects.write(existing, state, dry_run=True)
    plan = describe_plan(state, params["min_ready"])
    return {**report(state), "changed": True, "plan": plan, "table": plan, "diff": _diff(state, plan)}


def _diff(state: State, plan: list[str]) -> dict[str, str]:
    stable, canary = state.stable, state.canary
    last = state.steps[0].weight if state.strategy == SPLIT else 100
    before = {
        "images": {stable.subset: stable.image},
        "weights": {stable.subset: 100 - state.weight, canary.subset: state.weight},
    }
    after = {
        "images": {stable.subset: stable.image, canary.subset: canary.image},
        "weights": {stable.subset: 100 - last, canary.subset: last},
        "steps": plan,
    }
    return {"before": _yaml.dump(before), "after": _yaml.dump(after)}


def ended(result: Result) -> dict[str, Any]:
    if result.state is None:
        return {"changed": result.changed, "phase": "", "reason": result.note, "table": [result.note]}
    values = {**report(result.state), "changed": result.changed, "table": table(result.state)}
    if result.note:
        values["reason"] = result.note
    if result.watch:
        values["measurements"] = [entry.report() for entry in result.watch.measurements[-_SHOWN:]]
    back = result.rollback
    if back and back.weight_zero_at:
        decided = back.decided_at or back.weight_zero_at
        values["rollback"] = {
            "decided_at": stamp(decided),
            "weight_zero_at": stamp(back.weight_zero_at),
            "seconds": round(back.weight_zero_at - decided, 3),
        }
    return values


def together(results: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Results of several services as one."""
    lines = [line for result in results.values() for line in result.get("table", [])]
    return {
        "changed": any(result["changed"] for result in results.values()),
        "phase": "",
        "reason": f"{len(results)} runs looked at",
        "services": dict(results),
        "table": lines or ["no run is under way"],
    }
