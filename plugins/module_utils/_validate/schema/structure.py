# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the API server says to the objects of a mesh: which do not have the structure that their kind asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import (
    GATEWAY_API,
    Kind,
    Object,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import store
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.defaults import Defaulter, Pruner
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import (
    Explainer,
    Fault,
    nearest,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.fast import Compiler

_ALWAYS_THERE = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
# Which of the releases in the data is meant; the newest where nobody says.
RELEASE = "istio_release"


@dataclass
class Structure:
    """faults: of each resource that has any, by ``id(resource)``.
    unreadable: resources that have fields of another type than their kind says, or are of a version that is not known.
    cleaned: specs as the API server stores them, of resources where that is not what is written.
    """

    faults: dict[int, list[Fault]] = field(default_factory=dict)
    unreadable: set[int] = field(default_factory=set)
    cleaned: dict[int, Object] = field(default_factory=dict)


class Family:
    """All that is made of one family of schemas, once a process: compiling it anew for each mesh would cost more."""

    def __init__(self, name: str) -> None:
        self.table = store.table(name)
        self.compiler = Compiler(self.table.nodes)
        self.explainer = Explainer(self.table.nodes)
        self.pruner = Pruner(self.table.nodes)
        self.defaulter = Defaulter(self.table.nodes) if name == "gateway" else None

    def root(self, release: str, kind: Kind, version: str) -> int | None:
        return self.table.roots.get(release, {}).get(f"{kind.group}/{kind.kind}/{version}")

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

    def release(self, wanted: str) -> str:
        """The release of the data that is meant by ``1.30.3``: ``1.30``; the newest where it has none such."""
        short = ".".join(wanted.split(".")[:2])
        return short if short in self.table.roots else (self.table.releases or [""])[-1]

    def later(self, release: str, kind: Kind, version: str, fault: Fault) -> str:
        """For the end of a message: the release that brought the field, if it is one after the mesh's."""
        releases = self.table.releases
        for newer in releases[releases.index(release) + 1 :]:
            root = self.root(newer, kind, version)
            if root is not None and self._knows(root, fault):
                return f" (Istio {newer} has it)"
        return ""

    def _knows(self, index: int, fault: Fault) -> bool:
        for step in fault.path:
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


def release_of(mesh: Mesh, family: Family) -> str:
    return family.release(str(mesh.settings.facts.get(RELEASE) or "") if family.defaulter is None else "")


@once_per_mesh
def structure(mesh: Mesh) -> Structure:
    found = Structure()
    for kind in mesh.kinds:
        family = family_of(kind.group)
        if family is None:
            continue
        release = release_of(mesh, family)
        for resource in mesh.of(kind):
            root = family.root(release, kind, resource.version)
            if root is None:
                found.unreadable.add(id(resource))
                continue
            obj = resource.obj if family.defaulter is None else family.defaulter.value(root, resource.obj)
            if family.fits(root, obj):
                continue
            obj = family.pruner.value(root, obj)
            if isinstance(spec := obj.get("spec"), dict):
                found.cleaned[id(resource)] = spec
            faults = list(_faults(family, release, root, resource, obj))
            if faults:
                found.faults[id(resource)] = faults
            if any(fault.wrong_type for fault in faults):
                found.unreadable.add(id(resource))
    return found


def _faults(family: Family, release: str, root: int, resource: Resource, obj: Object) -> Iterator[Fault]:
    node = family.table.nodes[root]
    fields: dict[str, int] = node.get("properties", {})
    for name in obj:
        if name not in fields and name not in _ALWAYS_THERE:
            yield Fault((name,), f"unknown field {name!r}{nearest(name, [*fields, *_ALWAYS_THERE])}", unknown=True)
    for name in node.get("required", ()):
        if obj.get(name) is None:
            yield Fault((name,), f"the field {name!r} is missing")
    for name, child in fields.items():
        if obj.get(name) is None or family.compiler.fits(child)(obj[name]):
            continue
        for fault in family.explainer.faults(child, obj[name], (name,)):
            later = family.later(release, resource.kind, resource.version, fault) if fault.unknown else ""
            yield Fault(fault.path, fault.message + later, unknown=True) if later else fault
