# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The bill: what a month of the mesh costs, as plain data. What module mesh_cost returns and writes as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.cluster_objects import Inventory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.infrastructure import (
    LoadBalancer,
    Volume,
    load_balancers,
    volumes,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.optimizations import left_after, optimizations
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.pods import (
    MESH,
    OBSERVABILITY,
    ORDER,
    OTHERS,
    SIDECARS,
    Node,
    Pod,
    Rates,
    nodes_of,
    pods_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.prices import Prices
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.right_size import Rules, right_sizing
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.usage import Usage
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.capacity import NOTHING, Need

# Of the data, so that a reader can refuse a newer one.
FORMAT = 1
_GROUPS = (MESH, OBSERVABILITY, OTHERS)
_NOBODY = Decimal(0)


@dataclass(frozen=True)
class BillRequest:
    """istio_namespace: also Istio's root. observability_namespace: where Prometheus, Grafana and so on are."""

    prices: Prices
    istio_namespace: str
    observability_namespace: str
    rules: Rules
    window: str


@dataclass
class _Line:
    """One component. pods: its own; sidecars have none. measured: the number of containers summed up in ``used``.

    compute and the like: money per month.
    """

    group: str
    name: str
    pods: int = 0
    containers: int = 0
    requests: Need = NOTHING
    used: Need = NOTHING
    used_cost: Decimal = _NOBODY
    measured: int = 0
    compute: Decimal = _NOBODY
    storage: Decimal = _NOBODY
    storage_by_class: dict[str, Decimal] = field(default_factory=dict)
    storage_cost: Decimal = _NOBODY
    load_balancers: int = 0
    load_balancers_cost: Decimal = _NOBODY

    @property
    def total(self) -> Decimal:
        return self.compute + self.storage_cost + self.load_balancers_cost

    def use(self, amount: Need | None, rates: Rates) -> None:
        if amount is not None:
            self.measured += 1
            self.used += amount
            self.used_cost += rates.of(amount)

    def add(self, other: _Line) -> None:
        self.pods += other.pods
        self.containers += other.containers
        self.requests += other.requests
        self.measured += other.measured
        self.used += other.used
        self.used_cost += other.used_cost
        self.compute += other.compute
        self.storage += other.storage
        for name, size in other.storage_by_class.items():
            self.storage_by_class[name] = self.storage_by_class.get(name, _NOBODY) + size
        self.storage_cost += other.storage_cost
        self.load_balancers += other.load_balancers
        self.load_balancers_cost += other.load_balancers_cost


def bill(inventory: Inventory, usage: Usage, wanted: BillRequest, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Money is per month, CPU in cores, memory and storage in bytes; None is unknown."""
    prices, all_notes = wanted.prices, [*inventory.notes, *notes]
    nodes = nodes_of(inventory.of("Node"), prices)
    places = (wanted.istio_namespace, wanted.observability_namespace)
    pods = list(pods_of(inventory.of("Pod"), nodes, prices, places))
    found_volumes = list(volumes(inventory, pods, prices, all_notes))
    balancers = list(load_balancers(inventory.of("Service"), pods, prices, all_notes))
    all_notes += _odd_nodes(nodes, prices) + _odd_pods(pods, inventory)
    lines = _lines(pods, found_volumes, balancers, usage)
    whole = sum((node.cost for node in nodes.values()), _NOBODY)
    totals = {name: _sum(line for line in lines if line.group == name) for name in _GROUPS}
    added = _sum([totals[MESH], totals[OBSERVABILITY]])
    everything = _sum(totals.values())
    saving = optimizations(
        pods,
        found_volumes,
        balancers,
        inventory.of("Telemetry"),
        wanted.istio_namespace,
        usage.get("cpu", {}),
    )
    sized, saved = right_sizing(pods, usage, inventory.of("HorizontalPodAutoscaler"), wanted.rules)
    return {
        "format": FORMAT,
        "currency": prices.currency,
        "prices": _prices(prices),
        "window": wanted.window if any(usage.values()) else "",
        "components": [_plain(line, whole) for line in lines],
        "totals": {
            **{name: _plain(line, whole) for name, line in totals.items()},
            # What the document's chapter counts.
            "added": _plain(added, whole),
            "all": _plain(everything, whole),
        },
        "nodes": _nodes(nodes, whole),
        "sidecars": _sidecars(pods, next(line for line in lines if line.name == SIDECARS)),
        "volumes": [_volume(volume) for volume in found_volumes],
        "load_balancers": [_load_balancer(item) for item in balancers],
        "optimizations": [item.as_dict() for item in saving],
        "optimized": _money(left_after(added.total, saving)),
        "right_sizing": sized,
        "right_sizing_saves": _money(saved),
        "notes": all_notes,
    }


def _lines(
    pods: Sequence[Pod], found_volumes: Iterable[Volume], balancers: Iterable[LoadBalancer], usage: Usage
) -> list[_Line]:
    lines: dict[tuple[str, str], _Line] = {(MESH, SIDECARS): _Line(MESH, SIDECARS)}

    def line_of(component: tuple[str, str]) -> _Line:
        return lines.setdefault(component, _Line(*component))

    for pod in pods:
        line = line_of(pod.component)
        line.pods += 1
        line.containers += len(pod.containers) - (pod.sidecar is not None)
        line.requests += pod.own
        line.compute += pod.rates.of(pod.own)
        if pod.sidecar is not None:
            sidecars = lines[(MESH, SIDECARS)]
            sidecars.containers += 1
            sidecars.requests += pod.sidecar
            sidecars.compute += pod.rates.of(pod.sidecar)
        for container in pod.containers:
            of_mesh = pod.sidecar is not None and container.name == PROXY
            used = _used(usage, (pod.namespace, pod.name, container.name))
            (lines[(MESH, SIDECARS)] if of_mesh else line).use(used, pod.rates)
    for volume in found_volumes:
        line = line_of(volume.component)
        line.storage += volume.size
        line.storage_by_class[volume.storage_class] = (
            line.storage_by_class.get(volume.storage_class, _NOBODY) + volume.size
        )
        line.storage_cost += volume.cost
    for item in balancers:
        line = line_of(item.component)
        line.load_balancers += 1
        line.load_balancers_cost += item.cost
    return sorted(lines.values(), key=_place)


def _place(line: _Line) -> tuple[int, int, str]:
    return _GROUPS.index(line.group), ORDER.index(line.name) if line.name in ORDER else len(ORDER), line.name


def _used(usage: Usage, place: tuple[str, str, str]) -> Need | None:
    """The mean, since that is the least that a month's bill could be."""
    known = [usage.get(resource, {}).get(place) for resource in ("cpu", "memory")]
    if known[0] is None or known[1] is None:
        return None
    return Need(known[0].mean, known[1].mean)


def _sum(lines: Iterable[_Line]) -> _Line:
    total = _Line("", "")
    for line in lines:
        total.add(line)
    return total


def _plain(line: _Line, whole: Decimal) -> dict[str, Any]:
    return {
        "group": line.group,
        "component": line.name,
        "pods": line.pods,
        "containers": line.containers,
        "cpu": _cores(line.requests.cpu),
        "memory": int(line.requests.memory),
        "used": _used_plain(line),
        "node_percent": round(float(line.compute / whole * 100), 2) if whole else None,
        "storage": int(line.storage),
        "storage_by_class": {name: int(size) for name, size in sorted(line.storage_by_class.items())},
        "load_balancers": line.load_balancers,
        "cost": {
            "compute": _money(line.compute),
            "storage": _money(line.storage_cost),
            "load_balancers": _money(line.load_balancers_cost),
            "total": _money(line.total),
        },
    }


def _used_plain(line: _Line) -> dict[str, Any] | None:
    if not line.measured:
        return None
    return {
        "containers": line.measured,
        "cpu": _cores(line.used.cpu),
        "memory": int(line.used.memory),
        "cost": _money(line.used_cost),
    }


def _sidecars(pods: Iterable[Pod], line: _Line) -> dict[str, Any]:
    """What the proxies add to their pods. ``beside``: the requests of the other containers of these pods."""
    own = NOTHING
    for pod in pods:
        own += pod.own if pod.sidecar is not None else NOTHING
    return {
        "count": line.containers,
        "cpu": _cores(line.requests.cpu),
        "memory": int(line.requests.memory),
        "cost": _money(line.compute),
        "used": _used_plain(line),
        "beside": {"cpu": _cores(own.cpu), "memory": int(own.memory)},
        "cpu_percent": round(float(line.requests.cpu / own.cpu * 100), 1) if own.cpu else None,
        "memory_percent": round(float(line.requests.memory / own.memory * 100), 1) if own.memory else None,
    }


def _nodes(nodes: Mapping[str, Node], whole: Decimal) -> dict[str, Any] | None:
    if not nodes:
        return None
    size = NOTHING
    types: dict[str, int] = {}
    for node in nodes.values():
        size += node.size
        types[node.instance_type] = types.get(node.instance_type, 0) + 1
    return {
        "count": len(nodes),
        "cpu": _cores(size.cpu),
        "memory": int(size.memory),
        "cost": _money(whole),
        "instance_types": dict(sorted(types.items())),
    }


def _odd_nodes(nodes: Mapping[str, Node], prices: Prices) -> list[str]:
    unpriced = sorted({node.instance_type or "(unknown)" for node in nodes.values() if not node.priced})
    if not prices.nodes or not unpriced:
        return []
    return [f"node_hour has no price for instance type {', '.join(unpriced)}: its CPU and memory are priced by unit"]


def _odd_pods(pods: Sequence[Pod], inventory: Inventory) -> list[str]:
    notes = []
    free = [pod for pod in pods if pod.whole == NOTHING]
    if free:
        notes.append(f"no cost because they request neither CPU nor memory: {_pods(len(free))}")
    waiting = sum(
        not (pod.get("spec") or {}).get("nodeName") and (pod.get("status") or {}).get("phase") == "Pending"
        for pod in inventory.of("Pod")
    )
    if waiting:
        notes.append(f"not counted because they wait for a node: {_pods(waiting)}")
    return notes


def _pods(number: int) -> str:
    return f"{number} pod{'s' if number != 1 else ''}"


def _prices(prices: Prices) -> dict[str, Any]:
    return {
        "name": prices.name,
        "hours_per_month": float(prices.hours),
        "used": {
            name: {"price": float(price.amount), "source": price.source, "date": price.date}
            for name, price in prices.named()
        },
    }


def _volume(volume: Volume) -> dict[str, Any]:
    return {
        "namespace": volume.namespace,
        "name": volume.claim,
        "component": volume.component[1],
        "storage_class": volume.storage_class,
        "size": int(volume.size),
        "cost": _money(volume.cost),
        "used_by": list(volume.used_by),
    }


def _load_balancer(item: LoadBalancer) -> dict[str, Any]:
    return {
        "namespace": item.namespace,
        "name": item.service,
        "component": item.component[1],
        "cost": _money(item.cost),
    }


def _cores(amount: Decimal) -> float:
    return round(float(amount), 4)


def _money(amount: Decimal) -> float:
    return round(float(amount), 2)
