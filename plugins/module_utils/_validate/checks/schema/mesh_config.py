# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What istiod refuses in its own configuration, the ConfigMap istio (istio-<revision>) of its namespace."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import written
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import load_one
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import CONFIG_MAP
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import Faults
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.mesh_config import (
    mesh_config,
    mesh_networks,
)

_JUDGES = (("mesh", mesh_config), ("meshNetworks", mesh_networks))


@check(
    code="IST0106",
    level="error",
    title="istiod refuses its configuration",
    why="A running istiod keeps its previous configuration; a new one does not start.",
    remedy="Correct the field of the embedded YAML as the message says.",
    alone=True,
)
def refused_mesh_config(mesh: Mesh, report: Report) -> None:
    _report_faults(mesh, report, warnings=False)


@check(
    code="IST0133",
    level="warning",
    title="Questionable field in istiod's configuration",
    why="The field has no effect, or another one than it seems.",
    remedy="Correct the field of the embedded YAML as the message says.",
    alone=True,
)
def doubted_mesh_config(mesh: Mesh, report: Report) -> None:
    _report_faults(mesh, report, warnings=True)


def _report_faults(mesh: Mesh, report: Report, warnings: bool) -> None:
    for found in mesh.of(CONFIG_MAP):
        if found.namespace != mesh.settings.root_namespace or not (found.name + "-").startswith("istio-"):
            continue
        for key, judge in _JUDGES:
            text = part(found.obj, "data").get(key)
            if not isinstance(text, str):
                continue
            config = load_one(text)
            faults = Faults(mesh.settings.root_namespace)
            if isinstance(config, dict):
                judge(config, faults)
            elif config is not None or text.strip():
                faults.error((), "the text is not a YAML mapping")
            for fault in faults.found:
                if fault.warning is warnings:
                    where = f"{written(fault.path)}: " if fault.path else ""
                    report(found, ("data", key), f"{where}{fault.message}")
