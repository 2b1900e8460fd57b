# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What runs in the mesh, as plain data: services, workloads, routes, gateways, and which security applies."""

from __future__ import annotations

from collections.abc import Sequence, Set

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY,
    SERVICE,
    VIRTUAL_SERVICE,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import port_number, ports_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.traffic import Name, Signals, Traffic

NOT_MEASURED = "not measured"


def services(mesh: Mesh, traffic: Traffic, namespaces: list[str]) -> list[Object]:
    """Every Service of the namespaces (of all, if none is given) with what is behind it."""
    found = []
    clients = {client for client, _server in traffic.calls}
    for service in sorted(mesh.of(SERVICE), key=lambda item: (item.namespace, item.name)):
        if namespaces and service.namespace not in namespaces:
            continue
        behind = mesh.behind(service)
        signals = traffic.services.get((service.namespace, service.name))
        found.append(
            {
                "namespace": service.namespace,
                "name": service.name,
                "ports": [{"name": port.get("name", ""), "port": port_number(port)} for port in ports_of(service)],
                "mtls": service_mtls(mesh, behind),
                "workloads": [_workload(mesh, workload) for workload in behind],
                "subsets": _subsets(mesh, service),
                "routes": _routes_to(mesh, service),
                "traffic": signals.as_dict() if signals else None,
                "health": health(
                    signals, _is_ready(behind), _is_scraped(mesh, traffic, behind), _is_client(clients, behind)
                ),
            }
        )
    return found


def _is_ready(behind: Sequence[Workload]) -> bool:
    """Whether at least one pod is ready, as far as known."""
    return not behind or any(workload.ready is None or workload.ready > 0 for workload in behind)


def _workload(mesh: Mesh, workload: Workload) -> Object:
    images = {
        str(container.get("name")): str(container.get("image", ""))
        for container in workload.containers
        if container.get("name") != PROXY
    }
    return {
        "kind": workload.resource.kind.kind,
        "name": workload.name,
        "version": str(workload.labels.get("version", "")),
        "images": images,
        "replicas": workload.replicas,
        "ready": workload.ready,
        "sidecar": mesh.has_sidecar(workload),
        "service_account": workload.service_account,
    }


def service_mtls(mesh: Mesh, behind: list[Workload]) -> str:
    """STRICT, PERMISSIVE, DISABLE, ``none`` without sidecars, ``mixed``, or empty if nothing runs."""
    modes = {mesh.mtls_mode(workload) if mesh.has_sidecar(workload) is not False else "none" for workload in behind}
    return modes.pop() if len(modes) == 1 else ("mixed" if modes else "")


def _subsets(mesh: Mesh, service: Resource) -> list[Object]:
    host = mesh.qualified(service.name, service.namespace)
    return [
        {"name": str(subset.get("name", "")), "labels": part(subset, "labels"), "destination_rule": rule.name}
        for rule in mesh.destination_rules(host)
        for _index, subset in items(rule.spec, "subsets")
    ]


def _routes_to(mesh: Mesh, service: Resource) -> list[Object]:
    """Routes to the service, with the weights of all their destinations."""
    host = mesh.qualified(service.name, service.namespace)
    found = []
    for virtual in mesh.of(VIRTUAL_SERVICE):
        for protocol in ("http", "tls", "tcp"):
            for index, route in items(virtual.spec, protocol):
                targets = [_target(mesh, virtual, target) for _place, target in items(route, "route")]
                if any(target["host"] == host for target in targets):
                    found.append(
                        {
                            "virtual_service": f"{virtual.namespace}/{virtual.name}",
                            "route": str(route.get("name") or f"{protocol}[{index}]"),
                            "gateways": [name for _place, name in texts(virtual.spec, "gateways")] or ["mesh"],
                            "destinations": targets,
                        }
                    )
    return found


def _target(mesh: Mesh, virtual: Resource, target: Object) -> Object:
    destination = part(target, "destination")
    weight = target.get("weight")
    return {
        "host": mesh.qualified(str(destination.get("host", "")), virtual.namespace),
        "subset": str(destination.get("subset", "")),
        "weight": weight if isinstance(weight, int) else 100,
    }


def gateways(mesh: Mesh) -> list[Object]:
    """Every server of every Istio Gateway, with its hosts and the VirtualServices that are bound to it."""
    bound: dict[str, list[str]] = {}
    for virtual in mesh.of(VIRTUAL_SERVICE):
        for _place, name in texts(virtual.spec, "gateways"):
            full = name if "/" in name else f"{virtual.namespace}/{name}"
            bound.setdefault(full, []).append(f"{virtual.namespace}/{virtual.name}")
    return [
        {
            "namespace": gateway.namespace,
            "name": gateway.name,
            "port": part(server, "port").get("number"),
            "protocol": str(part(server, "port").get("protocol", "")),
            "hosts": [host for _place, host in texts(server, "hosts")],
            "tls": str(part(server, "tls").get("mode", "")),
            "credential": str(part(server, "tls").get("credentialName", "")),
            "virtual_services": bound.get(f"{gateway.namespace}/{gateway.name}", []),
        }
        for gateway in mesh.of(GATEWAY)
        for _index, server in items(gateway.spec, "servers")
    ]


def calls(mesh: Mesh, traffic: Traffic, namespaces: list[str]) -> list[Object]:
    """Who calls whom, according to Prometheus, and whether the connection is mutual TLS."""
    by_name = {(workload.namespace, workload.name): workload for workload in mesh.workloads}
    by_service = {(service.namespace, service.name): service for service in mesh.of(SERVICE)}
    found = []
    for (client, server), signals in sorted(traffic.calls.items()):
        if namespaces and client[0] not in namespaces and server[0] not in namespaces:
            continue
        service = by_service.get(server)
        found.append(
            {
                "client": {"namespace": client[0], "workload": client[1]},
                "service": {"namespace": server[0], "name": server[1]},
                "security": _security(mesh, by_name.get(client), service),
                **_rates(signals),
            }
        )
    return found


def _rates(signals: Signals) -> Object:
    data = signals.as_dict()
    return {"requests_per_second": data["requests_per_second"], "error_percent": data["error_percent"]}


def _security(mesh: Mesh, client: Workload | None, service: Resource | None) -> str:
    """The effect of the configuration: mutual_tls, plaintext, refused (plaintext to STRICT) or unknown."""
    if client is None or service is None:
        return "unknown"
    behind = mesh.behind(service)
    mode = service_mtls(mesh, behind)
    if mode in ("", "mixed"):
        return "unknown"
    if mode == "none":
        return "plaintext"
    if mesh.has_sidecar(client) is None:
        return "unknown"
    wanted = _client_tls(mesh, service)
    speaks_mutual = bool(mesh.has_sidecar(client)) and (
        wanted == "ISTIO_MUTUAL" or (not wanted and mesh.auto_mtls and mode != "DISABLE")
    )
    if speaks_mutual:
        return "mutual_tls"
    return "refused" if mode == "STRICT" else "plaintext"


def _client_tls(mesh: Mesh, service: Resource) -> str:
    """The TLS mode that a DestinationRule sets, empty if none does."""
    for rule in mesh.destination_rules(mesh.qualified(service.name, service.namespace)):
        if mode := part(rule.spec, "trafficPolicy", "tls").get("mode"):
            return str(mode)
    return ""


def health(signals: Signals | None, ready: bool, scraped: bool, sends: bool) -> str:
    """healthy, degraded or failed by the share of errors; missing pods mean degraded.

    Without requests: failed without ready pods; healthy if its pods send requests, as a gateway's do; idle if its
    proxies are scraped; otherwise NOT_MEASURED, because no count of requests is not a count of no requests.
    """
    if signals is None or signals.error_share is None or signals.rate == 0:
        if not ready:
            return "failed"
        return "healthy" if sends else "idle" if scraped else NOT_MEASURED
    if signals.error_share > 0.05:
        return "failed"
    return "degraded" if signals.error_share > 0.001 or not ready else "healthy"


def _is_scraped(mesh: Mesh, traffic: Traffic, behind: Sequence[Workload]) -> bool:
    """Whether Prometheus has the metrics of at least one proxy. A pod without a proxy counts no requests."""
    with_proxy = [workload for workload in behind if mesh.has_sidecar(workload) is not False]
    return any((pod.namespace, pod.name) in traffic.scraped for workload in with_proxy for pod in workload.pods)


def _is_client(clients: Set[Name], behind: Sequence[Workload]) -> bool:
    """Whether at least one of the workloads sends requests."""
    return any((workload.namespace, workload.name) in clients for workload in behind)
