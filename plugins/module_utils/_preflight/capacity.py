# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a cluster has room for what is requested: CPU, memory, pods, volumes, addresses. In words, as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube import quantities
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import has_ended, is_ready

_SIZES = {"Ti": 1024**4, "Gi": 1024**3, "Mi": 1024**2}

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
# Projects that assign addresses where no cloud does: MetalLB, Cilium, K3s, kube-vip, OpenELB.
_ADDRESS_GIVERS = re.compile(r"metallb|cilium.*loadbalancer|svccontroller\.k3s|kube-?vip|openelb")
# Providers whose nodes name them, and which have no load balancers of their own.
_NO_CLOUD = ("", "kind", "k3s", "kwok")


class CapacityError(MeshError):
    """An invalid quantity."""


@dataclass(frozen=True)
class Need:
    """CPU in cores and memory in bytes."""

    cpu: Decimal
    memory: Decimal

    def __add__(self, other: Need) -> Need:
        return Need(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: Need) -> Need:
        return Need(self.cpu - other.cpu, self.memory - other.memory)

    def times(self, number: int) -> Need:
        return Need(self.cpu * number, self.memory * number)

    def fits(self, room: Need) -> bool:
        return self.cpu <= room.cpu and self.memory <= room.memory

    def __str__(self) -> str:
        return f"{self.cpu.quantize(Decimal('0.01')).normalize():f} CPU, {readable(self.memory)}"


NOTHING = Need(Decimal(0), Decimal(0))


@dataclass(frozen=True)
class Pods:
    """A workload: a number of pods, or one on each node, and what one of them requests."""

    name: str
    count: int
    per_node: bool
    each: Need


@dataclass(frozen=True)
class Volume:
    """A claim, planned or existing. ``expandable``: its size is in no StatefulSet's template."""

    namespace: str
    claim: str
    size: str
    storage_class: str
    expandable: bool


@dataclass
class Verdict:
    """Lines of a table, and the problems that must stop the installation."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    # Whether something is known to give them an address.
    load_balancers: bool = True

    def add(self, what: str, state: str, detail: str, problem: str = "") -> None:
        self.rows.append((what, state, detail))
        if problem:
            self.problems.append(problem)

    def table(self) -> list[str]:
        width = max((len(what) for what, _state, _detail in self.rows), default=0)
        return [f"{what:<{width}}  {state:<9}  {detail}" for what, state, detail in self.rows]


def quantity(value: Any) -> Decimal:
    """A Kubernetes quantity, in its base unit."""
    found = quantities.quantity(value)
    if found is None:
        raise CapacityError(f"'{value}' is not a valid quantity. Write for example 500m or 2Gi.")
    return found


def need(requests: Mapping[str, Any]) -> Need:
    """From a mapping with cpu and memory, each of which may be missing."""
    return Need(quantity(requests.get("cpu") or 0), quantity(requests.get("memory") or 0))


def readable(size: Decimal) -> str:
    for unit, bytes_of_it in _SIZES.items():
        if abs(size) >= bytes_of_it:
            return f"{(size / bytes_of_it).quantize(Decimal('0.1')).normalize():f}{unit}"
    return f"{size:f}"


def pod_need(pod: Object) -> Need:
    """What the scheduler counts: all containers and sidecars, or the largest init container if that is more."""
    spec = pod.get("spec") or {}
    running, starting = NOTHING, NOTHING
    for container in spec.get("containers") or ():
        running += _container_need(container)
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            running += _container_need(container)
        else:
            one = _container_need(container)
            starting = Need(max(starting.cpu, one.cpu), max(starting.memory, one.memory))
    overhead = need(spec.get("overhead") or {})
    return Need(max(running.cpu, starting.cpu), max(running.memory, starting.memory)) + overhead


def _container_need(container: Object) -> Need:
    return need((container.get("resources") or {}).get("requests") or {})


def free_by_node(nodes: Iterable[Object], pods: Iterable[Object], own_namespaces: Sequence[str]) -> dict[str, Need]:
    """What each schedulable node has left beside the pods of others."""
    free = {
        node["metadata"]["name"]: need((node.get("status") or {}).get("allocatable") or {})
        for node in nodes
        if _takes_pods(node)
    }
    for pod in pods:
        node = (pod.get("spec") or {}).get("nodeName", "")
        if node in free and not has_ended(pod) and pod["metadata"].get("namespace") not in own_namespaces:
            free[node] -= pod_need(pod)
    return free


def _takes_pods(node: Object) -> bool:
    spec = node.get("spec") or {}
    closed = any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in spec.get("taints") or ())
    return is_ready(node) and not closed and not spec.get("unschedulable")


def judge_pods(verdict: Verdict, free: Mapping[str, Need], wanted: Sequence[Pods]) -> None:
    """The sum compared with what is left, and each pod with the roomiest node."""
    if not free:
        verdict.add("nodes", "NONE", "no node accepts pods", "No node of the cluster is ready and accepts pods.")
        return
    total = NOTHING
    for workload in wanted:
        total += workload.each.times(len(free) if workload.per_node else workload.count)
    left = NOTHING
    for room in free.values():
        left += room
    cores = (f"{value.quantize(Decimal('0.01')).normalize():f}" for value in (total.cpu, left.cpu))
    sizes = (readable(value) for value in (total.memory, left.memory))
    for name, enough, (wants, has) in (
        ("CPU", total.cpu <= left.cpu, cores),
        ("memory", total.memory <= left.memory, sizes),
    ):
        detail = f"{wants} requested, {has} left on {len(free)} nodes"
        problem = f"{name}: {detail}. Add nodes, or lower the number of pods or their requests (pods)."
        verdict.add(name, "ok" if enough else "TOO LITTLE", detail, "" if enough else problem)
    roomiest = Need(max(room.cpu for room in free.values()), max(room.memory for room in free.values()))
    homeless = [pods for pods in wanted if (pods.count or pods.per_node) and not _some_node(pods.each, free)]
    for pods in homeless:
        verdict.add(
            pods.name,
            "TOO BIG",
            f"one pod requests {pods.each}; no node has that much left",
            f"{pods.name}: one pod requests {pods.each}, and no node has that much left (at most {roomiest}).",
        )
    if wanted and not homeless:
        biggest = max(wanted, key=lambda pods: pods.each.memory)
        verdict.add("biggest pod", "ok", f"{biggest.name} requests {biggest.each}")


def _some_node(each: Need, free: Mapping[str, Need]) -> bool:
    return any(each.fits(room) for room in free.values())


def judge_volumes(
    verdict: Verdict, wanted: Sequence[Volume], claims: Iterable[Object], classes: Sequence[Object]
) -> None:
    """Classes must exist, and an existing claim is never shrunk."""
    known = {entry["metadata"]["name"]: entry for entry in classes}
    default = next((name for name, entry in known.items() if _annotation(entry, _DEFAULT_CLASS) == "true"), "")
    live = {(claim["metadata"]["namespace"], claim["metadata"]["name"]): claim for claim in claims}
    for volume in wanted:
        what = f"volume {volume.namespace}/{volume.claim}"
        claim = live.get((volume.namespace, volume.claim))
        if claim:
            _judge_claim(verdict, what, volume, claim, known)
        elif volume.storage_class and volume.storage_class not in known:
            names = ", ".join(known) or "none"
            problem = f"{what}: the storage class '{volume.storage_class}' does not exist (existing: {names}). "
            problem += "Set storage_class to one of these."
            verdict.add(what, "NO CLASS", f"{volume.size} of '{volume.storage_class}', which does not exist", problem)
        elif not volume.storage_class and not default:
            problem = f"{what}: the cluster has no default storage class. Set storage_class"
            problem += f" to one of {', '.join(known)}." if known else ", after creating one: the cluster has none."
            verdict.add(what, "NO CLASS", f"{volume.size} of the default class, which does not exist", problem)
        else:
            verdict.add(what, "new", f"{volume.size} of '{volume.storage_class or default}'")


def _judge_claim(verdict: Verdict, what: str, volume: Volume, claim: Object, classes: Mapping[str, Object]) -> None:
    spec = claim.get("spec") or {}
    has, wants = str(((spec.get("resources") or {}).get("requests") or {}).get("storage", "0")), volume.size
    name = str(spec.get("storageClassName") or "")
    grows = bool((classes.get(name) or {}).get("allowVolumeExpansion"))
    if quantity(wants) == quantity(has):
        verdict.add(what, "ok", f"{has} of '{name}' exists")
    elif quantity(wants) < quantity(has):
        problem = f"{what} has {has} and cannot shrink to {wants}: its data would be lost. Set the size to {has}. "
        problem += "For a smaller volume: back up, delete the claim manually, run again, restore."
        verdict.add(what, "SHRINKS", f"has {has}, requested {wants}", problem)
    elif not grows:
        problem = f"{what} has {has} and cannot grow to {wants}: storage class '{name}' does not expand volumes. "
        problem += f"Set the size to {has}, or move the data to a claim of another class manually."
        verdict.add(what, "CANNOT GROW", f"has {has}, requested {wants}", problem)
    elif not volume.expandable:
        problem = f"{what} has {has} and belongs to a StatefulSet, whose template cannot be changed to {wants}. "
        problem += f"Run kubectl -n {volume.namespace} patch pvc {volume.claim} -p "
        problem += f'\'{{"spec": {{"resources": {{"requests": {{"storage": "{wants}"}}}}}}}}\', delete the '
        problem += "StatefulSet with --cascade=orphan, and run again."
        verdict.add(what, "BY HAND", f"has {has}, requested {wants}", problem)
    else:
        verdict.add(what, "grows", f"from {has} to {wants}")


def judge_addresses(
    verdict: Verdict,
    wanted: Sequence[str],
    nodes: Iterable[Object],
    services: Iterable[Object],
    definitions: Iterable[str],
    required: bool,
) -> None:
    """Whether anything in the cluster is known to give load balancers an address."""
    if not wanted:
        return
    names = ", ".join(wanted)
    given = [
        service["metadata"]["name"]
        for service in services
        if ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    ]
    clouds = {str((node.get("spec") or {}).get("providerID", "")).partition(":")[0] for node in nodes}
    givers = [name for name in definitions if _ADDRESS_GIVERS.search(name)]
    reason = ""
    if given:
        reason = f"service {given[0]} has an address"
    elif givers:
        reason = f"the cluster has {givers[0]}"
    elif clouds - set(_NO_CLOUD):
        reason = f"its nodes run on {', '.join(sorted(clouds - set(_NO_CLOUD)))}"
    if reason:
        verdict.add("load balancers", "ok", f"{names}; {reason}")
        return
    verdict.load_balancers = False
    detail = f"{names}; nothing in the cluster is known to give them an address"
    problem = f"Load balancers {detail}. Install one (such as MetalLB), use another type of Service, "
    problem += "or set load_balancer_required: false to leave them without an address."
    verdict.add("load balancers", "NONE" if required else "unknown", detail, problem if required else "")


def _annotation(obj: Object, name: str) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(name, ""))
