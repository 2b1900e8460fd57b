# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The HorizontalPodAutoscaler that follows the traffic from one side of a canary to the other."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import Scaler
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.owners import scales
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import PINNED
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import FIELD_MANAGER
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Readable, Writable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

_KIND = ("autoscaling/v2", "HorizontalPodAutoscaler")


def scaler(cluster: Readable, namespace: str, state: State) -> Scaler | None:
    """None if the run has no autoscaler to manage."""
    found = _autoscaler(cluster, namespace, state)
    if found is None:
        return None
    pinned = PINNED in (found["metadata"].get("annotations") or {})
    return Scaler(pinned, str(found["spec"]["scaleTargetRef"]["name"]))


def autoscale(cluster: Writable, namespace: str, state: State, wanted: Scaler) -> None:
    """A pinned autoscaler keeps at least the pods that the stable side had at the start of the run."""
    found = _autoscaler(cluster, namespace, state)
    if found is None:
        return
    annotations = found["metadata"].get("annotations") or {}
    least = int(annotations.get(PINNED, found["spec"].get("minReplicas") or 1))
    spec = {
        "minReplicas": max(least, state.capacity) if wanted.pinned else least,
        "scaleTargetRef": {**found["spec"]["scaleTargetRef"], "name": wanted.target},
    }
    note = {PINNED: str(least) if wanted.pinned else None}
    cluster.request(
        "patch",
        cluster.path(Ref(*_KIND, namespace, found["metadata"]["name"])),
        body={"metadata": {"annotations": note}, "spec": spec},
        query=[("fieldManager", FIELD_MANAGER)],
        content_type="application/merge-patch+json",
    )


def _autoscaler(cluster: Readable, namespace: str, state: State) -> Object | None:
    """The one that follows the traffic. If each side has its own, the run leaves both alone."""
    ours = {state.stable.workload, state.canary.workload}
    fitting = [found for found in cluster.list(*_KIND, namespace) if scales(found, ours)]
    return fitting[0] if len(fitting) == 1 else None
