# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Telemetry: which workloads it selects, and whether it has any effect."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_workloads
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import is_guess_of_workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import has_target, selected_twice
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import POD, TELEMETRY, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_SELECTOR = ("spec", "selector", "matchLabels")


@check(
    code="IST0101",
    level="error",
    title="Telemetry without workloads",
    why="It has no effect: no workload of its namespace has these labels.",
    remedy="Correct the selector or the namespace.",
    needs=[POD],
)
def telemetry_without_workload(mesh: Mesh, report: Report) -> None:
    for telemetry in mesh.of(TELEMETRY):
        labels = selector_labels(telemetry)
        if not labels or has_target(telemetry) or mesh.labels.matching(telemetry.namespace, labels):
            continue
        if lacking := unseen_workloads(mesh, telemetry.namespace, labels, telemetry):
            report.undecided(lacking)
            continue
        text = ",".join(f"{key}={value}" for key, value in labels.items())
        text = f"no workload of namespace {telemetry.namespace} has the labels {text}"
        report(telemetry, _SELECTOR, text, milder=is_guess_of_workload(mesh, telemetry))


@check(
    code="IST0157",
    level="warning",
    title="Access logging without a provider",
    why="Istio ignores access logging without a provider if MeshConfig has no default one.",
    remedy="Name a provider, such as envoy, or set MeshConfig.defaultProviders.accessLogging.",
)
def logging_without_provider(mesh: Mesh, report: Report) -> None:
    if part(mesh.mesh_config, "defaultProviders").get("accessLogging"):
        return
    level = "" if mesh.knows_mesh_config else "info"
    for telemetry in mesh.of(TELEMETRY):
        for index, entry in items(telemetry.spec, "accessLogging"):
            if not entry.get("providers") and entry.get("disabled") is not True:
                path = ("spec", "accessLogging", index)
                report(telemetry, path, "no provider here, and no default one in MeshConfig", level=level)


@check(
    code="IST0159",
    level="error",
    title="Two Telemetries for one workload",
    why="Istio uses the oldest one and ignores the others.",
    remedy="Make the selectors exclude each other, or merge both into one Telemetry.",
    needs=[POD],
)
def several_for_workload(mesh: Mesh, report: Report) -> None:
    found = (
        (telemetry, {} if has_target(telemetry) else selector_labels(telemetry)) for telemetry in mesh.of(TELEMETRY)
    )
    for telemetry, message in selected_twice(mesh, found):
        report(telemetry, _SELECTOR, message)


@check(
    code="IST0160",
    level="error",
    title="Two Telemetries for one namespace",
    why="Istio uses the oldest one and ignores the others.",
    remedy="Merge them into one Telemetry, or give the others a selector.",
)
def several_for_namespace(mesh: Mesh, report: Report) -> None:
    by_namespace: dict[str, list[Resource]] = {}
    for telemetry in mesh.of(TELEMETRY):
        if not selector_labels(telemetry) and not has_target(telemetry):
            by_namespace.setdefault(telemetry.namespace, []).append(telemetry)
    for namespace, found in by_namespace.items():
        for telemetry in found if len(found) > 1 else ():
            others = names([other for other in found[:5] if other is not telemetry])
            report(telemetry, ("metadata", "name"), f"namespace {namespace} also has {others}")
