# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What runs, or would run: Deployments and their like as well as Pods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import has_proxy, is_ready
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CRON_JOB,
    DEPLOYMENT,
    POD,
    REPLICA_SET,
    Kind,
    Path,
    Resource,
)

ROLLOUT = Kind("argoproj.io", "Rollout")
# Kinds outside of Kubernetes whose pods are those of their template, and no others. Groups that it had earlier.
PLAIN_CONTROLLERS = frozenset(
    {
        ROLLOUT,
        Kind("apps.kruise.io", "CloneSet"),
        Kind("apps.kruise.io", "DaemonSet"),
        Kind("apps.kruise.io", "StatefulSet"),
        Kind("apps.openshift.io", "DeploymentConfig"),
    }
)

# Labels that the injector gives a pod which does not have them: from the first of these labels, else from the owner's
# name, or "latest".
_CANONICAL_NAME = "service.istio.io/canonical-name"
_INJECTED: Mapping[str, tuple[str, ...]] = {
    _CANONICAL_NAME: ("app.kubernetes.io/name", "app"),
    "service.istio.io/canonical-revision": ("app.kubernetes.io/version", "version"),
}


class Workload:
    """Pods of one template, or one pod without a controller.

    replicas: desired pods, None if not given; ready: ready pods, None without a status.
    template: path of the pod's metadata and spec in the resource.
    """

    __slots__ = ("annotations", "labels", "namespace", "pod_spec", "pods", "replicas", "resource", "template")

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.namespace = resource.namespace
        self.template: Path = _template(resource)
        pod: Any = resource.obj
        for step in self.template:
            pod = pod.get(step) if isinstance(pod, dict) else None
        metadata = part(pod, "metadata")
        self.labels: Mapping[str, str] = part(metadata, "labels")
        self.annotations: Mapping[str, str] = part(metadata, "annotations")
        self.pod_spec: Object = part(pod, "spec")
        self.pods: list[Resource] = [resource] if resource.kind == POD else []
        replicas = resource.spec.get("replicas")
        self.replicas: int | None = replicas if isinstance(replicas, int) else None

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def service_account(self) -> str:
        return str(self.pod_spec.get("serviceAccountName") or "default")

    @property
    def containers(self) -> list[Object]:
        found = self.pod_spec.get("containers")
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    @property
    def ready(self) -> int | None:
        if any(pod.status for pod in self.pods):
            return sum(is_ready(pod.obj) for pod in self.pods)
        if self.replicas == 0:
            return 0
        ready = self.resource.status.get("readyReplicas")
        return ready if isinstance(ready, int) else (0 if self.resource.status.get("replicas") else None)

    @property
    def has_proxy(self) -> bool:
        """Whether the proxy is there already: in a running pod, or written into the template."""
        specs = [pod.spec for pod in self.pods] or [self.pod_spec]
        return any(has_proxy(spec) for spec in specs)

    def __repr__(self) -> str:
        return repr(self.resource)


def has_pod_template(resource: Resource) -> bool:
    """Whether an object of any kind has a template of pods where Deployments have it."""
    return isinstance(part(resource.spec, "template", "spec").get("containers"), list)


def _template(resource: Resource) -> Path:
    if resource.kind == POD:
        return ()
    if resource.kind == CRON_JOB:
        return ("spec", "jobTemplate", "spec", "template")
    return ("spec", "template")


def workloads_of(resources: Iterable[Resource]) -> list[Workload]:
    """One for each controller, with its pods; one for each pod without a controller among the resources.

    A ReplicaSet belongs to its Deployment, a pod to its ReplicaSet's Deployment.
    """
    everything = list(resources)
    by_name = {(item.kind.kind, item.namespace, item.name): item for item in everything}
    workloads: dict[int, Workload] = {}
    pods: list[tuple[Resource, Resource | None]] = []
    for item in everything:
        owner = _top_owner(item, by_name)
        if item.kind == POD:
            pods.append((item, owner))
        elif owner is None:
            workloads[id(item)] = Workload(item)
    for pod, owner in pods:
        if owner is not None and id(owner) in workloads:
            workloads[id(owner)].pods.append(pod)
        else:
            workloads[id(pod)] = Workload(pod)
    _scale_by_rollouts(everything, workloads)
    return list(workloads.values())


def _scale_by_rollouts(everything: Iterable[Resource], workloads: Mapping[int, Workload]) -> None:
    """A Rollout may run the template of a Deployment, which then has 0 replicas itself."""
    for rollout in everything:
        if rollout.kind != ROLLOUT or not (reference := part(rollout.spec, "workloadRef")):
            continue
        for workload in workloads.values():
            place = (workload.resource.kind.kind, workload.namespace, workload.name)
            if place == (reference.get("kind"), rollout.namespace, reference.get("name")):
                replicas = rollout.spec.get("replicas")
                workload.replicas = replicas if isinstance(replicas, int) else None


def _top_owner(item: Resource, by_name: Mapping[tuple[str, str, str], Resource]) -> Resource | None:
    owner: Resource | None = None
    while found := _owner(item if owner is None else owner, by_name):
        if found is owner or found is item:
            break
        owner = found
    return owner


def _owner(item: Resource, by_name: Mapping[tuple[str, str, str], Resource]) -> Resource | None:
    for _index, reference in items(item.obj, "metadata", "ownerReferences"):
        if not reference.get("controller", True):
            continue
        kind, name = str(reference.get("kind")), str(reference.get("name"))
        found = by_name.get((kind, item.namespace, name))
        if found is None and kind == REPLICA_SET.kind:
            # The ReplicaSet was not read. Its name is its Deployment's and the pods' hash.
            suffix = f"-{item.labels.get('pod-template-hash')}"
            found = by_name.get((DEPLOYMENT.kind, item.namespace, name.removesuffix(suffix)))
        if found is not None:
            return found
    return None


class LabelIndex:
    """Finds the workloads that have all labels of a selector without iterating over every workload."""

    def __init__(self, workloads: Sequence[Workload]) -> None:
        self._by_namespace: dict[str, list[Workload]] = defaultdict(list)
        self._by_label: dict[tuple[str, str, str], list[Workload]] = defaultdict(list)
        for workload in workloads:
            self._by_namespace[workload.namespace].append(workload)
            for key, value in workload.labels.items():
                self._by_label[(workload.namespace, str(key), str(value))].append(workload)

    def matching(self, namespace: str, labels: Mapping[str, Any]) -> list[Workload]:
        """All of the namespace if there are no labels."""
        if not labels:
            return list(self._by_namespace.get(namespace, ()))
        if not _INJECTED.keys().isdisjoint(labels):
            return [
                workload
                for workload in self._by_namespace.get(namespace, ())
                if all(str(_label(workload, key)) == str(value) for key, value in labels.items())
            ]
        wanted = [(namespace, str(key), str(value)) for key, value in labels.items()]
        rarest = min((self._by_label.get(key, []) for key in wanted), key=len)
        return [
            workload
            for workload in rarest
            if all(str(workload.labels.get(key)) == value for _namespace, key, value in wanted)
        ]

    def everywhere(self, labels: Mapping[str, Any]) -> Iterator[Workload]:
        for namespace in self._by_namespace:
            yield from self.matching(namespace, labels)


def _label(workload: Workload, key: str) -> object:
    """Of its pods, with what the injector adds."""
    if key in workload.labels or key not in _INJECTED:
        return workload.labels.get(key)
    other = workload.name if key == _CANONICAL_NAME else "latest"
    return next((workload.labels[name] for name in _INJECTED[key] if name in workload.labels), other)
