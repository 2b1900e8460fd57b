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
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import REPLACED, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import Nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    DESTINATION_RULE,
    ENVOY_FILTER,
    GATEWAY,
    GRPC_ROUTE,
    HTTP_ROUTE,
    K8S_GATEWAY,
    NAMESPACE,
    PEER_AUTHENTICATION,
    REQUEST_AUTHENTICATION,
    SERVICE,
    SERVICE_ACCOUNT,
    SIDECAR,
    TELEMETRY,
    WASM_PLUGIN,
    Resource,
)

# Namespaces that platforms bring, and that a team's files speak of without containing anything of them.
_PLATFORMS = frozenset(
    {
        "argocd",
        "cert-manager",
        "default",
        "gateways",
        "ingress",
        "ingress-nginx",
        "kiali",
        "knative-eventing",
        "knative-serving",
        "logging",
        "monitoring",
        "observability",
        "prometheus",
        "tracing",
    }
)
# If the input has one of so many Services that a folder names, it is expected to have all. The same for Namespaces.
_ONE_OF = 2
_SEVERAL = 3
_WITH_SELECTORS = (
    AUTHORIZATION_POLICY,
    ENVOY_FILTER,
    PEER_AUTHENTICATION,
    REQUEST_AUTHENTICATION,
    SIDECAR,
    TELEMETRY,
    WASM_PLUGIN,
)


def folder_of(resource: Resource) -> str:
    return os.path.dirname(resource.source.file)


class _Folders:
    """above: the folders and all of those that they are in."""

    def __init__(self) -> None:
        self.own: set[str] = set()
        self.above: set[str] = set()

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
    folder = folder_of(reference)
    with_services = _services_by_folder(mesh).get(namespace) or _Folders()
    if reference.is_live:
        return True
    if _is_replaced(mesh, namespace):
        return False
    if folder in with_services.own:
        return True
    named = _named(mesh).get((folder, namespace)) or _Named()
    return not named.are_elsewhere if with_services.are_near(folder) else named.are_mostly_here


def expects_workloads(mesh: Mesh, reference: Resource, namespace: str) -> bool:
    """The same for the namespace's workloads."""
    if reference.is_live:
        return True
    if _is_replaced(mesh, namespace):
        return False
    is_guess = not reference.states_namespace and (folder_of(reference), namespace) in _folders_without_workloads(mesh)
    return not is_guess and _is_near(reference, _workloads_by_folder(mesh).get(namespace))


def _is_replaced(mesh: Mesh, namespace: str) -> bool:
    """Whether a kustomization for it was read as a part of another namespace's only: a base that is deployed, too."""
    return namespace in (mesh.settings.facts.get(REPLACED) or ())


@once_per_mesh
def _folders_without_workloads(mesh: Mesh) -> set[tuple[str, str]]:
    """Folder and namespace of objects that do not name it, and whose selectors find nothing, though they are many."""
    selected: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for item in mesh.of(*_WITH_SELECTORS):
        labels = part(item.spec, "selector", "matchLabels") or part(item.spec, "workloadSelector", "labels")
        if labels and not item.states_namespace:
            found = bool(mesh.selected(item.namespace, labels))
            selected[folder_of(item), item.namespace][repr(sorted(labels.items(), key=repr))] = found
    return {place for place, found in selected.items() if len(found) >= _SEVERAL and not any(found.values())}


def expects_gateway(mesh: Mesh, reference: Resource) -> bool:
    """Whether a Gateway of the object's own namespace is here: not in files of several, without namespaces."""
    if reference.states_namespace or reference.is_live:
        return True
    mine = _Folders()
    mine.add(folder_of(reference))
    own = [item for item in mesh.of(GATEWAY, K8S_GATEWAY) if item.namespace == reference.namespace]
    return len([item for item in own if mine.are_near(folder_of(item))]) == 1


def is_platforms(namespace: str) -> bool:
    """Whether it is one that a platform brings: a team's files rarely contain it."""
    return (
        namespace.startswith(("istio-", "kube-", "openshift-"))
        or namespace.endswith("-system")
        or namespace in _PLATFORMS
    )


def expects_namespace(mesh: Mesh, name: str) -> bool:
    """Whether the files can be expected to hold a Namespace. A typo is one in whatever they hold."""
    here = _namespaces(mesh)
    return here.are_complete or bool(here.near.find(name))


def expects_account(mesh: Mesh, namespace: str, name: str) -> bool:
    """Whether the files can be expected to hold what runs as the account: they have workloads of its namespace."""
    if NAMESPACE in mesh.settings.listed:
        return True
    accounts = [account.name for account in mesh.of(SERVICE_ACCOUNT) if account.namespace == namespace]
    return bool(mesh.labels.matching(namespace, {}) or Nearest(accounts).find(name))


class _Namespaces(NamedTuple):
    are_complete: bool
    near: Nearest


@once_per_mesh
def _namespaces(mesh: Mesh) -> _Namespaces:
    """Complete: the files define at least half of those that their own objects are in."""
    defined = {namespace.name for namespace in mesh.of(NAMESPACE)}
    own = {item.namespace for item in mesh.all() if item.states_namespace and not is_platforms(item.namespace)}
    return _Namespaces(len(own & defined) * _ONE_OF >= len(own), Nearest(own | defined))


def _is_near(reference: Resource, folders: _Folders | None) -> bool:
    return folders is not None and folders.are_near(folder_of(reference))


@once_per_mesh
def _services_by_folder(mesh: Mesh) -> Mapping[str, _Folders]:
    return _by_folder((service.namespace, service) for service in mesh.of(SERVICE))


@once_per_mesh
def _workloads_by_folder(mesh: Mesh) -> Mapping[str, _Folders]:
    return _by_folder((workload.namespace, workload.resource) for workload in mesh.workloads)


class _Named:
    """Services that the objects of a folder name in one namespace, and those of them that the input has."""

    def __init__(self) -> None:
        self.all: set[str] = set()
        self.here: set[str] = set()

    @property
    def are_mostly_here(self) -> bool:
        return bool(self.here) and len(self.here) * _ONE_OF >= len(self.all)

    @property
    def are_elsewhere(self) -> bool:
        """Whether most are missing, and more than anyone overlooks."""
        return len(self.all) - len(self.here) >= _SEVERAL and not self.are_mostly_here


@once_per_mesh
def _named(mesh: Mesh) -> Mapping[tuple[str, str], _Named]:
    """By folder and namespace."""
    found: dict[tuple[str, str], _Named] = defaultdict(_Named)
    for resource, namespace, name in _references(mesh):
        named = found[(folder_of(resource), namespace)]
        named.all.add(name)
        if mesh.find(SERVICE, namespace, name):
            named.here.add(name)
    return found


def _references(mesh: Mesh) -> Iterator[tuple[Resource, str, str]]:
    """Each object that names a Service, with the Service's namespace and name."""
    domain = mesh.settings.cluster_domain
    named = [(service, destination.host) for service, destination in mesh.destinations]
    named += [
        (rule, mesh.qualified(str(rule.spec.get("host") or ""), rule.namespace)) for rule in mesh.of(DESTINATION_RULE)
    ]
    for resource, host in named:
        if place := hosts.service_of(host, domain):
            yield resource, *place
    for route in mesh.of(HTTP_ROUTE, GRPC_ROUTE):
        for _at, rule in items(route.spec, "rules"):
            for _index, backend in items(rule, "backendRefs"):
                if backend.get("name") and backend.get("kind", SERVICE.kind) == SERVICE.kind:
                    yield route, str(backend.get("namespace") or route.namespace), str(backend["name"])


def _by_folder(found: Iterable[tuple[str, Resource]]) -> Mapping[str, _Folders]:
    folders: dict[str, _Folders] = defaultdict(_Folders)
    for namespace, resource in found:
        folders[namespace].add(folder_of(resource))
    return folders
