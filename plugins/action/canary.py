# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module canary, inside Ansible's own process where it can, and shows its lines of progress while it runs.

A module itself is heard only at its end.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from ansible import constants as C
from ansible.utils.display import Display
from ansible_collections.corpv3.service_mesh.plugins.modules import canary
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.module_action import ModuleAction

display = Display()

_POLL_SECONDS = 0.2
# States that carry a run on.
_LONG = (None, "progressed", "resumed", "promoted")


class ActionModule(ModuleAction):
    module = canary

    def runs_in_process(self, variables: dict[str, Any]) -> bool:
        # Such a run lives as long as its steps. What Ctrl-C and a closed terminal do to it is documented and tested
        # of a process of its own.
        return self._task.args.get("state") not in _LONG and super().runs_in_process(variables)

    def run_module(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        if not self._can_follow(arguments):
            return super().run_module(arguments, variables)
        with self._followed(_prefix(variables)) as path:
            return super().run_module({**arguments, "progress_file": path}, variables)

    def _can_follow(self, arguments: dict[str, Any]) -> bool:
        """Whether the module writes on this machine, as this user, while somebody may watch."""
        return self.runs_here() and not self._task.no_log and not arguments.get("progress_file")

    @contextlib.contextmanager
    def _followed(self, prefix: str) -> Iterator[str]:
        """A file whose lines are shown as they are written to it."""
        # Ansible removes this directory at its end, however it ends, and only its user can read there.
        descriptor, path = tempfile.mkstemp(prefix="canary-", dir=C.DEFAULT_LOCAL_TMP)
        finished = threading.Event()
        try:
            with os.fdopen(descriptor, "rb") as file:
                follower = threading.Thread(target=_follow, args=(file, prefix, finished), daemon=True)
                follower.start()
                try:
                    yield path
                finally:
                    finished.set()
                    follower.join()
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _follow(file: Any, prefix: str, finished: threading.Event) -> None:
    begun = b""
    while True:
        # Asked before reading: what the module wrote last is read once more after its end.
        last = finished.wait(_POLL_SECONDS)
        *lines, begun = (begun + file.read()).split(b"\n")
        if last and begun:
            lines.append(begun)
        for line in lines:
            display.display(prefix + line.decode("utf-8", "replace"))
        if last:
            return


def _prefix(task_vars: dict[str, Any]) -> str:
    """The host's name, where lines of several hosts come mixed."""
    several = len(task_vars.get("ansible_play_hosts_all") or ()) > 1
    return f"[{task_vars['inventory_hostname']}] " if several else ""
