# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""An upgrade of Istio: which releases it crosses, and what of istiod's settings keeps their old behaviour.

Sources: the upgrade and change notes of Istio 1.29 to 1.31, of 1.32 the notes in Istio's repository (22 August 2026),
and the profiles of compatibilityVersion. What no configuration shows is listed in docs/validation.md.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import minor_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import ISTIO_VERSION, TARGET_VERSION, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DEPLOYMENT,
    Kind,
    Path,
    Resource,
)

Release = tuple[int, int]

# How the codes of checks about upgrades begin.
FAMILY = "MESH6"
# The releases whose notes the checks know.
OLDEST, NEWEST = (1, 29), (1, 32)
# Without a page of upgrade notes when the checks were written.
_UNPUBLISHED = (1, 32)
_BOOLEANS = {"true": "true", "t": "true", "1": "true", "false": "false", "f": "false", "0": "false"}
OPERATORS = (Kind("install.istio.io", "IstioOperator"), Kind("sailoperator.io", "Istio"))


class Variable(NamedTuple):
    """A variable of istiod's environment, where it is set."""

    resource: Resource
    path: Path
    name: str
    value: str


def written(release: Release) -> str:
    return f"{release[0]}.{release[1]}"


def page_of(release: Release, page: str = "upgrade-notes") -> str:
    """The address of a release's notes: upgrade-notes or change-notes."""
    if release >= _UNPUBLISHED:
        return "https://github.com/istio/istio/tree/master/releasenotes/notes"
    minor = written(release)
    return f"https://istio.io/latest/news/releases/{minor}.x/announcing-{minor}/{page}/"


def target_of(mesh: Mesh) -> Release | None:
    return minor_of(mesh.settings.facts.get(TARGET_VERSION))


def source_of(mesh: Mesh) -> Release | None:
    """The version in use: the option's, or the oldest istiod's; None if it is not known."""
    return minor_of(mesh.settings.facts.get(ISTIO_VERSION))


def is_crossed(mesh: Mesh, release: Release) -> bool:
    """Whether the upgrade brings the changes of the release: from an unknown version, all up to the target."""
    target, source = target_of(mesh), source_of(mesh)
    return target is not None and target >= release and (source is None or source < release)


def notes_of(source: object, target: object) -> list[str]:
    """For the user of a validation with a target version: where the rest of the notes is."""
    end, begin = minor_of(target), minor_of(source)
    if end is None:
        return []
    crossed = [(1, minor) for minor in range(OLDEST[1], NEWEST[1] + 1) if (begin or (0, 0)) < (1, minor) <= end]
    if not crossed:
        return [f"target_version {written(end)}: the checks know the upgrades to Istio 1.29 to {written(NEWEST)} only"]
    notes = []
    if end > NEWEST:
        notes.append(f"target_version {written(end)}: the checks know the notes of Istio up to {written(NEWEST)} only")
    pages = " ".join(dict.fromkeys(page_of(release) for release in crossed))
    return [*notes, f"target_version {written(end)}: read also what no configuration shows: {pages}"]


@once_per_mesh
def istiod_environment(mesh: Mesh) -> list[Variable]:
    """Of istiod's Deployments, and of what an operator installs."""
    found = []
    for deployment in mesh.of(DEPLOYMENT):
        if deployment.labels.get("app") == "istiod":
            pods: Path = ("spec", "template", "spec", "containers")
            for index, container in items(part(deployment.spec, "template", "spec"), "containers"):
                found += _listed(deployment, (*pods, index, "env"), container.get("env"))
    for operator in mesh.of(*OPERATORS):
        for name, value in part(operator.spec, "values", "pilot", "env").items():
            found.append(Variable(operator, ("spec", "values", "pilot", "env", name), name, _text(value)))
        where: Path = ("spec", "components", "pilot", "k8s", "env")
        found += _listed(operator, where, part(operator.spec, "components", "pilot", "k8s").get("env"))
    return found


def _listed(resource: Resource, path: Path, value: object) -> list[Variable]:
    return [
        Variable(resource, (*path, index, "name"), str(entry.get("name")), _text(entry.get("value")))
        for index, entry in items({"env": value}, "env")
    ]


def _text(value: object) -> str:
    """As Go reads booleans in the environment."""
    text = str(value)
    return _BOOLEANS.get(text.lower(), text)


def is_set(mesh: Mesh, name: str, value: str) -> bool:
    """Whether istiod's environment has the variable with the value."""
    return any(found.name == name and found.value == value for found in istiod_environment(mesh))


def keeps_old_behaviour(mesh: Mesh, release: Release, variable: str, value: str = "false") -> bool:
    """Whether istiod's environment, or an operator's compatibilityVersion, keeps what was before the release."""
    if is_set(mesh, variable, value):
        return True
    for operator in mesh.of(*OPERATORS):
        for given in (operator.spec, part(operator.spec, "values")):
            compatible = minor_of(given.get("compatibilityVersion"))
            if compatible is not None and compatible < release:
                return True
    return False
