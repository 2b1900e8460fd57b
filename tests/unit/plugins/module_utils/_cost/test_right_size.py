# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is proposed by what was used, and above all what is not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.cluster_objects import Inventory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.right_size import Rules
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.usage import Used, Window, missing
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.capacity import need
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.durations import seconds_of

from ....support.cost_cluster import DAY, WINDOW, calculate, container, pod

MIB = 1024**2


def used(p95: str, peak: str = "", seconds: int = 2 * DAY) -> Used:
    amount, most = (need({"memory": text or p95}).memory for text in (p95, peak))
    return Used(amount, amount / 2, most, seconds)


def shop(**fields: Any) -> dict[str, Any]:
    owner = ("ReplicaSet", "shop-7d9f")
    labels = {"pod-template-hash": "7d9f"}
    limits = fields.pop("limits", {"cpu": "1", "memory": "512Mi"})
    request = fields.pop("request", ("100m", "256Mi"))
    name = fields.pop("name", "shop-7d9f-a")
    return pod(name, container("shop", *request, limits=limits), namespace="shop", labels=labels, owner=owner, **fields)


def judged(
    pods: list[dict[str, Any]],
    cpu: dict[str, Used] | None = None,
    memory: dict[str, Used] | None = None,
    autoscalers: tuple[dict[str, Any], ...] = (),
    **rules: Any,
) -> dict[str, Any]:
    usage = {
        "cpu": {("shop", name, "shop"): value for name, value in (cpu or {}).items()},
        "memory": {("shop", name, "shop"): value for name, value in (memory or {}).items()},
    }
    inventory = Inventory({"Pod": pods, "HorizontalPodAutoscaler": list(autoscalers)})
    (entry,) = calculate(inventory, usage, **rules)["right_sizing"]
    return entry


def autoscaler(percent: int, resource: str = "cpu") -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "shop"},
            "metrics": [{"type": "Resource", "resource": {"name": resource, "target": target}}],
        },
    }


def test_the_busiest_pod_decides_and_the_workload_is_named() -> None:
    pods = [shop(), shop(name="shop-7d9f-b")]
    entry = judged(
        pods,
        {"shop-7d9f-a": used("20m"), "shop-7d9f-b": used("40m")},
        {"shop-7d9f-a": used("100Mi"), "shop-7d9f-b": used("60Mi")},
    )
    assert (entry["namespace"], entry["kind"], entry["workload"], entry["pods"]) == ("shop", "Deployment", "shop", 2)
    assert (entry["cpu"]["p95"], entry["cpu"]["proposed"], entry["cpu"]["verdict"]) == (0.04, 0.046, "lower")
    assert (entry["memory"]["p95"], entry["memory"]["proposed"]) == (100 * MIB, 115 * MIB)
    # Two pods, 54m and 141 MiB less each, at the document's prices.
    assert entry["saves"] == pytest.approx(2 * 720 * (0.054 * 0.0416 + 141 / 1024 * 0.0046), abs=0.005)
    assert entry["risks"] == []


def test_what_was_not_measured_is_reported_and_not_guessed() -> None:
    entry = judged([shop()])
    for resource in ("cpu", "memory"):
        assert entry[resource]["verdict"] == "no data"
        assert entry[resource]["proposed"] is None
        assert entry[resource]["p95"] is None
    assert entry["saves"] == 0


def test_each_resource_is_judged_by_itself() -> None:
    entry = judged([shop()], cpu={"shop-7d9f-a": used("10m")})
    assert (entry["cpu"]["verdict"], entry["memory"]["verdict"]) == ("lower", "no data")


def test_an_hour_is_too_little_for_a_day() -> None:
    short = {"shop-7d9f-a": used("10m", seconds=3600)}
    entry = judged([shop()], cpu=short)
    assert (entry["cpu"]["verdict"], entry["cpu"]["proposed"], entry["cpu"]["seconds"]) == (
        "too little data",
        None,
        3600,
    )
    assert judged([shop()], cpu=short, min_measured="1h")["cpu"]["verdict"] == "lower"


def test_nothing_is_proposed_below_the_floor() -> None:
    entry = judged([shop()], {"shop-7d9f-a": used("1m")}, {"shop-7d9f-a": used("1Mi")})
    assert (entry["cpu"]["proposed"], entry["memory"]["proposed"]) == (0.01, 32 * MIB)
    floor = {"cpu": "50m", "memory": "64Mi"}
    entry = judged([shop()], {"shop-7d9f-a": used("1m")}, {"shop-7d9f-a": used("1Mi")}, floor=floor)
    assert (entry["cpu"]["proposed"], entry["memory"]["proposed"]) == (0.05, 64 * MIB)


def test_the_floor_raises_nothing_that_suffices() -> None:
    entry = judged([shop(request=("5m", "16Mi"))], {"shop-7d9f-a": used("1m")}, {"shop-7d9f-a": used("1Mi")})
    assert (entry["cpu"]["verdict"], entry["memory"]["verdict"]) == ("fits", "fits")


def test_what_is_off_by_a_tenth_is_left_alone() -> None:
    assert judged([shop()], cpu={"shop-7d9f-a": used("80m")})["cpu"]["verdict"] == "fits"
    assert judged([shop()], cpu={"shop-7d9f-a": used("76m")})["cpu"]["verdict"] == "lower"


def test_more_is_proposed_where_too_little_is_requested_but_not_above_the_limit() -> None:
    entry = judged([shop()], {"shop-7d9f-a": used("300m")}, {"shop-7d9f-a": used("480Mi", "500Mi")})
    assert (entry["cpu"]["proposed"], entry["cpu"]["verdict"]) == (0.345, "raise")
    assert entry["memory"]["proposed"] == 512 * MIB
    assert entry["saves"] < 0


def test_memory_is_not_proposed_below_its_peak() -> None:
    entry = judged([shop()], memory={"shop-7d9f-a": used("50Mi", "200Mi")})
    assert entry["memory"]["proposed"] == 200 * MIB


def test_a_peak_near_the_limit_is_a_risk() -> None:
    entry = judged([shop()], memory={"shop-7d9f-a": used("200Mi", "470Mi")})
    assert any("92% of its limit, at which it is killed" in risk for risk in entry["risks"])
    assert any("above its request" in risk for risk in entry["risks"])


def test_what_was_killed_gets_no_less_memory() -> None:
    ended = {"terminated": {"reason": "OOMKilled", "finishedAt": "2026-11-25T10:00:00Z"}}
    killed = shop(statuses=({"name": "shop", "lastState": ended},))
    entry = judged([killed], memory={"shop-7d9f-a": used("50Mi")})
    assert (entry["memory"]["verdict"], entry["memory"]["proposed"]) == ("fits", None)
    assert entry["risks"] == ["OOM: killed for lack of memory, last 2026-11-25T10:00:00Z; its memory is not lowered"]


def test_less_memory_without_a_limit_is_a_risk() -> None:
    entry = judged([shop(limits={})], memory={"shop-7d9f-a": used("50Mi")})
    assert entry["risks"] == [
        "OOM: no limit; above 58Mi it would be among the first to be evicted where the node runs out"
    ]


def test_cpu_at_its_limit_is_reported() -> None:
    entry = judged([shop()], cpu={"shop-7d9f-a": used("950m")})
    assert entry["risks"] == ["slow: the P95 of its CPU is 95% of its limit, where it is held back"]


def test_an_autoscaler_does_not_answer_a_smaller_request_with_more_pods() -> None:
    entry = judged([shop()], {"shop-7d9f-a": used("40m")}, autoscalers=(autoscaler(50),))
    # 46m would be used by 87 %, and the autoscaler would add pods at 50 %.
    assert entry["cpu"]["proposed"] == 0.08
    assert entry["autoscaled"] == {"cpu": 0.5}


def test_a_container_without_a_request_gets_a_proposal() -> None:
    entry = judged([shop(request=("", ""))], {"shop-7d9f-a": used("40m")}, {"shop-7d9f-a": used("100Mi")})
    assert (entry["cpu"]["verdict"], entry["cpu"]["proposed"]) == ("raise", 0.046)
    assert entry["saves"] < 0


def test_sidecars_of_one_size_are_one_entry() -> None:
    proxy = container("istio-proxy", "10m", "40Mi")
    pods = [pod(name, container("app", "10m", "32Mi"), proxy, namespace="shop") for name in ("a", "b")]
    usage = {"cpu": {("shop", "b", "istio-proxy"): used("100m")}, "memory": {}}
    found = {item["workload"]: item for item in calculate(Inventory({"Pod": pods}), usage)["right_sizing"]}
    assert found["sidecars"]["pods"] == 2
    assert (found["sidecars"]["cpu"]["pods"], found["sidecars"]["cpu"]["proposed"]) == (1, 0.115)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"min_measured": "soon"}, "min_measured: 'soon' is not a PromQL duration"),
        ({"min_measured": "8d"}, "min_measured: 8d is longer than the window, 7d"),
        ({"margin_percent": -1.0}, "margin: -1.0 is not a valid percentage"),
        ({"margin_percent": float("nan")}, "margin: nan is not a valid percentage"),
        ({"floor": {"cpu": "much"}}, "floor: 'much' is not a valid quantity"),
    ],
)
def test_wrong_rules_are_reported(rules: dict[str, Any], message: str) -> None:
    chosen = {"margin_percent": 15, "floor": {}, "min_measured": "1d", **rules}
    with pytest.raises(InputError, match=message):
        Rules.of(window=WINDOW, **chosen)


@pytest.mark.parametrize(
    ("length", "resolution", "message"),
    [("a week", "5m", "window: 'a week'"), ("7d", "5", "resolution: '5'"), ("5m", "3m", "at most half of the window")],
)
def test_an_invalid_window_is_reported(length: str, resolution: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Window(length, resolution)


def test_durations_are_read_as_prometheus_writes_them() -> None:
    assert [seconds_of(text) for text in ("1h30m", "500ms", "2w", "", "5", "m5", "5m x")] == [
        5400,
        Decimal("0.5"),
        1209600,
        0,
        0,
        0,
        0,
    ]


def test_a_prometheus_without_container_metrics_is_reported() -> None:
    (note,) = missing({"cpu": {}, "memory": {("a", "b", "c"): used("1Mi")}}, WINDOW)
    assert "has no container_cpu_usage_seconds_total for the last 7d, so the use of cpu is not known" in note
