# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows text as it is, at a terminal of any width and in a job's log."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.shown_text import headed, lines_of, titles_come_late

display = Display()


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("text",))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        __, arguments = self.validate_argument_spec({"text": {"type": "raw", "required": True}})
        late = titles_come_late()
        lines = headed(lines_of(arguments["text"]), variables)
        if any(lines):
            display.display("\n".join(["", *lines] if late else lines))
        # Its title would be below its text. Without a result it has none.
        return {**result, "changed": False, **({"skipped": True} if late else {})}
