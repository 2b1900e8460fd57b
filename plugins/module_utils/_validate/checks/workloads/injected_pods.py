# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Pods that should have a proxy and have none, or have one that cannot start."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY, has_sidecar, is_living
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.injection import is_injected
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    INJECT,
    INJECTION,
    REVISION,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import NAMESPACE, POD, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


@check(
    code="IST0103",
    level="warning",
    title="Pod without a sidecar",
    why="Injection happens when a pod is created: this one was created before, or the injector did not answer.",
    remedy="Restart the workload: kubectl rollout restart.",
    needs=[NAMESPACE, POD],
)
def pod_without_proxy(mesh: Mesh, report: Report) -> None:
    for pod in mesh.of(POD):
        labels = mesh.namespace_labels(pod.namespace) or {}
        switch = labels.get(INJECTION)
        if not (switch == "enabled" or (switch is None and REVISION in labels)):
            continue
        wish = str(pod.labels.get(INJECT, pod.annotations.get(INJECT, ""))).lower()
        if wish == "false" or pod.spec.get("hostNetwork") is True or not is_living(pod.obj) or has_sidecar(pod.obj):
            continue
        if _was_made(pod):
            report(pod, ("metadata", "name"), f"pod {pod.name} has no container {PROXY}")
        else:
            # The file is not applied yet: the injector will take care of it.
            report(
                pod, ("metadata", "name"), f"if pod {pod.name} runs already, it has no container {PROXY}", level="info"
            )


@check(
    code="IST0146",
    level="warning",
    title="image: auto without injection",
    why="Only the injector sets the image. Without it the pods request an image named auto and do not start.",
    remedy='Label the pod template sidecar.istio.io/inject: "true", or turn on injection in the namespace.',
    needs=[NAMESPACE],
)
def automatic_image_not_injected(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        if workload.resource.kind == POD:
            continue
        for path in _automatic_images(workload.pod_spec, (*workload.template, "spec")):
            if is_injected(mesh, workload.namespace, workload.labels) is False:
                report(workload.resource, path, "no injector selects the pods of this template")


@check(
    code="IST0147",
    level="error",
    title="Pod with image: auto",
    why="The injector replaces the image when a pod is created. This pod was not injected, and cannot start.",
    remedy="Label it for injection and recreate it.",
)
def automatic_image_in_pod(mesh: Mesh, report: Report) -> None:
    for pod in mesh.of(POD):
        for path in _automatic_images(pod.spec, ("spec",)):
            if _was_made(pod) or is_injected(mesh, pod.namespace, pod.labels) is not True:
                report(pod, path, "the injector did not replace the image auto")


@check(
    code="MESH512",
    level="info",
    title="Pods in the host's network get no sidecar",
    why="The injector ignores hostNetwork pods: they get no mutual TLS, no policies, no telemetry.",
    remedy="Remove hostNetwork if the pods should be in the mesh; otherwise set sidecar.istio.io/inject: false.",
    needs=[NAMESPACE],
)
def host_network(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        if workload.pod_spec.get("hostNetwork") is not True or workload.has_proxy:
            continue
        wish = str(workload.labels.get(INJECT, workload.annotations.get(INJECT, ""))).lower()
        if wish != "false" and is_injected(mesh, workload.namespace, workload.labels):
            report(workload.resource, (*workload.template, "spec", "hostNetwork"), "the injector ignores hostNetwork")


def _automatic_images(pod_spec: Object, path: Path) -> Iterator[Path]:
    for index, container in items(pod_spec, "containers"):
        if container.get("name") == PROXY and container.get("image") == "auto":
            yield (*path, "containers", index, "image")


def _was_made(pod: Resource) -> bool:
    metadata = part(pod.obj, "metadata")
    return pod.is_live or bool(pod.status or metadata.get("uid") or metadata.get("ownerReferences"))
