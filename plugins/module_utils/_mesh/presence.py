# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which mesh the input is for: Istio or Linkerd. Files may be for another one, or for a controller without a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import is_istio_class
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    DATAPLANE,
    INJECT,
    INJECTION,
    ISTIO_VERSION,
    REVISION,
    TARGET_VERSION,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY_CLASS,
    K8S_GATEWAY,
    NAMESPACE,
    SERVICE,
    Resource,
)

_ISTIO = "istio"
_ISTIOS_LABELS = (DATAPLANE, INJECT, INJECTION, REVISION)
_LINKERDS_SWITCH = "linkerd.io/inject"


@once_per_mesh
def has_istio(mesh: Mesh) -> bool:
    """Whether anything shows that the cluster has Istio: the options, an object of Istio's, a label, or a name."""
    facts = mesh.settings.facts
    return (
        bool(facts.get(ISTIO_VERSION) or facts.get(TARGET_VERSION))
        or any(kind.group.endswith("istio.io") for kind in mesh.kinds)
        or any(is_istio_class(mesh, gateway) for gateway in mesh.of(K8S_GATEWAY))
        or any("istio.io/" in str(item.spec.get("controllerName")) for item in mesh.of(GATEWAY_CLASS))
        or any(_has_label(workload.labels) or _has_label(workload.annotations) for workload in mesh.workloads)
        or any(_ISTIO in item.name or _ISTIO in item.namespace or _has_label(item.labels) for item in mesh.all())
    )


def _has_label(labels: Mapping[str, Any]) -> bool:
    return any(label in labels for label in _ISTIOS_LABELS)


def is_linkerds(mesh: Mesh, namespace: str, service: str) -> bool:
    """Whether the pods behind a Service have Linkerd's proxy, or their namespace requests it."""
    place = mesh.find(NAMESPACE, "", namespace)
    if place and _requests_linkerd(place.annotations):
        return True
    found: Resource | None = mesh.find(SERVICE, namespace, service)
    return found is not None and any(_requests_linkerd(workload.annotations) for workload in mesh.behind(found))


def _requests_linkerd(annotations: Mapping[str, Any]) -> bool:
    return annotations.get(_LINKERDS_SWITCH) in ("enabled", "ingress")
