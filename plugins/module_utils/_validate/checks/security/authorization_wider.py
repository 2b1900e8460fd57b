# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""ALLOW rules whose conditions protect nothing, because a wider rule admits the same callers without them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, names, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import action, has_target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# istiod only logs what such a policy would do.
_DRY_RUN = "istio.io/dry-run"
# Beyond so many labels, only policies with all or none of them are compared.
_MOST_LABELS = 4
# A namespace, and the labels or targets in it.
_Scope = tuple[str, frozenset[tuple[str, str]]]


class _Rule(NamedTuple):
    policy: Resource
    path: Path
    rule: Object

    @property
    def sources(self) -> list[Object]:
        return [part(entry, "source") for _index, entry in items(self.rule, "from")]


@check(
    code="MESH418",
    level="warning",
    title="Conditions that a wider rule makes void",
    why="A request passes if any ALLOW rule matches. Another rule admits the same callers without these conditions.",
    remedy="Narrow the other rule, or add a DENY policy for what must not pass.",
)
def void_conditions(mesh: Mesh, report: Report) -> None:
    wide: dict[_Scope, list[_Rule]] = defaultdict(list)
    narrow: list[_Rule] = []
    for found in _allowing(mesh):
        if found.rule.get("to") or found.rule.get("when"):
            narrow.append(found)
        elif found.sources:
            wide[found.policy.namespace, _narrowest(found.policy)].append(found)
    for rule in narrow if wide else ():
        others = (other for scope in _scopes(mesh, rule.policy) for other in wide.get(scope, ()))
        wider = next((other for other in others if _admits(other, rule)), None)
        if wider:
            field = "when" if rule.rule.get("when") else "to"
            where = "this policy" if wider.policy is rule.policy else names([wider.policy])
            message = f"a rule of {where} admits the same callers without {field}, so it restricts nothing"
            report(rule.policy, (*rule.path, field), message)


def _allowing(mesh: Mesh) -> Iterator[_Rule]:
    for policy in mesh.of(AUTHORIZATION_POLICY):
        if action(policy) == "ALLOW" and policy.annotations.get(_DRY_RUN) != "true":
            for index, rule in items(policy.spec, "rules"):
                yield _Rule(policy, ("spec", "rules", index), rule)


def _narrowest(policy: Resource) -> frozenset[tuple[str, str]]:
    """Its labels, or its targets; empty for all workloads of its namespace."""
    if not has_target(policy):
        return frozenset((key, str(value)) for key, value in selector_labels(policy).items())
    refs = policy.spec.get("targetRefs") or [policy.spec.get("targetRef")]
    return frozenset({("", json.dumps(refs, sort_keys=True))})


def _scopes(mesh: Mesh, policy: Resource) -> Iterator[_Scope]:
    """The scopes of policies that apply to whatever this one applies to."""
    own = _narrowest(policy)
    if has_target(policy):
        yield policy.namespace, own
        return
    sizes = range(len(own) + 1) if len(own) <= _MOST_LABELS else (0, len(own))
    for namespace in dict.fromkeys((policy.namespace, mesh.settings.root_namespace)):
        for size in sizes:
            for labels in combinations(sorted(own), size):
                yield namespace, frozenset(labels)


def _admits(wide: _Rule, narrow: _Rule) -> bool:
    """Whether each caller of the narrow rule is one of the wide rule."""
    callers = narrow.sources
    return bool(callers) and all(any(_includes(other, source) for other in wide.sources) for source in callers)


def _includes(wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> bool:
    for name in wide:
        asked, given = _texts(wide, name), _texts(narrow, name)
        if name.startswith("not"):
            # Whom the wide one excludes, the narrow one must exclude as well.
            if not set(asked) <= set(given):
                return False
        elif asked and not (given and all(any(_matches(pattern, text) for pattern in asked) for text in given)):
            return False
    return bool(wide)


def _texts(source: Mapping[str, Any], name: str) -> list[str]:
    return [text for _index, text in texts(source, name)]


def _matches(pattern: str, text: str) -> bool:
    """Whether the pattern stands for all that the text, which may be a pattern, stands for."""
    if pattern in (text, "*"):
        return True
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return pattern.startswith("*") and text.endswith(pattern[1:])
