# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One Helm release as a task describes it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.charts import is_path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.fields import IgnoreRule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object


class ReleaseFailure(MeshError):
    """A release that could not be brought to the desired state."""


@dataclass(frozen=True)
class Release:
    """One entry of the module's list."""

    name: str
    namespace: str
    chart: str
    repository: str
    version: str
    values: Object
    present: bool
    wait: bool
    timeout: int
    rollback: bool
    ignores: tuple[IgnoreRule, ...]

    @property
    def on_disk(self) -> bool:
        return not self.repository and is_path(self.chart)

    def __str__(self) -> str:
        return f"release {self.namespace}/{self.name}"


def release_of(entry: dict[str, Any]) -> Release:
    """A release from the module's options, validated as far as possible without a cluster."""
    release = Release(
        name=entry["name"],
        namespace=entry["namespace"],
        chart=entry["chart"] or "",
        repository=entry["repository"] or "",
        version=entry["version"] or "",
        values=entry["values"] or {},
        present=entry["state"] == "present",
        wait=entry["wait"],
        timeout=entry["timeout"],
        rollback=entry["rollback"],
        ignores=tuple(
            IgnoreRule(rule["kind"], tuple(rule["fields"]), rule["name"] or "*")
            for rule in entry["ignore_differences"] or ()
        ),
    )
    if release.present and not release.chart:
        raise ReleaseFailure(f"{release}: chart is missing. Set it, or set state: absent.")
    if release.present and not release.on_disk:
        if not release.version:
            raise ReleaseFailure(f"{release}: version is missing. Set it; the latest version is never used by default.")
        if not release.repository and not release.chart.startswith("oci://"):
            raise ReleaseFailure(
                f"{release}: chart '{release.chart}' is neither a path nor an oci:// reference. Set repository."
            )
    if release.present and release.repository.startswith("oci://"):
        # Helm identifies a registry's charts only by their full reference.
        return replace(release, chart=f"{release.repository.rstrip('/')}/{release.chart}", repository="")
    return replace(release, chart=os.path.expanduser(release.chart))
