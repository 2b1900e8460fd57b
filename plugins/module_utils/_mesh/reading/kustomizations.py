# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which kustomizations of a tree are built by themselves, and which files are only parts of one.

A base is built within its overlays: alone, it lacks what they add, and its objects would be there twice. A patch is
not a whole object. A Component is never built alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.text_files import mapping_of, text_of

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# Flux has a kind of this name, too, and `flux export` writes it to files of this name.
_FLUX = re.compile(r"^apiVersion:[ \t]*[\"']?kustomize\.toolkit\.fluxcd\.io/", re.MULTILINE)
# Fields that name files or folders, and for entries that are objects, the key of the path.
_LISTS = (
    "bases",
    "components",
    "configurations",
    "crds",
    "generators",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "resources",
    "transformers",
    "validators",
)


def is_kustomization(folder: str, files: Collection[str]) -> bool:
    """Whether kustomize builds the folder with these files."""
    return any(name in files and not _FLUX.search(text_of(os.path.join(folder, name))) for name in NAMES)


class Tree(NamedTuple):
    """parts: the folders and files that a kustomization of the tree includes, and Components, as real paths.

    replaced: namespaces that a kustomization sets, and that those which include it replace. A cluster may have what it
    deploys by itself.
    """

    parts: set[str]
    replaced: set[str]


def read_tree(tree: str) -> Tree:
    found: set[str] = set()
    namespaces: dict[str, str] = {}
    included: dict[str, set[str]] = {}
    for folder, folders, files in os.walk(tree):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in NAMES:
            if name in files:
                kustomization = mapping_of(os.path.join(folder, name))
                here = os.path.realpath(folder)
                namespaces[here] = str(kustomization.get("namespace") or "")
                included[here] = _real(folder, _paths(kustomization, _LISTS))
                found |= included[here]
                if kustomization.get("kind") == "Component":
                    found.add(here)
    return Tree(found, _replaced(namespaces, included))


def _replaced(namespaces: Mapping[str, str], included: Mapping[str, set[str]]) -> set[str]:
    replaced: set[str] = set()
    kept: set[str] = set()
    for outer, parts in included.items():
        for own in (namespaces[part] for part in parts if namespaces.get(part)):
            (replaced if namespaces[outer] not in ("", own) else kept).add(own)
    return replaced - kept


def _real(folder: str, paths: Iterable[str]) -> set[str]:
    return {os.path.realpath(os.path.join(folder, path)) for path in paths}


def _paths(kustomization: dict[str, Any], fields: Iterable[str]) -> Iterator[str]:
    for name in fields:
        entries = kustomization.get(name)
        yield from _texts(entries if isinstance(entries, list) else ())


def _texts(entries: Iterable[Any]) -> Iterator[str]:
    for entry in entries:
        path = entry.get("path") if isinstance(entry, dict) else entry
        # Inline patches have several lines, remote folders a scheme.
        if isinstance(path, str) and "\n" not in path and "://" not in path:
            yield path
