# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Istio's annotations on Namespaces, Services, workloads and their pods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import INJECT, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    BUILT,
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    NAMESPACE,
    POD,
    SERVICE,
    STATEFUL_SET,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.data.annotations import ANNOTATIONS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.annotation_values import problem_of

_KINDS = (NAMESPACE, SERVICE, DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB)
# Set by Istio itself, or read by its own injection templates, and missing from its list.
_OF_ISTIO = {
    "gateway.istio.io/agentgatewayImage",
    "gateway.istio.io/controller-version",
    "istio.io/rev",
    "sidecar.istio.io/capNetBindService",
    "sidecar.istio.io/status",
}
# Set by istiod in each pod of a node with istio-cni.
_OF_CNI = {
    "sidecar.istio.io/interceptionMode",
    "traffic.sidecar.istio.io/excludeInboundPorts",
    "traffic.sidecar.istio.io/includeInboundPorts",
    "traffic.sidecar.istio.io/includeOutboundIPRanges",
}


class Use(NamedTuple):
    """An annotation of Istio's, and where it is. kind: of the annotated object, Pod within a template."""

    resource: Resource
    path: Path
    kind: str
    name: str
    value: object
    has_label: bool


@check(
    code="IST0107",
    level="warning",
    title="Misplaced annotation",
    why="Nothing reads the annotation on this kind.",
    remedy="Move it to the kind that it belongs to; for pods that is the metadata of the pod template.",
    alone=True,
)
def misplaced_annotation(mesh: Mesh, report: Report) -> None:
    common = _common_annotations(mesh)
    for use in _uses(mesh):
        known = ANNOTATIONS.get(use.name)
        if use.name in common.get(use.resource.source.file, ()):
            continue
        if known and "Any" not in known.kinds and use.kind not in known.kinds:
            report(use.resource, use.path, f"{use.name} belongs to {' or '.join(known.kinds)}, not to {use.kind}")


@check(
    code="IST0108",
    level="warning",
    title="Unknown annotation",
    why="Istio ignores an annotation that it does not know.",
    remedy="Correct the name, or remove the annotation.",
    alone=True,
)
def unknown_annotation(mesh: Mesh, report: Report) -> None:
    for use in _uses(mesh):
        if use.name not in ANNOTATIONS:
            import difflib

            near = difflib.get_close_matches(use.name, ANNOTATIONS, 1)
            hint = f"; nearest known name: {near[0]}" if near else ""
            report(use.resource, use.path, f"Istio has no annotation {use.name}{hint}")


@check(
    code="IST0125",
    level="warning",
    title="Invalid annotation",
    why="The injector refuses the pod, or the proxy starts without the setting.",
    remedy="Correct the value.",
    alone=True,
)
def invalid_annotation(mesh: Mesh, report: Report) -> None:
    for use in _uses(mesh):
        known = ANNOTATIONS.get(use.name)
        if known and use.kind in known.kinds and (problem := problem_of(use.name, use.value)):
            report(use.resource, use.path, f"{use.name}: {problem}")


@check(
    code="IST0135",
    level="info",
    title="Deprecated annotation",
    why="A later release may ignore it.",
    remedy="Use its successor from Istio's annotation reference.",
    alone=True,
)
def deprecated_annotation(mesh: Mesh, report: Report) -> None:
    for use in _uses(mesh):
        known = ANNOTATIONS.get(use.name)
        # An object that also has the label supports old releases on purpose.
        if known and known.deprecated and not (use.name == INJECT and use.has_label):
            instead = f"; use the label {INJECT}" if use.name == INJECT else ""
            report(use.resource, use.path, f"{use.name} is deprecated{instead}")


@check(
    code="IST0136",
    level="info",
    title="Alpha annotation",
    why="An alpha feature may change or disappear with any release.",
    remedy="Nothing, except to know this.",
    # Most of Istio's annotations are alpha, and istioctl reports them in its precheck only.
    enabled=False,
    alone=True,
)
def alpha_annotation(mesh: Mesh, report: Report) -> None:
    for use in _uses(mesh):
        known = ANNOTATIONS.get(use.name)
        by_istio = use.name in _OF_CNI and bool(use.resource.status)
        if known and known.maturity == "alpha" and not by_istio:
            report(use.resource, use.path, f"{use.name} is alpha")


def _common_annotations(mesh: Mesh) -> dict[str, set[str]]:
    """Of each kustomization, the annotations that it gives every object, pods of workloads included."""
    of_pods: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for use in _uses(mesh):
        if use.kind == POD.kind and use.resource.source.file.endswith(BUILT):
            of_pods[use.resource.source.file].add((use.name, str(use.value)))
    for item in mesh.all() if of_pods else ():
        if item.source.file in of_pods:
            of_pods[item.source.file] &= {(str(name), str(value)) for name, value in item.annotations.items()}
    return {file: {name for name, _value in found} for file, found in of_pods.items()}


@once_per_mesh
def _uses(mesh: Mesh) -> list[Use]:
    return list(_all_uses(mesh))


def _all_uses(mesh: Mesh) -> Iterator[Use]:
    for resource in mesh.of(*_KINDS):
        if resource.annotations:
            yield from _of(resource, ("metadata",), resource.kind.kind, resource.annotations, resource.labels)
    for workload in mesh.workloads:
        # A pod of a controller has them from the template.
        if workload.annotations:
            path = (*workload.template, "metadata")
            yield from _of(workload.resource, path, "Pod", workload.annotations, workload.labels)


def _of(resource: Resource, path: Path, kind: str, annotations: object, labels: object) -> Iterator[Use]:
    if not isinstance(annotations, dict):
        return
    for name, value in annotations.items():
        if isinstance(name, str) and _is_of_istio(name):
            has_label = isinstance(labels, dict) and INJECT in labels
            yield Use(resource, (*path, "annotations", name), kind, name, value, has_label)


def _is_of_istio(name: str) -> bool:
    if "istio.io" not in name:
        return name == "kubernetes.io/ingress.class"
    return name.partition("/")[0].endswith("istio.io") and name not in _OF_ISTIO
