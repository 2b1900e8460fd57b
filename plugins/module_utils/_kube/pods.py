# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a Pod object reports about its life and its containers."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

PROXY = "istio-proxy"


def has_ended(pod: Object) -> bool:
    """None of its containers runs, and none will."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def living(pods: Sequence[Object]) -> list[Object]:
    """Without those that have ended or are on their way out."""
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp") and not has_ended(pod)]


def has_sidecar(pod: Object) -> bool:
    """Native sidecars are init containers that keep running."""
    spec = pod["spec"]
    return any(
        container["name"] == PROXY for key in ("containers", "initContainers") for container in spec.get(key) or ()
    )


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
