# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a side's pods lack, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.pods import pods_of

Object = dict[str, Any]
QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: team"}


def deployment(*conditions: Object) -> Object:
    spec = {"selector": {"matchLabels": {"app": "cart"}}, "template": {"spec": {"containers": [{"name": "cart"}]}}}
    return {"metadata": {"name": "cart-v2", "generation": 1}, "spec": spec, "status": {"conditions": list(conditions)}}


def pod(name: str, *, going: bool = False, **status: Any) -> Object:
    metadata: Object = {"name": name, "labels": {"app": "cart"}}
    return {"metadata": {**metadata, "deletionTimestamp": "now"} if going else metadata, "status": status}


def waits(reason: str, message: str) -> list[Object]:
    return [{"name": "cart", "state": {"waiting": {"reason": reason, "message": message}}}]


PULL = pod("cart-v2-a", containerStatuses=waits("ImagePullBackOff", "no such tag"))
READY = pod("cart-v2-b", containerStatuses=[{"name": "cart", "ready": True, "state": {"running": {}}}])
FULL = pod(
    "cart-v2-c",
    conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu"}],
)


@pytest.mark.parametrize(
    ("pods", "conditions", "problem"),
    [
        ([READY, PULL], [], "cart-v2-a: container cart waits: ImagePullBackOff: no such tag"),
        ([FULL], [], "cart-v2-c: Unschedulable: Insufficient cpu"),
        ([], [QUOTA], "FailedCreate: exceeded quota: team"),
        ([READY], [QUOTA], "FailedCreate: exceeded quota: team"),
        ([READY], [], ""),
        ([pod("cart-v2-d", going=True, containerStatuses=waits("ImagePullBackOff", ""))], [], ""),
    ],
)
def test_what_keeps_pods_from_being_ready(pods: list[Object], conditions: list[Object], problem: str) -> None:
    assert pods_of(deployment(*conditions), "cart:2", {"app": "cart"}, pods, []).problem == problem


def test_a_registry_s_long_answer_is_cut() -> None:
    long = pod("cart-v2-a", containerStatuses=waits("ErrImagePull", "x" * 5000))
    problem = pods_of(deployment(), "cart:2", {"app": "cart"}, [long], []).problem
    assert len(problem) == 303
    assert problem.endswith("x...")
