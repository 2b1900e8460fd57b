# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Other programs that write to the objects of a canary and would undo it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import KEEPS_CANARIES
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

# What to do if there is another owner.
REFUSE, ACCEPT = "refuse", "accept"


class _Mark(NamedTuple):
    """A label or an annotation by which a tool recognises its objects."""

    owner: str
    place: str
    key: str


_MARKS = (
    # https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
    _Mark("Argo CD", "annotations", "argocd.argoproj.io/tracking-id"),
    _Mark("Argo CD", "labels", "argocd.argoproj.io/instance"),
    # https://fluxcd.io/flux/components/kustomize/kustomizations/ and .../helm/helmreleases/
    _Mark("Flux", "labels", "kustomize.toolkit.fluxcd.io/name"),
    _Mark("Flux", "labels", "helm.toolkit.fluxcd.io/name"),
    # Last, since objects that Flux installs by Helm have it too.
    _Mark("Helm release", "annotations", "meta.helm.sh/release-name"),
)
# On a HorizontalPodAutoscaler that KEDA made, the name of its ScaledObject.
_SCALED_OBJECT = "scaledobject.keda.sh/name"


def owners_problem(objects: Iterable[Object], managed_by_others: str) -> str:
    """Which other programs would overwrite these objects. Empty if none would, or if that is accepted.

    ``objects``: the objects with the routes, and the Deployments of a canary. ``managed_by_others``: REFUSE or ACCEPT.
    """
    owners = [f"- {sentence}" for each in objects if (sentence := _owner(each))]
    if not owners or managed_by_others == ACCEPT:
        return ""
    return "\n".join(
        [
            "another program would undo this canary:",
            *owners,
            "Configure it to ignore the fields that docs/gitops.md names, then set managed_by_others to accept.",
        ]
    )


def autoscaler_problem(autoscalers: Iterable[Object], workloads: Iterable[str]) -> str:
    """Why a canary cannot run with the autoscalers of its two Deployments. Empty if it can.

    ``autoscalers``: the HorizontalPodAutoscalers of the namespace. A single one follows the traffic. If each side has
    its own, both stay unchanged.
    """
    sides = set(workloads)
    for each in autoscalers:
        name = (each["metadata"].get("labels") or {}).get(_SCALED_OBJECT)
        if not name or not scales(each, sides):
            continue
        target = each["spec"]["scaleTargetRef"]["name"]
        return (
            f"KEDA's ScaledObject {name} scales Deployment {target} and would revert the target of its autoscaler. "
            "Pause it for the run (annotation autoscaling.keda.sh/paused), or replace it with a "
            "HorizontalPodAutoscaler."
        )
    return ""


def scales(autoscaler: Object, workloads: Collection[str]) -> bool:
    """Whether a HorizontalPodAutoscaler scales one of these Deployments."""
    target: Mapping[str, str] = autoscaler["spec"]["scaleTargetRef"]
    return target.get("kind") == "Deployment" and target.get("name") in workloads


def _owner(obj: Object) -> str:
    metadata = obj["metadata"]
    if KEEPS_CANARIES in (metadata.get("annotations") or {}):
        return ""
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            return f"{Ref.of(obj)} is managed by {reference.get('kind')} {reference.get('name')}, which overwrites it"
    for mark in _MARKS:
        name = (metadata.get(mark.place) or {}).get(mark.key)
        if name:
            return f"{Ref.of(obj)} is managed by {mark.owner} {str(name).partition(':')[0]}, which overwrites it"
    return ""
