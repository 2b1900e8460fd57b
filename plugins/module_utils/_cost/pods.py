# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Pods as they are paid for: what they request, the mesh's part of it, and which component they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.prices import Prices
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY, has_ended
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.capacity import (
    NOTHING,
    Need,
    need,
    pod_need,
)

GIB = 1024**3
MESH, OBSERVABILITY, OTHERS = "mesh", "observability", "others"
SIDECARS = "sidecars"
# In the order of the document's table; the components that it left out follow.
ORDER = (
    "istiod",
    SIDECARS,
    "istio-ingressgateway",
    "istio-egressgateway",
    "istio-cni-node",
    "ztunnel",
    "prometheus",
    "grafana",
    "loki",
    "promtail",
    "alloy",
    "jaeger",
    "kiali",
    "alertmanager",
    "kube-state-metrics",
    "prometheus-node-exporter",
)
_MESH = frozenset(("istiod", "istio-cni-node", "ztunnel"))
_OBSERVABILITY = frozenset(ORDER[ORDER.index("prometheus") :])
_NAME_LABELS = ("app.kubernetes.io/name", "app", "k8s-app")
_INSTANCE_TYPES = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")


@dataclass(frozen=True)
class Rates:
    """A month of a core, and of a GiB of memory."""

    cpu: Decimal
    memory: Decimal

    def of(self, amount: Need) -> Decimal:
        return amount.cpu * self.cpu + amount.memory / GIB * self.memory


@dataclass(frozen=True)
class Node:
    """cost: of all of it, per month. priced: whether its instance type has its own price."""

    instance_type: str
    size: Need
    rates: Rates
    cost: Decimal
    priced: bool


@dataclass(frozen=True)
class Container:
    """limit: 0 if there is none. killed: when it was last killed for exceeding memory, or empty."""

    name: str
    request: Need
    limit: Need
    killed: str


@dataclass(frozen=True)
class Pod:
    """workload: kind and name of its owner. whole: what the scheduler counts. sidecar: its proxy's part."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    workload: tuple[str, str]
    component: tuple[str, str]
    whole: Need
    sidecar: Need | None
    containers: tuple[Container, ...]
    rates: Rates
    obj: Object = field(repr=False)

    @property
    def own(self) -> Need:
        return self.whole - (self.sidecar or NOTHING)


def nodes_of(nodes: Objects, prices: Prices) -> dict[str, Node]:
    """By name. A node's own price is divided in the ratio of the prices of CPU and memory."""
    rates = base_rates(prices)
    found = {}
    for node in nodes:
        labels = node["metadata"].get("labels") or {}
        instance_type = next((labels[label] for label in _INSTANCE_TYPES if label in labels), "")
        size = need((node.get("status") or {}).get("capacity") or {})
        by_units = rates.of(size)
        price = prices.nodes.get(instance_type)
        if price and by_units:
            cost = price.amount * prices.hours
            factor = cost / by_units
            scaled = Rates(rates.cpu * factor, rates.memory * factor)
            found[node["metadata"]["name"]] = Node(instance_type, size, scaled, cost, True)
        else:
            found[node["metadata"]["name"]] = Node(instance_type, size, rates, by_units, False)
    return found


def base_rates(prices: Prices) -> Rates:
    return Rates(prices.cpu.amount * prices.hours, prices.memory.amount * prices.hours)


def pods_of(
    pods: Objects, nodes: Mapping[str, Node], prices: Prices, observability_namespaces: Iterable[str]
) -> Iterator[Pod]:
    """Those that occupy a node. ``observability_namespaces``: where the document's tools belong to it."""
    places = frozenset(observability_namespaces)
    rates = base_rates(prices)
    for pod in pods:
        spec, metadata = pod.get("spec") or {}, pod["metadata"]
        node = spec.get("nodeName")
        if not node or has_ended(pod):
            continue
        containers = tuple(_containers(pod))
        proxies = [container for container in containers if container.name == PROXY]
        is_gateway = bool(proxies) and len(proxies) == len(containers)
        labels = metadata.get("labels") or {}
        workload = workload_of(pod)
        yield Pod(
            namespace=metadata["namespace"],
            name=metadata["name"],
            labels=labels,
            workload=workload,
            component=_component(metadata["namespace"], labels, workload[1], is_gateway, places),
            whole=pod_need(pod),
            sidecar=proxies[0].request if proxies and not is_gateway else None,
            containers=containers,
            rates=nodes[node].rates if node in nodes else rates,
            obj=pod,
        )


def _component(
    namespace: str, labels: Mapping[str, str], workload: str, is_gateway: bool, observability: frozenset[str]
) -> tuple[str, str]:
    """(group, name)."""
    names = [labels[label] for label in _NAME_LABELS if label in labels]
    if is_gateway:
        return MESH, labels.get("app") or workload
    # Charts under another name keep Istio's own labels.
    for name in (*names, labels.get("istio", "")):
        if name in _MESH:
            return MESH, name
        if name == "pilot":
            return MESH, "istiod"
        if name in _OBSERVABILITY and namespace in observability:
            return OBSERVABILITY, name
    return OTHERS, namespace


def workload_of(pod: Object) -> tuple[str, str]:
    """Kind and name of the pod's owner; a Deployment instead of its ReplicaSet."""
    metadata = pod["metadata"]
    owner = next((ref for ref in metadata.get("ownerReferences") or () if ref.get("controller")), None)
    if owner is None or owner["kind"] == "Node":
        return "Pod", metadata["name"]
    template = (metadata.get("labels") or {}).get("pod-template-hash")
    if owner["kind"] == "ReplicaSet" and template and owner["name"].endswith(f"-{template}"):
        return "Deployment", owner["name"].removesuffix(f"-{template}")
    return owner["kind"], owner["name"]


def _containers(pod: Object) -> Iterator[Container]:
    """Those that keep running, including native sidecars."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    states = {
        state["name"]: state
        for key in ("containerStatuses", "initContainerStatuses")
        for state in status.get(key) or ()
    }
    native = [entry for entry in spec.get("initContainers") or () if entry.get("restartPolicy") == "Always"]
    for entry in [*(spec.get("containers") or ()), *native]:
        resources = entry.get("resources") or {}
        yield Container(
            entry["name"],
            need(resources.get("requests") or {}),
            need(resources.get("limits") or {}),
            _killed(states.get(entry["name"], {})),
        )


def _killed(state: Mapping[str, Any]) -> str:
    for key in ("state", "lastState"):
        ended = (state.get(key) or {}).get("terminated") or {}
        if ended.get("reason") == "OOMKilled":
            return str(ended.get("finishedAt") or "at an unknown time")
    return ""
