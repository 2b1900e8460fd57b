# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Option meshes: places of a repository that are a mesh each, or the clusters of one mesh, checked one by one.

Files that no mesh names belong to each of them. Clusters of one mesh see each other's Services and workloads, as
istiod does, but only their own configuration.
"""

from __future__ import annotations

import copy
import glob
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import Finding
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    NOT_READ,
    SERVICES_BY_CLUSTER,
    Mesh,
    Settings,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    NAMESPACE,
    SERVICE,
    SERVICE_ACCOUNT,
    WORKLOAD_KINDS,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.variants import is_within, path_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import has_pod_template
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.engine import Outcome, in_order, unplaced

_FORMS = "Write a pattern of folders, an object with paths, or one with name and clusters (cluster: paths)"


class MeshesError(MeshError):
    """An invalid entry; the message shows how to write it."""


class Place(NamedTuple):
    """What one cluster gets. cluster: its name, empty if it is the mesh's only one. paths: real paths."""

    mesh: str
    cluster: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"cluster {self.cluster} of mesh {self.mesh}" if self.cluster else f"mesh {self.mesh}"


class _Part(NamedTuple):
    """The input of one place. foreign: ids of what belongs to other clusters of the mesh."""

    place: Place
    resources: list[Resource]
    settings: Settings
    foreign: set[int]


def places_of(entries: Iterable[Any]) -> list[Place]:
    """Raises MeshesError for an invalid entry, a path that does not exist, and a name that appears twice."""
    places = [place for entry in entries for place in _places(entry)]
    names = [(place.mesh, place.cluster) for place in places]
    for place, name in zip(places, names, strict=True):
        if names.count(name) > 1:
            raise MeshesError(f"meshes: {place} is stated twice. Give each a name of its own.")
    return places


def _places(entry: Any) -> list[Place]:
    if isinstance(entry, str):
        return [Place(_shown(path), "", (os.path.realpath(path),)) for path in _matches(entry)]
    if not isinstance(entry, dict) or set(entry) - {"name", "paths", "clusters"}:
        raise MeshesError(f"meshes: {entry!r} is not a valid mesh. {_FORMS}.")
    name, paths, clusters = entry.get("name"), entry.get("paths"), entry.get("clusters")
    if paths is not None and clusters is None:
        return [Place(str(name or _shown(_texts(entry, paths)[0])), "", _real(entry, paths))]
    if paths is None and isinstance(clusters, dict) and clusters and name:
        return [Place(str(name), str(cluster), _real(entry, its)) for cluster, its in clusters.items()]
    raise MeshesError(f"meshes: {entry!r} is not a valid mesh. {_FORMS}.")


def _texts(entry: Any, paths: Any) -> list[str]:
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise MeshesError(f"meshes: {entry!r}: paths must be a list of at least one path.")
    return paths


def _real(entry: Any, paths: Any) -> tuple[str, ...]:
    return tuple(os.path.realpath(match) for path in _texts(entry, paths) for match in _matches(path))


def _matches(path: str) -> list[str]:
    found = sorted(glob.glob(os.path.expanduser(path), recursive=True))
    if not found:
        raise MeshesError(f"meshes: '{_shown(path)}' does not exist. Paths in a file start at its folder.")
    return found


def _shown(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def meshes_in(resources: Iterable[Resource], places: Sequence[Place]) -> list[str]:
    """Names of the stated meshes of which there is a resource, in the order in which they are stated."""
    files = {resource.source.file for resource in resources if not resource.is_live}
    found = {place.mesh for file in files for place in _owners(file, places)}
    return list(dict.fromkeys(place.mesh for place in places if place.mesh in found))


def checked_one_by_one(
    resources: Sequence[Resource], settings: Settings, checks: Sequence[Check], places: Sequence[Place]
) -> Outcome:
    """Of live objects there is one mesh only. Raises MeshesError if the files laid over them belong to several."""
    present = meshes_in(resources, places)
    if any(resource.is_live for resource in resources):
        if len(present) > 1:
            raise MeshesError(
                f"meshes: the files are of {len(present)} meshes ({', '.join(present)}), and a cluster has one. "
                "Name the paths of the cluster's mesh."
            )
        present = []
    parts = _parts(resources, settings, [place for place in places if place.mesh in present])
    if not parts:
        return unplaced(Mesh(resources, settings), checks)
    return _together([(part, unplaced(Mesh(part.resources, part.settings), checks)) for part in parts])


def _owners(file: str, places: Sequence[Place]) -> list[Place]:
    real = os.path.realpath(path_of(file))
    return [place for place in places if any(is_within(real, path) for path in place.paths)]


def _parts(resources: Sequence[Resource], settings: Settings, places: Sequence[Place]) -> list[_Part]:
    owners: dict[str, list[Place]] = {}
    own: dict[Place, list[Resource]] = {place: [] for place in places}
    for resource in resources:
        file = resource.source.file
        if file not in owners:
            owners[file] = _owners(file, places)
        for place in owners[file] or places:
            own[place].append(resource)
    unread = {file: _owners(file, places) for file in settings.facts.get(NOT_READ) or ()}
    parts = []
    for number, place in enumerate(places):
        others = {other: own[other] for other in places if other.mesh == place.mesh and other != place}
        earlier = {other.cluster: own[other] for other in places[:number] if other in others}
        facts = {
            **settings.facts,
            NOT_READ: [file for file, its in unread.items() if not its or place in its],
            SERVICES_BY_CLUSTER: {
                name: [item.obj for item in found if item.kind == SERVICE] for name, found in earlier.items()
            },
        }
        foreign = _of_other_clusters(own[place], others)
        known = settings._replace(facts=facts)
        parts.append(_Part(place, [*own[place], *foreign], known, {id(resource) for resource in foreign}))
    return parts


def _of_other_clusters(own: Sequence[Resource], others: Mapping[Place, Sequence[Resource]]) -> list[Resource]:
    """What istiod reads of them. Workloads get names of their own: those of two clusters are not the same object."""
    known = {resource.identity for resource in own}
    namespaces = {resource.namespace for resource in own}
    shared = {id(resource) for resource in own}
    found = []
    for place, resources in others.items():
        for resource in resources:
            if id(resource) in shared:
                continue
            if resource.kind in WORKLOAD_KINDS or has_pod_template(resource):
                found.append(copy.copy(resource))
                found[-1].name = f"{resource.name} (cluster {place.cluster})"
            elif resource.identity not in known and (
                resource.kind in (SERVICE, SERVICE_ACCOUNT)
                or (resource.kind == NAMESPACE and resource.name not in namespaces)
            ):
                found.append(resource)
                known.add(resource.identity)
    return found


def _together(done: Sequence[tuple[_Part, Outcome]]) -> Outcome:
    """Each finding once. One about an object of several places that is not true for each of them names those."""
    holders: dict[tuple[object, ...], list[tuple[Place, Finding]]] = defaultdict(list)
    owners: dict[str, int] = defaultdict(int)
    for part, outcome in done:
        for file in {item.source.file for item in part.resources if id(item) not in part.foreign}:
            owners[file] += 1
        for finding in outcome.findings:
            source = finding.resource.source
            if id(finding.resource) not in part.foreign:
                fault = (finding.rule.code, finding.resource.identity, source.file, source.line, finding.path)
                holders[(*fault, finding.message, finding.severity)].append((part.place, finding))
    findings = []
    for found in holders.values():
        finding = found[0][1]
        if len(found) < owners[finding.resource.source.file]:
            where = " and ".join(str(place) for place, _finding in found)
            finding = finding._replace(message=f"{finding.message} (in {where})")
        findings.append(finding)
    undecided = _lacking([(part.place, outcome) for part, outcome in done])
    broken = {name: error for _part, outcome in done for name, error in outcome.broken.items()}
    return Outcome(in_order(findings), undecided, broken)


def _lacking(done: Sequence[tuple[Place, Outcome]]) -> dict[str, list[str]]:
    places: dict[str, dict[str, list[Place]]] = defaultdict(dict)
    for place, outcome in done:
        for name, lacking in outcome.undecided.items():
            for text in lacking:
                places[name].setdefault(text, []).append(place)
    return {
        name: [
            text if len(found) == len(done) else f"{text} (in {' and '.join(map(str, found))})"
            for text, found in lacking.items()
        ]
        for name, lacking in places.items()
    }
