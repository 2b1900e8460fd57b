# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.capacity import (
    CapacityError,
    Need,
    Pods,
    Verdict,
    Volume,
    free_by_node,
    judge_addresses,
    judge_pods,
    judge_volumes,
    need,
    pod_need,
    quantity,
    readable,
)

GIB = 1024**3


def node(name: str, cpu: str = "4", memory: str = "8Gi", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(on: str, namespace: str = "others", cpu: str = "1", memory: str = "1Gi", phase: str = "Running") -> Any:
    return {
        "metadata": {"namespace": namespace},
        "spec": {"nodeName": on, "containers": [{"resources": {"requests": {"cpu": cpu, "memory": memory}}}]},
        "status": {"phase": phase},
    }


def claim(size: str, storage_class: str = "fast", name: str = "data") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "n", "name": name},
        "spec": {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}},
    }


def storage_class(name: str, default: bool = False, grows: bool = False) -> dict[str, Any]:
    marks = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {"metadata": {"name": name, "annotations": marks}, "allowVolumeExpansion": grows}


def volumes(wanted: Volume, claims: list[Any], classes: list[Any]) -> Verdict:
    verdict = Verdict()
    judge_volumes(verdict, [wanted], claims, classes)
    return verdict


def test_quantities_are_shown_in_units_and_invalid_ones_are_refused() -> None:
    assert quantity("500m") == Decimal("0.5")
    assert quantity("2Gi") == 2 * GIB
    assert readable(quantity("1536Mi")) == "1.5Gi"
    with pytest.raises(CapacityError, match="lots"):
        need({"cpu": "lots"})


def test_a_pod_needs_what_the_scheduler_counts() -> None:
    greedy_start = {"resources": {"requests": {"cpu": "3"}}}
    sidecar = {"restartPolicy": "Always", "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}}}
    both = pod("a")
    both["spec"]["initContainers"] = [greedy_start, sidecar]
    assert pod_need(both) == Need(Decimal(3), Decimal(2 * GIB))


def test_own_pods_and_ended_ones_leave_the_room_as_it_is() -> None:
    pods = [pod("a"), pod("a", "mine"), pod("a", phase="Succeeded"), pod("gone")]
    assert free_by_node([node("a")], pods, ["mine"])["a"] == Need(Decimal(3), Decimal(7 * GIB))


@pytest.mark.parametrize(
    "closed",
    [{"unschedulable": True}, {"taints": [{"key": "x", "effect": "NoSchedule"}]}],
)
def test_nodes_that_take_no_pods_do_not_count(closed: dict[str, Any]) -> None:
    assert list(free_by_node([node("a"), node("b", **closed)], [], [])) == ["a"]


def test_the_sum_and_each_pod_must_find_room() -> None:
    free = free_by_node([node("a"), node("b")], [], [])
    fits, small, big = Verdict(), Need(Decimal(1), Decimal(GIB)), Need(Decimal(5), Decimal(GIB))
    judge_pods(fits, free, [Pods("web", 4, False, small), Pods("agent", 1, True, small)])
    assert fits.problems == []
    assert fits.table()[0].endswith("6 requested, 8 left on 2 nodes")

    crowded = Verdict()
    judge_pods(crowded, free, [Pods("web", 9, False, small)])
    assert crowded.problems == [
        "CPU: 9 requested, 8 left on 2 nodes. Add nodes, or lower the number of pods or their requests (pods)."
    ]

    too_big = Verdict()
    judge_pods(too_big, free, [Pods("whale", 1, False, big)])
    assert "whale: one pod requests 5 CPU, 1Gi, and no node has that much left" in too_big.problems[0]


def test_a_volume_never_shrinks() -> None:
    verdict = volumes(Volume("n", "data", "10Gi", "", True), [claim("50Gi")], [storage_class("fast", grows=True)])
    assert "has 50Gi and cannot shrink to 10Gi" in verdict.problems[0]
    assert "Set the size to 50Gi" in verdict.problems[0]


@pytest.mark.parametrize(
    ("grows", "expandable", "state"),
    [(True, True, "grows"), (True, False, "BY HAND"), (False, True, "CANNOT GROW")],
)
def test_a_volume_grows_where_its_class_and_its_owner_let_it(grows: bool, expandable: bool, state: str) -> None:
    wanted = Volume("n", "data", "50Gi", "", expandable)
    verdict = volumes(wanted, [claim("10Gi")], [storage_class("fast", grows=grows)])
    assert verdict.rows[0][1] == state
    assert bool(verdict.problems) is (state != "grows")


def test_the_same_size_in_other_words_is_the_same() -> None:
    verdict = volumes(Volume("n", "data", "1024Mi", "other", False), [claim("1Gi")], [])
    assert verdict.problems == []


def test_a_new_volume_needs_a_class() -> None:
    classes = [storage_class("fast")]
    assert (
        "the storage class 'slow' does not exist (existing: fast)"
        in volumes(Volume("n", "d", "1Gi", "slow", True), [], classes).problems[0]
    )
    assert "no default storage class" in volumes(Volume("n", "d", "1Gi", "", True), [], classes).problems[0]
    assert volumes(Volume("n", "d", "1Gi", "", True), [], [storage_class("fast", default=True)]).problems == []


@pytest.mark.parametrize(
    ("nodes", "services", "definitions", "known"),
    [
        ([node("a")], [], [], False),
        ([node("a", providerID="kind://docker/x")], [], [], False),
        ([node("a", providerID="aws:///eu/i-1")], [], [], True),
        ([node("a")], [], ["ipaddresspools.metallb.io"], True),
        (
            [node("a")],
            [{"metadata": {"name": "old"}, "status": {"loadBalancer": {"ingress": [{"ip": "1"}]}}}],
            [],
            True,
        ),
    ],
)
def test_who_would_give_an_address(nodes: Any, services: Any, definitions: Any, known: bool) -> None:
    verdict, required = Verdict(), Verdict()
    judge_addresses(verdict, ["grafana"], nodes, services, definitions, required=False)
    judge_addresses(required, ["grafana"], nodes, services, definitions, required=True)
    assert verdict.problems == []
    assert verdict.load_balancers is known
    assert bool(required.problems) is not known
