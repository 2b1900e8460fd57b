# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Runs the checks over a mesh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import LEVELS, Finding
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import OWN_VALUES, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.positions import positions
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.scripted import (
    apart_by_guides,
    with_scripted_labels,
    without_files,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.variants import archive_of, variants_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.definitions import (
    MOST_ALTERNATIVES,
    alternatives,
    contested,
    overruled,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.placeholders import placeholder_of


class Outcome(NamedTuple):
    """findings: in a fixed order.
    undecided: checks without an answer, or with a partial one, and what they lack: kinds, a library, or a single
    definition of an object.
    broken: checks that failed themselves, with the reason; our fault, never the input's.
    """

    findings: list[Finding]
    undecided: dict[str, list[str]]
    broken: dict[str, str]


def run_checks(mesh: Mesh, checks: Iterable[Check]) -> Outcome:
    """With line and column of each finding."""
    outcome = unplaced(mesh, checks)
    return outcome._replace(findings=in_order(located(outcome.findings)))


def unplaced(mesh: Mesh, checks: Iterable[Check]) -> Outcome:
    """Findings without line and column: these take more time than the checks if there are many.

    Checks of single objects run on every copy; the findings of others must hold with each definition.
    """
    chosen = list(checks)
    results = _ask(mesh, chosen)
    if mesh.definitions:
        _keep_what_is_certain(mesh, chosen, results)
        alone = [check for check in chosen if check.alone]
        for copies in overruled(mesh):
            of_copies = _ask(copies, alone)
            results.by_check.extend(of_copies.by_check)
            results.broken.update(of_copies.broken)
    _keep_what_variants_confirm(mesh, chosen, results)
    _keep_what_archives_confirm(mesh, chosen, results)
    _keep_what_scripts_confirm(mesh, chosen, results)
    _keep_what_guides_confirm(mesh, chosen, results)
    _leave_out_placeholders(mesh, results)
    findings = [finding for found in results.by_check for finding in found]
    undecided = {
        check.rule.name: [*results.undecided.get(check.rule.name, ()), *results.partly.get(check.rule.name, ())]
        for check in chosen
        if check.rule.name in results.undecided or check.rule.name in results.partly
    }
    return Outcome(in_order(without_echoes(without_repetitions(findings))), undecided, results.broken)


class _Results:
    """by_check: the findings of each check, in the order of the checks. partly: undecided for some objects only."""

    def __init__(self) -> None:
        self.by_check: list[list[Finding]] = []
        self.partly: dict[str, list[str]] = {}
        self.undecided: dict[str, list[str]] = {}
        self.broken: dict[str, str] = {}


def _ask(mesh: Mesh, checks: Sequence[Check]) -> _Results:
    results = _Results()
    for check in checks:
        results.by_check.append([])
        if missing := check.missing(mesh):
            results.undecided[check.rule.name] = missing
            continue
        try:
            answer = check.answer(mesh)
        except Exception as error:
            results.broken[check.rule.name] = f"{type(error).__name__}: {error}"
            continue
        results.by_check[-1] = answer.findings
        if answer.lacking:
            results.partly[check.rule.name] = answer.lacking
    return results


def _keep_what_is_certain(mesh: Mesh, checks: Sequence[Check], results: _Results) -> None:
    """Removes findings that hold with one definition of an object but not another; their checks become undecided."""
    others = contested(mesh)
    if not others:
        return
    few = max(map(len, others.values())) <= MOST_ALTERNATIVES
    places = [
        place for place, check in enumerate(checks) if not check.alone and check.rule.name not in results.undecided
    ]
    asked = [checks[place] for place in places]
    answers = [_ask(other, asked) for other in alternatives(mesh, others)] if few else []
    lacking = [f"a single definition of {mesh.find(*identity)!r}" for identity in others]
    for number, place in enumerate(places):
        mine = results.by_check[place]
        conclusions = {conclusion(finding) for finding in mine}
        theirs = [{conclusion(finding) for finding in answer.by_check[number]} for answer in answers]
        if not few or any(found != conclusions for found in theirs):
            certain = conclusions.intersection(*theirs) if few else set()
            results.by_check[place] = [finding for finding in mine if conclusion(finding) in certain]
            results.undecided[checks[place].rule.name] = lacking
    for answer in answers:
        results.broken.update(answer.broken)


def _keep_what_variants_confirm(mesh: Mesh, checks: Sequence[Check], results: _Results) -> None:
    """Removes findings that need files of another variant of the mesh: no cluster has both."""
    variants = variants_of(mesh)
    for variant, doubtful in _in_groups(checks, results, variants.of).items():
        lacking = f"one mesh: {variant} is one of several"
        _keep_confirmed(variants.part_of(mesh, variant), checks, results, doubtful, lacking)


def _keep_what_archives_confirm(mesh: Mesh, checks: Sequence[Check], results: _Results) -> None:
    """Removes findings that are only true between what is deployed and what is no longer."""
    if not any(archive_of(file) for file in {item.source.file for item in mesh.all_definitions()}):
        return
    in_use = "."
    groups = _in_groups(checks, results, lambda resource: archive_of(resource.source.file) or in_use)
    for group, doubtful in groups.items():
        kept = [item for item in mesh.all_definitions() if (archive_of(item.source.file) or in_use) == group]
        lacking = "one mesh: some folders are archives of what is no longer deployed"
        _keep_confirmed(Mesh(kept, mesh.settings, mesh), checks, results, doubtful, lacking)


def _keep_what_scripts_confirm(mesh: Mesh, checks: Sequence[Check], results: _Results) -> None:
    """Removes findings that are not true with the labels that scripts beside the files give Namespaces."""
    doubtful = _in_groups(checks, results, lambda _resource: "all").get("all")
    other = with_scripted_labels(mesh) if doubtful else None
    if doubtful and other:
        lacking = "the Namespaces' labels, of which a script or a guide sets some"
        _keep_confirmed(other, checks, results, doubtful, lacking)


def _keep_what_guides_confirm(mesh: Mesh, checks: Sequence[Check], results: _Results) -> None:
    """Removes findings that need a file which no guide, or no configuration of Skaffold, has together with its own."""
    by_file = _in_groups(checks, results, lambda resource: resource.source.file)
    apart = apart_by_guides(mesh) if by_file else {}
    for file in sorted(by_file.keys() & apart.keys()):
        lacking = f"one mesh: a guide or Skaffold deploys {file} without some of the others"
        _keep_confirmed(without_files(mesh, apart[file]), checks, results, by_file[file], lacking)


# The findings in doubt, by the place of their check.
_Doubtful = dict[int, list[Finding]]


def _in_groups(checks: Sequence[Check], results: _Results, group_of: Callable[[Resource], str]) -> dict[str, _Doubtful]:
    """The findings that other objects may change, by the group of their object. Those without a group are left out."""
    found: dict[str, _Doubtful] = defaultdict(lambda: defaultdict(list))
    for place, check in enumerate(checks):
        for finding in () if check.alone else results.by_check[place]:
            if group := group_of(finding.resource):
                found[group][place].append(finding)
    return found


def _keep_confirmed(other: Mesh, checks: Sequence[Check], results: _Results, doubtful: _Doubtful, lacking: str) -> None:
    """Removes the doubtful findings that the other mesh does not have; their checks are undecided for these."""
    answer = _ask(other, [checks[place] for place in doubtful])
    for theirs, (place, asked) in zip(answer.by_check, doubtful.items(), strict=True):
        confirmed = {_fault(finding) for finding in theirs}
        if refuted := {id(finding) for finding in asked if _fault(finding) not in confirmed}:
            results.by_check[place] = [finding for finding in results.by_check[place] if id(finding) not in refuted]
            results.partly.setdefault(checks[place].rule.name, []).append(lacking)


def _leave_out_placeholders(mesh: Mesh, results: _Results) -> None:
    with_own_values = mesh.settings.facts.get(OWN_VALUES) or ()
    for place, found in enumerate(results.by_check):
        kept = []
        for finding in found:
            if not (placeholder := placeholder_of(finding, with_own_values)):
                kept.append(finding)
                continue
            lacking = results.partly.setdefault(finding.rule.name, [])
            if (text := f"the value of {placeholder} in {finding.resource.source.file}") not in lacking:
                lacking.append(text)
        results.by_check[place] = kept


def _fault(finding: Finding) -> tuple[object, ...]:
    """Without the message, which may name the nearest known name."""
    return (finding.rule.code, finding.resource.identity, finding.path)


def conclusion(finding: Finding) -> tuple[object, ...]:
    return (finding.rule.code, finding.resource.identity, finding.path, finding.message, finding.severity)


def _copy(resource: Resource) -> tuple[object, ...]:
    """Identifies one definition of an object."""
    return (resource.identity, resource.source.file, resource.source.line, resource.source.prefix)


def without_repetitions(findings: Iterable[Finding]) -> list[Finding]:
    """The same fault of the same field is reported once, whichever check found it first."""
    unique: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        unique.setdefault((finding.rule.code, _copy(finding.resource), finding.path, finding.message), finding)
    return list(unique.values())


def without_echoes(findings: Sequence[Finding]) -> list[Finding]:
    """One fault is reported once: a code is left out if another finding of the same object has it as an alias.

    Of two codes that are aliases of each other, the worse finding remains.
    """
    covering: dict[tuple[object, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        for alias in finding.rule.aliases:
            covering[(_copy(finding.resource), alias)].append(finding)
    return [
        finding
        for finding in findings
        if all(_yields(other, finding) for other in covering.get((_copy(finding.resource), finding.rule.code), ()))
    ]


def _yields(one: Finding, other: Finding) -> bool:
    """Whether the one finding, which has the other's code as an alias, is the one to be left out."""
    is_mutual = one.rule.code in other.rule.aliases
    return is_mutual and LEVELS.index(other.severity) <= LEVELS.index(one.severity)


def located(findings: Sequence[Finding]) -> list[Finding]:
    """With line and column if the resource came from a file. Documents without findings are not parsed for it."""
    by_document: dict[int, list[Finding]] = defaultdict(list)
    placed = []
    for finding in findings:
        if finding.resource.source.text and not finding.line:
            by_document[id(finding.resource.source.text)].append(finding)
        else:
            placed.append(finding)
    if not by_document:
        return placed
    for group in by_document.values():
        source = group[0].resource.source
        paths = [finding.resource.source.prefix + finding.path for finding in group]
        places = positions(source.text, source.line, paths)
        placed += [finding.at(*place) for finding, place in zip(group, places, strict=True)]
    return placed


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    def key(finding: Finding) -> tuple[object, ...]:
        resource = finding.resource
        place = (resource.source.file, finding.line or resource.source.line, finding.column)
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
    """The highest level among them, empty if there are none."""
    levels = {finding.severity for finding in findings}
    return next((level for level in LEVELS if level in levels), "")
