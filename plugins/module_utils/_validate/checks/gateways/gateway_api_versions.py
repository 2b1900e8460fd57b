# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""CustomResourceDefinitions of the Gateway API that are too old for Istio."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CUSTOM_RESOURCE_DEFINITION,
    GATEWAY_API,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.releases import BUNDLE

_NEEDS_BETA = {"Gateway", "GatewayClass", "HTTPRoute", "ReferenceGrant"}
_NEEDS_STABLE = {"Gateway", "GatewayClass", "GRPCRoute", "HTTPRoute"}
# Below these versions of the bundle, Istio 1.31 ignores all objects of the kind.
_MINIMUM = {
    "BackendTLSPolicy": (1, 4, 0),
    "GRPCRoute": (1, 1, 0),
    "TCPRoute": (1, 6, 0),
    "TLSRoute": (1, 5, 0),
}
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_REMEDY = "Apply the CustomResourceDefinitions of a newer release of the Gateway API."


def _definitions(mesh: Mesh) -> Iterator[tuple[Resource, str]]:
    for definition in mesh.of(CUSTOM_RESOURCE_DEFINITION):
        if definition.spec.get("group") == GATEWAY_API:
            yield definition, str(part(definition.spec, "names").get("kind"))


def _served(definition: Resource) -> list[str]:
    versions = items(definition.spec, "versions")
    return sorted(str(version.get("name")) for _index, version in versions if version.get("served"))


@check(
    code="IST0156",
    level="error",
    title="Gateway API without v1beta1",
    why="istiod cannot read objects of the kind.",
    remedy=_REMEDY,
    alone=True,
)
def gateway_api_without_beta(mesh: Mesh, report: Report) -> None:
    for definition, kind in _definitions(mesh):
        served = _served(definition)
        if kind in _NEEDS_BETA and not {"v1beta1", "v1"} & set(served):
            text = f"{kind} is served as {', '.join(served) or 'nothing'}; Istio reads v1beta1 and newer"
            report(definition, ("spec", "versions"), text)


@check(
    code="IST0172",
    level="warning",
    title="Gateway API without v1",
    why="Later releases of Istio read v1 only.",
    remedy=_REMEDY,
    alone=True,
)
def gateway_api_without_stable(mesh: Mesh, report: Report) -> None:
    for definition, kind in _definitions(mesh):
        served = _served(definition)
        usable = kind not in _NEEDS_BETA or "v1beta1" in served
        if kind in _NEEDS_STABLE and "v1" not in served and usable:
            text = f"{kind} is served as {', '.join(served) or 'nothing'}, without v1"
            report(definition, ("spec", "versions"), text)


@check(
    code="IST0176",
    level="warning",
    title="Gateway API older than Istio needs",
    why="istiod silently ignores all objects of the kind, and their status does not show it.",
    remedy=_REMEDY,
)
def gateway_api_version(mesh: Mesh, report: Report) -> None:
    for definition, kind in _definitions(mesh):
        written = definition.annotations.get(BUNDLE)
        minimum = _MINIMUM.get(kind)
        found = _VERSION.match(written) if isinstance(written, str) else None
        if minimum is None or found is None or tuple(map(int, found.groups())) >= minimum:
            continue
        least = ".".join(map(str, minimum))
        text = f"{kind} is of Gateway API {written}; Istio 1.31 needs {least} or newer"
        # An unused kind is not missed.
        used = bool(mesh.of(Kind(GATEWAY_API, kind)))
        report(definition, ("metadata", "annotations", BUNDLE), text, level="" if used else "info")
