# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How a check is declared: a function from a mesh to findings, with its description beside it::

    @check(
        code="KIA1104",
        level="warning",
        title="Weight of a single destination",
        why="A single destination gets all requests, whatever its weight says.",
        remedy="Leave the weight out, or name the destination that gets the rest.",
    )
    def single_weight(mesh: Mesh, report: Report) -> None:
        for service in mesh.of(VIRTUAL_SERVICE):
            for index, route in items(service.spec, "http"):
                ...
                report(service, ("spec", "http", index, "route", 0, "weight"), "the weight 20 counts as 100")

Its cases, firing and silent, are in tests/unit/plugins/module_utils/_validate/cases/<code>.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import LEVELS, Finding, Rule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Kind, Path, Resource

DOCS = "https://istio.io/latest/docs/reference/config/analysis/"


class Report(Protocol):
    """How a check reports what it found, and what it could not decide."""

    def __call__(
        self,
        resource: Resource,
        path: Path,
        message: str,
        *,
        level: str = "",
        remedy: str = "",
        docs: str = "",
        meant: str = "",
        milder: bool = False,
    ) -> None:
        """``milder``: the finding may be wrong, and counts one level less. ``meant``: the correct name."""

    def undecided(self, lacking: str) -> None:
        """The check has no answer for one object, because the input does not show ``lacking``."""


class Answer:
    """A check's findings, and what the input lacks for the objects that it could not decide, each once."""

    def __init__(self, rule: Rule) -> None:
        self.findings: list[Finding] = []
        self.lacking: list[str] = []
        self._rule = rule

    def __call__(
        self,
        resource: Resource,
        path: Path,
        message: str,
        *,
        level: str = "",
        remedy: str = "",
        docs: str = "",
        meant: str = "",
        milder: bool = False,
    ) -> None:
        if milder:
            level = LEVELS[min(LEVELS.index(level or self._rule.level) + 1, len(LEVELS) - 1)]
        self.findings.append(Finding(self._rule, resource, path, message, level, remedy, docs, meant))

    def undecided(self, lacking: str) -> None:
        if lacking not in self.lacking:
            self.lacking.append(lacking)


Function = Callable[[Mesh, Report], None]


class Check(NamedTuple):
    """A runnable check.

    needs: kinds that the check cannot do without. If the input lacks one of them, the check is not run and is listed
    as undecided: files without Services do not mean that there are none.
    requires: returns what is missing on this machine, empty if nothing is; otherwise the check is undecided, too.
    live: only a running cluster can answer.
    alone: its findings about an object depend on that object alone, so it can run on every copy of an object that the
    files define more than once. A finding of another check counts only if it holds with each of the definitions.
    enabled: whether it runs by default.
    """

    rule: Rule
    function: Function
    needs: tuple[Kind, ...] = ()
    live: bool = False
    enabled: bool = True
    requires: Callable[[], str] | None = None
    alone: bool = False

    def missing(self, mesh: Mesh) -> list[str]:
        absent = [str(kind) for kind in self.needs if not mesh.knows(kind)]
        # Only now: looking for a library costs more than most checks.
        if not absent and self.requires and (lacking := self.requires()):
            absent.append(lacking)
        return absent

    def run(self, mesh: Mesh) -> list[Finding]:
        return self.answer(mesh).findings

    def answer(self, mesh: Mesh) -> Answer:
        answer = Answer(self.rule)
        self.function(mesh, answer)
        return answer


# Filled while the modules of `checks` are imported; catalog.py imports all of them.
CHECKS: list[Check] = []


def check(
    *,
    code: str,
    level: str,
    title: str,
    why: str,
    remedy: str,
    aliases: Iterable[str] = (),
    docs: str = "",
    needs: Iterable[Kind] = (),
    live: bool = False,
    enabled: bool = True,
    requires: Callable[[], str] | None = None,
    alone: bool = False,
) -> Callable[[Function], Function]:
    """Declares the function a check. Several checks may share a code, if a peer has one code for several faults."""
    if level not in LEVELS:
        raise ValueError(f"{code}: level {level!r} is not one of {', '.join(LEVELS)}")

    def declare(function: Function) -> Function:
        link = docs or (f"{DOCS}{code.lower()}/" if code.startswith("IST") else "")
        rule = Rule(function.__name__, code, level, title, why, remedy, tuple(aliases), link)
        CHECKS.append(Check(rule, function, tuple(needs), live, enabled, requires, alone))
        return function

    return declare
