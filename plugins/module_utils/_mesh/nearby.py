# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether an object's files can be expected to hold what it names: its neighbours hold, or find, more of the kind.

A repository of examples, or of many teams, has objects of one namespace in folders that know nothing of each other.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    GATEWAY,
    GRPC_ROUTE,
    HTTP_ROUTE,
    K8S_GATEWAY,
    SERVICE,
    Resource,
)


def folder_of(resource: Resource) -> str:
    return os.path.dirname(resource.source.file)


@dataclass
class _Folders:
    """above: the folders and all of those that they are in."""

    own: set[str] = field(default_factory=set)
    above: set[str] = field(default_factory=set)

    def add(self, folder: str) -> None:
        if folder not in self.own:
            self.own.add(folder)
            self.above.update(_way_to(folder))

    def are_near(self, folder: str) -> bool:
        """One of them is the same folder, above it or below it."""
        return folder in self.above or not self.own.isdisjoint(_way_to(folder))


def _way_to(folder: str) -> Iterator[str]:
    yield ""
    end = folder.find("/")
    while end >= 0:
        yield folder[:end]
        end = folder.find("/", end + 1)
    yield folder


def expects_services(mesh: Mesh, reference: Resource, namespace: str) -> bool:
    """Whether the object's files can be expected to hold the namespace's Services."""
    if reference.is_live or _is_near(reference, _services_by_folder(mesh).get(namespace)):
        return True
    finders = _finders(mesh).get(namespace)
    return finders is not None and folder_of(reference) in finders.own


def expects_workloads(mesh: Mesh, reference: Resource, namespace: str) -> bool:
    """The same for the namespace's workloads."""
    return reference.is_live or _is_near(reference, _workloads_by_folder(mesh).get(namespace))


def expects_gateway(mesh: Mesh, reference: Resource) -> bool:
    """Whether a Gateway of the object's own namespace is here: not in files of several, without namespaces."""
    if reference.states_namespace or reference.is_live:
        return True
    mine = _Folders()
    mine.add(folder_of(reference))
    own = [item for item in mesh.of(GATEWAY, K8S_GATEWAY) if item.namespace == reference.namespace]
    return len([item for item in own if mine.are_near(folder_of(item))]) == 1


def _is_near(reference: Resource, folders: _Folders | None) -> bool:
    return folders is not None and folders.are_near(folder_of(reference))


@once_per_mesh
def _services_by_folder(mesh: Mesh) -> Mapping[str, _Folders]:
    return _by_folder((service.namespace, service) for service in mesh.of(SERVICE))


@once_per_mesh
def _workloads_by_folder(mesh: Mesh) -> Mapping[str, _Folders]:
    return _by_folder((workload.namespace, workload.resource) for workload in mesh.workloads)


@once_per_mesh
def _finders(mesh: Mesh) -> Mapping[str, _Folders]:
    """By namespace: folders of which an object names a Service of it that the input has."""
    return _by_folder(_found(mesh))


def _found(mesh: Mesh) -> Iterable[tuple[str, Resource]]:
    domain = mesh.settings.cluster_domain
    named = [(service, destination.host) for service, destination in mesh.destinations]
    named += [
        (rule, mesh.qualified(str(rule.spec.get("host") or ""), rule.namespace)) for rule in mesh.of(DESTINATION_RULE)
    ]
    for resource, host in named:
        place = hosts.service_of(host, domain)
        if place and mesh.find(SERVICE, *place):
            yield place[0], resource
    for route in mesh.of(HTTP_ROUTE, GRPC_ROUTE):
        for _at, rule in items(route.spec, "rules"):
            for _index, backend in items(rule, "backendRefs"):
                namespace = str(backend.get("namespace") or route.namespace)
                if mesh.find(SERVICE, namespace, str(backend.get("name") or "")):
                    yield namespace, route


def _by_folder(found: Iterable[tuple[str, Resource]]) -> Mapping[str, _Folders]:
    folders: dict[str, _Folders] = defaultdict(_Folders)
    for namespace, resource in found:
        folders[namespace].add(folder_of(resource))
    return folders
