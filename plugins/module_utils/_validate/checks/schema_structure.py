# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the API server refuses or drops, offline: the structure of Istio's and the Gateway API's kinds."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import GATEWAY_API, Kind
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.structure import (
    family_of,
    release_of,
    structure,
)

# Groups of istio.io that are of its tools, not of the mesh's configuration.
_OF_TOOLS = frozenset({"install.istio.io", "operator.istio.io"})
# Kinds whose name says what is meant, even below a wrong apiVersion.
_ISTIO_ONLY = frozenset(
    {"VirtualService", "DestinationRule", "EnvoyFilter", "PeerAuthentication", "RequestAuthentication"}
)

# That check names the two listeners.
_TOLD_BY_KIA1503 = "Combination of port, protocol and hostname must be unique for each listener"


@check(
    code="IST0106",
    level="error",
    title="The object is refused by the API server",
    why="Nothing of it reaches the mesh: kubectl, helm and every other client get an error.",
    remedy="Write the field as the message says.",
    alone=True,
)
def refused_structure(mesh: Mesh, report: Report) -> None:
    faults = structure(mesh).faults
    for resource in mesh.all() if faults else ():
        for fault in faults.get(id(resource), ()):
            if not fault.unknown and not fault.message.endswith(_TOLD_BY_KIA1503):
                report(resource, fault.path, fault.message)


@check(
    code="MESH101",
    level="error",
    title="Unknown field",
    why="The API server drops fields that the schema does not have, with no more than a warning: what is written here "
    "has no effect, and nobody sees it missing.",
    remedy="Correct the name of the field, or leave it out.",
    docs="https://istio.io/latest/docs/reference/config/",
    alone=True,
)
def unknown_field(mesh: Mesh, report: Report) -> None:
    faults = structure(mesh).faults
    for resource in mesh.all() if faults else ():
        for fault in faults.get(id(resource), ()):
            if fault.unknown:
                report(resource, fault.path, fault.message)


@check(
    code="MESH102",
    level="error",
    title="Unknown kind or version",
    why="The API server does not know the resource and refuses it; istioctl passes it by without a word.",
    remedy="Correct apiVersion and kind.",
    docs="https://istio.io/latest/docs/reference/config/",
    alone=True,
)
def unknown_kind(mesh: Mesh, report: Report) -> None:
    for kind in mesh.kinds:
        said: dict[str, tuple[str, str] | None] = {}
        for resource in mesh.of(kind):
            if resource.version not in said:
                said[resource.version] = _unknown(mesh, kind, resource.version)
            if found := said[resource.version]:
                report(resource, (found[0],), found[1])


def _unknown(mesh: Mesh, kind: Kind, version: str) -> tuple[str, str] | None:
    """The field that is wrong and what to say; None where nothing is."""
    family = family_of(kind.group)
    istio = family_of("networking.istio.io")
    if istio is None or kind.group in _OF_TOOLS:
        return None
    if family is None:
        return _foreign_group(kind) if kind.kind in _ISTIO_ONLY else None
    release = release_of(mesh, family)
    known: dict[tuple[str, str], list[str]] = {}
    for name in family.table.roots.get(release, {}):
        group, of_kind, served = name.split("/")
        known.setdefault((group, of_kind), []).append(served)
    if versions := known.get((kind.group, kind.kind)):
        # Clusters have more versions of the Gateway API than one release brings.
        if version in versions or kind.group == GATEWAY_API:
            return None
        return "apiVersion", f"{kind} has no version {version!r}, only {', '.join(sorted(versions))}"
    if groups := [group for group, of_kind in known if of_kind == kind.kind]:
        return "apiVersion", f"{kind.kind} is no kind of {kind.group}, but of {' and '.join(groups)}"
    hint = nearest(kind.kind, dict.fromkeys(of_kind for _group, of_kind in known))
    if kind.group == GATEWAY_API and not hint:
        return None
    return "kind", f"{kind.kind!r} is no kind of {kind.group}{hint}"


def _foreign_group(kind: Kind) -> tuple[str, str] | None:
    istio = ("networking.istio.io", "security.istio.io", "telemetry.istio.io")
    hint = nearest(kind.group, istio)
    if kind.group and not hint:
        return None
    return "apiVersion", f"{kind.kind} is no kind of {kind.group or 'the core group'!r}{hint}"
