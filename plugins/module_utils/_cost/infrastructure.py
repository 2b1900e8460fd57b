# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Volumes and load balancers: what each costs per month, and which component it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import shortened
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.cluster_objects import Inventory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.pods import GIB, OTHERS, Pod
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.prices import Prices
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.capacity import quantity

# A claim without a class had the default one when it was bound, so this is a volume that was created manually.
NO_CLASS = "(none)"


@dataclass(frozen=True)
class Volume:
    """size: bytes. used_by: names of pods and of CronJobs; an unused volume costs as much."""

    namespace: str
    claim: str
    component: tuple[str, str]
    storage_class: str
    size: Decimal
    cost: Decimal
    used_by: tuple[str, ...]


@dataclass(frozen=True)
class LoadBalancer:
    namespace: str
    service: str
    component: tuple[str, str]
    cost: Decimal


def volumes(inventory: Inventory, pods: Sequence[Pod], prices: Prices, notes: list[str]) -> Iterator[Volume]:
    """Existing volumes. ``notes`` get claims that wait for a volume, and unused volumes."""
    users = _users(inventory.of("CronJob"), pods)
    waiting, unused = [], []
    for claim in inventory.of("PersistentVolumeClaim"):
        place = (claim["metadata"]["namespace"], claim["metadata"]["name"])
        status = claim.get("status") or {}
        if status.get("phase") != "Bound":
            waiting.append("/".join(place))
            continue
        mine = users.get(place, [])
        if not mine:
            unused.append("/".join(place))
        size = quantity((status.get("capacity") or {}).get("storage") or _requested(claim))
        storage_class = str((claim.get("spec") or {}).get("storageClassName") or "")
        yield Volume(
            *place,
            mine[0][1] if mine else (OTHERS, place[0]),
            storage_class or NO_CLASS,
            size,
            size / GIB * prices.of_volume(storage_class),
            tuple(sorted(name for name, _component in mine)),
        )
    if waiting:
        notes.append(f"no volume yet, so no price: {_listed(waiting)}")
    if unused:
        notes.append(f"no pod uses these volumes now, but they still cost money: {_listed(unused)}")
    yield from _released(inventory.of("PersistentVolume"), prices, notes)


def _released(persistent: Objects, prices: Prices, notes: list[str]) -> Iterator[Volume]:
    """Volumes that were retained when their claims were deleted."""
    released = []
    for volume in persistent:
        if (volume.get("status") or {}).get("phase") not in ("Released", "Failed"):
            continue
        spec, name = volume.get("spec") or {}, volume["metadata"]["name"]
        size = quantity((spec.get("capacity") or {}).get("storage") or 0)
        storage_class = str(spec.get("storageClassName") or "")
        place = (spec.get("claimRef") or {}).get("namespace") or ""
        cost = size / GIB * prices.of_volume(storage_class)
        released.append(name)
        yield Volume(place, name, (OTHERS, place), storage_class or NO_CLASS, size, cost, ())
    if released:
        notes.append(
            f"retained after their claims were deleted, and charged until they are deleted, too: {_listed(released)}"
        )


def _requested(claim: Object) -> object:
    resources = (claim.get("spec") or {}).get("resources") or {}
    return (resources.get("requests") or {}).get("storage") or 0


def _users(cron_jobs: Objects, pods: Iterable[Pod]) -> dict[tuple[str, str], list[tuple[str, tuple[str, str]]]]:
    """(namespace, claim) -> who uses it: its name and component. CronJobs count as well."""
    users: dict[tuple[str, str], list[tuple[str, tuple[str, str]]]] = {}
    for pod in pods:
        for name in _claims_of(pod.name, pod.obj.get("spec") or {}):
            users.setdefault((pod.namespace, name), []).append((pod.name, pod.component))
    for job in cron_jobs:
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        for claim in _claims_of(name, job["spec"]["jobTemplate"]["spec"]["template"]["spec"]):
            users.setdefault((namespace, claim), []).append((name, (OTHERS, namespace)))
    return users


def _claims_of(pod: str, spec: Object) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            yield claim["claimName"]
        elif "ephemeral" in volume:
            yield f"{pod}-{volume['name']}"


def load_balancers(services: Objects, pods: Iterable[Pod], prices: Prices, notes: list[str]) -> Iterator[LoadBalancer]:
    """Services of that type that have an address; ``notes`` get those without one."""
    by_namespace: dict[str, list[Pod]] = {}
    for pod in pods:
        by_namespace.setdefault(pod.namespace, []).append(pod)
    waiting = []
    for service in services:
        spec = service.get("spec") or {}
        if spec.get("type") != "LoadBalancer":
            continue
        namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
        if not ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
            waiting.append(f"{namespace}/{name}")
            continue
        behind = _first_behind(spec.get("selector") or {}, by_namespace.get(namespace, []))
        yield LoadBalancer(
            namespace,
            name,
            behind.component if behind else (OTHERS, namespace),
            prices.of_load_balancer(str(spec.get("loadBalancerClass") or "")),
        )
    if waiting:
        notes.append(f"no load balancer yet, so no price: {_listed(waiting)}")


def _first_behind(selector: Mapping[str, str], pods: Iterable[Pod]) -> Pod | None:
    if not selector:
        return None
    return next((pod for pod in pods if selector.items() <= pod.labels.items()), None)


def _listed(names: Iterable[str]) -> str:
    return shortened(sorted(names), 8)
