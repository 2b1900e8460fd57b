# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Charts whose dependencies are in the same repository (``repository: file://../base``).

``helm dependency build`` would copy them into the chart. Here they are linked into a temporary folder instead, so the
repository stays as it is.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.text_files import mapping_of

_SCHEME = "file://"
# Dependencies of dependencies.
_MOST_LEVELS = 8


@contextmanager
def with_local_dependencies(chart: str) -> Iterator[str]:
    """The path of a copy of the chart that has them, by links; empty if it has no such dependency."""
    if not _local_dependencies(chart):
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="mesh-validate-") as folder:
        copy = os.path.join(folder, os.path.basename(os.path.abspath(chart)))
        _link(chart, copy, 0)
        yield copy


def _link(chart: str, copy: str, level: int) -> None:
    os.mkdir(copy)
    _link_entries(chart, copy)
    charts = os.path.join(copy, "charts")
    os.mkdir(charts)
    if os.path.isdir(given := os.path.join(chart, "charts")):
        _link_entries(given, charts)
    for name, source in _local_dependencies(chart).items():
        place = os.path.join(charts, name)
        if level < _MOST_LEVELS and not os.path.lexists(place) and os.path.isfile(os.path.join(source, "Chart.yaml")):
            _link(source, place, level + 1)


def _link_entries(folder: str, copy: str) -> None:
    for entry in os.listdir(folder):
        if entry != "charts":
            os.symlink(os.path.join(os.path.realpath(folder), entry), os.path.join(copy, entry))


def _local_dependencies(chart: str) -> dict[str, str]:
    """Name -> folder."""
    found = {}
    # The second file is that of charts of version 1.
    for file in ("Chart.yaml", "requirements.yaml"):
        entries = mapping_of(os.path.join(chart, file)).get("dependencies")
        for entry in entries if isinstance(entries, list) else ():
            repository = entry.get("repository") if isinstance(entry, dict) else None
            if isinstance(repository, str) and repository.startswith(_SCHEME) and isinstance(entry.get("name"), str):
                # A path with a slash would leave the temporary folder.
                name = os.path.basename(entry["name"])
                found[name] = os.path.join(chart, repository[len(_SCHEME) :])
    return {name: path for name, path in found.items() if name not in ("", ".", "..")}
