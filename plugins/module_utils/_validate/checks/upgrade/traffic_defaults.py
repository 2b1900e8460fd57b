# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What an upgrade changes of where requests go, and how often they are repeated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    SERVICE,
    SERVICE_ENTRY,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import exported_to
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import (
    is_crossed,
    keeps_old_behaviour,
    page_of,
)


@check(
    code="MESH607",
    level="warning",
    title="Upgrade: another of several services with one host",
    why="If a host is defined in several namespaces, sidecars used the first of these namespaces by its name. From "
    "Istio 1.30 on, they use the Kubernetes Service, or else the oldest ServiceEntry.",
    remedy="Define the host once, or limit exportTo. PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE=false in istiod's "
    "environment keeps the old choice.",
    docs=page_of((1, 30)),
)
def another_service(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 30)):
        return
    if keeps_old_behaviour(mesh, (1, 30), "PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE"):
        return
    for host, found in _entries_by_host(mesh).items():
        services = [owner for owner in mesh.registry.owners(host) if owner.kind == SERVICE and _is_visible(owner)]
        owners = {owner.namespace: owner for owner in [*found, *services]}
        if len(owners) < 2:
            continue
        chosen = services[0] if services else _oldest(found)
        before = owners[min(owners)]
        if chosen is None:
            report.undecided(f"creationTimestamp of the ServiceEntries for {host}")
        elif chosen.namespace != before.namespace:
            place = next(index for index, name in texts(before.spec, "hosts") if name == host)
            report(before, ("spec", "hosts", place), f"sidecars will use {chosen!r} for {host}, and no longer this one")


def _entries_by_host(mesh: Mesh) -> dict[str, list[Resource]]:
    """ServiceEntries that other namespaces see, by their exact hosts."""
    found: dict[str, list[Resource]] = defaultdict(list)
    for entry in mesh.of(SERVICE_ENTRY):
        if _is_visible(entry):
            for _index, host in texts(entry.spec, "hosts"):
                if not hosts.is_wildcard(host):
                    found[host].append(entry)
    return found


def _is_visible(owner: Resource) -> bool:
    """Whether namespaces other than its own may see it."""
    return not {".", "~"}.issuperset(exported_to(owner))


def _oldest(entries: list[Resource]) -> Resource | None:
    created = [str(part(entry.obj, "metadata").get("creationTimestamp") or "") for entry in entries]
    return entries[created.index(min(created))] if all(created) else None


@check(
    code="MESH609",
    level="warning",
    title="Upgrade: retry budget grows to 20 %",
    why="Without percent, proxies got a retry budget of 0.2 % of the active requests up to Istio 1.29. From 1.30 on, "
    "they get the documented 20 %: up to a hundred times as many retries reach a service that fails.",
    remedy="Set retryBudget.percent to what the service can take: 0.2 keeps the old one.",
    docs=page_of((1, 30), "change-notes"),
    alone=True,
)
def larger_retry_budget(mesh: Mesh, report: Report) -> None:
    for rule in mesh.of(DESTINATION_RULE) if is_crossed(mesh, (1, 30)) else ():
        for path, policy in _policies(rule):
            budget = policy.get("retryBudget")
            if isinstance(budget, dict) and budget.get("percent") is None:
                report(rule, (*path, "retryBudget"), "the budget without percent grows from 0.2 % to 20 %")


@check(
    code="MESH611",
    level="info",
    title="Upgrade: pods that are not ready count for locality failover",
    why="From Istio 1.31 on, proxies also know endpoints that are not ready. They get no requests, but a locality with "
    "many of them sends a part of its traffic to the next one earlier than before.",
    remedy="Nothing, if that is intended. outlierDetection.minHealthPercent above 0, or "
    "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS=false in istiod's environment, keeps the old behaviour.",
    docs=page_of((1, 31)),
)
def unready_endpoints(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 31)):
        return
    if keeps_old_behaviour(mesh, (1, 31), "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS"):
        return
    for rule in mesh.of(DESTINATION_RULE):
        for path, policy in _policies(rule):
            locality = part(policy, "loadBalancer", "localityLbSetting")
            detection = part(policy, "outlierDetection")
            fails_over = locality.get("enabled") is not False and bool(
                locality.get("failover") or locality.get("failoverPriority")
            )
            if fails_over and detection and not detection.get("minHealthPercent"):
                where = (*path, "loadBalancer", "localityLbSetting")
                report(rule, where, "its failover will also count endpoints that are not ready")


def _policies(rule: Resource) -> Iterator[tuple[Path, Object]]:
    yield ("spec", "trafficPolicy"), part(rule.spec, "trafficPolicy")
    for index, subset in items(rule.spec, "subsets"):
        yield ("spec", "subsets", index, "trafficPolicy"), part(subset, "trafficPolicy")
