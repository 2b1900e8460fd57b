# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The Gateway API: listeners, routes, references, with the defaults that the API server would set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.label_selectors import selector_matches
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import NAME_LABEL, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY_API,
    GRPC_ROUTE,
    HTTP_ROUTE,
    K8S_GATEWAY,
    REFERENCE_GRANT,
    TCP_ROUTE,
    TLS_ROUTE,
    Kind,
    Path,
    Resource,
)

ROUTES = (HTTP_ROUTE, GRPC_ROUTE, TCP_ROUTE, TLS_ROUTE)
WAYPOINT_CLASSES = {"istio-waypoint", "istio-agentgateway-waypoint"}
# istiod creates these itself.
ISTIO_CLASSES = WAYPOINT_CLASSES | {"istio", "istio-remote", "istio-east-west", "istio-agentgateway"}

_BY_PROTOCOL = {
    "HTTP": (HTTP_ROUTE, GRPC_ROUTE),
    "HTTPS": (HTTP_ROUTE, GRPC_ROUTE),
    "TLS": (TLS_ROUTE, TCP_ROUTE),
    "TCP": (TCP_ROUTE,),
    "HBONE": (),
}


class Listener(NamedTuple):
    """place: among those of the gateway. hostname: empty means every host. kinds: of routes that may attach; None if
    its protocol is unknown.
    """

    gateway: Resource
    place: int
    name: str
    port: Any
    protocol: str
    hostname: str
    tls: Object
    has_tls: bool
    kinds: tuple[Kind, ...] | None
    namespaces: Object

    @property
    def path(self) -> Path:
        return ("spec", "listeners", self.place)


class Reference(NamedTuple):
    """A reference of a route to its parent or to a backend. path: of the reference itself."""

    path: Path
    kind: Kind
    namespace: str
    name: str
    port: Any
    section: str
    weight: int


@once_per_mesh
def listeners(mesh: Mesh) -> list[Listener]:
    return [
        _listener(gateway, index, listener)
        for gateway in mesh.of(K8S_GATEWAY)
        for index, listener in items(gateway.spec, "listeners")
    ]


@once_per_mesh
def listeners_by_gateway(mesh: Mesh) -> dict[int, list[Listener]]:
    """By ``id`` of the Gateway."""
    found: dict[int, list[Listener]] = defaultdict(list)
    for listener in listeners(mesh):
        found[id(listener.gateway)].append(listener)
    return found


def _listener(gateway: Resource, index: int, obj: Object) -> Listener:
    protocol = str(obj.get("protocol") or "")
    kinds = _BY_PROTOCOL.get(protocol)
    allowed = [
        Kind(str(kind.get("group", GATEWAY_API)), str(kind.get("kind")))
        for _place, kind in items(obj, "allowedRoutes", "kinds")
    ]
    if kinds is not None and allowed:
        kinds = tuple(kind for kind in kinds if kind in allowed)
    return Listener(
        gateway,
        index,
        str(obj.get("name") or ""),
        obj.get("port"),
        protocol,
        str(obj.get("hostname") or ""),
        part(obj, "tls"),
        obj.get("tls") is not None,
        kinds,
        part(obj, "allowedRoutes", "namespaces"),
    )


def admits(mesh: Mesh, listener: Listener, namespace: str) -> bool:
    """Whether routes of the namespace may attach; true if the input does not show it."""
    match listener.namespaces.get("from", "Same"):
        case "Same":
            return namespace == listener.gateway.namespace
        case "Selector":
            labels = mesh.namespace_labels(namespace)
            wanted = part(listener.namespaces, "selector")
            return labels is None or selector_matches(wanted, {NAME_LABEL: namespace, **labels})
        case "None":
            return False
    return True


def parents(route: Resource) -> Iterator[Reference]:
    for index, reference in items(route.spec, "parentRefs"):
        yield _reference(route, ("spec", "parentRefs", index), reference, K8S_GATEWAY)


def rules(route: Resource) -> list[tuple[Path, Object]]:
    return [(("spec", "rules", index), rule) for index, rule in items(route.spec, "rules")]


def backends(route: Resource, rule_path: Path, rule: Object) -> list[Reference]:
    return [
        _reference(route, (*rule_path, "backendRefs", index), reference, Kind("", "Service"))
        for index, reference in items(rule, "backendRefs")
    ]


def mirrors(route: Resource, rule_path: Path, rule: Object) -> list[Reference]:
    """Backends that get copies of the requests."""
    found = []
    for index, item in items(rule, "filters"):
        reference = part(item, "requestMirror", "backendRef")
        if reference:
            path = (*rule_path, "filters", index, "requestMirror", "backendRef")
            found.append(_reference(route, path, reference, Kind("", "Service")))
    return found


def _reference(route: Resource, path: Path, obj: Object, default: Kind) -> Reference:
    group, kind = obj.get("group", default.group), obj.get("kind", default.kind)
    weight = obj.get("weight", 1)
    return Reference(
        path,
        Kind("" if group in (None, "core") else str(group), str(kind)),
        str(obj.get("namespace") or route.namespace),
        str(obj.get("name") or ""),
        obj.get("port"),
        str(obj.get("sectionName") or ""),
        weight if isinstance(weight, int) else 1,
    )


@once_per_mesh
def _grants(mesh: Mesh) -> dict[tuple[Kind, str, Kind, str], set[str]]:
    """Names that may be referred to, by kind and namespace of both ends; an empty name stands for all."""
    found: dict[tuple[Kind, str, Kind, str], set[str]] = defaultdict(set)
    for grant in mesh.of(REFERENCE_GRANT):
        targets = [
            (Kind(str(target.get("group") or ""), str(target.get("kind"))), str(target.get("name") or ""))
            for _index, target in items(grant.spec, "to")
        ]
        for _index, source in items(grant.spec, "from"):
            kind = Kind(str(source.get("group") or ""), str(source.get("kind")))
            for target, name in targets:
                found[(kind, str(source.get("namespace")), target, grant.namespace)].add(name)
    return found


def granted(mesh: Mesh, source: tuple[Kind, str], target: tuple[Kind, str], name: str) -> bool:
    """Whether an object of the source's kind and namespace may refer to the target: same namespace, or a grant."""
    if source[1] == target[1]:
        return True
    names = _grants(mesh).get((*source, *target), set())
    return "" in names or name in names
