# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What istiod's admission refuses, or accepts with a warning."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    ENVOY_FILTER,
    VIRTUAL_SERVICE,
    Path,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.judging import judgements


@check(
    code="IST0106",
    level="error",
    title="The object is refused by istiod",
    why="Nothing of it reaches the mesh: kubectl, helm and every other client get an error.",
    remedy="Correct the field as the message says.",
    alone=True,
)
def refused_by_istiod(mesh: Mesh, report: Report) -> None:
    _report_faults(mesh, report, warnings=False)


@check(
    code="IST0133",
    level="warning",
    title="istiod accepts the object with a warning",
    why="The field does not do what it seems to do, or will stop working soon.",
    remedy="Correct the field as the message says.",
    alone=True,
)
def doubted_by_istiod(mesh: Mesh, report: Report) -> None:
    _report_faults(mesh, report, warnings=True)


def _report_faults(mesh: Mesh, report: Report, warnings: bool) -> None:
    found = judgements(mesh)
    for resource in mesh.all() if found else ():
        for fault in found.get(id(resource), ()):
            if fault.warning is warnings:
                report(resource, fault.path, fault.message, remedy=fault.remedy)


@check(
    code="IST0133",
    level="warning",
    title="EnvoyFilter changes what Istio generates",
    why="A patch depends on internals that any release of Istio may change, and nothing reports when it stops working.",
    remedy="Use Istio's own API if it has what you need; otherwise test the patch with every upgrade.",
    alone=True,
)
def envoy_filter_used(mesh: Mesh, report: Report) -> None:
    for resource in mesh.of(ENVOY_FILTER):
        # Every EnvoyFilter does: a warning that no change of the object removes would only be suppressed.
        text = "the patches depend on internals of this release of Istio and Envoy"
        report(resource, ("kind",), text, level="info")


@check(
    code="IST0133",
    level="warning",
    title="Gateway named in the old form",
    why="name.namespace still works, but looks like a host name and differs from the documented form.",
    remedy="Write namespace/name.",
    aliases=("KIA1108",),
    alone=True,
)
def old_gateway_name(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(VIRTUAL_SERVICE):
        owners: list[tuple[Path, Object]] = [(("spec",), service.spec)]
        for protocol in ("http", "tls", "tcp"):
            for index, route in items(service.spec, protocol):
                for place, match in items(route, "match"):
                    owners.append((("spec", protocol, index, "match", place), match))
        for path, owner in owners:
            for index, name in texts(owner, "gateways"):
                parts = name.split(".")
                if "/" not in name and len(parts) > 1:
                    report(service, (*path, "gateways", index), f"{name!r} is the old form of {parts[1]}/{parts[0]}")
