# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a Pod object reports about its life and its containers, whatever its shape: it may come from a file."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

PROXY = "istio-proxy"


def has_ended(pod: Object) -> bool:
    """None of its containers runs, and none will."""
    return part(pod, "status").get("phase") in ("Succeeded", "Failed")


def is_living(pod: Object) -> bool:
    """It has not ended, and nothing has asked it to."""
    return not part(pod, "metadata").get("deletionTimestamp") and not has_ended(pod)


def living(pods: Sequence[Object]) -> list[Object]:
    return [pod for pod in pods if is_living(pod)]


def has_proxy(spec: Object) -> bool:
    """``spec``: a pod's, or of a template. Native sidecars are init containers that keep running."""
    return any(
        container.get("name") == PROXY
        for field in ("containers", "initContainers")
        for _index, container in items(spec, field)
    )


def has_sidecar(pod: Object) -> bool:
    return has_proxy(part(pod, "spec"))


def is_ready(obj: Object) -> bool:
    """A pod or a node."""
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for _index, condition in items(obj, "status", "conditions")
    )
