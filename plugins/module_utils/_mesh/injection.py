# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a pod gets a sidecar, by the injector's webhooks if the input has them, else by the rules of Istio's own."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.label_selectors import selector_matches
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    INJECT,
    INJECTION,
    NAME_LABEL,
    REVISION,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CONFIG_MAP,
    MUTATING_WEBHOOK,
    Resource,
)

_INJECTOR = "istio-sidecar-injector"


@once_per_mesh
def webhooks(mesh: Mesh) -> list[Object]:
    """Istio's webhooks that inject."""
    return [
        webhook
        for configuration in mesh.of(MUTATING_WEBHOOK)
        for _index, webhook in items(configuration.obj, "webhooks")
        if str(webhook.get("name") or "").endswith("istio.io")
    ]


def is_injected(mesh: Mesh, namespace: str, pod_labels: Mapping[str, str]) -> bool | None:
    """Whether a new pod would get a proxy; None if the input does not show it."""
    labels = mesh.namespace_labels(namespace)
    wish = pod_labels.get(INJECT)
    if labels is None:
        return None
    if known := webhooks(mesh):
        named = {NAME_LABEL: namespace, **labels}
        return any(
            selector_matches(webhook.get("namespaceSelector"), named)
            and selector_matches(webhook.get("objectSelector"), pod_labels)
            for webhook in known
        )
    if wish == "false" or labels.get(INJECTION) == "disabled":
        return False
    return labels.get(INJECTION) == "enabled" or REVISION in labels or wish == "true" or REVISION in pod_labels


@once_per_mesh
def injectors(mesh: Mesh) -> dict[str, Object]:
    """The values of each revision's injector."""
    return {
        found.name: _values(found)
        for found in mesh.of(CONFIG_MAP)
        if found.name == _INJECTOR or found.name.startswith(f"{_INJECTOR}-")
    }


def injector_of(mesh: Mesh, revision: str | None) -> Object:
    """The values of a revision's injector; empty if the input has none."""
    name = _INJECTOR if revision in (None, "", "default") else f"{_INJECTOR}-{revision}"
    return injectors(mesh).get(name, {})


def _values(config_map: Resource) -> Object:
    text = part(config_map.obj, "data").get("values")
    try:
        values = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
