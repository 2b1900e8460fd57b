# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""CustomResourceDefinitions of the Gateway API that are too old for Istio."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import minor_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_api_release import BUNDLE
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import ISTIO_VERSION, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.presence import has_istio
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY_API,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.releases import (
    NEEDS_STABLE,
    api_definitions,
    bundle_of,
    minimum_of,
    served_by,
)

_NEEDS_BETA = {"Gateway", "GatewayClass", "HTTPRoute", "ReferenceGrant"}
# Judged by if the version in use is not known.
_NEWEST = (1, 31)
_REMEDY = "Apply the CustomResourceDefinitions of a newer release of the Gateway API."


@check(
    code="IST0156",
    level="error",
    title="Gateway API without v1beta1",
    why="istiod cannot read objects of the kind.",
    remedy=_REMEDY,
    alone=True,
)
def gateway_api_without_beta(mesh: Mesh, report: Report) -> None:
    for definition, kind in _read_by_istio(mesh, report):
        served = served_by(definition)
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
    for definition, kind in _read_by_istio(mesh, report):
        served = served_by(definition)
        usable = kind not in _NEEDS_BETA or "v1beta1" in served
        if kind in NEEDS_STABLE and "v1" not in served and usable:
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
    in_use = minor_of(mesh.settings.facts.get(ISTIO_VERSION)) or _NEWEST
    for definition, kind in _read_by_istio(mesh, report):
        bundle = bundle_of(definition)
        found = minimum_of(kind, in_use)
        if bundle is None or found is None or bundle >= found[1]:
            continue
        release, least = (".".join(map(str, version)) for version in (found[0], found[1]))
        text = f"{kind} is of Gateway API {definition.annotations[BUNDLE]}; Istio {release} needs {least} or newer"
        # An unused kind is not missed.
        used = bool(mesh.of(Kind(GATEWAY_API, kind)))
        report(definition, ("metadata", "annotations", BUNDLE), text, level="" if used else "info")


def _read_by_istio(mesh: Mesh, report: Report) -> list[tuple[Resource, str]]:
    """The Gateway API's definitions and their kinds. None without Istio: other controllers have other requirements."""
    definitions = list(api_definitions(mesh))
    if definitions and not has_istio(mesh.whole):
        report.undecided("any object of Istio")
        return []
    return definitions
