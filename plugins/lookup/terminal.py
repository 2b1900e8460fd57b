# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: terminal
short_description: Whether ansible-playbook has a terminal on which someone can answer
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Tasks run in children of C(ansible-playbook) that have no terminal, so this checks the standard input of the parent.
options:
  _terms:
    description: None.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Refuse a question that no one could answer
  ansible.builtin.fail:
    msg: ansible-playbook has no terminal.
  when: lookup('corpv3.service_mesh.terminal') == 'no'
"""

RETURN = r"""
_raw:
  description: V(yes) or V(no). V(unknown) without a C(/proc), or if the standard input is closed.
  type: list
  elements: str
"""

import os
from typing import Any

from ansible.plugins.lookup import LookupBase


def terminal_of(process: int) -> str:
    """Whether the standard input of a process is a terminal: yes, no or unknown."""
    path = f"/proc/{process}/fd/0"
    if not os.path.exists(path):
        return "unknown"
    try:
        # A named pipe without a writer would block, and a terminal could become that of this process.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return "no"
    try:
        return "yes" if os.isatty(opened) else "no"
    finally:
        os.close(opened)


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        return [terminal_of(os.getppid())]
