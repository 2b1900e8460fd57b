# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Routes and destination rules for HTTP in ambient mode: only a waypoint of the destination applies them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.ambient import (
    ambient_namespaces,
    has_sidecars,
    is_enrolled,
    namespaces_with_waypoints,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    NAMESPACE,
    SERVICE,
    VIRTUAL_SERVICE,
    Kind,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_DOCS = "https://istio.io/latest/docs/ambient/usage/l7-features/"


class _Destination(NamedTuple):
    """A host of a VirtualService or a DestinationRule; service: None if it is not a Service in ambient mode."""

    owner: Resource
    path: Path
    host: str
    service: Resource | None


@once_per_mesh
def _destinations(mesh: Mesh) -> dict[Kind, list[_Destination]]:
    found: dict[Kind, list[_Destination]] = {VIRTUAL_SERVICE: [], DESTINATION_RULE: []}
    if ambient_namespaces(mesh):
        for service in mesh.of(VIRTUAL_SERVICE):
            if _routes_http_in_mesh(service):
                for index, host in texts(service.spec, "hosts"):
                    found[VIRTUAL_SERVICE].append(_destination(mesh, service, ("spec", "hosts", index), host))
        for rule in mesh.of(DESTINATION_RULE):
            target = rule.spec.get("host")
            if isinstance(target, str) and _rules_http(rule):
                found[DESTINATION_RULE].append(_destination(mesh, rule, ("spec", "host"), target))
    return found


def _destination(mesh: Mesh, owner: Resource, path: Path, host: str) -> _Destination:
    for found in mesh.registry.owners(mesh.qualified(host, owner.namespace)) if not host.startswith("*") else ():
        if found.kind == SERVICE and found.namespace in ambient_namespaces(mesh):
            return _Destination(owner, path, host, found)
    return _Destination(owner, path, host, None)


def _routes_http_in_mesh(service: Resource) -> bool:
    gateways = [name for _index, name in texts(service.spec, "gateways")]
    return bool(service.spec.get("http") or service.spec.get("tls")) and (not gateways or "mesh" in gateways)


def _rules_http(rule: Resource) -> bool:
    policies = [part(rule.spec, "trafficPolicy")]
    policies += [part(subset, "trafficPolicy") for _index, subset in items(rule.spec, "subsets")]
    return any(_is_http(policy) for policy in policies)


def _is_http(policy: Object) -> bool:
    by_hash = part(policy, "loadBalancer", "consistentHash")
    return bool(
        by_hash.get("httpHeaderName")
        or by_hash.get("httpCookie")
        or part(policy, "connectionPool").get("http")
        or policy.get("outlierDetection")
    )


def _level(mesh: Mesh) -> str:
    """Sidecars elsewhere in the mesh apply what ambient workloads do not."""
    return "info" if has_sidecars(mesh) else ""


def _unenrolled(mesh: Mesh, report: Report, kind: Kind) -> None:
    for destination in _destinations(mesh)[kind]:
        service = destination.service
        if service is not None and not is_enrolled(mesh, service.labels, service.namespace):
            text = f"Service '{service.namespace}/{service.name}' is in ambient mode and uses no waypoint"
            report(destination.owner, destination.path, text, level=_level(mesh))


def _elsewhere(mesh: Mesh, report: Report, kind: Kind) -> None:
    # DestinationRules of the root namespace apply everywhere.
    fitting = {mesh.settings.root_namespace} if kind == DESTINATION_RULE else set()
    for destination in _destinations(mesh)[kind]:
        service = destination.service
        if service is not None and destination.owner.namespace not in {service.namespace, *fitting}:
            text = f"Service '{service.namespace}/{service.name}' is in ambient mode: its waypoint uses"
            text += f" {kind.kind}s of its own namespace only, not of '{destination.owner.namespace}'"
            report(destination.owner, destination.path, text, level=_level(mesh))


def _unresolved(mesh: Mesh, kind: Kind) -> Iterator[_Destination]:
    """The first host of each that has no Service in ambient mode, in an ambient namespace without a waypoint."""
    resolved = {id(item.owner) for item in _destinations(mesh)[kind] if item.service is not None}
    for destination in _destinations(mesh)[kind]:
        namespace = destination.owner.namespace
        if id(destination.owner) in resolved or namespace not in ambient_namespaces(mesh):
            continue
        resolved.add(id(destination.owner))
        if namespace not in namespaces_with_waypoints(mesh) and not _owner_uses_waypoint(mesh, destination):
            yield destination


def _owner_uses_waypoint(mesh: Mesh, destination: _Destination) -> bool:
    owners = mesh.registry.owners(mesh.qualified(destination.host, destination.owner.namespace))
    return any(is_enrolled(mesh, owner.labels, owner.namespace) for owner in owners)


def _no_waypoint(mesh: Mesh, report: Report, kind: Kind) -> None:
    for destination in _unresolved(mesh, kind):
        namespace = destination.owner.namespace
        text = f"namespace '{namespace}' is in ambient mode and uses no waypoint that would apply it"
        report(destination.owner, destination.path, text, level=_level(mesh))


_ENROL = "Label the Service or its namespace istio.io/use-waypoint, and deploy the waypoint."
_MOVE = "Move it into the namespace of the Service."
_ROUTES = "ztunnel does not handle HTTP: routes, retries, timeouts and faults are not applied."
_RULES = "ztunnel does not handle HTTP: outlier ejection, request limits and header hashes are not applied."


@check(
    code="KIA1109",
    level="warning",
    title="VirtualService for HTTP without a waypoint",
    why=_ROUTES,
    remedy=_ENROL,
    docs=_DOCS,
    needs=[NAMESPACE, SERVICE],
)
def routes_without_waypoint(mesh: Mesh, report: Report) -> None:
    _no_waypoint(mesh, report, VIRTUAL_SERVICE)


@check(
    code="KIA1113",
    level="warning",
    title="VirtualService for a Service without a waypoint",
    why=_ROUTES,
    remedy=_ENROL,
    docs=_DOCS,
    needs=[NAMESPACE, SERVICE],
)
def routes_to_unenrolled(mesh: Mesh, report: Report) -> None:
    _unenrolled(mesh, report, VIRTUAL_SERVICE)


@check(
    code="KIA1114",
    level="warning",
    title="VirtualService in another namespace than its ambient Service",
    why="A waypoint uses the routes of its Service's own namespace only.",
    remedy=_MOVE,
    docs=_DOCS,
    needs=[NAMESPACE, SERVICE],
)
def routes_elsewhere(mesh: Mesh, report: Report) -> None:
    _elsewhere(mesh, report, VIRTUAL_SERVICE)


@check(
    code="KIA0210",
    level="warning",
    title="DestinationRule for HTTP without a waypoint",
    why=_RULES,
    remedy=_ENROL,
    docs=_DOCS,
    needs=[NAMESPACE, SERVICE],
)
def rules_without_waypoint(mesh: Mesh, report: Report) -> None:
    _no_waypoint(mesh, report, DESTINATION_RULE)


@check(
    code="KIA0211",
    level="warning",
    title="DestinationRule for a Service without a waypoint",
    why=_RULES,
    remedy=_ENROL,
    docs=_DOCS,
    needs=[NAMESPACE, SERVICE],
)
def rules_to_unenrolled(mesh: Mesh, report: Report) -> None:
    _unenrolled(mesh, report, DESTINATION_RULE)


@check(
    code="KIA0212",
    level="warning",
    title="DestinationRule in another namespace than its ambient Service",
    why="A waypoint uses the rules of its Service's own namespace only.",
    remedy=_MOVE,
    docs=_DOCS,
    needs=[NAMESPACE, SERVICE],
)
def rules_elsewhere(mesh: Mesh, report: Report) -> None:
    _elsewhere(mesh, report, DESTINATION_RULE)
