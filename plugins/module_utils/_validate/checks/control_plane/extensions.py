# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Extensions of proxies: WasmPlugins, TrafficExtensions, ProxyConfigs, and the workloads that EnvoyFilters select."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_workloads
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import is_guess_of_workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import has_target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    ENVOY_FILTER,
    POD,
    PROXY_CONFIG,
    TRAFFIC_EXTENSION,
    WASM_PLUGIN,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


@check(
    code="MESH501",
    level="warning",
    title="Extension without workloads",
    why="It has no effect: no workload has these labels.",
    remedy="Correct the selector or the namespace.",
    needs=[POD],
)
def extension_without_workload(mesh: Mesh, report: Report) -> None:
    for resource in mesh.of(ENVOY_FILTER, PROXY_CONFIG, TRAFFIC_EXTENSION, WASM_PLUGIN):
        if resource.kind == ENVOY_FILTER:
            path: Path = ("spec", "workloadSelector", "labels")
            labels = part(resource.spec, "workloadSelector", "labels")
        else:
            path = ("spec", "selector", "matchLabels")
            labels = dict(selector_labels(resource))
        if not labels or has_target(resource) or mesh.selected(resource.namespace, labels):
            continue
        # Files of one namespace do not show that another one has no workloads.
        if lacking := unseen_workloads(mesh, resource.namespace, labels, resource):
            report.undecided(lacking)
            continue
        text = ",".join(f"{key}={value}" for key, value in labels.items())
        report(resource, path, f"no workload has the labels {text}", milder=is_guess_of_workload(mesh, resource))


@check(
    code="MESH504",
    level="info",
    title="Wasm module that can change under its name",
    why="Proxies fetch the module when they start: two pods of one workload may run different code.",
    remedy="Name the module by digest (@sha256:...), or set sha256.",
    alone=True,
)
def unpinned_module(mesh: Mesh, report: Report) -> None:
    for resource, path, module in _modules(mesh):
        url = str(module.get("url") or "")
        if not url or module.get("sha256") or "@sha256:" in url or url.startswith("file://"):
            continue
        tag = url.rpartition("/")[2].partition(":")[2]
        if url.startswith(("http://", "https://")) or tag in ("", "latest"):
            report(resource, (*path, "url"), f"{url!r} is neither a digest nor a fixed tag, and sha256 is not set")


def _modules(mesh: Mesh) -> Iterator[tuple[Resource, Path, Object]]:
    for plugin in mesh.of(WASM_PLUGIN):
        yield plugin, ("spec",), plugin.spec
    for extension in mesh.of(TRAFFIC_EXTENSION):
        yield extension, ("spec", "wasm"), part(extension.spec, "wasm")
