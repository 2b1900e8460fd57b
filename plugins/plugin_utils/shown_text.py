# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Text that reaches the terminal and a job's log as it is.

What a task returns, a callback writes as JSON or YAML: quoted, wrapped at the width of the terminal, in one column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError


def titles_come_late() -> bool:
    """Whether the callback writes a task's title together with its result, so after everything that the task shows.

    It does where it leaves out results, as this repository's ansible.cfg has it. Callbacks inherit these options from
    the default one. If it is not loaded, nothing is known.
    """
    try:
        return not all(
            C.config.get_config_value(option, plugin_type="callback", plugin_name="default")
            for option in ("display_skipped_hosts", "display_ok_hosts")
        )
    except AnsibleError:
        return False


def lines_of(text: Any) -> list[str]:
    """``text``: a string, or strings in lists of any depth."""
    if isinstance(text, str):
        return text.rstrip("\n").split("\n")
    if isinstance(text, Iterable) and not isinstance(text, Mapping):
        return [line for entry in text for line in lines_of(entry)]
    return [str(text)]


def host_of(variables: Mapping[str, Any]) -> str:
    """The host's name, if the play has several hosts."""
    several = len(variables.get("ansible_play_hosts_all") or ()) > 1
    return str(variables["inventory_hostname"]) if several else ""


def headed(lines: list[str], variables: Mapping[str, Any]) -> list[str]:
    """Below the host's name, if the play has several hosts."""
    host = host_of(variables)
    return [f"[{host}]", *lines] if host else lines
