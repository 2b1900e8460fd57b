# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""ServiceEntries."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.hosts import service_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import SERVICE, SERVICE_ENTRY, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import exported_to, port_number
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


@check(
    code="IST0134",
    level="warning",
    title="TCP port without addresses",
    why="Without an address of its own, the entry's listener takes all traffic on that port, whatever its destination.",
    remedy="Add addresses, name an HTTP or TLS protocol, or turn on DNS capture, which allocates addresses.",
)
def tcp_without_addresses(mesh: Mesh, report: Report) -> None:
    if _addresses_are_allocated(mesh):
        return
    for entry in mesh.of(SERVICE_ENTRY):
        if entry.spec.get("addresses") or entry.status.get("addresses"):
            continue
        for index, port in items(entry.spec, "ports"):
            protocol = port.get("protocol") or ""
            if str(protocol).upper() in ("", "TCP"):
                number = port.get("number")
                report(entry, ("spec", "ports", index), f"port {number} is TCP, and the entry has no addresses")


def _addresses_are_allocated(mesh: Mesh) -> bool:
    """With DNS capture, istiod gives each entry an address, unless that is turned off."""
    metadata = part(mesh.mesh_config, "defaultConfig", "proxyMetadata")
    if str(metadata.get("ISTIO_META_DNS_CAPTURE")).lower() != "true":
        return False
    switches = ("ISTIO_META_DNS_AUTO_ALLOCATE", "PILOT_ENABLE_IP_AUTOALLOCATE")
    settings = [str(metadata[name]).lower() for name in switches if name in metadata]
    return not settings or "true" in settings


class _Offer(NamedTuple):
    entry: Resource
    port: int
    protocol: str


def _offers(mesh: Mesh) -> dict[tuple[str, int], dict[str, list[_Offer]]]:
    """(host, port) -> namespace in which it is visible (``*`` for all) -> who offers it."""
    found: dict[tuple[str, int], dict[str, list[_Offer]]] = defaultdict(lambda: defaultdict(list))
    for entry in mesh.of(SERVICE_ENTRY):
        targets = {entry.namespace if place == "." else place for place in exported_to(entry)} - {"~"}
        scopes = {"*"} if "*" in targets else targets
        ports = [(index, port_number(port), port) for index, port in items(entry.spec, "ports")]
        for host in {host.lower() for _place, host in texts(entry.spec, "hosts")}:
            for index, number, port in ports:
                if number is not None:
                    offer = _Offer(entry, index, str(port.get("protocol") or "TCP").upper())
                    for scope in scopes:
                        found[(host, number)][scope].append(offer)
    return found


def _groups(mesh: Mesh) -> list[tuple[str, int, list[_Offer]]]:
    """Offers of several entries for one host and port that are visible together in some namespace."""
    groups = []
    for (host, number), by_scope in _offers(mesh).items():
        everywhere = by_scope.get("*", [])
        for scope, offers in by_scope.items():
            together = offers if scope == "*" else [*offers, *everywhere]
            if len({id(offer.entry) for offer in together}) > 1:
                groups.append((host, number, together))
    return groups


def _is_conflict(group: list[_Offer]) -> bool:
    return len({offer.protocol for offer in group}) > 1


@check(
    code="IST0177",
    aliases=["KIA1212"],
    level="warning",
    title="One host and port, several protocols",
    why="Proxies have one listener for the port and use one of the protocols; which one is undefined.",
    remedy="Give the port the same protocol in every ServiceEntry, or separate their namespaces with exportTo.",
)
def conflicting_protocols(mesh: Mesh, report: Report) -> None:
    reported: set[int] = set()
    for host, number, group in _groups(mesh):
        if not _is_conflict(group):
            continue
        protocols = ", ".join(sorted({offer.protocol for offer in group}))
        for offer in group:
            if id(offer.entry) not in reported:
                reported.add(id(offer.entry))
                message = f"host '{host}' has port {number} with several protocols, {protocols}: {_listed(group)}"
                report(offer.entry, ("spec", "ports", offer.port, "protocol"), message)


@check(
    code="KIA1211",
    level="warning",
    title="One host and port in several ServiceEntries",
    why="Which entry's resolution and endpoints are used depends on the order of creation.",
    remedy="Merge the entries, or separate their namespaces with exportTo.",
)
def repeated_entries(mesh: Mesh, report: Report) -> None:
    reported: set[int] = set()
    for host, number, group in _groups(mesh):
        if _is_conflict(group):
            continue
        for offer in group:
            if id(offer.entry) not in reported:
                reported.add(id(offer.entry))
                message = f"several ServiceEntries have host '{host}' with port {number}: {_listed(group)}"
                report(offer.entry, ("spec", "ports", offer.port), message)


def _listed(group: list[_Offer]) -> str:
    return names(list({id(offer.entry): offer.entry for offer in group[:8]}.values()))


@check(
    code="MESH212",
    level="warning",
    title="ServiceEntry in place of a Service",
    why="The host is already a Kubernetes Service. It is undefined which of the two endpoints clients use.",
    remedy="Remove the host, or let the Service select the endpoints (it can also select WorkloadEntries).",
)
def entry_shadows_service(mesh: Mesh, report: Report) -> None:
    for entry in mesh.of(SERVICE_ENTRY):
        for index, host in texts(entry.spec, "hosts"):
            place = service_of(host, mesh.settings.cluster_domain)
            if place and mesh.find(SERVICE, *place):
                report(entry, ("spec", "hosts", index), f"host '{host}' is Service {'/'.join(place)}")
