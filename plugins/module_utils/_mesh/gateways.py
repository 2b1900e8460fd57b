# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Istio's Gateways: their servers, and the workloads that they configure."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import GATEWAY, POD, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload

GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
TEMPLATES = "inject.istio.io/templates"
_HTTP = {"HTTP", "HTTP2", "GRPC", "GRPC-WEB"}
_TLS = {"HTTPS", "TLS"}

# Labels in a fixed order, so that equal selectors are equal keys.
Selector = tuple[tuple[str, str], ...]


class Server(NamedTuple):
    """hosts: (index, namespaces that may bind, host). protocol: in capitals. family: http, tls, tcp or empty."""

    gateway: Resource
    selector: Selector
    place: int
    port: int | None
    protocol: str
    family: str
    bind: str
    hosts: tuple[tuple[int, str, str], ...]
    tls: Object

    @property
    def path(self) -> Path:
        return ("spec", "servers", self.place)


def selector_of(gateway: Resource) -> Selector:
    return tuple(sorted((str(key), str(value)) for key, value in part(gateway.spec, "selector").items()))


def selector_text(selector: Selector) -> str:
    return ",".join(f"{key}={value}" for key, value in selector)


@once_per_mesh
def servers(mesh: Mesh) -> list[Server]:
    """The servers of all Gateways."""
    found = []
    for gateway in mesh.of(GATEWAY):
        selector = selector_of(gateway)
        for index, server in items(gateway.spec, "servers"):
            port = part(server, "port")
            protocol = str(port.get("protocol") or "").upper()
            tls = part(server, "tls")
            hosts = tuple(_host(place, text, gateway.namespace) for place, text in texts(server, "hosts"))
            bind = str(server.get("bind") or "")
            number = _number(port.get("number"))
            found.append(Server(gateway, selector, index, number, protocol, _family(protocol, tls), bind, hosts, tls))
    return found


@once_per_mesh
def servers_by_gateway(mesh: Mesh) -> dict[tuple[str, str], list[Server]]:
    """The servers of each Gateway, by its namespace and name."""
    found: dict[tuple[str, str], list[Server]] = {(item.namespace, item.name): [] for item in mesh.of(GATEWAY)}
    for server in servers(mesh):
        found[server.gateway.namespace, server.gateway.name].append(server)
    return found


def hosts_for(server: Server, namespace: str) -> list[str]:
    """The hosts that VirtualServices of the namespace may use at the server."""
    return [host for _place, scope, host in server.hosts if scope in ("*", namespace)]


def _family(protocol: str, tls: Object) -> str:
    if protocol in _HTTP:
        return "http"
    if protocol in _TLS or tls:
        return "tls"
    return "tcp" if protocol else ""


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _host(place: int, text: str, namespace: str) -> tuple[int, str, str]:
    scope, slash, host = text.partition("/")
    if not slash:
        return place, "*", text
    return place, namespace if scope == "." else scope, host


@once_per_mesh
def _selected(mesh: Mesh) -> dict[Selector, list[Workload]]:
    """Workloads of every selector, found in a single pass: a Gateway selects in every namespace."""
    selectors = set(gateways_by_selector(mesh))
    by_label: dict[tuple[str, str], list[Workload]] = {label: [] for selector in selectors for label in selector}
    if by_label:
        for workload in mesh.workloads:
            for key, value in workload.labels.items():
                if (found := by_label.get((str(key), str(value)))) is not None:
                    found.append(workload)
    result = {}
    for selector in selectors:
        rarest = min((by_label[label] for label in selector), key=len, default=mesh.workloads)
        result[selector] = [
            workload for workload in rarest if all(str(workload.labels.get(key)) == value for key, value in selector)
        ]
    return result


def workloads_of(mesh: Mesh, selector: Selector) -> list[Workload]:
    """The proxies that Gateways with the selector configure."""
    return _selected(mesh).get(selector, [])


@once_per_mesh
def gateways_by_selector(mesh: Mesh) -> dict[Selector, list[Resource]]:
    found: dict[Selector, list[Resource]] = defaultdict(list)
    for gateway in mesh.of(GATEWAY):
        found[selector_of(gateway)].append(gateway)
    return found


def is_gateway(workload: Workload) -> bool:
    """Whether its pods are proxies and nothing else: gateways and waypoints."""
    templates = str(workload.annotations.get(TEMPLATES) or "")
    if GATEWAY_NAME in workload.labels or "gateway" in templates or "waypoint" in templates:
        return True
    return [container.get("name") for container in workload.containers] == [PROXY]


@once_per_mesh
def knows_gateway_workloads(mesh: Mesh) -> bool:
    """Whether a selector without a match means something: a team's own files rarely contain the gateway's pods."""
    return POD in mesh.settings.listed or any(is_gateway(workload) for workload in mesh.workloads)


def service_ports(mesh: Mesh, workload: Workload) -> set[int]:
    """Numbers under which the workload's Services offer its ports, and the ports behind them."""
    names = {
        str(port.get("name")): number
        for container in workload.containers
        for _index, port in items(container, "ports")
        if (number := _number(port.get("containerPort"))) is not None
    }
    found: set[int] = set()
    for service in mesh.services_by_workload.get(id(workload), ()):
        for _index, port in items(service.spec, "ports"):
            if port.get("protocol") in (None, "TCP"):
                target = port.get("targetPort")
                numbers = (port.get("port"), names.get(target) if isinstance(target, str) else target)
                found |= {number for number in numbers if isinstance(number, int)}
    return found
