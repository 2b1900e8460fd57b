# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Retries that multiply along a chain of services."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.hosts import service_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import (
    service_account_of_principal,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    POD,
    SERVICE,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import on_mesh, own_gateways, whole
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# (namespace, name) of a Service.
Name = tuple[str, str]

# Conditions under which a failure that a server passes on from its own backend is retried.
_PASSED_ON = {"5xx", "gateway-error", "retriable-status-codes"}
# From here on, a failing service gets so many requests for one that it hardly recovers.
_TOO_MANY = 9


class _Retried(NamedTuple):
    service: Resource
    path: Path
    tries: int


class _Load(NamedTuple):
    """What one request from outside may become. chain: the services that multiply it, with their tries."""

    requests: int
    chain: tuple[str, ...]


@check(
    code="MESH206",
    level="warning",
    title="Retries multiply along the chain",
    why="Each service of the chain retries what the next one has already retried. If the last one fails, it gets the"
    " product of all tries, and cannot recover under that load.",
    remedy="Retry at one place of the chain only; elsewhere only on connect-failure.",
    needs=[SERVICE, POD],
)
def retries_multiply(mesh: Mesh, report: Report) -> None:
    inside, outside = _retried(mesh)
    if len(inside) + len(outside) < 2:
        return
    loads = _loads(_callers(mesh), inside, outside)
    for name, retried in inside.items():
        load = loads.get(name)
        if load and load.requests >= _TOO_MANY and len(load.chain) > 1:
            message = f"one request may become {load.requests} at '{name[1]}': {' times '.join(load.chain)}"
            report(retried.service, retried.path, message)


def _retried(mesh: Mesh) -> tuple[dict[Name, _Retried], dict[Name, _Retried]]:
    """Services whose failures sidecars retry, and those whose failures gateways retry, with a route's most tries."""
    inside: dict[Name, _Retried] = {}
    outside: dict[Name, _Retried] = {}
    for service, destination in mesh.destinations:
        if destination.mirror or destination.path[1] != "http":
            continue
        place = destination.path[2]
        retries = part(service.spec["http"][place], "retries")
        tries = (whole(retries.get("attempts")) or 0) + 1
        wanted = retries.get("retryOn")
        if tries < 2 or not isinstance(wanted, str) or _PASSED_ON.isdisjoint(map(str.strip, wanted.split(","))):
            continue
        name = service_of(destination.host, mesh.settings.cluster_domain)
        entry = _Retried(service, ("spec", "http", place, "retries", "attempts"), tries)
        for found in ([inside] if on_mesh(service) else []) + ([outside] if any(own_gateways(service)) else []):
            if name and (name not in found or found[name].tries < tries):
                found[name] = entry
    return inside, outside


def _callers(mesh: Mesh) -> dict[Name, set[Name]]:
    """Service -> Services whose accounts an ALLOW policy lets call it."""
    by_account: dict[tuple[str, str], set[Name]] = defaultdict(set)
    for workload in mesh.workloads:
        for service in mesh.services_by_workload.get(id(workload), ()):
            by_account[(workload.namespace, workload.service_account)].add((service.namespace, service.name))
    found: dict[Name, set[Name]] = defaultdict(set)
    for policy in mesh.of(AUTHORIZATION_POLICY):
        labels = selector_labels(policy)
        if policy.spec.get("action", "ALLOW") != "ALLOW" or not labels:
            continue
        clients = set().union(*(by_account.get(account, ()) for account in _accounts(policy.spec)))
        for workload in mesh.labels.matching(policy.namespace, labels) if clients else ():
            for service in mesh.services_by_workload.get(id(workload), ()):
                name = (service.namespace, service.name)
                found[name] |= clients - {name}
    return found


def _accounts(spec: Object) -> set[tuple[str, str]]:
    """(namespace, ServiceAccount) of the principals that are written in full."""
    found = set()
    for _index, rule in items(spec, "rules"):
        for _number, source in items(rule, "from"):
            for _place, principal in texts(source, "source", "principals"):
                if account := service_account_of_principal(principal):
                    found.add(account[1:])
    return found


def _loads(
    callers: dict[Name, set[Name]], inside: dict[Name, _Retried], outside: dict[Name, _Retried]
) -> dict[Name, _Load]:
    """The largest load of each service. Services that call each other in a cycle are left out."""
    called: dict[Name, list[Name]] = defaultdict(list)
    waiting = {name: len(clients) for name, clients in callers.items()}
    for name, clients in callers.items():
        for client in clients:
            called[client].append(name)
    ready = [name for name in {*called, *inside, *outside} if not waiting.get(name)]
    loads: dict[Name, _Load] = {}
    while ready:
        name = ready.pop()
        above = max((loads[client] for client in callers.get(name, ())), default=_Load(1, ()))
        entry, first = inside.get(name), outside.get(name)
        best = _times(above, name, entry.tries) if entry else above
        loads[name] = max(best, _times(_Load(1, ()), name, first.tries)) if first else best
        for server in called.get(name, ()):
            waiting[server] -= 1
            if not waiting[server]:
                ready.append(server)
    return loads


def _times(load: _Load, name: Name, tries: int) -> _Load:
    return _Load(load.requests * tries, (*load.chain, f"{tries} tries of {name[1]}"))
