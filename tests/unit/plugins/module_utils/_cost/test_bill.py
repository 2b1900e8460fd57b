# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The owner of a pod, a volume and a load balancer, what is not counted, and how that is reported."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.cluster_objects import Inventory, read_inventory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.tables import lines, markdown
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.usage import Used
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, Resource

from ....support.cost_cluster import balancer, calculate, claim, container, documents_cluster, named, pod, telemetry

APP = container("app", "100m", "128Mi")
PROXY = container("istio-proxy", "10m", "40Mi")


def components(*pods: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["component"]: item for item in calculate(Inventory({"Pod": list(pods)}))["components"]}


@pytest.mark.parametrize(
    ("found", "group", "component"),
    [
        (pod("a", APP, labels={"app": "istiod"}), "mesh", "istiod"),
        (pod("a", APP, labels={"k8s-app": "istio-cni-node"}), "mesh", "istio-cni-node"),
        # Whatever it is called, and in whatever namespace: nothing but a proxy is a gateway.
        (pod("a", PROXY, namespace="edge", labels={"app": "my-gateway"}), "mesh", "my-gateway"),
        (pod("a", APP, labels=named("grafana")), "observability", "grafana"),
        # Another owner's.
        (pod("a", APP, namespace="team", labels=named("grafana")), "others", "team"),
        (pod("a", APP, labels=named("something")), "others", "istio-system"),
    ],
)
def test_a_pod_belongs_to_a_component(found: dict[str, Any], group: str, component: str) -> None:
    item = components(found)[component]
    assert (item["group"], item["pods"]) == (group, 1)


@pytest.mark.parametrize(
    "meshed",
    [
        pod("a", APP, PROXY, namespace="shop"),
        pod("a", APP, namespace="shop", init=({**PROXY, "restartPolicy": "Always"},)),
    ],
    ids=["container", "native"],
)
def test_a_sidecar_is_the_meshs_and_the_rest_of_its_pod_is_not(meshed: dict[str, Any]) -> None:
    found = components(meshed)
    assert (found["sidecars"]["containers"], found["sidecars"]["cpu"]) == (1, 0.01)
    assert (found["shop"]["containers"], found["shop"]["cpu"]) == (1, 0.1)


def test_a_greedy_init_container_is_its_pods() -> None:
    found = components(pod("a", APP, PROXY, namespace="shop", init=(container("migrate", "1", "1Gi"),)))
    assert (found["sidecars"]["cpu"], found["shop"]["cpu"]) == (0.01, 0.99)


def test_what_holds_no_place_on_a_node_is_not_counted() -> None:
    found = calculate(
        Inventory(
            {
                "Pod": [
                    pod("done", APP, namespace="shop", phase="Succeeded"),
                    pod("waits", APP, namespace="shop", phase="Pending", node=""),
                    pod("starts", APP, namespace="shop", phase="Pending"),
                    pod("modest", container("app"), namespace="shop"),
                ]
            }
        )
    )
    assert found["totals"]["others"]["pods"] == 2
    assert "not counted because they wait for a node: 1 pod" in found["notes"]
    assert "no cost because they request neither CPU nor memory: 1 pod" in found["notes"]
    assert found["nodes"] is None
    assert found["totals"]["all"]["node_percent"] is None


def test_unused_volumes_are_paid_for_and_reported() -> None:
    waiting = claim("waiting", "5Gi")
    waiting["status"] = {"phase": "Pending"}
    template = {"spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "backups"}}]}}
    kept = {
        "metadata": {"name": "pv-1"},
        "spec": {"capacity": {"storage": "30Gi"}, "claimRef": {"namespace": "old"}, "storageClassName": "fast"},
        "status": {"phase": "Released"},
    }
    found = calculate(
        Inventory(
            {
                "Pod": [pod("grafana-0", APP, labels=named("grafana"), claims=("grafana",))],
                "PersistentVolumeClaim": [
                    claim("grafana", "10Gi"),
                    claim("alone", "20Gi"),
                    claim("backups", "1Gi"),
                    waiting,
                ],
                "PersistentVolume": [kept, {"metadata": {"name": "pv-2"}, "status": {"phase": "Bound"}}],
                "CronJob": [
                    {
                        "metadata": {"name": "backup", "namespace": "istio-system"},
                        "spec": {"jobTemplate": {"spec": {"template": template}}},
                    }
                ],
            }
        )
    )
    volumes = {item["name"]: (item["component"], item["cost"], item["used_by"]) for item in found["volumes"]}
    assert volumes == {
        "grafana": ("grafana", 1.0, ["grafana-0"]),
        "alone": ("istio-system", 2.0, []),
        "backups": ("istio-system", 0.1, ["backup"]),
        "pv-1": ("old", 3.0, []),
    }
    assert "no pod uses these volumes now, but they still cost money: istio-system/alone" in found["notes"]
    assert "no volume yet, so no price: istio-system/waiting" in found["notes"]
    assert "retained after their claims were deleted, and charged until they are deleted, too: pv-1" in found["notes"]


def test_a_load_balancer_without_an_address_costs_nothing() -> None:
    found = calculate(Inventory({"Service": [balancer("grafana", named("grafana"), address="")]}))
    assert found["load_balancers"] == []
    assert found["notes"] == ["no load balancer yet, so no price: istio-system/grafana"]


def test_each_revision_keeps_one_istiod() -> None:
    pods = [
        pod(f"istiod-{revision}-{number}", APP, labels={"app": "istiod", "istio.io/rev": revision})
        for revision, number in (("a", 1), ("a", 2), ("b", 1))
    ]
    found = {item["key"]: item for item in calculate(Inventory({"Pod": pods}))["optimizations"]}
    one = 720 * (0.1 * 0.0416 + 128 / 1024 * 0.0046)
    assert found["istiod_replicas"]["saves"] == pytest.approx(one, abs=0.005)


def test_unknowns_of_an_optimization_are_reported() -> None:
    found = {item["key"]: item for item in calculate(Inventory())["optimizations"]}
    assert found["metrics_retention"]["saves"] is None
    assert found["metrics_retention"]["now"] == "no Prometheus with a known retention"
    assert found["trace_sampling"]["saves"] is None
    assert found["sidecar_cpu"]["saves"] == 0


@pytest.mark.parametrize(("retention", "percent"), [("2d", 1), ("7d", 0), ("5d", 0.5)])
def test_what_is_done_already_saves_nothing(retention: str, percent: float) -> None:
    inventory = documents_cluster(0)
    inventory.objects["Telemetry"] = [telemetry(percent)]
    for found in inventory.of("Pod"):
        for entry in found["spec"]["containers"]:
            if entry["name"] == "prometheus":
                entry["args"] = [f"--storage.tsdb.retention.time={retention}"]
    saves = {item["key"]: item["saves"] for item in calculate(inventory)["optimizations"]}
    assert (saves["metrics_retention"], saves["trace_sampling"], saves["dashboard_load_balancers"]) == (0, 0, 0)


def test_a_sidecar_that_uses_more_than_5m_is_reported() -> None:
    busy = Used(Decimal("0.02"), Decimal("0.01"), Decimal("0.05"), 86400)
    usage = {"cpu": {("restaurant-management", "app-3", "istio-proxy"): busy}, "memory": {}}
    (item, *_others) = calculate(documents_cluster(), usage)["optimizations"]
    assert "the P95 of 1 of 16 sidecars is above it" in item["costs"]


def test_usage_names_its_number_of_containers() -> None:
    half = Used(Decimal("0.02"), Decimal("0.01"), Decimal("0.05"), 86400)
    place = ("restaurant-management", "app-3", "istio-proxy")
    found = calculate(documents_cluster(), {"cpu": {place: half}, "memory": {place: half}})
    assert found["sidecars"]["used"] == {"containers": 1, "cpu": 0.01, "memory": 0, "cost": 0.3}
    assert any(line.split()[:6] == ["sidecars", "in", "16", "160m", "640Mi", ">10m"] for line in lines(found))


def test_lines_fit_a_terminal_and_markdown_has_the_same() -> None:
    found = calculate(documents_cluster())
    text = lines(found)
    assert max(map(len, text)) <= 120
    assert text[-1] == "mesh and observability: 153.33 USD a month, 108.69 with all five optimizations"
    assert any(line.split()[:4] == ["istiod", "2", "1000m", "4Gi"] for line in text)
    assert "no data" in "\n".join(text)
    document = markdown(found, "Cost of staging")
    assert document.startswith("# Cost of staging\n")
    assert "| mesh and observability | 12 | 2510m | 8.5Gi |" in document
    assert "volumes do not shrink" in document


class Cluster:
    """An account that may see what it may see."""

    def __init__(self, refused: set[tuple[str, str]]) -> None:
        self._refused = refused

    def resource(self, _api_version: str, kind: str) -> Resource | None:
        return None if kind == "Telemetry" else Resource(kind.lower(), True)

    def list(self, _api_version: str, kind: str, namespace: str = "") -> list[dict[str, Any]]:
        if (kind, namespace) in self._refused:
            raise ApiFailure(403, "Forbidden", "no")
        return [{"metadata": {"name": kind, "namespace": namespace}}]


def test_what_the_account_may_not_read_is_reported_with_its_consequence() -> None:
    inventory = read_inventory(Cluster({("Node", ""), ("Service", "a")}), ["a", "b"])  # type: ignore[arg-type]
    assert [item["metadata"]["namespace"] for item in inventory.of("Pod")] == ["a", "b"]
    assert [item["metadata"]["namespace"] for item in inventory.of("Service")] == ["b"]
    assert inventory.of("Telemetry") == []
    assert inventory.notes == [
        "the account may not list Nodes: shares of the nodes' price are unknown, and instance types have no price",
        "the account may not list Services in a: load balancers are missing",
    ]


def test_without_pods_there_is_no_bill() -> None:
    with pytest.raises(InputError, match="may not list Pods in the whole cluster"):
        read_inventory(Cluster({("Pod", "")}), [])  # type: ignore[arg-type]
