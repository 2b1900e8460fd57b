# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The return values of module canary, for a planned or an ended run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.adopter import described
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import Change
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.configuration import SECRET
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import describe_plan
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.table import (
    report,
    stamp,
    summary,
    table,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.detach import NOTHING, Detachable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.reconcile import (
    Reconcilable,
    params_for,
    runs_in,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.runner import Result
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.undo import already_undone, describe_undo
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import SPLIT
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import MeshCluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

# Number of measurements that are returned.
_SHOWN = 40


def planned(canary: Detachable, params: Mapping[str, Any]) -> dict[str, Any]:
    """Check mode: nothing is written, not even the lock."""
    if params["state"] == "aborted":
        existing, nothing = canary.to_abort()
        return {**_shown(existing), "changed": not nothing, **({"reason": nothing} if nothing else {})}
    if params["state"] == "undone":
        return _planned_undo(canary)
    if params["state"] == "detached":
        return _planned_detach(canary)
    existing = canary.state()
    if params["state"] != "progressed":
        active = existing is not None and not existing.final
        return {"reason": "no run", **_shown(existing), "changed": active}
    start = canary.planned()
    if start is None:
        return {"changed": False, "phase": "", "reason": "the image is already the stable one", "plan": []}
    state = start.state
    if existing != state:
        canary.objects.write(existing, state, dry_run=True)
    plan = [*describe_plan(state, params["min_ready"]), *start.remarks]
    diff = _with_objects(_diff(state, plan), start.objects)
    return {**report(state), "changed": True, "plan": plan, "table": plan, "diff": diff}


def _planned_undo(canary: Reconcilable) -> dict[str, Any]:
    existing, new = canary.to_undo()
    if new is None:
        under_way = existing is not None and not existing.final
        reason = "it is in progress" if under_way else already_undone(existing)
        return {
            **_shown(existing),
            "changed": under_way,
            "reason": reason,
            "table": [reason],
            "summary": [reason],
            "plan": [],
        }
    canary.objects.write(existing, new, dry_run=True)
    plan = describe_undo(new)
    return {**report(new), "changed": True, "plan": plan, "table": plan, "summary": plan, "diff": _diff(new, plan)}


def _planned_detach(canary: Detachable) -> dict[str, Any]:
    changes = canary.to_detach()
    lines = [described(change) for change in changes] or [NOTHING]
    diff = _with_objects({"before": "", "after": ""}, changes)
    return {
        "changed": bool(changes),
        "phase": "",
        "reason": "; ".join(lines),
        "plan": lines,
        "table": lines,
        "diff": diff,
    }


def planned_all(
    cluster: MeshCluster, params: Mapping[str, Any], log: Callable[[str], None], cancelled: Callable[[], str]
) -> dict[str, dict[str, Any]]:
    """By service, for state=reconciled without one. Reports an unreadable state, as the run would."""
    found = {}
    for service, where in runs_in(cluster, params["namespace"], log).items():
        own = params_for(params, service, where)
        try:
            found[service] = planned(Detachable(cluster, own, log, cancelled), own)
        except CanaryFailure as failure:
            found[service] = {"changed": False, "phase": "", "reason": str(failure), "table": [str(failure)]}
    return found


def _shown(state: State | None) -> dict[str, Any]:
    return {**report(state), "table": table(state)} if state else {"phase": ""}


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
    return {"before": yaml.dump(before), "after": yaml.dump(after)}


def _with_objects(diff: dict[str, str], changes: Sequence[Change]) -> dict[str, str]:
    """With every object that the run makes or changes at its start."""
    texts = {
        side: "".join(f"--- # {change.ref}\n{yaml.dump(shown(getattr(change, side)))}" for change in changes)
        for side in ("before", "after")
    }
    return {side: f"{text}{texts[side]}" for side, text in diff.items()}


def shown(obj: Object | None) -> Object:
    """What a diff shows of an object: without status and what the API server keeps for itself."""
    if obj is None:
        return {}
    metadata = {key: obj["metadata"][key] for key in ("name", "labels", "annotations") if key in obj["metadata"]}
    content: Object = {key: obj[key] for key in ("spec", "data", "type", "immutable") if key in obj}
    if obj.get("kind") == SECRET and "data" in content:
        content["data"] = dict.fromkeys(content["data"], "(not shown)")
    return {"metadata": metadata, **content}


def ended(result: Result) -> dict[str, Any]:
    if result.state is None:
        note = [result.note]
        return {"changed": result.changed, "phase": "", "reason": result.note, "table": note, "summary": note}
    values = {
        **report(result.state),
        "changed": result.changed,
        "table": table(result.state),
        "summary": [summary(result.state, result.note)],
    }
    if result.note:
        # The table has the run's own last reason. The note of the call comes last.
        values |= {"reason": result.note, "table": [*values["table"], result.note]}
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
    lines, brief = (
        [line for result in results.values() for line in result.get(key) or result.get("table", [])]
        or ["no run is in progress"]
        for key in ("table", "summary")
    )
    return {
        "changed": any(result["changed"] for result in results.values()),
        "phase": "",
        "reason": f"{len(results)} runs reconciled",
        "services": dict(results),
        "table": lines,
        "summary": brief,
    }
