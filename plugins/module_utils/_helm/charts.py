# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Charts on disk, and the manifests that helm prints."""

from __future__ import annotations

import functools
import os
import re
import tarfile
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object


class ChartError(MeshError):
    """A missing or invalid chart."""


class Chart(NamedTuple):
    """A chart on disk: a directory or a packed archive."""

    path: str
    name: str
    version: str

    @property
    def label(self) -> str:
        """As helm shows it in its list of releases."""
        return f"{self.name}-{self.version}"


NO_CHART = Chart("", "", "")


def is_path(chart: str) -> bool:
    """A name in a repository has no slash; a path has one, or exists."""
    return not chart.startswith("oci://") and (chart.startswith(("/", ".", "~")) or os.path.exists(chart))


def load_chart(path: str) -> Chart:
    path = os.path.abspath(os.path.expanduser(path))
    try:
        about = yaml.load(_chart_yaml(path))
        return Chart(path, str(about["name"]), str(about["version"]))
    except (OSError, tarfile.TarError, KeyError, TypeError, yaml.YamlError) as error:
        raise ChartError(f"{path} is not a Helm chart: {error}") from error


def _chart_yaml(path: str) -> bytes:
    if os.path.isdir(path):
        with open(os.path.join(path, "Chart.yaml"), "rb") as file:
            return file.read()
    with tarfile.open(path) as archive:
        for member in archive:
            file_in_archive = archive.extractfile(member) if member.name.count("/") == 1 else None
            if file_in_archive and member.name.endswith("/Chart.yaml"):
                return file_in_archive.read()
    raise ChartError("it has no Chart.yaml")


def unpacked_chart(directory: str) -> Chart:
    """The one chart that helm pulled into the directory."""
    for entry in sorted(os.scandir(directory), key=lambda found: found.name):
        if entry.is_dir():
            return load_chart(entry.path)
    raise ChartError("helm pulled nothing")


_SECTION = re.compile(r"^---[ \t]*\n(?:# Source: ([^\n]+)\n)?", re.MULTILINE)
_FROM_CRDS_FOLDER = re.compile(r"[^/]+(/charts/[^/]+)*/crds/")


class Rendering(NamedTuple):
    """The output of a chart. Helm installs ``definitions`` (the crds folder) once and never again."""

    objects: list[Object]
    definitions: list[Object]


def rendering(text: str) -> Rendering:
    """Splits the output of helm template by the comments that name each file."""
    result = Rendering([], [])
    target = result.objects
    for source, body in _sections(text):
        # A file of the crds folder is printed unchanged, with its own separators but only one comment.
        if source:
            target = result.definitions if _FROM_CRDS_FOLDER.match(source) else result.objects
        target += _parsed(body)
    return result


def documents(text: str) -> list[Object]:
    """The objects of a manifest, lists unfolded."""
    return [obj for _source, body in _sections(text) for obj in _parsed(body)]


def _sections(text: str) -> list[tuple[str, str]]:
    """By file. Each as helm sends it, to the last line break: a text at the end of an object (``|+``) includes them."""
    head, *rest = _SECTION.split(text if text.endswith("\n") else f"{text}\n")
    return [("", head), *((source or "", body) for source, body in zip(rest[::2], rest[1::2], strict=True))]


# The rendered and the installed objects are mostly equal, and Istio's definitions take half a second to parse.
@functools.cache
def _parsed(text: str) -> tuple[Object, ...]:
    found: list[Object] = []
    for document in yaml.load_all(text):
        if isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and "items" in document:
            found += [item for item in document["items"] or () if item]
        elif document:
            found.append(document)
    return tuple(found)
