# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Places that are a mesh each: environments, clusters, overlays, demos, or the steps of a canary beside each other.

They are recognized by what they define: folders or files beside each other that mostly define the same objects are
variants, of which a cluster gets one. An object without a namespace may be that of any namespace. So are kustomizations
whose objects mostly have the same names, even if each has a namespace of its own, and folders with names of
environments, or below one with a name such as clusters or examples. What is beside or above them belongs to each of
them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import GUIDED, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    BUILT,
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    RENDERED,
    SERVICE,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import has_pod_template

# Several teams' folders may each contain these.
_SHARED = (NAMESPACE, CUSTOM_RESOURCE_DEFINITION)
_ENVIRONMENT = re.compile(
    r"(?:(?:non|pre)-?)?(?:dev|development|local|test|testing|qa|uat|int|integration|stage|staging|prod|production)"
    r"(?:[-_]?[a-z]{0,2}\d+)?"
    # A cluster is of one distribution.
    r"|aks|docker-desktop|eks|gke|k3d|k3s|kind|microk8s|minikube|ocp|openshift|rke2"
)
# Folders of which each child is one of several, except those for all of them.
_DEMOS = frozenset({"demos", "examples", "issues", "samples", "scenarios"})
_PARENTS = frozenset({"clusters", "environments", "envs", "overlays", "regions", "stages"}) | _DEMOS
_FOR_ALL = frozenset({"all", "base", "bases", "common", "components", "default", "global", "shared"})
# Words of folders with what is no longer deployed. "legacy" and "backup" are also names of what runs.
_RETIRED = re.compile(
    r"(?:^|[-_.])(?:archived?|attic|bak|deprecated|disabled|obsolete|old|outdated|retired|superseded|unused)(?:$|[-_.])"
    r"|(?:^|[-_.])reference$",
    re.IGNORECASE,
)
# So many workloads and Services of the same names are not there by chance.
_SEVERAL = 3
_ENDINGS = (".yaml", ".yml", ".json")


class Variants(NamedTuple):
    """by_file: the variant that each file belongs to, as the path of a folder or of the file; empty if to all."""

    by_file: Mapping[str, str]

    def of(self, resource: Resource) -> str:
        return self.by_file.get(resource.source.file, "")

    def are_apart(self, one: Resource, other: Resource) -> bool:
        """Whether no cluster gets both."""
        mine, theirs = self.of(one), self.of(other)
        return not is_within(mine, theirs) and not is_within(theirs, mine)

    def part_of(self, mesh: Mesh, variant: str) -> Mesh:
        """The mesh of one variant: what belongs to all of them, then its own."""
        chosen = [item for item in mesh.all_definitions() if is_within(variant, self.of(item))]
        chosen.sort(key=lambda item: len(self.of(item)))
        return Mesh(chosen, mesh.settings, mesh)


def is_within(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def path_of(file: str) -> str:
    """The path without the words that the reader adds to what a program made."""
    for made in (BUILT, RENDERED):
        file = file.removesuffix(made)
    return file


@once_per_mesh
def variants_of(mesh: Mesh) -> Variants:
    everything = {item.source.file for item in _of_files(mesh)}
    if len(everything) < 2:
        return Variants({})
    folders: dict[str, set[str]] = defaultdict(set)
    for file in everything:
        for parent, child in _steps(file):
            folders[parent].add(child)
    # Of each folder: how many objects its children define, and how many of these another child defines, too.
    defined: dict[str, Counter[str]] = defaultdict(Counter)
    repeated: dict[str, Counter[str]] = defaultdict(Counter)
    defined_once: Counter[str] = Counter()
    for files in _files_by_object(mesh):
        if len(files) == 1:
            defined_once.update(files)
            continue
        children: dict[str, set[str]] = defaultdict(set)
        for file in files:
            for parent, child in _steps(file):
                children[parent].add(child)
        for parent, found in children.items():
            defined[parent].update(found)
            if len(found) > 1:
                repeated[parent].update(found)
    for file, number in defined_once.items():
        for parent, child in _steps(file):
            defined[parent][child] += number
    variants = {child for parent, found in repeated.items() for child in _mostly_repeated(defined[parent], found)}
    for parent, found in folders.items():
        variants |= _named(parent, found)
    variants |= _guided(mesh)
    variants |= _alike(mesh, variants)
    return Variants({file: _innermost(file, variants) for file in everything} if variants else {})


def archive_of(file: str) -> str:
    """The folder with what is no longer deployed that the file is in; empty if it is in use."""
    folders = [child for _parent, child in _steps(path_of(file))]
    if not file.endswith(BUILT):
        folders.pop()
    return next((folder for folder in folders if _RETIRED.search(folder.rpartition("/")[2])), "")


def _of_files(mesh: Mesh) -> Iterator[Resource]:
    for resource in mesh.all():
        for copy in mesh.definitions.get(resource.identity, (resource,)) if resource.name else (resource,):
            if not copy.is_live:
                yield copy


def _files_by_object(mesh: Mesh) -> Iterator[set[str]]:
    """For each object, the files that define it. One without a namespace is the one of its name, if that is certain."""
    named: dict[tuple[Kind, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for item in _of_files(mesh):
        if item.kind in _SHARED:
            continue
        if item.name:
            namespace = item.namespace if item.states_namespace else ""
            named[item.kind, item.name][namespace].add(item.source.file)
        else:
            yield {item.source.file}
    for by_namespace in named.values():
        if "" in by_namespace and len(by_namespace) == 2:
            yield set().union(*by_namespace.values())
        else:
            yield from by_namespace.values()


def _steps(file: str) -> Iterator[tuple[str, str]]:
    """Each folder on the way to the file, and the next path on the way."""
    end = file.find("/", 1)
    parent = ""
    while end >= 0:
        yield parent, file[:end]
        parent, end = file[:end], file.find("/", end + 1)
    yield parent, file


def _mostly_repeated(defined: Mapping[str, int], repeated: Mapping[str, int]) -> set[str]:
    """The children of which at least half is in another one."""
    return {child for child, number in repeated.items() if 2 * number >= defined[child]}


def _named(parent: str, children: set[str]) -> set[str]:
    """The folders and kustomizations that are environments or clusters by their names, if there are several."""
    names = {child: path_of(child).rpartition("/")[2] for child in children}
    if parent.rpartition("/")[2] in _PARENTS:
        found = {child for child, name in names.items() if name not in _FOR_ALL and not name.endswith(_ENDINGS)}
    else:
        found = {child for child, name in names.items() if _ENVIRONMENT.fullmatch(name)}
    return found if len(found) > 1 else set()


def _guided(mesh: Mesh) -> set[str]:
    """Folders of demos with a guide of their own, however deep: several ways of doing one thing."""
    guided = mesh.settings.facts.get(GUIDED) or ()
    found = {folder for folder in guided if not _DEMOS.isdisjoint(folder.split("/")[:-1])}
    return found if len(found) > 1 else set()


def _alike(mesh: Mesh, variants: set[str]) -> set[str]:
    """Kustomizations that deploy half of what another one does, by kind and name. ``variants``: those that are known.

    Namespaces of one cluster have policies of the same names, so these count only where nothing is deployed.
    """
    deployed: dict[str, set[tuple[str, str]]] = defaultdict(set)
    others: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for resource in _of_files(mesh):
        if resource.source.file.endswith(BUILT) and resource.kind not in _SHARED:
            named = deployed if resource.kind == SERVICE or has_pod_template(resource) else others
            named[resource.source.file].add((resource.kind.kind, resource.name))
    known = {file: _innermost(file, variants) for file in {*deployed, *others}}
    found: set[str] = set()
    for one, other in combinations(known, 2):
        if known[one] != known[other]:
            continue
        named = deployed if one in deployed and other in deployed else others
        common = len(named[one] & named[other])
        sizes = sorted((len(named[one]), len(named[other])))
        if common and 2 * common >= sizes[0 if common >= _SEVERAL else 1]:
            found |= {one, other}
    return found


def _innermost(file: str, variants: set[str]) -> str:
    return next((child for _parent, child in reversed(list(_steps(file))) if child in variants), "")
