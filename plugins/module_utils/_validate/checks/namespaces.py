# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Labels of Namespaces that switch injection on and off."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.injection import (
    injector_of,
    is_injected,
    webhooks,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import (
    DATAPLANE,
    INJECT,
    INJECTION,
    REVISION,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import (
    CONFIG_MAP,
    MUTATING_WEBHOOK,
    NAMESPACE,
    Resource,
    part,
)

_LABELS = ("metadata", "labels")


@check(
    code="IST0102",
    level="info",
    title="Namespace without injection",
    why="Its pods get no sidecar, and nothing says that this is meant.",
    remedy="Label it istio-injection=enabled, or istio-injection=disabled if it is meant to stay outside.",
)
def namespace_without_injection(mesh: Mesh, report: Report) -> None:
    for namespace in mesh.of(NAMESPACE):
        if _is_of_the_system(mesh, namespace) or not _says_nothing(namespace) or _is_default_on(mesh, namespace):
            continue
        # A gateway's namespace is rightly without labels: they would decide for the gateway's pods as well.
        if not any(_asks_itself(workload.labels) for workload in mesh.labels.matching(namespace.name, {})):
            report(namespace, ("metadata", "name"), f"namespace {namespace.name} has no label for injection")


@check(
    code="IST0148",
    level="info",
    title="Namespace injected by default",
    why="Istio is installed with enableNamespacesByDefault: pods get a sidecar without any label.",
    remedy="Nothing if that is meant; else label it istio-injection=disabled.",
    needs=[CONFIG_MAP],
)
def namespace_injected_by_default(mesh: Mesh, report: Report) -> None:
    for namespace in mesh.of(NAMESPACE):
        if not _is_of_the_system(mesh, namespace) and _says_nothing(namespace) and _is_default_on(mesh, namespace):
            report(namespace, ("metadata", "name"), f"namespace {namespace.name} is injected by default")


@check(
    code="IST0123",
    level="warning",
    title="Several labels for injection",
    why="istio-injection wins over istio.io/rev, and sidecars and ambient mode exclude each other.",
    remedy="Keep one of the labels.",
    alone=True,
)
def several_injection_labels(mesh: Mesh, report: Report) -> None:
    for namespace in mesh.of(NAMESPACE):
        switch = namespace.labels.get(INJECTION)
        found = [f"{INJECTION}={switch}"] if switch is not None else []
        # With istio-injection=disabled the others are known not to count.
        if switch in (None, "enabled"):
            found += [f"{key}={namespace.labels[key]}" for key in (REVISION, DATAPLANE) if key in namespace.labels]
        if len(found) > 1:
            report(namespace, _LABELS, f"there are {' and '.join(found)}")


@check(
    code="MESH510",
    level="warning",
    title="Injection into a namespace of the system",
    why="Istio's and Kubernetes' own pods must start before any sidecar can, and some of them would not start at all.",
    remedy="Remove the label, or set istio-injection=disabled.",
    alone=True,
)
def system_namespace_injected(mesh: Mesh, report: Report) -> None:
    for namespace in mesh.of(NAMESPACE):
        if not _is_of_the_system(mesh, namespace):
            continue
        if namespace.labels.get(INJECTION) == "enabled":
            report(namespace, (*_LABELS, INJECTION), f"{namespace.name} belongs to the system")


@check(
    code="MESH511",
    level="warning",
    title="Injection that no webhook does",
    why="No injector of Istio takes this namespace: its pods start without a sidecar.",
    remedy="Name a revision or tag that is installed.",
    needs=[MUTATING_WEBHOOK],
)
def injection_without_webhook(mesh: Mesh, report: Report) -> None:
    if not webhooks(mesh):
        return
    for namespace in mesh.of(NAMESPACE):
        label = INJECTION if INJECTION in namespace.labels else REVISION
        wish = namespace.labels.get(label)
        if wish in (None, "disabled") or namespace.labels.get(DATAPLANE) == "ambient":
            continue
        if is_injected(mesh, namespace.name, {}) is False:
            report(namespace, (*_LABELS, label), f"no injector's webhook selects {label}={wish}")


def _is_of_the_system(mesh: Mesh, namespace: Resource) -> bool:
    return namespace.name == mesh.settings.root_namespace or namespace.name.startswith("kube-")


def _says_nothing(namespace: Resource) -> bool:
    labels = namespace.labels
    return not labels.get(INJECTION) and REVISION not in labels and labels.get(DATAPLANE) != "ambient"


def _is_default_on(mesh: Mesh, namespace: Resource) -> bool:
    webhook = part(injector_of(mesh, namespace.labels.get(REVISION)), "sidecarInjectorWebhook")
    return webhook.get("enableNamespacesByDefault") is True


def _asks_itself(labels: object) -> bool:
    return isinstance(labels, dict) and (labels.get(INJECT) == "true" or REVISION in labels)
