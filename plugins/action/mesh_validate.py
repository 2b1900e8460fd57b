# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module mesh_validate, inside Ansible's own process where it can, and adds the findings as plain text."""

from __future__ import annotations

from typing import Any

from ansible.utils.color import ANSIBLE_COLOR
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.text import text
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.style import Style
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import Validated
from ansible_collections.corpv3.service_mesh.plugins.modules import mesh_validate
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.module_action import ModuleAction


class ActionModule(ModuleAction):
    module = mesh_validate

    def run_module(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        result = super().run_module(arguments, variables)
        if "findings" in result:
            result["shown"] = shown_of(result, arguments, ANSIBLE_COLOR)
        return result


def shown_of(result: dict[str, Any], arguments: dict[str, Any], coloured: bool = False) -> list[str]:
    """What option ``show`` asks for. Of a failed validation, the task that fails has the verdict."""
    show = arguments.get("show") or "nothing"
    notes = [f"note: {note}" for note in result["notes"]]
    files = [f"written: {file['path']}" for file in result.get("files") or ()]
    passed = result["passed"]
    lines: list[str] = []
    if show == "nothing":
        return []
    if show == "all" or not passed:
        validated = Validated(result["findings"], result["summary"], result["undecided"], result["notes"])
        found = text(
            validated,
            Style(coloured),
            arguments.get("content"),
            folder=str(arguments.get("base") or ""),
            verdict=passed,
            hints=False,
        )
        lines = [*found.rstrip("\n").split("\n"), *notes, *files] if found.strip() else [*notes, *files]
    elif result["summary"]["warning"] or files:
        lines = [result["msg"], *files]
    return lines
