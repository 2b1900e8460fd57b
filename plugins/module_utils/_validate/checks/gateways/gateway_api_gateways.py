# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Gateways of the Gateway API: classes, addresses, listeners, and conflicts over them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateway_api import (
    ISTIO_CLASSES,
    Listener,
    listeners,
    listeners_by_gateway,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import Nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY_CLASS,
    K8S_GATEWAY,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_DOCS = "https://gateway-api.sigs.k8s.io/api-types/gateway/"
_IP = "IPAddress"


@once_per_mesh
def _by_address(mesh: Mesh) -> dict[tuple[str, str], list[Resource]]:
    """Gateways by type and value of an address; an address counts once per Gateway."""
    found: dict[tuple[str, str], dict[int, Resource]] = defaultdict(dict)
    for gateway in mesh.of(K8S_GATEWAY):
        for _index, address in items(gateway.spec, "addresses"):
            if key := _address(address, gateway):
                found[key][id(gateway)] = gateway
    return {key: list(gateways.values()) for key, gateways in found.items()}


def _address(address: dict[str, Any], gateway: Resource) -> tuple[str, str] | None:
    kind, value = str(address.get("type", _IP)), address.get("value")
    if not isinstance(value, str) or not value:
        return None
    # A short name means a Service in the Gateway's namespace.
    return kind, value if kind == _IP or "." in value else f"{value}.{gateway.namespace}"


@check(
    code="KIA1502",
    level="warning",
    title="Gateways that want the same address",
    why="Only one of them gets the address; the other one has none.",
    remedy="Give each Gateway its own address, or put the listeners in one Gateway.",
    docs=_DOCS,
)
def same_address(mesh: Mesh, report: Report) -> None:
    for gateway in mesh.of(K8S_GATEWAY):
        for index, address in items(gateway.spec, "addresses"):
            key = _address(address, gateway)
            others = [other for other in _by_address(mesh).get(key, ()) if other is not gateway] if key else []
            if key and others:
                text = f"Gateway {names(others)} also has address '{key[1]}'"
                # Several Gateways on one deployment of the user's are merged.
                level = "" if key[0] == _IP else "info"
                report(gateway, ("spec", "addresses", index, "value"), text, level=level)


@check(
    code="KIA1501",
    level="warning",
    title="Host and port in two Gateways",
    why="Which of the two answers for the host depends on the address that its name resolves to.",
    remedy="Nothing if they are two entry points. On one address, keep the host in one of them.",
    docs=_DOCS,
)
def same_listener(mesh: Mesh, report: Report) -> None:
    found: dict[tuple[str, str, str], list[Listener]] = defaultdict(list)
    for listener in listeners(mesh):
        if listener.hostname:
            found[(listener.hostname, str(listener.port), listener.protocol)].append(listener)
    for (hostname, port, _protocol), group in found.items():
        gateways = list({id(listener.gateway): listener.gateway for listener in group}.values())
        if len(gateways) < 2:
            continue
        addresses = [_addresses(gateway) for gateway in gateways]
        for listener in group:
            others = [gateway for gateway in gateways[:5] if gateway is not listener.gateway]
            mine = _addresses(listener.gateway)
            shared = bool(mine) and sum(bool(mine & theirs) for theirs in addresses) > 1
            text = f"Gateway {names(others)} also has host '{hostname}' on port {port}"
            report(listener.gateway, (*listener.path, "hostname"), text, level="" if shared else "info")


def _addresses(gateway: Resource) -> set[tuple[str, str] | None]:
    return {_address(address, gateway) for _index, address in items(gateway.spec, "addresses")} - {None}


@check(
    code="KIA1503",
    level="error",
    title="Two identical listeners in one Gateway",
    why="The API server refuses the Gateway, or none of the conflicting listeners is served.",
    remedy="Give each listener its own combination of port, protocol and hostname.",
    docs=_DOCS,
    alone=True,
)
def same_listener_twice(mesh: Mesh, report: Report) -> None:
    for mine in listeners_by_gateway(mesh).values():
        by_place: dict[tuple[str, str, str], Listener] = {}
        for listener in mine:
            first = by_place.setdefault((str(listener.port), listener.protocol, listener.hostname), listener)
            if first is not listener:
                host = f" and host '{listener.hostname}'" if listener.hostname else ""
                text = f"listener '{listener.name}' has port {listener.port}, protocol {listener.protocol}{host}"
                report(listener.gateway, (*listener.path, "name"), f"{text}, like listener '{first.name}'")


@check(
    code="KIA1504",
    level="error",
    title="Gateway of an unknown class",
    why="No controller handles the Gateway: nothing is deployed and nothing listens.",
    remedy="Use a GatewayClass of the cluster. Istio's is 'istio', and 'istio-waypoint' for waypoints.",
    docs=_DOCS,
    needs=[GATEWAY_CLASS],
)
def unknown_class(mesh: Mesh, report: Report) -> None:
    known = {resource.name for resource in mesh.of(GATEWAY_CLASS)}
    if GATEWAY_CLASS not in mesh.settings.listed:
        known |= ISTIO_CLASSES
    near = Nearest(known)
    for gateway in mesh.of(K8S_GATEWAY):
        name = gateway.spec.get("gatewayClassName")
        if not isinstance(name, str) or name in known:
            continue
        if GATEWAY_CLASS not in mesh.settings.listed and not near.find(name):
            # Files rarely contain the classes of other controllers.
            report.undecided(f"the GatewayClass {name}")
        else:
            shown = ", ".join(sorted(known)[:5])
            report(gateway, ("spec", "gatewayClassName"), f"GatewayClass '{name}' does not exist; known: {shown}")


@check(
    code="MESH310",
    level="warning",
    title="TLS listener without TLS settings",
    why="istiod silently ignores the listener, and its status does not show it: nothing listens on the port.",
    remedy="Add tls with the Secret of the certificate, or with mode Passthrough.",
    docs="https://gateway-api.sigs.k8s.io/guides/tls/",
    alone=True,
)
def listener_without_tls(mesh: Mesh, report: Report) -> None:
    for listener in listeners(mesh):
        if listener.protocol in ("HTTPS", "TLS") and not listener.has_tls:
            text = f"listener '{listener.name}' has protocol {listener.protocol} and no tls"
            report(listener.gateway, (*listener.path, "protocol"), text)
