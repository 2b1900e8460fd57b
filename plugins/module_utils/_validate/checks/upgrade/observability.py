# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What an upgrade changes of metrics, and of the programs that read istiod's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import load_one
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import CONFIG_MAP, Kind, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import (
    is_crossed,
    is_set,
    istiod_environment,
    keeps_old_behaviour,
    page_of,
)

_COMPRESSION = "sidecar.istio.io/statsCompression"
_PROXY_CONFIG = "proxy.istio.io/config"
_PROMETHEUS_RULE = Kind("monitoring.coreos.com", "PrometheusRule")
_REMAINING = re.compile(r"circuit_breakers\w*_remaining_|remaining_(?:cx|pending|rq|retries)\b")
_INCLUSIONS = ("inclusionPrefixes", "inclusionRegexps", "inclusionSuffixes")


@check(
    code="MESH601",
    level="warning",
    title="Upgrade: annotation of the metrics' compression removed",
    why="Istio 1.29 ignores the annotation and compresses the metrics of each proxy that a client accepts compressed.",
    remedy="Set statsCompression: false in the annotation proxy.istio.io/config, or in the mesh's defaultConfig.",
    docs=page_of((1, 29)),
    alone=True,
)
def removed_compression_annotation(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 29)):
        return
    for workload in mesh.workloads:
        value = workload.annotations.get(_COMPRESSION)
        if value is not None and str(value).lower() != "true":
            path = (*workload.template, "metadata", "annotations", _COMPRESSION)
            report(workload.resource, path, f"Istio 1.29 no longer reads {_COMPRESSION}: {value}")


@check(
    code="MESH602",
    level="warning",
    title="Upgrade: istiod's debug endpoints need authorization",
    why="From Istio 1.29 on, istiod answers a namespace other than its own about that namespace's proxies only. Kiali "
    "elsewhere shows no state of the control plane and the proxies.",
    remedy="Istio 1.30: DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES in istiod's environment names the namespace. Else run "
    "Kiali in istiod's namespace.",
    docs=page_of((1, 29)),
)
def debug_endpoints(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 29)) or is_set(mesh, "ENABLE_DEBUG_ENDPOINT_AUTH", "false"):
        return
    allowed = {
        name.strip()
        for variable in istiod_environment(mesh)
        if variable.name == "DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES"
        for name in variable.value.split(",")
    }
    for workload in mesh.workloads:
        if "kiali" not in (workload.labels.get("app"), workload.labels.get("app.kubernetes.io/name")):
            continue
        if workload.namespace not in {mesh.settings.root_namespace, *allowed}:
            where = f"Kiali is in {workload.namespace}, and istiod in {mesh.settings.root_namespace}"
            report(workload.resource, ("metadata", "name"), where)


@check(
    code="MESH603",
    level="warning",
    title="Upgrade: metrics of remaining capacity stop",
    why="From Istio 1.29 on, proxies do not track what is left of a circuit breaker (circuit_breakers.*.remaining_*): "
    "the metric is absent or 0, and alerts on it fire or fall silent.",
    remedy="Set DISABLE_TRACK_REMAINING_CB_METRICS=false in istiod's environment, or change the query.",
    docs=page_of((1, 29)),
)
def remaining_capacity(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 29)) or keeps_old_behaviour(mesh, (1, 29), "DISABLE_TRACK_REMAINING_CB_METRICS"):
        return
    for resource, path, text in _uses_of_metrics(mesh):
        if found := _REMAINING.search(text):
            report(resource, path, f"it uses the metric '{found[0]}...' of circuit breakers")


def _uses_of_metrics(mesh: Mesh) -> Iterator[tuple[Resource, Path, str]]:
    for rule in mesh.of(_PROMETHEUS_RULE):
        for number, group in items(rule.spec, "groups"):
            for index, entry in items(group, "rules"):
                yield rule, ("spec", "groups", number, "rules", index, "expr"), str(entry.get("expr"))
    for workload in mesh.workloads:
        if isinstance(config := workload.annotations.get(_PROXY_CONFIG), str) and "remaining" in config:
            path = (*workload.template, "metadata", "annotations", _PROXY_CONFIG)
            for text in _included(part(load_one(config))):
                yield workload.resource, path, text
    for config_map in mesh.of(CONFIG_MAP):
        if config_map.name == "istio" and config_map.namespace == mesh.settings.root_namespace:
            for text in _included(part(mesh.mesh_config, "defaultConfig")):
                yield config_map, ("data", "mesh"), text


def _included(proxy_config: Object) -> list[str]:
    return [text for field in _INCLUSIONS for _index, text in texts(proxy_config, "proxyStatsMatcher", field)]
