# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Runs the checks over a mesh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.finding import LEVELS, Finding
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.parsing import positions


@dataclass(frozen=True)
class Outcome:
    """findings: in a fixed order. undecided: checks that could not say anything, with the kinds or library they lack.
    broken: checks that failed themselves, with the reason; a fault of ours, never of the input.
    """

    findings: list[Finding]
    undecided: dict[str, list[str]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def run_checks(mesh: Mesh, checks: Iterable[Check]) -> Outcome:
    findings: list[Finding] = []
    undecided: dict[str, list[str]] = {}
    broken: dict[str, str] = {}
    for check in checks:
        if missing := check.missing(mesh):
            undecided[check.rule.name] = missing
            continue
        try:
            findings += check.run(mesh)
        except Exception as error:
            broken[check.rule.name] = f"{type(error).__name__}: {error}"
    return Outcome(in_order(located(without_echoes(without_repetitions(findings)))), undecided, broken)


def without_repetitions(findings: Iterable[Finding]) -> list[Finding]:
    """The same fault of the same field is told once, whichever check saw it first."""
    unique: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        unique.setdefault((finding.rule.code, finding.resource.identity, finding.path, finding.message), finding)
    return list(unique.values())


def without_echoes(findings: Sequence[Finding]) -> list[Finding]:
    """One fault is told once: a code is left out where another finding of the same object has it among its aliases."""
    told = {(finding.resource.identity, alias) for finding in findings for alias in finding.rule.aliases}
    return [finding for finding in findings if (finding.resource.identity, finding.rule.code) not in told]


def located(findings: Sequence[Finding]) -> list[Finding]:
    """With line and column where the resource came from a file. Of most documents nobody needs to know."""
    by_document: dict[int, list[Finding]] = defaultdict(list)
    placed = []
    for finding in findings:
        if finding.resource.source.text and not finding.line:
            by_document[id(finding.resource.source.text)].append(finding)
        else:
            placed.append(finding)
    for group in by_document.values():
        source = group[0].resource.source
        paths = [finding.resource.source.prefix + finding.path for finding in group]
        places = positions(source.text, source.line, paths)
        placed += [finding.at(*place) for finding, place in zip(group, places, strict=True)]
    return placed


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    def key(finding: Finding) -> tuple[object, ...]:
        resource = finding.resource
        place = (resource.source.file, finding.line, finding.column)
        what = (
            resource.kind.kind,
            resource.namespace,
            resource.name,
            finding.rule.code,
            finding.field,
            finding.message,
        )
        return (*place, *what)

    return sorted(findings, key=key)


def worst(findings: Iterable[Finding]) -> str:
    """The highest level among them, empty where there are none."""
    levels = {finding.severity for finding in findings}
    return next((level for level in LEVELS if level in levels), "")
