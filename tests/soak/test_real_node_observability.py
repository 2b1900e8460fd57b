"""The observability stack's own programs on the lab's real node: what Prometheus reads, a trace, an alert's way.

Jaeger (all in one), Prometheus, Alertmanager, kube-state-metrics and node exporter are containers, with what the roles
give them. The others are simulated. SERVICE_MESH_TEST_UPSTREAM_CHARTS names a folder with the upstream charts, which
replace the contract charts.
"""

from __future__ import annotations

import os
import secrets
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ..integration.observability.test_dashboards import has_number, queries
from .conftest import Report
from .real_node import Object, RealLab, needs_real_node, real_lab, until
from .real_orders import ALL_IN_ONE, CALLS, NAMESPACE, ask, calls, gateway, order, trace_of

pytestmark = needs_real_node
PROGRAMS = ["jaeger", "prometheus", "alertmanager", "kube-state-metrics", "prometheus-node-exporter"]
PLACED = {
    "lab_real_node_namespaces": ["restaurant-management"],
    "lab_real_node_apps": ["istio-ingressgateway", *PROGRAMS],
}
# Two CPUs hold it all.
STACK: dict[str, Any] = {
    **ALL_IN_ONE,
    "prometheus_resources": {"requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
    # A DaemonSet comes only to nodes whose taints it tolerates, and the real one's is not of the chart's.
    "prometheus_values": {"prometheus-node-exporter": {"tolerations": [{"operator": "Exists"}]}},
    # Of what the smoke test asks, that which only simulated programs could answer.
    "service_mesh_unasked": (
        "{{ wiring_asked | rejectattr('component', 'in', ['prometheus', 'jaeger']) | map(attribute='name') | list }}"
    ),
}
# What simulated programs and nodes, which answer nothing, raise after some minutes.
OF_SIMULATED = {"TargetDown", "GrafanaDown", "LokiDown", "LogCollectorDown", "KialiDown", "ContainerMetricsMissing"}


@pytest.fixture(scope="module")
def lab() -> Iterator[RealLab]:
    for found in real_lab(**PLACED):
        # Its verification asks the programs, and so does the smoke test at its end.
        found.playbook("site", **PLACED, **STACK, **charts())
        yield found


def charts() -> dict[str, str]:
    """Which charts site.yml installs."""
    folder = os.environ.get("SERVICE_MESH_TEST_UPSTREAM_CHARTS", "")
    return {"chart_source": "upstream", "service_mesh_upstream_charts": folder} if folder else {}


def test_they_are_containers(lab: RealLab) -> None:
    field = f"--field-selector=spec.nodeName={lab.node},status.phase=Running"
    names = {pod["metadata"]["labels"].get("app.kubernetes.io/name") for pod in lab.get("pods", "-A", field)["items"]}
    assert set(PROGRAMS) <= names


def test_the_smoke_test_asks_them(lab: RealLab) -> None:
    lab.playbook("smoke", **STACK)


def test_an_order_is_a_trace_with_the_documents_calls(lab: RealLab, report: Report) -> None:
    trace = secrets.token_hex(16)
    order(lab, trace)

    # Spans arrive in batches.
    until(lambda: calls(trace_of(lab, trace)) >= CALLS, f"the trace has {CALLS}")
    found = calls(trace_of(lab, trace))
    report(f"real node: trace of an order: {sorted(found)}")
    assert found == CALLS


def test_prometheus_reads_all_that_is_real(lab: RealLab, report: Report) -> None:
    found = ask(lab, "prometheus-server:80", "/api/v1/targets?state=active")["data"]["activeTargets"]

    def is_real(target: Object) -> bool:
        labels = target["discoveredLabels"]
        return lab.node in {value for name, value in labels.items() if name.endswith("node_name")}

    real = [target for target in found if is_real(target)]
    up = Counter(target["scrapePool"] for target in real if target["health"] == "up")
    report(f"real node: {sum(up.values())} of {len(real)} targets answer: {dict(up)}")
    assert [(target["scrapeUrl"], target["lastError"]) for target in real if target["health"] != "up"] == []
    assert set(up) == {
        "kubernetes-nodes",
        "kubernetes-nodes-cadvisor",
        "kubernetes-pods",
        "kubernetes-service-endpoints",
    }


def test_every_query_of_every_dashboard_has_data(lab: RealLab, report: Report) -> None:
    asked = missing = dict(queries("order-service"))

    def unanswered() -> dict[str, str]:
        order(lab, secrets.token_hex(16))
        for path in ("/order", "/api/v1/auth/me"):
            gateway(lab, path)
        return {where: query for where, query in missing.items() if not has_data(lab, query)}

    deadline = time.monotonic() + 600
    while missing and time.monotonic() < deadline:
        missing = unanswered()
    assert missing == {}
    report(f"real node: all {len(asked)} queries of the dashboards have data")


def has_data(lab: RealLab, query: str) -> bool:
    """Whether Prometheus has a value for it now, one that is a number."""
    path = f"/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    return has_number(ask(lab, "prometheus-server:80", path)["data"]["result"])


def raised(lab: RealLab) -> set[str]:
    """The alerts that Alertmanager has."""
    alerts = ask(lab, "prometheus-alertmanager:9093", "/api/v2/alerts?active=true")
    assert alerts is not None
    return {alert["labels"]["alertname"] for alert in alerts}


def test_a_new_installation_raises_no_alert(lab: RealLab) -> None:
    assert raised(lab) - OF_SIMULATED == set()


def test_an_alert_reaches_alertmanager_and_ends(lab: RealLab, report: Report) -> None:
    scale = ("-n", NAMESPACE, "scale", "deployment/istio-ingressgateway")
    replicas = lab.get("deployment", "istio-ingressgateway", "-n", NAMESPACE)["spec"]["replicas"]
    assert "IngressGatewayDown" not in raised(lab)
    # The autoscaler does not act on a workload without pods.
    lab.kubectl(*scale, "--replicas=0")
    try:
        until(lambda: "IngressGatewayDown" in raised(lab), "Alertmanager has the alert", 400)
    finally:
        lab.kubectl(*scale, f"--replicas={replicas}")
    until(lambda: "IngressGatewayDown" not in raised(lab), "it ends with its cause", 600)
    report(f"real node: alerts afterwards: {sorted(raised(lab))}")
