# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run measures, at whose proxies, and what the metrics call its sides."""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.measure import Target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import GUARD, Metric
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Batch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.sides import MetricSide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Step
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.measuring import Watch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.target import measured

from .core.test_decide import a_run


class Asked:
    """A source that notes whose counters it is asked for, and from when on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.reporters: list[tuple[str, float]] = []

    def prime(self) -> bool:
        return False

    def begin(self) -> float:
        self.now += 10
        return self.now

    def local(self, moment: float) -> float:
        return moment

    def remote(self, moment: float) -> float:
        return moment

    def requests(self, start: float, reporter: str) -> Batch:
        self.reporters.append((reporter, start))
        return Batch((), "query")

    def durations(self, start: float, reporter: str, limit: float) -> Batch:
        return self.requests(start, reporter)

    def history(self, begin: float, end: float, reporter: str) -> Batch:
        return Batch((), "query")

    def value(self, query: str) -> float | None:
        return 0.0


def test_m8_copies_are_measured_where_they_arrive() -> None:
    """A client's proxy does not count them. What it counted meanwhile is not of the steps after them either."""
    source = Asked()
    metrics = [
        Metric("request-success-rate", minimum=99),
        Metric("request-duration", maximum=500),
        Metric(GUARD, maximum=1),
        Metric("mine", query="up", maximum=1),
    ]
    target = Target("orders", "shop", MetricSide("v1", "v1"), MetricSide("v2", "v2"))
    watch = Watch(metrics, target, source, interval=0, min_share=0.3)
    steps, found = (Step(0, 10, mirror=50), Step(10, 10, mirror=50), Step(20, 10)), []
    for number, step in enumerate(steps):
        watch.enter(a_run(steps=steps, step=number, weight=step.weight, since=100.0))
        watch.observe(acknowledged=False)
        found.append(source.reporters[:])
        source.reporters.clear()
    assert found == [
        [("destination", 100), ("destination", 100), ("source", 100)],
        [("source", 110)] * 3,
        [("source", 110)] * 3,
    ]


def test_b5_metrics_name_the_sides_by_their_deployments_and_the_subsets_labels() -> None:
    given: dict[str, Any] = {"provider": {"clients": []}, "stable": {}, "canary": {"workload": "mine"}}
    subsets = {"v1": {"version": "1.0"}, "v2": {"track": "canary"}}
    found = measured(given, "shop", a_run(since=5.0), subsets)
    assert found["stable"] == {"subset": "v1", "version": "1.0", "workload": "order-service"}
    assert found["canary"] == {"subset": "v2", "version": "", "workload": "mine"}
    assert found["since"] == "5.0"
    # A subset that is gone takes nothing from what the state knows.
    assert measured(given, "shop", a_run(), {})["stable"]["workload"] == "order-service"


def test_m8_the_services_own_proxies_are_read_where_there_are_copies() -> None:
    gateways, own = {"namespace": "istio-ingress", "labels": ""}, {"namespace": "shop", "labels": ""}
    given: dict[str, Any] = {"provider": {"clients": [gateways]}, "stable": {}, "canary": {}}
    assert measured(given, "shop", a_run(), {})["provider"]["clients"] == [gateways]
    copies = a_run(steps=(Step(0, 10, mirror=50),))
    assert measured(given, "shop", copies, {})["provider"]["clients"] == [gateways, own]
    given["provider"] = {"clients": []}
    assert measured(given, "shop", copies, {})["provider"]["clients"] == [], "by default the namespace is read"
