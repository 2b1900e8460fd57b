# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which files Skaffold deploys together. Several configurations of mostly the same files are steps, or alternatives."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatch
from itertools import combinations, product
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import parse
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import documents
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.text_files import text_of

_NAME = "skaffold"
_ENDINGS = (".yaml", ".yml")
_MOST = 50


def apart_by_skaffold(folders: Iterable[str], files: Collection[str]) -> set[tuple[str, str]]:
    """Pairs of the files of which each is deployed by one of two such configurations, and no configuration has both."""
    deployed = [found for found in _deployed(folders, files) if found][:_MOST]
    apart: set[tuple[str, str]] = set()
    for one, other in combinations(deployed, 2):
        # Those of several applications have little in common, and are all for one cluster.
        if 2 * len(one & other) >= min(len(one), len(other)):
            apart.update((min(pair), max(pair)) for pair in product(one - other, other - one))
    return {(one, other) for one, other in apart if not any(one in found and other in found for found in deployed)}


def _deployed(folders: Iterable[str], files: Collection[str]) -> Iterator[frozenset[str]]:
    for folder, path in _configurations(folders):
        for _line, document in documents(text_of(path)):
            value = parse(document).value
            if isinstance(value, dict) and str(value.get("apiVersion")).startswith(f"{_NAME}/"):
                patterns = [os.path.relpath(os.path.join(folder, pattern)) for pattern in _patterns(value)]
                yield frozenset(file for file in files if any(fnmatch(file, pattern) for pattern in patterns))


def _configurations(folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for place, below, names in os.walk(folder):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(names):
                if _NAME in name and name.endswith(_ENDINGS):
                    yield place, os.path.join(place, name)


def _patterns(configuration: dict[str, Any]) -> Iterator[str]:
    """What it deploys with or without its profiles, in the older form and the newer one."""
    for value in (configuration, *(profile for _index, profile in items(configuration, "profiles"))):
        for _index, pattern in texts(value, "deploy", "kubectl", "manifests") + texts(value, "manifests", "rawYaml"):
            yield pattern
