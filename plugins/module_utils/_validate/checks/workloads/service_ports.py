# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Ports of Services: their names, and what is behind them."""

from __future__ import annotations

from collections import defaultdict

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.protocols import (
    HTTP,
    nearest_protocol,
    protocol_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import POD, SERVICE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import port_number
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_DOCS = "https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/"
_PODS = "https://istio.io/latest/docs/ops/deployment/application-requirements/"
_MANAGED = "gateway.istio.io/managed"


def _is_users(service: Resource) -> bool:
    """Not one of the control plane's, nor one that istiod created for a gateway."""
    labels = service.labels
    return "istio" not in labels and labels.get("release") != "istio" and _MANAGED not in labels


@check(
    code="IST0118",
    aliases=["KIA0601", "KIA0602"],
    level="info",
    title="Port without a protocol in its name",
    why="Proxies detect it from the first bytes: that takes time, and protocols in which servers speak first stall.",
    remedy="Set appProtocol, or name the port <protocol> or <protocol>-<suffix>, such as http-web.",
    docs=_DOCS,
    alone=True,
)
def port_without_protocol(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(SERVICE):
        if service.spec.get("type") == "ExternalName" or not _is_users(service):
            continue
        for index, port in items(service.spec, "ports"):
            if not protocol_of(port):
                field = "appProtocol" if port.get("appProtocol") is not None else "name"
                meant = nearest_protocol(str(port.get(field) or ""))
                report(service, ("spec", "ports", index, field), _unnamed(port, field), meant=meant)


def _unnamed(port: Object, field: str) -> str:
    value = port.get(field)
    if not value:
        return f"port {port.get('port')} has no name with a protocol"
    near = nearest_protocol(str(value))
    hint = f"; nearest protocol: '{near}'" if near else ""
    return f"{field} '{value}' of port {port.get('port')} names no known protocol{hint}"


@check(
    code="IST0150",
    level="warning",
    title="Port of an ExternalName Service",
    why="As TCP, the port's listener takes other destinations' traffic: the Service has no address of its own.",
    remedy="Name the port after its HTTP or TLS protocol, such as https.",
    alone=True,
)
def port_of_external_name(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(SERVICE):
        if service.spec.get("type") != "ExternalName" or not _is_users(service):
            continue
        for index, port in items(service.spec, "ports"):
            if not protocol_of(port) or port.get("name") == "tcp":
                named = f"'{port['name']}'" if port.get("name") else "without a name"
                message = f"port {port.get('port')} {named} of an ExternalName Service counts as TCP"
                report(service, ("spec", "ports", index, "name"), message)


def _kind(port: Object) -> str:
    """UDP, HTTP or TCP; empty if the port has none."""
    protocol = protocol_of(port)
    return "" if not protocol else "UDP" if protocol == "udp" else "HTTP" if protocol in HTTP else "TCP"


def _meshed(mesh: Mesh) -> list[tuple[Workload, list[Resource]]]:
    """Workloads with a sidecar that several Services select, with these Services."""
    return [
        (workload, services)
        for workload in mesh.workloads
        if len(services := mesh.services_by_workload.get(id(workload), [])) > 1 and mesh.has_sidecar(workload)
    ]


@check(
    code="IST0116",
    level="warning",
    title="One port, several protocols",
    why="The sidecar has one listener for the port and uses the protocol of one of the Services.",
    remedy="Give the port the same protocol in every Service of the workload, or another number.",
    docs=_PODS,
    needs=[SERVICE, POD],
)
def port_with_several_protocols(mesh: Mesh, report: Report) -> None:
    for workload, services in _meshed(mesh):
        by_port: dict[int, dict[str, list[Resource]]] = defaultdict(lambda: defaultdict(list))
        for service in services:
            for _index, port in items(service.spec, "ports"):
                if (number := port_number(port)) is not None and (kind := _kind(port)):
                    by_port[number][kind].append(service)
        for number, by_kind in by_port.items():
            # A Service that offers a port for TCP and UDP, as DNS does, agrees with itself.
            together = {id(service): service for found in by_kind.values() for service in found}
            if len(by_kind) > 1 and len(together) > 1:
                kinds = " and ".join(sorted(by_kind))
                message = f"port {number} is {kinds} in Services {names(list(together.values()))}"
                report(workload.resource, ("metadata", "name"), message)


@check(
    code="IST0137",
    level="warning",
    title="One targetPort, several ports",
    why="The sidecar has one cluster for the targetPort and treats all requests as those of one of the ports.",
    remedy="Give the targetPort the same port in every Service of the workload.",
    docs=_PODS,
    needs=[SERVICE, POD],
)
def target_port_with_several_ports(mesh: Mesh, report: Report) -> None:
    for workload, services in _meshed(mesh):
        by_target: dict[str, dict[int, Resource]] = defaultdict(dict)
        for service in services:
            for _index, port in items(service.spec, "ports"):
                if (number := port_number(port)) is not None:
                    by_target[str(port.get("targetPort") or number)].setdefault(number, service)
        for target, by_port in by_target.items():
            owners = list({id(service): service for service in by_port.values()}.values())
            if len(by_port) > 1 and len(owners) > 1:
                listed = ", ".join(map(str, sorted(by_port)))
                message = f"targetPort {target} has the ports {listed} in Services {names(owners)}"
                report(workload.resource, ("metadata", "name"), message)


@check(
    code="KIA0701",
    level="warning",
    title="No container offers the targetPort",
    why="The Service has no endpoint for the port, so its connections are refused.",
    remedy="Name a port of the pods' containers.",
    needs=[SERVICE, POD],
)
def target_port_of_no_container(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(SERVICE):
        if service.namespace == mesh.settings.root_namespace or not _is_users(service):
            continue
        behind = mesh.behind(service)
        if not behind:
            continue
        offered, declared = _container_ports(behind)
        for index, port in items(service.spec, "ports"):
            target = port.get("targetPort") or port.get("port")
            if str(target) in offered or target is None:
                continue
            workload = f"{behind[0].resource.kind.kind} {behind[0].name}"
            field = "targetPort" if port.get("targetPort") else "port"
            if isinstance(target, str) and not target.isdigit():
                report(
                    service, ("spec", "ports", index, field), f"no container of {workload} has a port named '{target}'"
                )
            elif declared:
                # Containers may listen on ports that they do not declare.
                message = f"no container of {workload} declares port {target}"
                report(service, ("spec", "ports", index, field), message, level="info")


def _container_ports(workloads: list[Workload]) -> tuple[set[str], bool]:
    """Names and numbers that containers declare, as strings; and whether every workload declares any."""
    offered: set[str] = set()
    declared = True
    for workload in workloads:
        containers = [*workload.containers, *(item for _index, item in items(workload.pod_spec, "initContainers"))]
        ports = [port for container in containers for _index, port in items(container, "ports")]
        offered |= {str(port[field]) for port in ports for field in ("containerPort", "name") if port.get(field)}
        declared = declared and bool(ports)
    return offered, declared
