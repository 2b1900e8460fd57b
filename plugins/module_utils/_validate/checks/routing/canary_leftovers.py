# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What canaries of this collection left on VirtualServices: docs/canary.md lists what a run writes there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    FINAL,
    FORMAT,
    PREFIX,
    SPLIT,
    Phase,
    header_route,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import VIRTUAL_SERVICE, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import destinations_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# A resumed run ends soon after its deadline: it drains, and waits for pods to terminate.
_GRACE = 600


class _Run(NamedTuple):
    resource: Resource
    path: Path
    # The Service's name, without its namespace.
    service: str
    state: Object

    def text(self, *keys: str) -> str:
        value: Any = self.state
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, str) else ""

    @property
    def is_final(self) -> bool:
        return self.text("phase") in FINAL


def _runs(mesh: Mesh) -> Iterator[_Run]:
    """Every annotation of a run; the state is empty if this version did not write the text."""
    for resource in mesh.of(VIRTUAL_SERVICE):
        for name, text in resource.annotations.items():
            if not str(name).startswith(PREFIX):
                continue
            try:
                state = json.loads(text) if isinstance(text, str) else None
            except (ValueError, RecursionError):
                state = None
            known = isinstance(state, dict) and state.get("format") == FORMAT
            path = ("metadata", "annotations", str(name))
            yield _Run(resource, path, str(name).removeprefix(PREFIX), state if known and state else {})


@check(
    code="MESH216",
    level="warning",
    title="Traffic that an ended canary left behind",
    why="The run has ended, and nothing cleans this up: requests still go to the version under trial.",
    remedy="Remove it, or roll back the canary of the Service.",
    alone=True,
)
def left_by_ended_canary(mesh: Mesh, report: Report) -> None:
    for run in _runs(mesh):
        if not run.is_final:
            continue
        canary, stable = run.text("canary", "subset"), run.text("stable", "subset")
        # After a promotion the canary keeps the traffic, after a rollback the stable side does.
        loser = stable if run.text("phase") == Phase.SUCCEEDED else canary
        for path, what in _leftovers(mesh, run, canary, stable, loser):
            report(run.resource, path, f"{what}, and the canary of '{run.service}' ended: {run.text('phase')}")


def _leftovers(mesh: Mesh, run: _Run, canary: str, stable: str, loser: str) -> Iterator[tuple[Path, str]]:
    host = mesh.qualified(run.service, run.resource.namespace)
    for index, route in items(run.resource.spec, "http"):
        if route.get("name") == header_route(run.service):
            yield ("spec", "http", index, "name"), "the header route of the run is still there"
    split: dict[Path, set[str]] = {}
    of_pair = []
    for destination in destinations_of(run.resource, mesh.settings.cluster_domain):
        if destination.host != host or destination.subset not in (canary, stable):
            continue
        if destination.mirror and destination.subset == canary:
            yield destination.path, "requests are still mirrored to the canary's subset"
        elif not destination.mirror and destination.share:
            of_pair.append(destination)
            split.setdefault(destination.path[:3], set()).add(destination.subset)
    for destination in of_pair:
        if destination.subset == loser and len(split[destination.path[:3]]) > 1:
            share = f"{destination.share:.0%}"
            yield (*destination.path, "subset"), f"subset '{loser}' still gets {share} of the requests"


@check(
    code="MESH217",
    level="warning",
    title="Orphaned canary",
    why="The run should have ended. Until it is resumed, the traffic stays where it is.",
    remedy="Run module canary with state: reconciled, or with state: aborted.",
    alone=True,
)
def abandoned_canary(mesh: Mesh, report: Report) -> None:
    for run in _runs(mesh):
        deadline = run.state.get("deadline")
        if run.is_final or run.text("strategy") == SPLIT or not isinstance(deadline, (int, float)):
            continue
        late = mesh.settings.now - deadline
        if mesh.settings.now and late > _GRACE:
            weight = run.state.get("weight")
            where = f"{run.text('phase')} with {weight} %"
            message = f"the canary of '{run.service}' is {where}, {late / 60:.0f} min after its deadline"
            report(run.resource, run.path, message)


@check(
    code="MESH218",
    level="warning",
    title="Canary's state that cannot be read",
    why="The run can be neither resumed nor rolled back.",
    remedy="Use the version of the collection that wrote it. Or set the weights by hand and remove the annotation.",
    alone=True,
)
def unreadable_canary(mesh: Mesh, report: Report) -> None:
    for run in _runs(mesh):
        if not run.state:
            report(run.resource, run.path, f"this version cannot read the state of the canary of '{run.service}'")
