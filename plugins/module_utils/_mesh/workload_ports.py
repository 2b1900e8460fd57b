# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The ports that workloads listen on, according to their Services and containers."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.protocols import (
    HTTP,
    PROTOCOLS,
    protocol_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload

# Unless the mesh's TLS is inside, Istio sees no HTTP in these.
_OPAQUE = set(PROTOCOLS) - HTTP


def container_ports(workload: Workload) -> Iterator[tuple[Path, Object]]:
    """Each port that a container of the application declares, with its path in the workload's resource."""
    for number, container in items(workload.pod_spec, "containers"):
        if container.get("name") == PROXY:
            continue
        for index, port in items(container, "ports"):
            yield (*workload.template, "spec", "containers", number, "ports", index), port


def is_opaque(protocol: str) -> bool:
    """Whether HTTP attributes are never visible on such a port."""
    return protocol in _OPAQUE


def target_port(port: Object, workload: Workload) -> int | None:
    """The workload's port behind a port of its Service."""
    target = port.get("targetPort", port.get("port"))
    if isinstance(target, str) and not target.isdigit():
        named = (item.get("containerPort") for _path, item in container_ports(workload) if item.get("name") == target)
        target = next(named, None)
    if isinstance(target, str):
        target = int(target)
    return target if isinstance(target, int) and not isinstance(target, bool) else None


@once_per_mesh
def ports_by_workload(mesh: Mesh) -> dict[int, dict[int, set[str]]]:
    """Protocols of each port behind a Service, by ``id(workload)``."""
    by_id = {id(workload): workload for workload in mesh.workloads}
    found: dict[int, dict[int, set[str]]] = {}
    for key, services in mesh.services_by_workload.items():
        ports = found.setdefault(key, {})
        for service in services:
            for _index, port in items(service.spec, "ports"):
                if (number := target_port(port, by_id[key])) is not None:
                    ports.setdefault(number, set()).add(protocol_of(port))
    return found


def listens_on(mesh: Mesh, workload: Workload) -> set[int]:
    """Ports of the workload that its Services or containers declare; none if neither does."""
    declared = [port.get("containerPort") for _path, port in container_ports(workload)]
    numbers = {number for number in declared if isinstance(number, int) and not isinstance(number, bool)}
    return numbers | set(ports_by_workload(mesh).get(id(workload), ()))
