# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A whole validation: resources and settings in, findings that count out."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.collector import collector_paused
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import LEVELS, Finding
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import (
    INPUT_RULES,
    MAX_FINDINGS,
    Loaded,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import NAMESPACE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.engine import (
    Outcome,
    in_order,
    located,
    unplaced,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.line_comments import comments_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.meshes import (
    Place,
    checked_one_by_one,
    meshes_in,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.table import table
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.selection import (
    Policy,
    Suppression,
    fingerprint,
    select,
)

FORMATS = ("json", "sarif", "junit", "github", "html", "table")


class Request(NamedTuple):
    """What the user asked for, besides the input itself.

    namespaces: report findings in these only, empty for all; the rest of the input is context. Faults of the input
    itself are always reported. known_live: fingerprints of the findings that the mesh has without the files: of
    live objects only new findings count; None if all count. meshes: places that are a mesh each; without any, the
    input is one. is_whole: whether everything was read. today: None for the day on which it is asked.
    """

    policy: Policy
    suppressions: Sequence[Suppression] = ()
    baseline: Mapping[str, int] = MappingProxyType({})
    namespaces: Sequence[str] = ()
    known_live: Counter[str] | None = None
    meshes: Sequence[Place] = ()
    is_whole: bool = True
    today: datetime.date | None = None


class Validated(NamedTuple):
    """findings: as dicts, in a fixed order. summary: numbers. notes: what the user should know besides the findings.

    kept: all findings. Those that are too many to list are last, without line and column.
    """

    findings: list[dict[str, Any]]
    summary: dict[str, Any]
    undecided: dict[str, list[str]]
    notes: list[str]
    kept: Sequence[Finding] = ()


def validate(
    loaded: Loaded, settings: Settings, checks: Iterable[Check], request: Request, files: int = 0
) -> Validated:
    chosen = [check for check in checks if is_wanted(check, request.policy)]
    outcome = outcome_of(loaded, settings, chosen, request.meshes)
    findings = [finding for finding in outcome.findings if _is_in(finding.resource, request.namespaces)]
    if request.known_live is not None:
        findings = _brought(findings, request.known_live)
    findings = in_order([*loaded.findings, *findings])
    comments = comments_of(loaded.resources)
    if comments.by_line:
        findings = located(findings)
    today = request.today or datetime.date.today()
    selection = select(
        findings, request.policy, request.suppressions, request.baseline, today, comments, request.is_whole
    )
    kept, omitted = _capped(selection.kept, loaded.omitted)
    listed = in_order(located(kept))
    left = {id(finding) for finding in kept} if omitted else set()
    others = [finding for finding in selection.kept if id(finding) not in left] if omitted else []
    summary: dict[str, Any] = dict.fromkeys(LEVELS, 0)
    for finding in selection.kept:
        summary[finding.severity] += 1
    for rule in INPUT_RULES:
        summary[rule.level] += loaded.omitted[rule.code]
    summary |= {
        "objects": len(loaded.resources),
        "files": files,
        "checks": len(chosen),
        "suppressed": selection.suppressed,
        "known": selection.known,
        "undecided": len(outcome.undecided),
        "meshes": len(meshes_in(loaded.resources, request.meshes)) or 1,
    }
    notes = [f"suppress: {text}" for text in selection.unused]
    notes += comments.unused()
    notes += [f"{code}: {number} more findings are not listed" for code, number in sorted(omitted.items())]
    notes += [f"the check {name} itself failed, please report it: {error}" for name, error in outcome.broken.items()]
    return Validated([finding.as_dict() for finding in listed], summary, outcome.undecided, notes, [*listed, *others])


def _capped(findings: Sequence[Finding], omitted: Mapping[str, int]) -> tuple[list[Finding], Counter[str]]:
    """The first MAX_FINDINGS of each code, the worst first, and code -> how many are left out, ``omitted`` included."""
    left = Counter(omitted)
    numbers = Counter(finding.rule.code for finding in findings)
    if not any(number > MAX_FINDINGS for number in numbers.values()):
        return list(findings), left
    listed: Counter[str] = Counter()
    chosen = set()
    for finding in sorted(findings, key=lambda finding: LEVELS.index(finding.severity)):
        listed[finding.rule.code] += 1
        if listed[finding.rule.code] <= MAX_FINDINGS:
            chosen.add(id(finding))
    left.update({code: number - MAX_FINDINGS for code, number in numbers.items() if number > MAX_FINDINGS})
    return [finding for finding in findings if id(finding) in chosen], left


def outcome_of(loaded: Loaded, settings: Settings, checks: Sequence[Check], meshes: Sequence[Place] = ()) -> Outcome:
    """All findings of the checks, before any selection, without line and column."""
    with collector_paused():
        if meshes:
            return checked_one_by_one(loaded.resources, settings, checks, meshes)
        return unplaced(Mesh(loaded.resources, settings), checks)


def _brought(findings: Iterable[Finding], known: Counter[str]) -> list[Finding]:
    """Findings of files, and those of live objects that are not among the known ones."""
    left = Counter(known)
    brought = []
    for finding in findings:
        if finding.resource.is_live:
            mark = fingerprint(finding)
            if left[mark] > 0:
                left[mark] -= 1
                continue
        brought.append(finding)
    return brought


def _is_in(resource: Resource, namespaces: Sequence[str]) -> bool:
    """Whether it is in one of the namespaces. A Namespace is in itself, other cluster-wide objects are in all."""
    place = resource.name if resource.kind == NAMESPACE else resource.namespace
    return not namespaces or not place or place in namespaces


def is_wanted(check: Check, policy: Policy) -> bool:
    level = policy.level(check.rule.code)
    if level == "off":
        return False
    return check.enabled or bool(level) or check.rule.code in policy.enabled


def rendered(form: str, result: Validated, *, fail_on: str, title: str, version: str) -> str:
    """The findings in one of FORMATS. Each form is imported only for those who ask for it."""
    if form == "json":
        data = {"summary": result.summary, "findings": result.findings}
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if form == "sarif":
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.sarif import sarif

        return json.dumps(sarif(result.findings, version), indent=2, ensure_ascii=False) + "\n"
    if form == "junit":
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.junit import junit

        bad = () if fail_on == "never" else LEVELS[: LEVELS.index(fail_on) + 1]
        return junit(result.findings, bad, result.summary["checks"])
    if form == "html":
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.html import html

        return html(result.findings, result.summary, title)
    if form == "github":
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.github import github

        return "".join(f"{line}\n" for line in github(result.findings))
    return "".join(f"{line}\n" for line in table(result.findings, result.summary))


def is_bad(summary: Mapping[str, Any], fail_on: str) -> bool:
    """Whether there is a finding at least as bad as ``fail_on``."""
    return fail_on != "never" and any(summary[level] > 0 for level in LEVELS[: LEVELS.index(fail_on) + 1])
