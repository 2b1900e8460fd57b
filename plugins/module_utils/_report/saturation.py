# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How full containers are, the fourth golden signal: CPU and memory against their limits, as Prometheus knows them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.usage import EACH_CONTAINER, used_query
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import SERVICE
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Fetch, result_of, vector
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.traffic import Name

# A native sidecar is an init container that keeps running.
_LIMIT = (
    f'max by ({EACH_CONTAINER}) (kube_pod_container_resource_limits{{resource="%s"}}'
    ' or kube_pod_init_container_resource_limits{resource="%s"})'
)


# Resource -> (namespace, pod) -> share of the limit, 0 to 1.
Saturation = Mapping[str, Mapping[Name, float]]


def read_saturation(fetch: Fetch, window: str) -> Saturation:
    """For each pod, the container nearest to its limit. Two queries. Raises SourceFailure without an answer."""
    found = {}
    for resource in ("cpu", "memory"):
        share = f"max by (namespace, pod) ({used_query(resource, window)} / {_LIMIT % (resource, resource)})"
        answer = vector(result_of(*fetch("/api/v1/query", {"query": share})))
        shares = {}
        for labels, value in answer.items():
            pod = dict(labels)
            if math.isfinite(value):
                shares[(pod.get("namespace", ""), pod.get("pod", ""))] = value
        found[resource] = shares
    return found


def by_service(mesh: Mesh, saturation: Saturation) -> dict[Name, dict[str, float]]:
    """For each Service, its fullest pod: resource to percent of the limit. Services without data are left out."""
    found: dict[Name, dict[str, float]] = {}
    for service in mesh.of(SERVICE):
        pods = [(pod.namespace, pod.name) for workload in mesh.behind(service) for pod in workload.pods]
        fullest = {
            resource: round(max(known) * 100, 1)
            for resource, shares in saturation.items()
            if (known := [shares[pod] for pod in pods if pod in shares])
        }
        if fullest:
            found[(service.namespace, service.name)] = fullest
    return found
