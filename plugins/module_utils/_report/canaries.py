# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The canaries' newest runs, from the VirtualServices that record them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    State,
    Unreadable,
    every_stored,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.overview import observe
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.status import CanaryStatus, described
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, MeshCluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GRPC_ROUTE,
    HTTP_ROUTE,
    VIRTUAL_SERVICE,
)


def canaries(
    cluster: MeshCluster, mesh: Mesh, namespaces: Sequence[str], now: float, notes: list[str]
) -> list[dict[str, Any]]:
    """What module canary_info returns for each service with a run, together with its namespace; the newest run first.

    If the account may not read the service, only the run's record is used, and ``notes`` say so.
    """
    found = []
    for namespace, state in _runs(mesh, namespaces, notes):
        try:
            status = observe(cluster, namespace, state.service, state.where, now)
        except (ApiFailure, CanaryFailure) as failure:
            notes.append(f"the run of {namespace}/{state.service} is shown from its record only: {failure}")
            status = CanaryStatus(service=state.service.partition(".")[0], now=now, state=state)
            found.append({"namespace": namespace, **described(status), "weights": {}})
            continue
        found.append({"namespace": namespace, **described(status)})
    return sorted(found, key=lambda item: str(item["started"]), reverse=True)


def _runs(mesh: Mesh, namespaces: Sequence[str], notes: list[str]) -> Iterator[tuple[str, State]]:
    """Namespace and state of each run, from the route object whose copy is authoritative."""
    for resource in mesh.of(VIRTUAL_SERVICE, HTTP_ROUTE, GRPC_ROUTE):
        if namespaces and resource.namespace not in namespaces:
            continue
        for state in every_stored(resource.obj).values():
            if isinstance(state, Unreadable):
                notes.append(
                    f"{resource.kind.kind} {resource.namespace}/{resource.name} records a run, but {state.problem}"
                )
            elif state.is_first(resource.kind.kind, resource.name):
                yield resource.namespace, state
