# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fails with a text that the callback writes once, as it is.

Ansible writes the message of a failed task twice: as the error, and as JSON or YAML in the result. Here the result has
one line only.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleAction
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.shown_text import lines_of, titles_come_late

display = Display()

# A refusal fits on a terminal of 25 lines. Ansible's own lines around it are 15.
_MOST = 10


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("msg",))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        passed: dict[str, Any] = super().run(tmp, task_vars or {})
        __, arguments = self.validate_argument_spec({"msg": {"type": "raw", "required": True}})
        if not arguments["msg"]:
            return {**passed, "changed": False, **({"skipped": True} if titles_come_late() else {})}
        text = "\n".join(lines_of(shortened(arguments["msg"], display.verbosity > 0)))
        result = {
            "failed": True,
            "changed": False,
            "msg": "The error above has the reason.",
            # For a rescue. Callbacks leave it out, except with -vvv.
            "invocation": {"module_args": {"msg": text}},
        }
        raise AnsibleAction(text, result=result)


def shortened(problems: Any, all_of_them: bool = False) -> Any:
    """The first ones of a list, how many others there are, and its last entry, which applies to all of them."""
    if all_of_them or isinstance(problems, str) or len(problems) <= _MOST:
        return problems
    *first, last = problems
    left_out = len(first) - (_MOST - 2)
    return [*first[: _MOST - 2], f"{left_out} more problems, which -v shows.", last]
