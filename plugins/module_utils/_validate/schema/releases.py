# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which release's schemas the objects of a mesh are judged by, and how certain it is what these do not have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import minor_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_api_release import BUNDLE, CHANNEL
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    GATEWAY_CHANNEL,
    GATEWAY_VERSION,
    ISTIO_VERSION,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CUSTOM_RESOURCE_DEFINITION,
    GATEWAY_API,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data.store import Table

STANDARD = "standard"
# Kinds of which Istio 1.29 and newer read v1 only.
NEEDS_STABLE = {"Gateway", "GatewayClass", "GRPCRoute", "HTTPRoute"}
# From the first release of Istio on, it ignores all objects of the kind below the version of the bundle.
_MINIMUM = {
    "BackendTLSPolicy": ((1, 28), (1, 4, 0)),
    "GRPCRoute": ((1, 22), (1, 1, 0)),
    "TCPRoute": ((1, 31), (1, 6, 0)),
    "TLSRoute": ((1, 30), (1, 5, 0)),
}
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
PRODUCTS = {"istio": "Istio", "gateway": "Gateway API"}


class Definition(NamedTuple):
    """What a CustomResourceDefinition of the Gateway API reports about itself. served: its versions."""

    version: str
    channel: str
    served: tuple[str, ...]


class SchemaRelease(NamedTuple):
    """name: the release of the data. stated: the cluster's version, empty if it is not known.

    is_newer: the cluster's version is newer than all data, so anything unknown may be new.
    """

    product: str
    name: str
    newest: str
    stated: str
    is_newer: bool

    @property
    def doubt(self) -> str:
        """For the end of a message about something unknown to all releases; empty if the cluster's release is known."""
        if self.is_newer:
            return f"; {self.product} up to {self.newest} does not have it, and this is {self.product} {self.stated}"
        if not self.stated:
            return f"; {self.product} up to {self.newest} does not have it, and the version in use is not known"
        return ""


def minimum_of(kind: str, istio: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int, int]] | None:
    """The release of Istio that began to ignore older definitions of the kind, and the version that it needs."""
    found = _MINIMUM.get(kind)
    return found if found and found[0] <= istio else None


def bundle_of(definition: Resource) -> tuple[int, int, int] | None:
    """The release of the Gateway API that the definition is of; None if it does not state that."""
    written = definition.annotations.get(BUNDLE)
    found = _VERSION.match(written) if isinstance(written, str) else None
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def api_definitions(mesh: Mesh) -> Iterator[tuple[Resource, str]]:
    for definition in mesh.of(CUSTOM_RESOURCE_DEFINITION):
        if definition.spec.get("group") == GATEWAY_API:
            yield definition, str(part(definition.spec, "names").get("kind"))


def served_by(definition: Resource) -> list[str]:
    versions = items(definition.spec, "versions")
    return sorted(str(version.get("name")) for _index, version in versions if version.get("served"))


@once_per_mesh
def definitions(mesh: Mesh) -> dict[str, Definition]:
    """The input's CustomResourceDefinitions of the Gateway API, by kind."""
    found = {}
    for resource, kind in api_definitions(mesh):
        notes = resource.annotations
        served = tuple(served_by(resource))
        found[kind] = Definition(str(notes.get(BUNDLE) or ""), str(notes.get(CHANNEL) or ""), served)
    return found


def release(mesh: Mesh, family: str, kind: Kind, table: Table) -> SchemaRelease:
    """``family``: istio or gateway, whose table it is."""
    stated, channel = _stated(mesh.whole, family, kind)
    version = minor_of(stated)
    known = [name for name in table.releases if name.endswith(f"-{STANDARD}") is (channel == STANDARD)]
    newest = minor_of(known[-1]) or (0, 0)
    name = known[-1]
    if version is not None:
        # The one before it if the data has a gap; the oldest if the version is older still.
        name = ([known[0]] + [name for name in known if (minor_of(name) or version) <= version])[-1]
    newest_text = ".".join(map(str, newest))
    stated = stated.removeprefix("v") if version else ""
    return SchemaRelease(PRODUCTS[family], name, newest_text, stated, bool(version and version > newest))


def _stated(mesh: Mesh, family: str, kind: Kind) -> tuple[str, str]:
    """The cluster's version and channel: an option's, else that of the kind's definition, else of its neighbours."""
    facts = mesh.settings.facts
    if family == "istio":
        return str(facts.get(ISTIO_VERSION) or ""), ""
    channel = str(facts.get(GATEWAY_CHANNEL) or "")
    if version := facts.get(GATEWAY_VERSION):
        return str(version), channel
    found = definitions(mesh)
    usable = [item for item in found.values() if minor_of(item.version)]
    own = found.get(kind.kind)
    if own not in usable:
        own = min(usable, key=lambda item: minor_of(item.version) or (0, 0), default=None)
    return (own.version, channel or own.channel) if own else ("", channel)
