# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The mesh as scripts and guides beside its files make it: with their labels, and without what they deleted before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    DATAPLANE,
    INJECTION,
    NEVER_TOGETHER,
    REVISION,
    SCRIPTED_LABELS,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import NAMESPACE, Resource

_MODES = (DATAPLANE, INJECTION, REVISION)


def with_scripted_labels(mesh: Mesh) -> Mesh | None:
    """None if no Namespace of the files gets a label from a script. A label that it has already stays."""
    read = mesh.settings.facts.get(SCRIPTED_LABELS)
    namespaces = [item for item in mesh.of(NAMESPACE) if not item.is_live]
    if read is None or not namespaces:
        return None
    labelled: dict[int, Resource] = {}
    for namespace in namespaces:
        new = {key: value for name, labels in read() if name in ("", namespace.name) for key, value in labels.items()}
        if not namespace.labels.keys().isdisjoint(_MODES):
            # The file decides between sidecars and ambient mode; a guide may be older.
            new = {key: value for key, value in new.items() if key not in _MODES}
        if not new.keys() <= namespace.labels.keys():
            metadata = {**namespace.obj["metadata"], "labels": {**new, **namespace.labels}}
            labelled[id(namespace)] = Resource({**namespace.obj, "metadata": metadata}, namespace.source)
    if not labelled:
        return None
    return Mesh([labelled.get(id(item), item) for item in mesh.all_definitions()], mesh.settings, mesh)


def apart_by_guides(mesh: Mesh) -> Mapping[str, set[str]]:
    """File -> the files that a cluster never has together with it."""
    read = mesh.settings.facts.get(NEVER_TOGETHER)
    found: dict[str, set[str]] = defaultdict(set)
    for one, other in read(frozenset(item.source.file for item in mesh.all())) if read else ():
        found[one].add(other)
        found[other].add(one)
    return found


def without_files(mesh: Mesh, files: Collection[str]) -> Mesh:
    return Mesh([item for item in mesh.all_definitions() if item.source.file not in files], mesh.settings, mesh)
