# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The running cluster as the input of a validation: its objects, and what its istiod reports."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import minor_of, tag_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import (
    IstiodFailure,
    Way,
    connected_proxies,
    refuse_without_rights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import Proxy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import AnyCluster, ApiFailure, MeshCluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import ISTIO_VERSION
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live import (
    LiveInput,
    read,
    unread_notes,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live_definitions import read_definitions
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import DEPLOYMENT, Resource

# Seconds; istiod collects changes for a tenth of a second before it pushes.
_SECOND_LOOK = 2
# How a note begins if istiod could not be asked.
PROXIES_UNKNOWN = "it is not known what the proxies accepted"


def read_cluster(cluster: AnyCluster, params: Mapping[str, Any], facts: dict[str, Any], notes: list[str]) -> LiveInput:
    """Adds to the facts of Settings, and notes what could not be read. Raises ApiFailure."""
    live = read(cluster, params["namespaces"], params["istio_namespace"])
    live.resources += read_definitions(cluster, notes)
    facts["proxies"] = _proxies(cluster, params, notes)
    facts["kubernetes_version"] = cluster.version()
    facts[ISTIO_VERSION] = _release(live.resources, params["istio_namespace"])
    notes += unread_notes(live.unread)
    return live


def _proxies(cluster: MeshCluster, params: Mapping[str, Any], notes: list[str]) -> list[dict[str, Any]]:
    """The connected proxies, as the live checks take them; none if istiod cannot be asked."""
    way = Way.of(params)
    try:
        refuse_without_rights(cluster, way)
        found = connected_proxies(cluster, way)
        if any(proxy.stale for proxy in found):
            # A proxy needs a moment to accept what it was sent: only a proxy that stays behind is a fault.
            time.sleep(_SECOND_LOOK)
            behind = {(proxy.namespace, proxy.name): proxy for proxy in found if proxy.stale}
            found = [
                _still(proxy, behind.get((proxy.namespace, proxy.name))) for proxy in connected_proxies(cluster, way)
            ]
    except (ApiFailure, IstiodFailure) as error:
        notes.append(f"{PROXIES_UNKNOWN}: {error}")
        return []
    return [{**asdict(proxy), "stale": list(proxy.stale), "rejected": list(proxy.rejected)} for proxy in found]


def _release(resources: Sequence[Resource], namespace: str) -> str:
    """Of the oldest istiod: what it does not know has no effect in its proxies. Empty if images name no version."""
    minors = {
        minor_of(tag_of(container.get("image")))
        for plane in resources
        if plane.kind == DEPLOYMENT and plane.namespace == namespace and plane.labels.get("app") == "istiod"
        for _index, container in items(plane.spec, "template", "spec", "containers")
    }
    known = sorted(minor for minor in minors if minor)
    return f"{known[0][0]}.{known[0][1]}" if known else ""


def _still(proxy: Proxy, before: Proxy | None) -> Proxy:
    """Keeps only the types that both reads show as not accepted."""
    return replace(proxy, stale=tuple(kind for kind in proxy.stale if before is not None and kind in before.stale))
