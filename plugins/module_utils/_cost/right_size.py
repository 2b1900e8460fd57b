# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What workloads should request according to their use. Without measurements, nothing is proposed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.pods import SIDECARS, Container, Pod
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.usage import Usage, Used, Window
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Objects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.capacity import (
    CapacityError,
    Need,
    need,
    readable,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.durations import seconds_of

LOWER, RAISE, FITS, NO_DATA, TOO_LITTLE = "lower", "raise", "fits", "no data", "too little data"
RESOURCES = ("cpu", "memory")
# A smaller deviation of a request is not worth a rollout.
_TOLERANCE = Decimal("0.1")
_NEAR = Decimal("0.9")
# Proposals are rounded up to these; fractions would be noise.
_STEP = {"cpu": Decimal("0.001"), "memory": Decimal(1024**2)}


@dataclass(frozen=True)
class Rules:
    """margin: on top of the P95, 0.15 for 15 %. floor: the smallest proposal. enough: seconds of measurements."""

    margin: Decimal
    floor: Need
    enough: int

    @classmethod
    def of(cls, margin_percent: float, floor: Mapping[str, Any], min_measured: str, window: Window) -> Rules:
        """Of options. Raises InputError."""
        enough = seconds_of(min_measured)
        if not enough:
            raise InputError(f"min_measured: '{min_measured}' is not a PromQL duration. Write it like 30s, 5m or 1d.")
        if enough > seconds_of(window.length):
            raise InputError(f"min_measured: {min_measured} is longer than the window, {window.length}. Lower it.")
        if not 0 <= margin_percent < math.inf:
            raise InputError(f"margin: {margin_percent} is not a valid percentage. Use a number from 0.")
        try:
            lowest = need(floor)
        except CapacityError as error:
            raise InputError(f"floor: {error}") from error
        return cls(Decimal(str(margin_percent)) / 100, lowest, int(enough))


@dataclass(frozen=True)
class _Group:
    """Containers of one template, so of one request."""

    namespace: str
    kind: str
    workload: str
    container: str
    request: Need
    limit: Need


def right_sizing(
    pods: Iterable[Pod], usage: Usage, autoscalers: Objects, rules: Rules
) -> tuple[list[dict[str, Any]], Decimal]:
    """One entry for each container of each workload, and one for all sidecars of one size; and a month's saving."""
    groups: dict[_Group, list[tuple[Pod, Container]]] = defaultdict(list)
    for pod in pods:
        for container in pod.containers:
            of_mesh = pod.sidecar is not None and container.name == PROXY
            place = ("", "", SIDECARS) if of_mesh else (pod.namespace, *pod.workload)
            groups[_Group(*place, container.name, container.request, container.limit)].append((pod, container))
    targets = _targets(autoscalers)
    found, saved = [], Decimal(0)
    for group, members in sorted(
        groups.items(), key=lambda item: (item[0].namespace, item[0].workload, item[0].container)
    ):
        entry, saves = _entry(
            group, members, usage, targets.get((group.namespace, group.kind, group.workload), {}), rules
        )
        found.append(entry)
        saved += saves
    return found, saved


def _entry(
    group: _Group,
    members: Sequence[tuple[Pod, Container]],
    usage: Usage,
    targets: Mapping[str, Decimal],
    rules: Rules,
) -> tuple[dict[str, Any], Decimal]:
    killed = max((container.killed for _pod, container in members), default="")
    of_resource = {}
    for resource in RESOURCES:
        known = usage.get(resource, {})
        measured = [
            known[place] for pod, container in members if (place := (pod.namespace, pod.name, container.name)) in known
        ]
        of_resource[resource] = _judge(resource, group, measured, targets.get(resource), killed, rules)
    proposed = Need(
        *(
            group_request if of["proposed"] is None else of["proposed"]
            for of, group_request in zip(of_resource.values(), (group.request.cpu, group.request.memory), strict=True)
        )
    )
    saves = sum((pod.rates.of(group.request - proposed) for pod, _container in members), Decimal(0))
    entry = {
        "namespace": group.namespace,
        "kind": group.kind,
        "workload": group.workload,
        "container": group.container,
        "pods": len(members),
        **{resource: _plain(resource, of) for resource, of in of_resource.items()},
        "saves": round(float(saves), 2),
        "autoscaled": {resource: float(share) for resource, share in targets.items()},
        "risks": _risks(group, of_resource, killed, proposed),
    }
    return entry, saves


def _judge(
    resource: str,
    group: _Group,
    measured: Sequence[Used],
    target: Decimal | None,
    killed: str,
    rules: Rules,
) -> dict[str, Any]:
    """request, limit, p95, peak, proposed (None to keep the request), seconds, pods (measured ones), verdict."""
    request, limit, floor = (getattr(amount, resource) for amount in (group.request, group.limit, rules.floor))
    judged: dict[str, Any] = {
        "request": request,
        "limit": limit,
        "p95": None,
        "peak": None,
        "proposed": None,
        "seconds": max((used.seconds for used in measured), default=0),
        "pods": len(measured),
        "verdict": NO_DATA,
    }
    if not measured:
        return judged
    # The busiest pod decides: all have the same request.
    p95, peak = max(used.p95 for used in measured), max(used.peak for used in measured)
    judged |= {"p95": p95, "peak": peak}
    if judged["seconds"] < rules.enough:
        return {**judged, "verdict": TOO_LITTLE}
    wanted = p95 * (1 + rules.margin)
    if resource == "memory":
        # Too little CPU is slow, too little memory is fatal.
        wanted = max(wanted, peak)
    if target:
        # With less, the autoscaler would add more of the smaller pods.
        wanted = max(wanted, p95 / target)
    if resource == "memory" and killed:
        wanted = max(wanted, request)
    wanted = _rounded(resource, wanted)
    # The floor does not raise a sufficient request, and a request must not exceed its limit.
    enough_below_floor = wanted <= request < floor
    wanted = max(wanted, floor)
    if limit:
        wanted = min(wanted, limit)
    if enough_below_floor or wanted < floor or abs(wanted - request) <= request * _TOLERANCE:
        return {**judged, "verdict": FITS}
    return {**judged, "proposed": wanted, "verdict": LOWER if wanted < request else RAISE}


def _rounded(resource: str, amount: Decimal) -> Decimal:
    step = _STEP[resource]
    return (amount / step).to_integral_value(ROUND_CEILING) * step


def _risks(group: _Group, of_resource: Mapping[str, Any], killed: str, proposed: Need) -> list[str]:
    """Running out of memory first."""
    risks = []
    cpu, memory = of_resource["cpu"], of_resource["memory"]
    limit, peak = group.limit.memory, memory["peak"]
    if killed:
        risks.append(f"OOM: killed for lack of memory, last {killed}; its memory is not lowered")
    if limit and peak is not None and peak >= limit * _NEAR:
        risks.append(f"OOM: its peak of {readable(peak)} is {peak / limit:.0%} of its limit, at which it is killed")
    if peak is not None and peak > group.request.memory:
        risks.append(
            f"OOM: its peak of {readable(peak)} is above its request, so it is among the first to be evicted "
            "when the node runs out of memory"
        )
    if memory["verdict"] == LOWER and not limit:
        risks.append(
            f"OOM: no limit; above {readable(proposed.memory)} it would be among the first to be evicted where the "
            "node runs out"
        )
    if cpu["p95"] is not None and group.limit.cpu and cpu["p95"] >= group.limit.cpu * _NEAR:
        risks.append(
            f"slow: the P95 of its CPU is {cpu['p95'] / group.limit.cpu:.0%} of its limit, where it is held back"
        )
    return risks


def _targets(autoscalers: Objects) -> dict[tuple[str, str, str], dict[str, Decimal]]:
    """Workload -> resource -> the share of the request at which pods are added."""
    found: dict[tuple[str, str, str], dict[str, Decimal]] = {}
    for autoscaler in autoscalers:
        spec = autoscaler.get("spec") or {}
        shares = {}
        for metric in spec.get("metrics") or ():
            of = metric.get("resource") or metric.get("containerResource") or {}
            percent = (of.get("target") or {}).get("averageUtilization")
            if of.get("name") in RESOURCES and percent:
                shares[of["name"]] = Decimal(percent) / 100
        scaled = spec.get("scaleTargetRef") or {}
        if shares:
            place = (autoscaler["metadata"]["namespace"], str(scaled.get("kind")), str(scaled.get("name")))
            found[place] = shares
    return found


def _plain(resource: str, judged: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON: cores with three digits, bytes as whole numbers."""

    def number(value: Any) -> Any:
        if not isinstance(value, Decimal):
            return value
        return round(float(value), 4) if resource == "cpu" else int(value)

    return {key: number(value) for key, value in judged.items()}
