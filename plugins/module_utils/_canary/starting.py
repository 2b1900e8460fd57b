# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The start of a run: what it is about, whether the service is ready for it, and whether a call means another one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.adoption import Adoption
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.copy_sides import SidesFinder
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import Change
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.configuration import digest_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.copying import differences
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Slot, State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.terms import OtherTerms
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import (
    COPY,
    changed_terms,
    new_run,
    wanted_target,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.pods import Pods
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.probes import unprobed
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.unmeasured import unmeasured
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.images import image_with
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import refuse_rivals
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref


@dataclass(frozen=True)
class Start:
    """A run before its first step. ``remarks``: what to know of it before, in words. ``objects``: what the run makes.

    ``contents``: those of them that must exist before the state is written, because it does not have their content.
    """

    state: State
    remarks: Sequence[str] = ()
    objects: Sequence[Change] = ()
    contents: Sequence[Change] = ()


def new_start(objects: CanaryObjects, params: Mapping[str, Any]) -> Start | None:
    """None if there is nothing to change. Raises CanaryFailure if the service is not ready for a canary."""
    if params["image_tag"] and params["image"]:
        raise CanaryFailure("set either image_tag or image.")
    start = _with_copy(objects, params) if wanted_target(params)["way"] == COPY else _with_slots(objects, params)
    if start is None:
        return None
    state = start.state
    objects.refuse_missing()
    workloads = [state.stable.workload, state.canary.workload]
    if problem := objects.owners_problem(workloads, params["managed_by_others"], _existing(start)):
        raise CanaryFailure(problem)
    refuse_rivals(objects.cluster, objects.routes())
    service = objects.cluster.get(Ref("v1", "Service", objects.namespace, objects.service.partition(".")[0]))
    return replace(start, remarks=[*start.remarks, *unmeasured(objects.kind, service, params["metrics"])])


def _with_slots(objects: CanaryObjects, params: Mapping[str, Any]) -> Start | None:
    if not params["image_tag"] and not params["image"]:
        raise CanaryFailure("set either image_tag or image.")
    given, wanted = (params[side].get("subset") or "" for side in ("stable", "canary"))
    stable = objects.slot(objects.stable_side(given, wanted))
    image = params["image"] or image_with(stable.image, params["image_tag"])
    if image == stable.image:
        return None
    canary = objects.slot(objects.canary_side(stable.subset, wanted, image))
    deployment = wanted_target(params)["deployment"]
    if deployment and deployment not in (stable.workload, canary.workload):
        raise CanaryFailure(
            f"target.deployment is {deployment}, and the two sides are {stable.workload} and {canary.workload}: "
            "correct it, or set target.way=copy."
        )
    stable, canary = objects.kept_pods(stable, canary)
    state = new_run(params, objects.where, stable, replace(canary, image=image), 0, time.time())
    pods, __ = objects.both(state)
    new = replace(state, **_capacity(pods, stable))
    objects.try_out(new)
    deployments = [objects.workloads.get(slot.workload) for slot in (stable, canary)]
    templates = [each["spec"]["template"] for each in deployments]
    found = [path for path in differences(*templates) if not _expected(path)]
    differing = [f"the two sides differ also in {', '.join(found)}"] if found else []
    return Start(new, [*differing, *unprobed(stable.workload, objects.workloads.container(deployments[0]))])


def _with_copy(objects: CanaryObjects, params: Mapping[str, Any]) -> Start | None:
    target = wanted_target(params)
    if not (params["image_tag"] or params["image"] or params["patch"] or params["configuration"]):
        raise CanaryFailure("set image_tag, image, patch or configuration.")
    sides = SidesFinder(objects).sides(
        target["deployment"],
        target["keep"],
        params["patch"] or {},
        params["image"],
        params["image_tag"],
        params["configuration"],
    )
    if sides.same:
        return None
    adoption, copy = Adoption(objects), sides.copy
    state = replace(
        new_run(params, objects.where, sides.stable, sides.canary, 0, time.time()),
        copy=copy,
        patch=params["patch"] or {},
        configuration=sides.renames.names,
        configuration_digest=digest_of(params["configuration"]),
    )
    objects = CanaryObjects(
        objects.cluster, objects.namespace, objects.service, objects.where, params["container"], _subsets(state)
    )
    pods = SidesFinder(objects).pods(sides.stable, copy)
    changes = adoption.planned_objects(state, sides.template)
    # All that is left is the Deployment, which gets its template later.
    ready = replace(copy, adopted=len(changes) == 1)
    new = replace(state, copy=ready, **_capacity(pods, sides.stable))
    live = objects.workloads.get(sides.stable.workload)
    found = [path for path in differences(live["spec"]["template"], sides.template) if not path.endswith(copy.label)]
    remarks = [f"the change: {', '.join(found)}", *unprobed(sides.stable.workload, objects.workloads.container(live))]
    contents = sides.renames.made
    return Start(new, remarks, [*contents, *changes], contents)


def _subsets(state: State) -> Sequence[str]:
    return (state.stable.subset, state.canary.subset)


def _existing(start: Start) -> list[Object]:
    """Objects that adoption changes, apart from the routes and Deployments."""
    return [change.before for change in start.objects if change.before and change.ref.kind == "DestinationRule"]


def _expected(path: str) -> bool:
    """Whether slots always differ there."""
    return path.startswith("metadata.labels") or path.endswith(".image") or "creationTimestamp" in path


def _capacity(pods: Pods, stable: Slot) -> dict[str, Any]:
    if pods.wanted == 0 or pods.ready < pods.wanted:
        raise CanaryFailure(
            f"the stable side is not healthy: {pods.ready} of {pods.wanted} pods of Deployment {stable.workload} "
            "are ready, and it must take all traffic if the canary fails. Fix that first."
        )
    return {"capacity": pods.ready, "stable_template": pods.template}


def refuse_another_run(state: State, params: Mapping[str, Any]) -> None:
    """Refuse a call for another image than the run's, or with other terms."""
    _refuse_other_image(state, params)
    changed = changed_terms(state, params) if not state.phase.ending else {}
    if changed:
        resume = f"open gate {state.gate} and continue" if state.gate else "continue"
        raise OtherTerms(f"run {state.run} of {state.service} is {state.phase}. It", changed, resume)


def _refuse_other_image(state: State, params: Mapping[str, Any]) -> None:
    image = params["image"] or (image_with(state.stable.image, params["image_tag"]) if params["image_tag"] else "")
    if image and image != state.canary.image:
        raise CanaryFailure(
            f"run {state.run} of {state.service} is {state.phase} with {state.canary.image}. End it first, with "
            f"state=promoted or state=aborted. Then start a run of {image}."
        )
