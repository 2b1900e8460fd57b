# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the API server refuses or drops, offline: the structure of Istio's and the Gateway API's kinds."""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY_API,
    Kind,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import Fault, nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.releases import (
    SchemaRelease,
    definitions,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.structure import (
    Family,
    family_of,
    release_of,
    structure,
)

# Groups of istio.io that belong to its tools, not to the mesh's configuration.
_OF_TOOLS = frozenset({"install.istio.io", "operator.istio.io"})
# Group -> the release without it, and what to write instead.
# https://istio.io/latest/blog/2021/migrate-alpha-policy/, https://istio.io/news/releases/1.8.x/announcing-1.8/upgrade-notes/
_REMOVED_GROUPS = {
    "authentication.istio.io": ("1.6", "Write a PeerAuthentication, and a RequestAuthentication for tokens."),
    "config.istio.io": ("1.8", "Write a Telemetry, WasmPlugin or EnvoyFilter: Istio has no Mixer any more."),
    "rbac.istio.io": ("1.6", "Write an AuthorizationPolicy."),
}
# Kinds whose name is unambiguous, even below a wrong apiVersion.
_ISTIO_ONLY = frozenset(
    {"VirtualService", "DestinationRule", "EnvoyFilter", "PeerAuthentication", "RequestAuthentication"}
)

_IN_DOUBT = (
    "Correct it, or keep it if the release in use has it. Set istio_version or gateway_api_version to that release."
)
# That check names both listeners.
_REPORTED_BY_KIA1503 = "Combination of port, protocol and hostname must be unique for each listener"


@check(
    code="IST0106",
    level="error",
    title="The object is refused by the API server",
    why="Nothing of it reaches the mesh: kubectl, helm and every other client get an error.",
    remedy="Correct the field as the message says.",
    alone=True,
)
def refused_structure(mesh: Mesh, report: Report) -> None:
    faults = structure(mesh).faults
    words = _Words()
    for resource in mesh.all() if faults else ():
        for fault in faults.get(id(resource), ()):
            if not fault.unknown and not fault.message.endswith(_REPORTED_BY_KIA1503):
                _report_fault(report, resource, words.named(resource, fault))


@check(
    code="MESH101",
    level="error",
    title="Unknown field",
    why="The API server drops fields that the schema does not have, with a warning at most: what is written here has "
    "no effect, and nothing shows that it is missing.",
    remedy="Correct the field's name, or remove the field.",
    docs="https://istio.io/latest/docs/reference/config/",
    alone=True,
)
def unknown_field(mesh: Mesh, report: Report) -> None:
    faults = structure(mesh).faults
    for resource in mesh.all() if faults else ():
        for fault in faults.get(id(resource), ()):
            if fault.unknown:
                _report_fault(report, resource, fault)


@check(
    code="MESH102",
    level="error",
    title="Unknown kind or version",
    why="The API server does not know the resource and refuses it; istioctl silently ignores it.",
    remedy="Correct apiVersion and kind.",
    docs="https://istio.io/latest/docs/reference/config/",
    alone=True,
)
def unknown_kind(mesh: Mesh, report: Report) -> None:
    for kind in mesh.kinds:
        by_version: dict[str, Fault | None] = {}
        for resource in mesh.of(kind):
            if resource.version not in by_version:
                by_version[resource.version] = _unknown(mesh, kind, resource.version)
            if found := by_version[resource.version]:
                _report_fault(report, resource, found)


def _unknown(mesh: Mesh, kind: Kind, version: str) -> Fault | None:
    """What is wrong with the apiVersion or the kind; None if nothing is."""
    family = family_of(kind.group)
    if kind.group in _OF_TOOLS:
        return None
    if kind.group in _REMOVED_GROUPS:
        release, remedy = _REMOVED_GROUPS[kind.group]
        return Fault(("apiVersion",), f"Istio {release} removed {kind.group}", remedy=remedy)
    if family is None:
        return _foreign_group(kind) if kind.kind in _ISTIO_ONLY else None
    judged_by = release_of(mesh, family, kind)
    other = family.elsewhere(judged_by.name, kind, version, ())
    defined = definitions(mesh.whole).get(kind.kind) if kind.group == GATEWAY_API else None
    # The definition itself decides.
    served = defined.served if defined else family.served(judged_by.name, kind)
    if version in served:
        return None
    if kind.group == GATEWAY_API and not defined and not (judged_by.stated and other):
        # Clusters have more of the Gateway API than one release contains: only a misspelt kind is certain.
        fault = _unknown_name(kind, family, judged_by)
        return fault if fault.misspelt and not served and not judged_by.is_newer else None
    if served:
        text = f"{kind} has no version {version!r}, only {', '.join(sorted(served))}"
        fault = Fault(("apiVersion",), text + ("" if defined else other))
    elif other:
        fault = Fault(("kind",), f"{judged_by.product} {judged_by.stated} has no kind {kind.kind!r}{other}")
    else:
        fault = _unknown_name(kind, family, judged_by)
    if judged_by.is_newer and not defined:
        return fault._replace(message=fault.message + judged_by.doubt, warning=True)
    return fault


def _unknown_name(kind: Kind, family: Family, judged_by: SchemaRelease) -> Fault:
    """misspelt: the message names the intended kind."""
    names = family.names(judged_by.name)
    if groups := dict.fromkeys(group for group, of_kind, _served in names if of_kind == kind.kind):
        return Fault(("apiVersion",), f"{kind.kind} is not a kind of {kind.group}, but of {' and '.join(groups)}")
    hint = nearest(kind.kind, dict.fromkeys(of_kind for _group, of_kind, _served in names))
    return Fault(("kind",), f"{kind.kind!r} is not a kind of {kind.group}{hint}", misspelt=bool(hint))


def _foreign_group(kind: Kind) -> Fault | None:
    istio = ("networking.istio.io", "security.istio.io", "telemetry.istio.io")
    hint = nearest(kind.group, istio)
    if kind.group and not hint:
        return None
    return Fault(("apiVersion",), f"{kind.kind} is not a kind of {kind.group or 'the core group'!r}{hint}")


def _report_fault(report: Report, resource: Resource, fault: Fault) -> None:
    if fault.warning:
        report(resource, fault.path, fault.message, level="info" if fault.known else "warning", remedy=_IN_DOUBT)
    else:
        report(resource, fault.path, fault.message, meant=fault.meant, remedy=fault.remedy)


class _Words:
    """Words as they are written. A document is composed once for all of its faults, which may be many."""

    def __init__(self) -> None:
        self._text = ""
        self._document: Any = None

    def named(self, resource: Resource, fault: Fault) -> Fault:
        """Of a text that YAML reads as a truth value, the word itself: on, yes, true."""
        if not fault.for_string:
            return fault
        value = fault.for_string
        word = self._at(resource, fault.path)
        if not word:
            return fault._replace(remedy=f"Write {value} in quotes. yes, no, on and off need them, too.")
        message = f"{word} without quotes "
        message += "is not a string" if word.lower() == value else f"means {value} in YAML, expected a string"
        return fault._replace(message=message, remedy=f'Write it in quotes: "{word}".')

    def _at(self, resource: Resource, path: Path) -> str:
        # Here, because PyYAML takes as long to import as a small file to validate.
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.exact_yaml import composed, plain_word

        if resource.source.text is not self._text:
            self._text = resource.source.text
            self._document = composed(self._text)
        return plain_word(self._document, resource.source.prefix + path)
