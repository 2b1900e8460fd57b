# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Routes of the Gateway API whose references are broken. What is wrong with each is worked out once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import (
    unseen_gateway,
    unseen_grant,
    unseen_service,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateway_api import (
    ROUTES,
    Listener,
    Reference,
    admits,
    backends,
    granted,
    listeners_by_gateway,
    mirrors,
    parents,
    rules,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    K8S_GATEWAY,
    SERVICE,
    SERVICE_ENTRY,
    Kind,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import port_number, ports_of

HOSTNAME = Kind("networking.istio.io", "Hostname")


class RouteFault(NamedTuple):
    """what: gateway, namespace, listener, grant, backend or port."""

    what: str
    route: Resource
    path: Path
    message: str


@once_per_mesh
def route_faults(mesh: Mesh) -> list[RouteFault]:
    found: list[RouteFault] = []
    for route in mesh.of(*ROUTES):
        for parent in parents(route):
            found += _of_parent(mesh, route, parent)
        for rule_path, rule in rules(route):
            for backend in (*backends(route, rule_path, rule), *mirrors(route, rule_path, rule)):
                found += _of_backend(mesh, route, backend)
    return found


def _of_parent(mesh: Mesh, route: Resource, parent: Reference) -> Iterator[RouteFault]:
    if parent.kind == K8S_GATEWAY:
        yield from _of_gateway(mesh, route, parent)
    elif parent.kind in (SERVICE, SERVICE_ENTRY):
        if parent.kind == SERVICE and unseen_service(mesh, parent.namespace, parent.name, route):
            return
        if not mesh.find(parent.kind, parent.namespace, parent.name):
            text = f"parent {parent.kind.kind} '{parent.namespace}/{parent.name}' does not exist"
            yield RouteFault("backend", route, (*parent.path, "name"), text)


def _of_gateway(mesh: Mesh, route: Resource, parent: Reference) -> Iterator[RouteFault]:
    gateway = mesh.find(K8S_GATEWAY, parent.namespace, parent.name)
    if gateway is None:
        if unseen_gateway(mesh, route, parent.namespace, parent.name):
            return
        text = f"Gateway '{parent.namespace}/{parent.name}' does not exist"
        yield RouteFault("gateway", route, (*parent.path, "name"), text)
        return
    offered = listeners_by_gateway(mesh).get(id(gateway), [])
    named = f"Gateway '{parent.namespace}/{parent.name}'"
    for field, value, attribute in (("sectionName", parent.section, "name"), ("port", parent.port, "port")):
        if value:
            offered = [item for item in offered if getattr(item, attribute) == value]
            if not offered:
                text = f"{named} has no listener with {attribute} {value}"
                yield RouteFault("listener", route, (*parent.path, field), text)
                return
    kinds = [item for item in offered if item.kinds is None or route.kind in item.kinds]
    if offered and not kinds:
        shown = ", ".join(sorted({item.protocol for item in offered}))
        text = f"no listener ({shown}) of {named} accepts a {route.kind.kind}"
        yield RouteFault("listener", route, (*parent.path, "name"), text)
        return
    open_to = [item for item in kinds if admits(mesh, item, route.namespace)]
    if kinds and not open_to:
        text = f"no listener of {named} accepts routes from namespace '{route.namespace}'"
        yield RouteFault("namespace", route, (*parent.path, "name"), text)
        return
    wanted = [host for _index, host in texts(route.spec, "hostnames")]
    if wanted and open_to and not any(_shares_host(item, wanted) for item in open_to):
        shown = ", ".join(sorted({item.hostname for item in open_to}))
        text = f"none of its hostnames matches a listener of {named}: {shown}"
        yield RouteFault("listener", route, ("spec", "hostnames"), text)


def _shares_host(listener: Listener, wanted: list[str]) -> bool:
    return not listener.hostname or any(hosts.overlap(listener.hostname, host) for host in wanted)


def _of_backend(mesh: Mesh, route: Resource, backend: Reference) -> Iterator[RouteFault]:
    path = (*backend.path, "name")
    if backend.kind == HOSTNAME:
        if not mesh.registry.owners(backend.name) and _judges(mesh, backend.name, route):
            yield RouteFault("backend", route, path, f"host '{backend.name}' is not a Service or a ServiceEntry")
        return
    if backend.kind != SERVICE:
        return
    if not granted(mesh, (route.kind, route.namespace), (SERVICE, backend.namespace), backend.name):
        if unseen_grant(mesh, backend.namespace):
            return
        text = f"no ReferenceGrant in namespace '{backend.namespace}' allows {route.kind.kind}s from"
        text += f" '{route.namespace}' to use Service '{backend.name}'"
        yield RouteFault("grant", route, path, text)
        return
    service = mesh.find(SERVICE, backend.namespace, backend.name)
    if service is None:
        if not unseen_service(mesh, backend.namespace, backend.name, route):
            yield RouteFault("backend", route, path, f"Service '{backend.namespace}/{backend.name}' does not exist")
        return
    offered = [number for port in ports_of(service) if (number := port_number(port)) is not None]
    if backend.port is None:
        yield RouteFault("port", route, path, f"the reference to Service '{backend.name}' has no port")
    elif offered and backend.port not in offered:
        shown = ", ".join(map(str, offered[:5]))
        text = f"Service '{backend.namespace}/{backend.name}' has no port {backend.port}; its ports: {shown}"
        yield RouteFault("port", route, (*backend.path, "port"), text)


def _judges(mesh: Mesh, host: str, route: Resource) -> bool:
    """Whether the input would show a host of this name: it need not include the Services of other namespaces."""
    service = hosts.service_of(host, mesh.settings.cluster_domain)
    return service is None or not unseen_service(mesh, *service, route)
