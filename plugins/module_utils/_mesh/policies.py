# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which workloads Istio's policies apply to, and what their rules contain."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    REQUEST_AUTHENTICATION,
    Kind,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload

_INDEXED = (AUTHORIZATION_POLICY, REQUEST_AUTHENTICATION)


def has_target(policy: Resource) -> bool:
    """Whether it names its Services or Gateways instead of selecting workloads by labels."""
    return bool(policy.spec.get("targetRef") or policy.spec.get("targetRefs"))


def reach(mesh: Mesh, policy: Resource) -> list[Workload]:
    """The workloads that a policy selects; none if it names its targets."""
    if policy.kind in _INDEXED and (known := applied(mesh, policy.kind).selected.get(id(policy))) is not None:
        return known
    return [] if has_target(policy) else mesh.selected(policy.namespace, selector_labels(policy))


class Applied:
    """The policies of one kind, by what they apply to."""

    def __init__(self) -> None:
        self.everywhere: list[Resource] = []
        self.by_namespace: dict[str, list[Resource]] = defaultdict(list)
        self.by_workload: dict[int, list[Resource]] = defaultdict(list)
        # What those with labels select, by ``id(policy)``.
        self.selected: dict[int, list[Workload]] = {}

    def to(self, workload: Workload) -> list[Resource]:
        wide = [*self.everywhere, *self.by_namespace.get(workload.namespace, ())]
        return wide + self.by_workload.get(id(workload), [])


def applied(mesh: Mesh, kind: Kind) -> Applied:
    """Policies that name their targets are in none of the lists."""
    return _applied(mesh)[kind]


@once_per_mesh
def _applied(mesh: Mesh) -> dict[Kind, Applied]:
    return {kind: _apply(mesh, kind) for kind in _INDEXED}


def _apply(mesh: Mesh, kind: Kind) -> Applied:
    result = Applied()
    for policy in mesh.of(kind):
        if has_target(policy):
            continue
        if labels := selector_labels(policy):
            result.selected[id(policy)] = workloads = mesh.selected(policy.namespace, labels)
            for workload in workloads:
                result.by_workload[id(workload)].append(policy)
        elif policy.namespace == mesh.settings.root_namespace:
            result.everywhere.append(policy)
        else:
            result.by_namespace[policy.namespace].append(policy)
    return result


def action(policy: Resource) -> str:
    return str(policy.spec.get("action") or "ALLOW")


Parts = list[tuple[Path, Object]]


def sources(mesh: Mesh, policy: Resource) -> Parts:
    """Each ``source`` of an AuthorizationPolicy with its path."""
    return _rules(mesh)[id(policy)][0]


def operations(mesh: Mesh, policy: Resource) -> Parts:
    return _rules(mesh)[id(policy)][1]


def conditions(mesh: Mesh, policy: Resource) -> Parts:
    return _rules(mesh)[id(policy)][2]


@once_per_mesh
def _rules(mesh: Mesh) -> dict[int, tuple[Parts, Parts, Parts]]:
    """Sources, operations and conditions, which a dozen checks read, by ``id(policy)``."""
    found: dict[int, tuple[Parts, Parts, Parts]] = {}
    for policy in mesh.of(AUTHORIZATION_POLICY):
        parts: tuple[Parts, Parts, Parts] = ([], [], [])
        for number, rule in items(policy.spec, "rules"):
            path = ("spec", "rules", number)
            parts[0].extend(((*path, "from", i, "source"), part(entry, "source")) for i, entry in items(rule, "from"))
            parts[1].extend(((*path, "to", i, "operation"), part(entry, "operation")) for i, entry in items(rule, "to"))
            parts[2].extend(((*path, "when", i), condition) for i, condition in items(rule, "when"))
        found[id(policy)] = parts
    return found


def values(holder: Object, path: Path, *fields: str) -> Iterator[tuple[Path, str]]:
    """Every text of the lists, with its path."""
    for name in fields:
        for index, text in texts(holder, name) if name in holder else ():
            yield (*path, name, index), text


def matches_everything(rule: Object) -> bool:
    """``{}``: a rule without conditions matches each request."""
    return not any(rule.get(part_of_rule) for part_of_rule in ("from", "to", "when"))


def selected_twice(
    mesh: Mesh, selectors: Iterable[tuple[Resource, Mapping[str, Any]]]
) -> Iterator[tuple[Resource, str]]:
    """Each resource together with words on another one that selects the same workload; empty labels select nothing."""
    first: dict[int, Resource] = {}
    reported: set[tuple[str, str, str]] = set()
    for resource, labels in selectors:
        for workload in mesh.labels.matching(resource.namespace, labels) if labels else ():
            other = first.setdefault(id(workload), resource)
            if other is resource:
                continue
            for one, another in ((other, resource), (resource, other)):
                key = (one.namespace, one.name, another.name)
                if key not in reported:
                    reported.add(key)
                    what = f"{workload.resource.kind.kind} {workload.name}"
                    yield one, f"{names([another])} also selects {what}"


def service_account_of_principal(principal: str) -> tuple[str, str, str] | None:
    """(trust domain, namespace, ServiceAccount) of ``cluster.local/ns/shop/sa/cart``; None for another form."""
    pieces = principal.split("/")
    if len(pieces) != 5 or pieces[1] != "ns" or pieces[3] != "sa":
        return None
    return pieces[0], pieces[2], pieces[4]


class Names:
    """Names that Istio's patterns are compared with: exact, ``prefix*``, ``*suffix``, ``*``."""

    def __init__(self, names: Iterable[str]) -> None:
        self._exact = set(names)
        self._forwards = sorted(self._exact)
        self._backwards = sorted(name[::-1] for name in self._exact)

    def __contains__(self, pattern: str) -> bool:
        if pattern == "*":
            return bool(self._exact)
        if pattern.startswith("*"):
            return _has_prefix(self._backwards, pattern[:0:-1])
        if pattern.endswith("*"):
            return _has_prefix(self._forwards, pattern[:-1])
        return pattern in self._exact

    def __iter__(self) -> Iterator[str]:
        return iter(self._forwards)


def _has_prefix(ordered: list[str], prefix: str) -> bool:
    place = bisect_left(ordered, prefix)
    return place < len(ordered) and ordered[place].startswith(prefix)
