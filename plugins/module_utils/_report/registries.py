# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What comes from the registries that Istio retires: the data for a report, and its section."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.document import (
    GOOD,
    WARNING,
    Cell,
    Column,
    Facts,
    Section,
    Table,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.storage import StoredRelease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.retired_registries import (
    ADDRESSES,
    INSTALL,
    PAGE,
    WHEN,
    restart_command,
    retired_injectors,
    retired_releases,
    retired_workloads,
)

Data = Mapping[str, Any]


def retired(
    pods: Iterable[Object], config_maps: Iterable[Object], releases: Iterable[StoredRelease], istio_namespace: str
) -> dict[str, Any]:
    """addresses and when they go, the command that moves the installation, and what comes from there: workloads (each
    with the command that moves it, empty if there is none), injectors, releases.
    """

    def command(workload: Object) -> str:
        if workload["injected"]:
            return restart_command(workload)
        return INSTALL if workload["namespace"] == istio_namespace else ""

    return {
        "addresses": list(ADDRESSES),
        "when": WHEN,
        "command": INSTALL,
        "workloads": [{**item, "command": command(item)} for item in retired_workloads(pods)],
        "injectors": retired_injectors(config_maps),
        "releases": retired_releases(releases),
    }


def overview(data: Data) -> Cell:
    counts = [
        f"{len(data[kind])} {kind if len(data[kind]) != 1 else kind.removesuffix('s')}"
        for kind in ("workloads", "injectors", "releases")
        if data[kind]
    ]
    if counts:
        return Cell(f"{', '.join(counts)} from registries that Istio retires", WARNING)
    return Cell("nothing from registries that Istio retires", WARNING if data["notes"] else GOOD)


def section(data: Data) -> Section:
    tables = [
        Table(
            "Running pods with images from there. A restart uses the injector's image, so move the injector first",
            [Column("Workload"), Column("Kind"), Column("Pods", is_number=True), Column("Images"), Column("Moved by")],
            [_workload(item) for item in data["workloads"]],
        ),
        Table(
            "Injectors that give new pods images from there",
            [Column("ConfigMap"), Column("Address"), Column("Moved by")],
            [_named(item, data["command"]) for item in data["injectors"]],
        ),
        Table(
            "Helm releases whose values or objects name them",
            [Column("Release"), Column("Address"), Column("Moved by")],
            [_named(item, data["command"]) for item in data["releases"]],
        ),
    ]
    found = [table for table in tables if table.rows]
    about = Facts(
        [
            ("Retired by Istio", Cell(", ".join(data["addresses"]), code=True)),
            ("When", Cell(data["when"])),
            ("How to move", Cell(PAGE, code=True)),
        ]
    )
    nothing = "" if found else "Nothing comes from the registries that Istio retires in December 2026."
    return Section("registries", "Istio's registries", [about, *found] if found else [], nothing, data["notes"])


def _workload(item: Data) -> list[Cell]:
    return [
        Cell(f"{item['namespace']}/{item['name']}", WARNING, code=True),
        Cell(item["kind"]),
        Cell(str(item["pods"])),
        Cell(", ".join(item["images"]), code=True),
        Cell(item["command"] or "its deployer", code=bool(item["command"])),
    ]


def _named(item: Data, command: str) -> list[Cell]:
    return [
        Cell(f"{item['namespace']}/{item['name']}", WARNING, code=True),
        Cell(item["address"], code=True),
        Cell(command, code=True),
    ]
