# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The canaries' newest runs, from the VirtualServices that carry them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_look import look
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_objects import CanaryFailure, Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_report import View, described
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import (
    State,
    StateFailure,
    states_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import VIRTUAL_SERVICE


def canaries(
    cluster: Cluster, mesh: Mesh, namespaces: Sequence[str], now: float, notes: list[str]
) -> list[dict[str, Any]]:
    """What module canary_info returns of each service with a run, its namespace beside it; the newest run first.

    Where the account may not look at the service, the run tells alone, and ``notes`` say so.
    """
    found = []
    for namespace, state in _runs(mesh, namespaces, notes):
        try:
            view = look(cluster, namespace, state.service, state.virtual_services, now)
        except (ApiFailure, CanaryFailure) as failure:
            notes.append(f"the run of {namespace}/{state.service} tells of itself alone: {failure}")
            view = View(service=state.service.partition(".")[0], now=now, state=state)
            found.append({"namespace": namespace, **described(view), "weights": {}})
            continue
        found.append({"namespace": namespace, **described(view)})
    return sorted(found, key=lambda item: str(item["started"]), reverse=True)


def _runs(mesh: Mesh, namespaces: Sequence[str], notes: list[str]) -> Iterator[tuple[str, State]]:
    """Namespace and state of each run, from the VirtualService whose copy decides."""
    for resource in mesh.of(VIRTUAL_SERVICE):
        if namespaces and resource.namespace not in namespaces:
            continue
        try:
            states = states_of(resource.obj)
        except StateFailure as failure:
            notes.append(f"VirtualService {resource.namespace}/{resource.name} carries a run, but {failure}")
            continue
        for state in states.values():
            if state.virtual_services and state.virtual_services[0] == resource.name:
                yield resource.namespace, state
