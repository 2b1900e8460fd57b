# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Labels of Namespaces that turn injection on and off."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.injection import (
    injector_of,
    is_injected,
    webhooks,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    DATAPLANE,
    INJECT,
    INJECTION,
    REVISION,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CONFIG_MAP,
    MUTATING_WEBHOOK,
    NAMESPACE,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_LABELS = ("metadata", "labels")


@check(
    code="IST0102",
    level="info",
    title="Namespace without injection",
    why="Its pods get no sidecar, and nothing shows that this is intended.",
    remedy="Label it istio-injection=enabled, or istio-injection=disabled if it should stay outside.",
)
def namespace_without_injection(mesh: Mesh, report: Report) -> None:
    for namespace in mesh.of(NAMESPACE):
        if _is_of_the_system(mesh, namespace) or not _has_no_label(namespace) or _is_default_on(mesh, namespace):
            continue
        # A gateway's namespace needs no label: it would also decide for the gateway's pods.
        if not any(_asks_itself(workload.labels) for workload in mesh.labels.matching(namespace.name, {})):
            report(namespace, ("metadata", "name"), f"namespace {namespace.name} has no label for injection")


@check(
    code="IST0148",
    level="info",
    title="Namespace injected by default",
    why="Istio is installed with enableNamespacesByDefault: pods get a sidecar without any label.",
    remedy="Nothing if this is intended. Otherwise label it istio-injection=disabled.",
    needs=[CONFIG_MAP],
)
def namespace_injected_by_default(mesh: Mesh, report: Report) -> None:
    for namespace in mesh.of(NAMESPACE):
        if not _is_of_the_system(mesh, namespace) and _has_no_label(namespace) and _is_default_on(mesh, namespace):
            report(namespace, ("metadata", "name"), f"namespace {namespace.name} is injected by default")


@check(
    code="IST0123",
    level="warning",
    title="Several labels for injection",
    why="istio-injection overrides istio.io/rev, and sidecars and ambient mode exclude each other.",
    remedy="Keep one of the labels.",
    alone=True,
)
def several_injection_labels(mesh: Mesh, report: Report) -> None:
    for namespace in mesh.of(NAMESPACE):
        switch = namespace.labels.get(INJECTION)
        found = [f"{INJECTION}={switch}"] if switch is not None else []
        # With istio-injection=disabled the others evidently do not count.
        if switch in (None, "enabled"):
            found += [f"{key}={namespace.labels[key]}" for key in (REVISION, DATAPLANE) if key in namespace.labels]
        if len(found) > 1:
            report(namespace, _LABELS, f"the namespace has {' and '.join(found)}")


@check(
    code="MESH510",
    level="warning",
    title="Injection into a system namespace",
    why="Istio's and Kubernetes' own pods must start before any sidecar can, and some of them would not start at all.",
    remedy="Remove the label, or set istio-injection=disabled.",
    alone=True,
)
def system_namespace_injected(mesh: Mesh, report: Report) -> None:
    for namespace in mesh.of(NAMESPACE):
        if not _is_of_the_system(mesh, namespace):
            continue
        if namespace.labels.get(INJECTION) == "enabled":
            report(namespace, (*_LABELS, INJECTION), f"{namespace.name} is a system namespace")


@check(
    code="MESH511",
    level="warning",
    title="Injection without a webhook",
    why="No injector of Istio selects this namespace: its pods start without a sidecar.",
    remedy="Name an installed revision or tag.",
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


def _has_no_label(namespace: Resource) -> bool:
    labels = namespace.labels
    return not labels.get(INJECTION) and REVISION not in labels and labels.get(DATAPLANE) != "ambient"


def _is_default_on(mesh: Mesh, namespace: Resource) -> bool:
    webhook = part(injector_of(mesh, namespace.labels.get(REVISION)), "sidecarInjectorWebhook")
    return webhook.get("enableNamespacesByDefault") is True


def _asks_itself(labels: object) -> bool:
    return isinstance(labels, dict) and (labels.get(INJECT) == "true" or REVISION in labels)
