# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which versions are in a cluster by a canary's decision, and not by the inventory's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.images import version_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import DECLARED_IMAGE, IMAGE
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Split
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

# The route of each service to its slots.
_ROUTE = "primary"


def decided_versions(
    deployments: Sequence[Object], virtual_services: Sequence[Object], without: Collection[str]
) -> Iterator[str]:
    """A sentence for each version that has traffic. ``without``: names of Deployments that are left out."""
    for deployment in deployments:
        metadata = deployment["metadata"]
        annotations = metadata.get("annotations") or {}
        decided, declared = annotations.get(IMAGE), annotations.get(DECLARED_IMAGE, "")
        if metadata["name"] in without or decided in (None, "", declared):
            continue
        service, slot = metadata["labels"]["app"], metadata["labels"]["version"]
        weight = _weight(virtual_services, service, slot)
        if weight:
            yield (
                f"{service} keeps version {version_of(decided)} (slot {slot}, {weight} %), which a canary "
                f"{'promoted' if weight == 100 else 'decided'}; the inventory asks for {version_of(declared)}. "
                "To deploy another version: change its image tag."
            )


def _weight(virtual_services: Sequence[Object], service: str, slot: str) -> int:
    """Percent of the service's requests inside the mesh."""
    for virtual_service in virtual_services:
        if virtual_service["metadata"]["name"] == service:
            for found in VirtualService(virtual_service).weights(Split(host=service, route=_ROUTE)).values():
                return found.get(slot, 0)
    return 0
