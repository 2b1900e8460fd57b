# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The pods of one side, from the objects that exist."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import PREVIOUS_TEMPLATE, RUN
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.endpoints import ready_endpoints
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.readiness import pod_problems, replica_failure

_TEMPLATE = "pod-template-hash"
# Characters of a reason: the state of a run is an annotation, and a registry's answer may be long.
_REASON = 300


@dataclass(frozen=True)
class Pods:
    """``ready``: ready endpoints. ``existing``: all pods, also terminating ones. ``gone``: what is missing."""

    wanted: int = 0
    ready: int = 0
    existing: int = 0
    rolled_out: bool = False
    image: str = ""
    # Fingerprint of the pods' spec.
    template: str = ""
    # The run that set the Deployment's image.
    run: str = ""
    # The run that gave it another template, if the previous one can be restored.
    given: str = ""
    gone: str = ""
    # What keeps one of them from being ready, or from being created, in Kubernetes' words.
    problem: str = ""


def container_of(deployment: Object, named: str, service: str) -> Mapping[str, Any] | None:
    """The container whose image is the version: ``named``, or the one with the service's name, or the only one."""
    containers: list[Mapping[str, Any]] = deployment["spec"]["template"]["spec"]["containers"]
    for container in containers:
        if container["name"] == (named or service):
            return container
    return containers[0] if len(containers) == 1 and not named else None


def template_of(deployment: Object) -> str:
    """A fingerprint of the pods' spec. A restart by kubectl does not change it."""
    spec = json.dumps(deployment["spec"]["template"]["spec"], sort_keys=True)
    return hashlib.sha256(spec.encode()).hexdigest()[:16]


def pods_of(deployment: Object, image: str, labels: Mapping[str, str] | None, pods: Objects, slices: Objects) -> Pods:
    """``labels``: those by which Service and subset select pods. None if one of them is gone: no pod gets requests."""
    status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
    own: Mapping[str, str] = labels or (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
    existing = [pod for pod in pods if own.items() <= (pod["metadata"].get("labels") or {}).items()]
    newest = status.get("updatedReplicas", 0) == status.get("replicas", 0) == wanted
    staying = [pod for pod in existing if not pod["metadata"].get("deletionTimestamp")]
    made_of = {(pod["metadata"].get("labels") or {}).get(_TEMPLATE) for pod in staying}
    annotations = deployment["metadata"].get("annotations") or {}
    run = str(annotations.get(RUN, ""))
    return Pods(
        wanted=wanted,
        ready=ready_endpoints(slices, pods, labels) if labels else 0,
        existing=len(existing),
        rolled_out=status.get("observedGeneration") == deployment["metadata"]["generation"]
        and newest
        and len(made_of) <= 1,
        image=image,
        template=template_of(deployment),
        run=run,
        given=run if PREVIOUS_TEMPLATE in annotations else "",
        problem=_problem(deployment, staying),
    )


def _problem(deployment: Object, pods: Objects) -> str:
    for pod in pods:
        if problems := pod_problems(pod):
            text = f"{pod['metadata']['name']}: {'; '.join(problems)}"
            break
    else:
        text = replica_failure(deployment)
    return text if len(text) <= _REASON else f"{text[:_REASON]}..."
