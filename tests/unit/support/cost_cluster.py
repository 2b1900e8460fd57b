# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters with a cost: objects as an API server has them, with what matters here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.bill import BillRequest, bill
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.cluster_objects import Inventory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.prices import DOCUMENT, Prices, prices_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.right_size import Rules
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.usage import Usage, Window

WINDOW = Window("7d", "5m")
DAY = 86400


def container(name: str, cpu: str = "", memory: str = "", **fields: Any) -> dict[str, Any]:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    resources = {"requests": requests, "limits": fields.pop("limits", {})}
    return {"name": name, "resources": resources, **fields}


def pod(
    name: str,
    *containers: dict[str, Any],
    namespace: str = "istio-system",
    labels: Mapping[str, str] | None = None,
    claims: tuple[str, ...] = (),
    owner: tuple[str, str] | None = None,
    node: str = "node-1",
    phase: str = "Running",
    init: tuple[dict[str, Any], ...] = (),
    statuses: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels or {}), "ownerReferences": owners},
        "spec": {
            "nodeName": node,
            "containers": list(containers),
            "initContainers": list(init),
            "volumes": [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims],
        },
        "status": {"phase": phase, "containerStatuses": list(statuses)},
    }


def claim(name: str, size: str, namespace: str = "istio-system", storage_class: str = "standard") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}},
        "status": {"phase": "Bound", "capacity": {"storage": size}},
    }


def balancer(name: str, labels: Mapping[str, str], address: str = "192.0.2.1") -> dict[str, Any]:
    ingress = [{"ip": address}] if address else []
    return {
        "metadata": {"name": name, "namespace": "istio-system"},
        "spec": {"type": "LoadBalancer", "selector": dict(labels)},
        "status": {"loadBalancer": {"ingress": ingress}},
    }


def node(name: str, cpu: str = "4", memory: str = "16Gi", instance_type: str = "") -> dict[str, Any]:
    labels = {"node.kubernetes.io/instance-type": instance_type} if instance_type else {}
    return {"metadata": {"name": name, "labels": labels}, "status": {"capacity": {"cpu": cpu, "memory": memory}}}


def telemetry(percent: float) -> dict[str, Any]:
    return {
        "metadata": {"name": "mesh-default", "namespace": "istio-system"},
        "spec": {"tracing": [{"randomSamplingPercentage": percent}]},
    }


def named(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name}


# Of the document's table: component, replicas, CPU and memory of each.
_TOOLS = (
    ("prometheus", 1, "500m", "2Gi"),
    ("grafana", 1, "100m", "256Mi"),
    ("loki", 1, "200m", "512Mi"),
    ("promtail", 3, "50m", "128Mi"),
    ("jaeger", 1, "100m", "256Mi"),
    ("kiali", 1, "100m", "256Mi"),
)
_VOLUMES = {"prometheus": "50Gi", "loki": "100Gi", "jaeger": "20Gi", "grafana": "10Gi"}


def _documents_pods() -> Iterator[dict[str, Any]]:
    for number in range(2):
        yield pod(f"istiod-{number}", container("discovery", "500m", "2Gi"), labels={"app": "istiod"})
        gateway = {"app": "istio-ingressgateway", "istio": "ingressgateway"}
        yield pod(f"istio-ingressgateway-{number}", container("istio-proxy", "100m", "128Mi"), labels=gateway)
    for number in range(16):
        containers = (container("app"), container("istio-proxy", "10m", "40Mi"))
        yield pod(f"app-{number}", *containers, namespace="restaurant-management", labels={"app": "app"})
    for name, replicas, cpu, memory in _TOOLS:
        args = ["--storage.tsdb.retention.time=15d"] if name == "prometheus" else []
        for number in range(replicas):
            claims = (name,) if name in _VOLUMES else ()
            yield pod(f"{name}-{number}", container(name, cpu, memory, args=args), labels=named(name), claims=claims)


def documents_cluster(dashboards: int = 1) -> Inventory:
    """What the document's tables count. ``dashboards``: 0 to 2, how many of Grafana and Kiali have a load balancer."""
    services = [balancer("istio-ingressgateway", {"istio": "ingressgateway"})]
    services += [balancer(name, named(name)) for name in ("grafana", "kiali")[:dashboards]]
    return Inventory(
        {
            "Node": [node(f"node-{number}") for number in (1, 2, 3)],
            "Pod": list(_documents_pods()),
            "PersistentVolumeClaim": [claim(name, size) for name, size in _VOLUMES.items()],
            "Service": services,
            "Telemetry": [telemetry(100)],
        }
    )


def documents_prices() -> Prices:
    return prices_of(DOCUMENT, "document")


def calculate(
    inventory: Inventory, usage: Usage | None = None, prices: Prices | None = None, **rules: Any
) -> dict[str, Any]:
    chosen = {"margin_percent": 15, "floor": {"cpu": "10m", "memory": "32Mi"}, "min_measured": "1d", **rules}
    wanted = BillRequest(
        prices or documents_prices(), "istio-system", "istio-system", Rules.of(window=WINDOW, **chosen), WINDOW.length
    )
    return bill(inventory, usage or {}, wanted)
