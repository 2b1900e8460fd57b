# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether objects are ready, and if not, why, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import is_ready

_EVENTS_SHOWN = 3


def not_ready(obj: Object) -> str:
    """Why the object is not ready; empty if it is, or if its kind knows no readiness."""
    check = _CHECKS.get(str(obj.get("kind")))
    return check(obj) if check else ""


def knows_readiness(kind: str) -> bool:
    return kind in _CHECKS


def _condition(obj: Object, kind: str) -> Object:
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == kind:
            return dict(condition)
    return {}


def _described(condition: Object) -> str:
    return ": ".join(str(part) for part in (condition.get("reason"), condition.get("message")) if part)


def _unseen(obj: Object) -> bool:
    generation = (obj.get("metadata") or {}).get("generation", 0)
    return int((obj.get("status") or {}).get("observedGeneration", 0)) < int(generation)


def _replicas(obj: Object) -> int:
    wanted = (obj.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)


def _deployment(obj: Object) -> str:
    status, wanted = obj.get("status") or {}, _replicas(obj)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    reasons = []
    if _unseen(obj):
        reasons.append("its controller has not yet seen the newest version")
    elif updated < wanted:
        reasons.append(f"{updated} of {wanted} updated")
    elif available < wanted:
        reasons.append(f"{available} of {wanted} ready")
    elif status.get("replicas", 0) > updated:
        reasons.append(f"{status['replicas'] - updated} old pods still there")
    if not reasons:
        return ""
    progress = _condition(obj, "Progressing")
    if failure := replica_failure(obj):
        reasons.append(failure)
    if progress.get("status") == "False":
        reasons.append(_described(progress))
    return "; ".join(reasons)


def replica_failure(deployment: Object) -> str:
    """Why its pods cannot be created, such as a quota or a webhook that refuses them; empty if they can."""
    failure = _condition(deployment, "ReplicaFailure")
    return _described(failure) if failure.get("status") == "True" else ""


def _stateful_set(obj: Object) -> str:
    status, wanted = obj.get("status") or {}, _replicas(obj)
    ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    update = (obj.get("spec") or {}).get("updateStrategy") or {}
    partition = int((update.get("rollingUpdate") or {}).get("partition") or 0)
    if _unseen(obj):
        return "its controller has not yet seen the newest version"
    if ready < wanted:
        return f"{ready} of {wanted} ready"
    moved = status.get("currentRevision") != status.get("updateRevision")
    if moved and update.get("type") != "OnDelete" and updated < wanted - partition:
        return f"{updated} of {wanted - partition} updated"
    return ""


def _daemon_set(obj: Object) -> str:
    status = obj.get("status") or {}
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    update = (obj.get("spec") or {}).get("updateStrategy") or {}
    if _unseen(obj):
        return "its controller has not yet seen the newest version"
    if update.get("type") != "OnDelete" and status.get("updatedNumberScheduled", 0) < wanted:
        return f"{status.get('updatedNumberScheduled', 0)} of {wanted} updated"
    return "" if ready >= wanted else f"{ready} of {wanted} ready"


def _job(obj: Object) -> str:
    if _condition(obj, "Complete").get("status") == "True":
        return ""
    failed = _condition(obj, "Failed")
    return f"failed: {_described(failed)}" if failed.get("status") == "True" else "not finished"


def _pod(obj: Object) -> str:
    if (obj.get("status") or {}).get("phase") == "Succeeded" or is_ready(obj):
        return ""
    return "; ".join(pod_problems(obj)) or "not ready"


def _claim(obj: Object) -> str:
    phase = (obj.get("status") or {}).get("phase", "Pending")
    return "" if phase == "Bound" else f"the volume claim is {phase}"


def _definition(obj: Object) -> str:
    if _condition(obj, "Established").get("status") == "True":
        return ""
    return _described(_condition(obj, "NamesAccepted")) or "not established"


def _service(obj: Object) -> str:
    spec = obj.get("spec") or {}
    if spec.get("type") != "LoadBalancer" or spec.get("externalIPs"):
        return ""
    given = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return "" if given else "the load balancer has no address yet"


def _namespace(obj: Object) -> str:
    phase = (obj.get("status") or {}).get("phase", "Active")
    return "" if phase == "Active" else f"it is {phase}"


_CHECKS: dict[str, Callable[[Object], str]] = {
    "CustomResourceDefinition": _definition,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Job": _job,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "Service": _service,
    "StatefulSet": _stateful_set,
}


def pod_problems(pod: Object) -> list[str]:
    """What keeps a pod from being ready, a line for each container that has a problem."""
    status = pod.get("status") or {}
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return [_described(scheduled)]
    problems = [
        problem
        for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
        if (problem := _container_problem(container))
    ]
    if not problems and status.get("reason"):
        problems = [_described(status)]
    return problems


def _container_problem(container: Object) -> str:
    state, name = container.get("state") or {}, container.get("name")
    waiting, ended = state.get("waiting"), state.get("terminated")
    if waiting:
        text = f"container {name} waits: {_described(waiting)}"
    elif ended and ended.get("exitCode"):
        text = f"container {name} ended with {ended['exitCode']}: {_described(ended)}"
    elif "running" in state and not container.get("ready", True):
        text = f"container {name} runs but is not ready: its readiness probe does not pass"
    else:
        return ""
    last = (container.get("lastState") or {}).get("terminated")
    if last:
        text += f" (last time it ended with {last.get('exitCode')}: {_described(last)})"
    return text


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or "")


def last_events(events: Iterable[Object], ref: Ref) -> list[str]:
    """The last events of the object and of what it made (replica sets and pods carry its name)."""

    def concerns(event: Object) -> bool:
        about = event.get("involvedObject") or {}
        name = str(about.get("name", ""))
        own = name == ref.name and about.get("kind") == ref.kind
        return own or (knows_readiness(ref.kind) and name.startswith(f"{ref.name}-"))

    mine = sorted((event for event in events if concerns(event)), key=_when)
    warnings = [event for event in mine if event.get("type") == "Warning"]
    lines: dict[str, None] = {}
    for event in reversed(warnings or mine):
        about: dict[str, Any] = event.get("involvedObject") or {}
        lines[f"{about.get('kind')} {about.get('name')}: {_described(event)}"] = None
    return list(lines)[:_EVENTS_SHOWN]


def explanation(ref: Ref, obj: Object | None, pods: Iterable[Object], events: Iterable[Object]) -> str:
    """One object that is not ready and all that is known about it; empty if it is ready."""
    reason = not_ready(obj) if obj else "it does not exist"
    if not reason:
        return ""
    parts = [f"{ref}: {reason}"]
    for pod in pods:
        trouble = "" if ref.kind == "Pod" else not_ready(pod)
        if trouble:
            parts.append(f"pod {pod['metadata']['name']}: {trouble}")
    told = last_events(events, ref)
    if told:
        parts.append("last events: " + " | ".join(told))
    return "; ".join(parts)
