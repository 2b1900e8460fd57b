# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who would undo a canary: GitOps, foreign charts, operators, other autoscalers and other routes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.owners import (
    ACCEPT,
    REFUSE,
    autoscaler_problem,
    owners_problem,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import KEEPS_CANARIES
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import TrafficFailure

from ....support.canary_cluster import NAMESPACE, SERVICE, FakeCluster, params, virtual_service


def an_object(**metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "reviews-v1", "namespace": "shop", **metadata},
    }


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "bookinfo:apps/Deployment:shop/x"}},
            "Argo CD bookinfo",
        ),
        ({"labels": {"argocd.argoproj.io/instance": "bookinfo"}}, "Argo CD bookinfo"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux apps"),
        (
            {"labels": {"helm.toolkit.fluxcd.io/name": "apps"}, "annotations": {"meta.helm.sh/release-name": "x"}},
            "Flux apps",
        ),
        ({"annotations": {"meta.helm.sh/release-name": "bookinfo"}}, "Helm release bookinfo"),
    ],
)
def test_m10_what_writes_an_object_back_is_named(metadata: dict[str, Any], owner: str) -> None:
    problem = owners_problem([an_object(**metadata)], REFUSE)
    assert f"- Deployment shop/reviews-v1 is managed by {owner}, which overwrites it\n" in problem
    assert "managed_by_others" in problem
    assert owners_problem([an_object(**metadata)], ACCEPT) == ""


def test_m9_what_an_operator_makes_is_named() -> None:
    operator = {"kind": "Shop", "name": "main", "controller": True}
    problem = owners_problem([an_object(ownerReferences=[operator])], REFUSE)
    assert "is managed by Shop main, which overwrites it" in problem
    assert owners_problem([an_object(ownerReferences=[{**operator, "controller": False}])], REFUSE) == ""


def test_an_owner_that_keeps_what_a_canary_decided_is_not_a_danger() -> None:
    marked = {"meta.helm.sh/release-name": "shop", KEEPS_CANARIES: "true"}
    assert owners_problem([an_object(annotations=marked)], REFUSE) == ""
    assert owners_problem([an_object(), an_object(labels={"app": "reviews"}, annotations=None)], REFUSE) == ""


def autoscaler(name: str, target: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": target}},
    }


SIDES = ("reviews-v1", "reviews-v2")


def test_m9_one_autoscaler_follows_the_traffic_and_two_stay_where_they_are() -> None:
    one, two, other = autoscaler("a", "reviews-v1"), autoscaler("b", "reviews-v2"), autoscaler("c", "ratings-v1")
    assert autoscaler_problem([], SIDES) == ""
    assert autoscaler_problem([one, other], SIDES) == ""
    assert autoscaler_problem([two, one, other], SIDES) == ""


def test_m9_an_autoscaler_of_keda_is_named_by_its_scaled_object() -> None:
    keda = autoscaler("keda-hpa-x", "reviews-v1", **{"scaledobject.keda.sh/name": "reviews"})
    assert "ScaledObject reviews scales Deployment reviews-v1" in autoscaler_problem([keda], SIDES)


@pytest.mark.parametrize("check_mode", [False, True])
def test_m17_a_rival_is_found_before_anything_is_touched(check_mode: bool) -> None:
    cluster = FakeCluster()
    rival = virtual_service("another-team")
    rival["spec"]["hosts"] = [f"{SERVICE}.{NAMESPACE}.svc.cluster.local"]
    cluster.put("VirtualService", rival)
    canary = CanaryService(cluster, params(image="order-service:2"), lambda __: None, lambda: "")
    with pytest.raises(TrafficFailure, match="shop/another-team routes the same host"):
        canary.planned() if check_mode else canary.progress()
    assert [write for write in cluster.writes if write[1] != "Lease"] == []
