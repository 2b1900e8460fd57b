# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the API server finds in the objects of a mesh: those that do not have the structure of their kind."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY_API,
    Kind,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.belonging import place_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data import store
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.defaults import Defaulter, Pruner
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import (
    Explainer,
    Fault,
    unknown_field,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.fast import Compiler
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.releases import (
    PRODUCTS,
    SchemaRelease,
    release,
)

_ALWAYS_THERE = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})


class Structure:
    """faults: of each resource that has any, by ``id(resource)``.
    unreadable: resources with fields of another type than their kind has, or of an unknown version.
    cleaned: specs as the API server stores them, of resources where that differs from what is written.
    """

    def __init__(self) -> None:
        self.faults: dict[int, list[Fault]] = {}
        self.unreadable: set[int] = set()
        self.cleaned: dict[int, Object] = {}


class Family:
    """Everything built for one family of schemas, once per process: compiling it again for each mesh costs more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.table = store.table(name)
        self.compiler = Compiler(self.table.nodes)
        self.explainer = Explainer(self.table.nodes)
        self.pruner = Pruner(self.table.nodes)
        self.defaulter = Defaulter(self.table.nodes) if name == "gateway" else None

    def root(self, release: str, kind: Kind, version: str) -> int | None:
        return self.table.roots.get(release, {}).get(f"{kind.group}/{kind.kind}/{version}")

    def names(self, release: str) -> list[list[str]]:
        """[group, kind, version] of everything in the release."""
        return [name.split("/") for name in self.table.roots.get(release, {})]

    def served(self, release: str, kind: Kind) -> list[str]:
        return [version for group, of_kind, version in self.names(release) if (group, of_kind) == kind]

    def fits(self, root: int, obj: Object) -> bool:
        node = self.table.nodes[root]
        fields: dict[str, int] = node.get("properties", {})
        for name, value in obj.items():
            child = fields.get(name)
            if child is None:
                if name not in _ALWAYS_THERE:
                    return False
            elif not self.compiler.fits(child)(value):
                return False
        return all(name in obj for name in node.get("required", ()))

    def elsewhere(self, release: str, kind: Kind, version: str, path: Path) -> str:
        """For the end of a message: another release that has the field, or the kind itself; later ones first."""
        releases = self.table.releases
        at = releases.index(release)
        for other in (*releases[at + 1 :], *reversed(releases[:at])):
            root = self.root(other, kind, version)
            if root is not None and self._knows(root, path):
                minor, _dash, channel = other.partition("-")
                where = "" if channel or self.defaulter is None else " in its experimental channel"
                return f" ({PRODUCTS[self.name]} {minor} has it{where})"
        return ""

    def _knows(self, index: int, path: Path) -> bool:
        for step in path:
            node = self.table.nodes[index]
            child = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
            if child is None:
                return False
            index = child
        return True


_FAMILIES: dict[str, Family] = {}


def family_of(group: str) -> Family | None:
    name = "gateway" if group == GATEWAY_API else "istio" if group.endswith(".istio.io") else ""
    if name and name not in _FAMILIES:
        _FAMILIES[name] = Family(name)
    return _FAMILIES.get(name)


def release_of(mesh: Mesh, family: Family, kind: Kind) -> SchemaRelease:
    return release(mesh, family.name, kind, family.table)


@once_per_mesh
def structure(mesh: Mesh) -> Structure:
    found = Structure()
    for kind in mesh.kinds:
        family = family_of(kind.group)
        if family is None:
            continue
        judged_by = release_of(mesh, family, kind)
        for resource in mesh.of(kind):
            root = family.root(judged_by.name, kind, resource.version)
            if root is None:
                found.unreadable.add(id(resource))
                continue
            obj = resource.obj if family.defaulter is None else family.defaulter.value(root, resource.obj)
            if family.fits(root, obj):
                continue
            obj = family.pruner.value(root, obj)
            if isinstance(spec := obj.get("spec"), dict):
                found.cleaned[id(resource)] = spec
            faults = list(_faults(family, judged_by, root, resource, obj))
            if faults:
                found.faults[id(resource)] = faults
            if any(fault.wrong_type for fault in faults):
                found.unreadable.add(id(resource))
    return found


def _faults(family: Family, judged_by: SchemaRelease, root: int, resource: Resource, obj: Object) -> Iterator[Fault]:
    node = family.table.nodes[root]
    fields: dict[str, int] = node.get("properties", {})
    for name in obj:
        if name not in fields and name not in _ALWAYS_THERE:
            yield _moved(family, root, unknown_field((name,), name, [*fields, *_ALWAYS_THERE]))
    for name in node.get("required", ()):
        if obj.get(name) is None:
            yield Fault((name,), f"the field {name!r} is missing")
    for name, child in fields.items():
        if obj.get(name) is None or family.compiler.fits(child)(obj[name]):
            continue
        for fault in family.explainer.faults(child, obj[name], (name,)):
            if fault.unknown:
                other = family.elsewhere(judged_by.name, resource.kind, resource.version, fault.path)
                yield in_doubt(fault if other else _moved(family, root, fault), judged_by, other)
            elif fault.unlisted and judged_by.is_newer:
                yield fault._replace(message=fault.message + judged_by.doubt, warning=True)
            else:
                yield fault


def _moved(family: Family, root: int, fault: Fault) -> Fault:
    """Names the place of a field that is a known one of the kind, but not here."""
    name = fault.path[-1]
    place = "" if fault.misspelt else place_of(family.table.nodes, root, fault.path)
    if not place:
        return fault
    message = f"unknown field {name!r}; it belongs to {place}"
    return fault._replace(message=message, remedy=f"Move the field to {place}.")


def in_doubt(fault: Fault, judged_by: SchemaRelease, other: str) -> Fault:
    """Something that the schema does not have: a warning if the cluster's own schema may have it.

    other: another release that has it, as `Family.elsewhere` returns it. A typo is an error in any release, unless the
    cluster is known to be newer than the data.
    """
    if judged_by.is_newer or (not judged_by.stated and (other or not fault.misspelt)):
        known = bool(other) and not judged_by.stated
        return fault._replace(message=fault.message + (other or judged_by.doubt), warning=True, known=known)
    return fault._replace(message=fault.message + other)
