# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""VirtualServices that delegate their routes to others."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_virtual_service
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import VIRTUAL_SERVICE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import visible
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


def _delegates(service: Resource) -> list[tuple[int, str, str]]:
    """(index of the route, namespace, name) of each."""
    found = []
    for index, route in items(service.spec, "http"):
        delegate = route.get("delegate")
        if isinstance(delegate, dict) and delegate.get("name"):
            found.append((index, str(delegate.get("namespace") or service.namespace), str(delegate["name"])))
    return found


@check(
    code="MESH221",
    level="error",
    title="Delegate that cannot be used",
    why="istiod drops the route, so its requests get 404.",
    remedy="Name a VirtualService that exists, has no hosts and no gateways, and is exported to this namespace.",
)
def unusable_delegate(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(VIRTUAL_SERVICE):
        for index, namespace, name in _delegates(service):
            path = ("spec", "http", index, "delegate", "name")
            found = mesh.find(VIRTUAL_SERVICE, namespace, name)
            if found is None and (lacking := unseen_virtual_service(mesh, namespace, name)):
                report.undecided(lacking)
            elif found is None:
                report(service, path, f"delegate VirtualService {namespace}/{name} does not exist")
            elif found is service:
                report(service, path, f"VirtualService {namespace}/{name} delegates to itself")
            elif texts(found.spec, "hosts"):
                report(service, path, f"delegate VirtualService {namespace}/{name} has its own hosts")
            elif not visible(found, service.namespace):
                report(
                    service, path, f"delegate VirtualService {namespace}/{name} is not exported to {service.namespace}"
                )


@check(
    code="MESH222",
    level="warning",
    title="Unused delegate",
    why="A VirtualService without hosts applies only if another one delegates to it.",
    remedy="Add hosts, delegate to it, or remove it.",
)
def unused_delegate(mesh: Mesh, report: Report) -> None:
    used = {(namespace, name) for service in mesh.of(VIRTUAL_SERVICE) for _i, namespace, name in _delegates(service)}
    for service in mesh.of(VIRTUAL_SERVICE):
        if not service.spec.get("hosts") and service.spec and (service.namespace, service.name) not in used:
            report(service, ("spec",), "no hosts, and no VirtualService delegates to it")
