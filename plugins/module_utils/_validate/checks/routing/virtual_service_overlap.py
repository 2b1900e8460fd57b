# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Several VirtualServices for the same host."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import VIRTUAL_SERVICE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import (
    MESH,
    PROTOCOLS,
    on_mesh,
    own_gateways,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import exported_to
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

Bound = tuple[str, str]
_MESH: Bound = ("", MESH)


class _Claim(NamedTuple):
    service: Resource
    # Place of the host in spec.hosts.
    place: int


def _scopes(service: Resource) -> set[str]:
    """Namespaces in which the VirtualService applies; ``*`` for all."""
    found = {service.namespace if target == "." else target for target in exported_to(service)}
    return {"*"} if "*" in found else found - {"~"}


def _others(group: list[Resource], one: Resource) -> str:
    """The names of the others, cut; without iterating over a long list for each of its members."""
    shown = [item for item in group[:4] if item is not one][:3]
    rest = len(group) - 1 - len(shown)
    return names(shown) + (f" ({rest} more)" if rest > 0 else "")


@check(
    code="IST0109",
    aliases=["KIA1106"],
    level="error",
    title="Host of two VirtualServices in the mesh",
    why="Sidecars use one of them and ignore the other. Which one is undefined, and its routes are missing.",
    remedy="Merge the VirtualServices, or separate their namespaces with exportTo.",
)
def host_claimed_twice_in_mesh(mesh: Mesh, report: Report) -> None:
    by_host: dict[str, list[_Claim]] = defaultdict(list)
    for gateway, host, claim in _claims(mesh):
        if gateway == _MESH:
            by_host[host].append(claim)
    for host, claims in by_host.items():
        if len(claims) > 1:
            _report_conflicts(report, host, claims)


def _report_conflicts(report: Report, host: str, claims: list[_Claim]) -> None:
    """Those that are visible together in some namespace; each VirtualService once."""
    by_scope: dict[str, list[_Claim]] = defaultdict(list)
    for claim in claims:
        for scope in _scopes(claim.service):
            by_scope[scope].append(claim)
    everywhere = by_scope.get("*", [])
    reported: set[int] = set()
    for scope, found in by_scope.items():
        conflict = found if scope == "*" else [*found, *everywhere]
        group = [claim.service for claim in conflict]
        stating = sum(service.states_namespace for service in group)
        for claim in conflict if len(conflict) > 1 else ():
            if id(claim.service) not in reported:
                reported.add(id(claim.service))
                message = f"host '{host}' is also in VirtualService {_others(group, claim.service)}"
                # Whether all others are in the same place is a guess.
                alike = stating if claim.service.states_namespace else len(group) - stating
                report(claim.service, ("spec", "hosts", claim.place), message, milder=alike == 1)


@once_per_mesh
def _claims(mesh: Mesh) -> list[tuple[Bound, str, _Claim]]:
    """Every host of every VirtualService, at each place where it applies."""
    found = []
    for service in mesh.of(VIRTUAL_SERVICE):
        bound: dict[Bound, None] = dict.fromkeys(own_gateways(service))
        if on_mesh(service):
            bound[_MESH] = None
        seen: set[str] = set()
        for place, host in texts(service.spec, "hosts"):
            full = mesh.qualified(host, service.namespace)
            if full not in seen:
                seen.add(full)
                found += [(gateway, full, _Claim(service, place)) for gateway in bound]
    return found


def _matches(service: Resource) -> Iterator[tuple[tuple[str, str], str]]:
    """Everything that the routes match, as a key and in words. Paths alone have the key prefix or exact."""
    for protocol in PROTOCOLS:
        for _index, route in items(service.spec, protocol):
            matches = [match for _place, match in items(route, "match")]
            if not matches:
                yield (f"{protocol} all", ""), "every request"
            for match in matches:
                conditions = {key: value for key, value in match.items() if key != "name" and value}
                uri = conditions.get("uri")
                if not conditions or conditions == {"uri": {"prefix": "/"}}:
                    yield (f"{protocol} all", ""), "every request"
                elif len(conditions) == 1 and isinstance(uri, dict) and len(uri) == 1:
                    ((kind, text),) = uri.items()
                    yield (str(kind), str(text)), f"{kind} '{text}'"
                else:
                    same = repr(sorted(conditions.items(), key=repr))
                    yield ("match", same), f"the same {' and '.join(sorted(map(str, conditions)))}"


def _shared(group: list[_Claim]) -> dict[int, str]:
    """``id`` of each VirtualService that matches what another one of the group also matches -> what."""
    owners: dict[tuple[str, str], Resource] = {}
    found: dict[int, str] = {}

    def clash(one: Resource, other: Resource, what: str) -> None:
        if one is not other:
            found.setdefault(id(one), f"{what}, as does VirtualService {names([other])}")
            found.setdefault(id(other), f"{what}, as does VirtualService {names([one])}")

    for claim in group:
        for key, what in _matches(claim.service):
            clash(owners.setdefault(key, claim.service), claim.service, what)
    for (kind, text), owner in owners.items():
        if kind in ("prefix", "exact"):
            for end in range(1, len(text) + (kind == "exact")):
                if wider := owners.get(("prefix", text[:end])):
                    clash(wider, owner, f"{kind} '{text}'")
    return found


@check(
    code="KIA1106",
    aliases=["IST0109"],
    level="warning",
    title="Host of two VirtualServices at a gateway",
    why="The gateway merges their routes, the older one's first: where both match, the older one wins.",
    remedy="Merge the VirtualServices, or make their matches disjoint.",
)
def host_claimed_twice_at_gateway(mesh: Mesh, report: Report) -> None:
    groups: dict[tuple[Bound, str], list[_Claim]] = defaultdict(list)
    for gateway, host, claim in _claims(mesh):
        if gateway != _MESH:
            groups[(gateway, host)].append(claim)
    reported: set[int] = set()
    for (gateway, host), group in groups.items():
        if len(group) < 2:
            continue
        shared = _shared(group)
        services = [claim.service for claim in group]
        for claim in group:
            if id(claim.service) in reported:
                continue
            reported.add(id(claim.service))
            clash = shared.get(id(claim.service))
            there = f"host '{host}' at gateway {'/'.join(gateway)}"
            path = ("spec", "hosts", claim.place)
            if clash:
                report(claim.service, path, f"{there}: this matches {clash}")
            else:
                message = f"{there} is also in VirtualService {_others(services, claim.service)}"
                report(claim.service, path, f"{message}; the gateway merges their routes", level="info")


@check(
    code="KIA1106",
    level="info",
    title="Wildcard that does not reach a host",
    why="The most specific host wins: requests to it never match the wildcard's routes.",
    remedy="Nothing if this is intended. Otherwise repeat the routes, or merge the VirtualServices.",
)
def wildcard_beside_exact_host(mesh: Mesh, report: Report) -> None:
    wildcards: dict[tuple[Bound, str], Resource] = {}
    for gateway, host, claim in _claims(mesh):
        if hosts.is_wildcard(host):
            wildcards.setdefault((gateway, host), claim.service)
    if not wildcards:
        return
    for gateway, host, claim in _claims(mesh):
        for pattern in hosts.patterns(host):
            other = wildcards.get((gateway, pattern))
            if other is not None and other is not claim.service:
                report(
                    claim.service,
                    ("spec", "hosts", claim.place),
                    f"requests to '{host}' never match the routes for '{pattern}' of VirtualService {names([other])}",
                )
                break
