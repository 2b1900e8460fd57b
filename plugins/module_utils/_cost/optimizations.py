# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What each of the design document's five optimizations would save, on this cluster and at these prices."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.infrastructure import LoadBalancer, Volume
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.pods import OBSERVABILITY, Pod
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.usage import Place, Used
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Objects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.capacity import readable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.durations import seconds_of

SIDECAR_CPU = Decimal("0.005")
RETENTION_DAYS = 7
SAMPLING_PERCENT = 1
_DAY = 86400
_RETENTION = re.compile(r"--storage\.tsdb\.retention(?:\.time)?=(\S+)")
_NOT_SMALLER = "volumes do not shrink: this needs a new, smaller one; its content is assumed to grow with {}"


@dataclass(frozen=True)
class Optimization:
    """saves: money per month, None if not known. how: what to set. costs: the trade-off."""

    key: str
    title: str
    saves: Decimal | None
    now: str
    how: str
    costs: str

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "saves": None if self.saves is None else round(float(self.saves), 2)}


def optimizations(
    pods: Sequence[Pod],
    volumes: Sequence[Volume],
    load_balancers: Sequence[LoadBalancer],
    telemetries: Objects,
    root_namespace: str,
    cpu_used: Mapping[Place, Used],
) -> list[Optimization]:
    """In the document's order."""
    return [
        _sidecars(pods, cpu_used),
        _control_plane(pods),
        _retention(pods, volumes),
        _dashboards(load_balancers),
        _sampling(volumes, telemetries, root_namespace),
    ]


def _sidecars(pods: Sequence[Pod], cpu_used: Mapping[Place, Used]) -> Optimization:
    meshed = [(pod, pod.sidecar) for pod in pods if pod.sidecar is not None]
    saves, above = Decimal(0), 0
    for pod, sidecar in meshed:
        saves += max(sidecar.cpu - SIDECAR_CPU, Decimal(0)) * pod.rates.cpu
        used = cpu_used.get((pod.namespace, pod.name, PROXY))
        above += bool(used and used.p95 > SIDECAR_CPU)
    costs = "less CPU is reserved for a sidecar on a busy node"
    if above:
        costs += f"; the P95 of {above} of {len(meshed)} sidecars is above it"
    elif not cpu_used:
        costs += "; their use is not known"
    return Optimization(
        "sidecar_cpu",
        "Request 5m of CPU for each sidecar",
        saves,
        f"{len(meshed)} sidecars request {_cores(sum((sidecar.cpu for _pod, sidecar in meshed), Decimal(0)))} together",
        "istio_proxy_resources: {requests: {cpu: 5m, ...}}",
        costs,
    )


def _control_plane(pods: Sequence[Pod]) -> Optimization:
    istiods = [pod for pod in pods if pod.component[1] == "istiod"]
    seen: Counter[str] = Counter()
    saves = Decimal(0)
    for pod in istiods:
        revision = pod.labels.get("istio.io/rev", "")
        seen[revision] += 1
        if seen[revision] > 1:
            saves += pod.rates.of(pod.whole)
    return Optimization(
        "istiod_replicas",
        "Run a single istiod",
        saves,
        f"{len(istiods)} pods of {len(seen)} revision{'s' if len(seen) != 1 else ''}",
        "istio_istiod_replicas_min: 1, istio_istiod_replicas_max: 1",
        "while it restarts, no pod gets a sidecar, no configuration is accepted and no certificate renewed",
    )


def _retention(pods: Sequence[Pod], volumes: Sequence[Volume]) -> Optimization:
    servers = [(pod, retention) for pod in pods if pod.component[1] == "prometheus" for retention in _retention_of(pod)]
    saves, now = Decimal(0), []
    for pod, retention in servers:
        days = seconds_of(retention) / _DAY
        for volume in volumes:
            if pod.name in volume.used_by and pod.namespace == volume.namespace:
                saves += volume.cost * max(1 - RETENTION_DAYS / days, Decimal(0)) if days else 0
                now.append(f"{retention} on {readable(volume.size)}")
    return Optimization(
        "metrics_retention",
        "Keep metrics for 7 days",
        saves if servers else None,
        ", ".join(now) or (f"{servers[0][1]}, on no volume" if servers else "no Prometheus with a known retention"),
        "prometheus_retention: 7d, prometheus_volume_size",
        _NOT_SMALLER.format("time"),
    )


def _retention_of(pod: Pod) -> Iterator[str]:
    for container in pod.obj["spec"].get("containers") or ():
        for argument in (*(container.get("command") or ()), *(container.get("args") or ())):
            if (found := _RETENTION.fullmatch(str(argument))) and seconds_of(found[1]):
                yield found[1]


def _dashboards(load_balancers: Sequence[LoadBalancer]) -> Optimization:
    shown = [item for item in load_balancers if item.component[0] == OBSERVABILITY]
    names = ", ".join(sorted(item.service for item in shown))
    return Optimization(
        "dashboard_load_balancers",
        "No load balancer for dashboards",
        sum((item.cost for item in shown), Decimal(0)),
        names or "none has one",
        "grafana_service_type: ClusterIP, kiali_service_type: ClusterIP",
        "use a port-forward, or the existing gateway",
    )


def _sampling(volumes: Sequence[Volume], telemetries: Objects, root_namespace: str) -> Optimization:
    percents = [
        Decimal(str(tracing["randomSamplingPercentage"]))
        for telemetry in telemetries
        if telemetry["metadata"]["namespace"] == root_namespace and not (telemetry.get("spec") or {}).get("selector")
        for tracing in (telemetry.get("spec") or {}).get("tracing") or ()
        if "randomSamplingPercentage" in tracing
    ]
    traces = [volume for volume in volumes if volume.component[1] == "jaeger"]
    saves = None
    if percents:
        left = min(Decimal(SAMPLING_PERCENT) / max(percents), Decimal(1)) if max(percents) else Decimal(1)
        saves = sum((volume.cost for volume in traces), Decimal(0)) * (1 - left)
    size = readable(sum((volume.size for volume in traces), Decimal(0))) if traces else ""
    now = f"{max(percents).normalize():f} % of the requests" if percents else "not set by a Telemetry of the mesh"
    return Optimization(
        "trace_sampling",
        "Trace 1 % of the requests",
        saves,
        f"{now}, on {size}" if traces else f"{now}, on no volume",
        "service_mesh_trace_sampling: 1, jaeger_volume_size",
        _NOT_SMALLER.format("the share of traces") + "; Jaeger's own CPU and memory do not shrink in proportion",
    )


def _cores(amount: Decimal) -> str:
    return f"{(amount * 1000).quantize(Decimal(1)):f}m"


def left_after(total: Decimal, found: Sequence[Optimization]) -> Decimal:
    """The total after all that they save together: their savings do not overlap."""
    return total - sum((item.saves or Decimal(0) for item in found), Decimal(0))
