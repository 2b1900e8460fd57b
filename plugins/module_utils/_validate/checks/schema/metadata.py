# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Names, labels and annotations that the API server refuses, of any kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import nearest, shown
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.structure import family_of

_DOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LONGEST_LABEL = 63
_LONGEST_NAME = 253
_KNOWN = (
    *("annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers"),
    *("generateName", "generation", "labels", "managedFields", "name", "namespace", "ownerReferences"),
    *("resourceVersion", "selfLink", "uid"),
)
_DOCS = "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/"


@check(
    code="MESH103",
    level="error",
    title="Name, label or annotation that the API server refuses",
    why="The object is not created at all.",
    remedy="Labels and annotations are strings, so true and 1 need quotes; keys have letters, digits, - and dots.",
    docs=_DOCS,
    alone=True,
)
def refused_metadata(mesh: Mesh, report: Report) -> None:
    for kind in mesh.kinds:
        is_ours = family_of(kind.group) is not None
        for resource in mesh.of(kind):
            for path, message in _faults(resource, is_ours):
                report(resource, path, message)


def _faults(resource: Resource, is_ours: bool) -> Iterator[tuple[Path, str]]:
    metadata = resource.obj.get("metadata")
    if not isinstance(metadata, dict):
        return
    for field in ("labels", "annotations"):
        found = metadata.get(field)
        if found is None:
            continue
        if not isinstance(found, dict):
            yield ("metadata", field), f"{shown(found)} is not a mapping of strings"
            continue
        for key, value in found.items():
            if fault := _bad_entry(field, key, value):
                yield ("metadata", field, str(key)), fault
    name = metadata.get("name")
    # Other kinds have their own rules.
    if is_ours and name is not None and not _is_object_name(name):
        yield ("metadata", "name"), f"{shown(name)} is not a valid name: use lowercase letters, digits, - and dots"


def _bad_entry(field: str, key: Any, value: Any) -> str:
    if not isinstance(value, str):
        return "" if value is None else f"{shown(value)} is not a string: put it in quotes"
    if not isinstance(key, str) or not _is_key(key if field == "labels" else key.lower()):
        return f"{shown(key)} is not a valid key"
    if field == "labels" and not _is_value(value):
        return f"{shown(value)} is not a valid label value: use at most {_LONGEST_LABEL} letters, digits, -, _ and dots"
    return ""


@lru_cache(maxsize=8192)
def _is_key(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    if slash and not (len(prefix) <= _LONGEST_NAME and _DOMAIN.fullmatch(prefix)):
        return False
    return len(name) <= _LONGEST_LABEL and _NAME.fullmatch(name) is not None


@lru_cache(maxsize=8192)
def _is_value(text: str) -> bool:
    return not text or (len(text) <= _LONGEST_LABEL and _NAME.fullmatch(text) is not None)


def _is_object_name(name: Any) -> bool:
    return isinstance(name, str) and len(name) <= _LONGEST_NAME and _DOMAIN.fullmatch(name) is not None


@check(
    code="MESH101",
    level="error",
    title="Unknown field",
    why="The API server drops fields that it does not know: what is written here has no effect.",
    remedy="Correct the field's name, or remove the field.",
    docs=_DOCS,
    alone=True,
)
def unknown_metadata(mesh: Mesh, report: Report) -> None:
    for kind in mesh.kinds:
        for resource in mesh.of(kind):
            metadata = resource.obj.get("metadata")
            for name in metadata if isinstance(metadata, dict) else ():
                if name not in _KNOWN:
                    report(resource, ("metadata", str(name)), f"unknown field {name!r}{nearest(name, _KNOWN)}")
