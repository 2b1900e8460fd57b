# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Several DestinationRules for the same host."""

from __future__ import annotations

from collections import defaultdict

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.lookup import is_guess
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import DESTINATION_RULE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import exported_to
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check


def _subsets(rule: Resource) -> set[str]:
    return {str(subset.get("name")) for _index, subset in items(rule.spec, "subsets")}


def _host(mesh: Mesh, rule: Resource) -> str:
    written = rule.spec.get("host")
    return mesh.qualified(written, rule.namespace) if isinstance(written, str) else ""


def _selector(rule: Resource) -> str:
    """Rules for different workloads do not overlap."""
    return repr(sorted(part(rule.spec, "workloadSelector", "matchLabels").items(), key=repr))


def _clash(one: Resource, other: Resource) -> str:
    """What one of the two rules of a host loses, in words; empty if nothing."""
    shared = sorted(_subsets(one) & _subsets(other))
    if one.namespace == other.namespace:
        # istiod merges them: the older one's settings win.
        if shared:
            return f"subset '{shared[0]}' is also in"
        both = part(one.spec, "trafficPolicy") and part(other.spec, "trafficPolicy")
        return "a trafficPolicy for the host is also in" if both else ""
    if _policy(one) == _policy(other):
        # Whichever of them a client uses.
        return ""
    places, others = exported_to(one), exported_to(other)
    # Each for its own clients alone.
    if "*" not in places and "*" not in others and not _scope(one) & _scope(other):
        return ""
    private = one if places == ["."] else other if others == ["."] else None
    public = other if private is one else one
    if private is not None and _subsets(public) <= _subsets(private):
        # A namespace's own complete rule instead of the common one.
        return ""
    return "the same host is also in"


def _policy(rule: Resource) -> Object:
    """What the rule says of the host. Its clients, and how the host is written, do not matter."""
    return {key: value for key, value in rule.spec.items() if key not in ("exportTo", "host")}


def _scope(rule: Resource) -> set[str]:
    return {rule.namespace if place == "." else place for place in exported_to(rule)}


@check(
    code="KIA0201",
    level="warning",
    title="Host of two DestinationRules",
    why="Within one namespace, the older rule wins field by field. Across namespaces, a client uses only one rule:"
    " its own namespace's, or else the Service's. Settings of the other rules, such as a subset, are missing.",
    remedy="Keep one DestinationRule for the host, in the Service's namespace.",
)
def host_of_two_rules(mesh: Mesh, report: Report) -> None:
    groups: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for rule in mesh.of(DESTINATION_RULE):
        if host := _host(mesh, rule):
            groups[(host, _selector(rule))].append(rule)
    for (host, _selected), group in groups.items():
        if len(group) < 2:
            continue
        for rule in group:
            # The first few are enough to name one.
            for other in group[:8]:
                if other is not rule and (clash := _clash(rule, other)):
                    guess = is_guess([other], stated=rule.states_namespace)
                    text = f"host '{host}': {clash} DestinationRule {names([other])}"
                    report(rule, ("spec", "host"), text, milder=guess)
                    break


@check(
    code="KIA0201",
    level="info",
    title="DestinationRule that replaces a wildcard's",
    why="The most specific host wins as a whole: none of the wildcard's policy applies to this host.",
    remedy="Nothing if this is intended. Otherwise repeat the policy here.",
)
def rule_replaces_wildcard(mesh: Mesh, report: Report) -> None:
    wildcards: dict[str, Resource] = {}
    for rule in mesh.of(DESTINATION_RULE):
        host = _host(mesh, rule)
        if hosts.is_wildcard(host):
            wildcards.setdefault(host, rule)
    if not wildcards:
        return
    for rule in mesh.of(DESTINATION_RULE):
        host = _host(mesh, rule)
        for pattern in hosts.patterns(host):
            other = wildcards.get(pattern)
            if other is None or other is rule:
                continue
            policy = part(other.spec, "trafficPolicy")
            lost = sorted(map(str, set(policy) - set(part(rule.spec, "trafficPolicy")) - {"tls"}))
            if lost:
                message = f"{', '.join(lost)} for '{pattern}' of DestinationRule {names([other])} does not apply here"
                report(rule, ("spec", "host"), message)
            break
