# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs module canary, inside Ansible's own process if possible, and shows its lines of progress while it runs.

Ansible shows the output of a module at its end only, and not at all if Ansible's main process ends before, on Ctrl-C
or a kill. From then on the lines go to the terminal directly.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from ansible import constants as C
from ansible.utils.display import Display
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import termination
from ansible_collections.corpv3.service_mesh.plugins.modules import canary
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.last_word import last_word
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.module_action import ModuleAction
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.progress import Follower, terminal
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.shown_text import host_of

display = Display()


class ActionModule(ModuleAction):
    module = canary

    def run_module(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        if self._can_follow(arguments):
            result = self._run_followed(arguments, variables)
        else:
            result = super().run_module(arguments, variables)
        # A signal was noted while the module ran here, and the run is rolled back by now.
        termination.obey()
        return result

    def _run_followed(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        inside, service = self.runs_in_process(variables), str(arguments.get("service") or "")
        with contextlib.ExitStack() as stack:
            path = stack.enter_context(_file(inside))
            direct = stack.enter_context(terminal() if inside else contextlib.nullcontext())
            follower = stack.enter_context(Follower(path, _prefix(variables), display.display, direct, service))
            followed = {**arguments, "progress_file": path, "progress_details": display.verbosity > 0}
            result = super().run_module(followed, variables)
            if termination.reason():
                follower.log(last_word(result, service))
        return result

    def _can_follow(self, arguments: dict[str, Any]) -> bool:
        """Whether the module writes its lines on this machine, as this user, and they may be shown."""
        return self.runs_here() and not self._task.no_log and not arguments.get("progress_file")


@contextlib.contextmanager
def _file(inside: bool) -> Iterator[str]:
    """The path of an empty file that only this user can read."""
    # Ansible removes its own directory whenever it ends. A run inside the worker may outlast it, and a separate process
    # must not leave files.
    descriptor, path = tempfile.mkstemp(prefix="canary-", dir=None if inside else C.DEFAULT_LOCAL_TMP)
    os.close(descriptor)
    try:
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _prefix(task_vars: dict[str, Any]) -> str:
    """The host's name, if the lines of several hosts are mixed."""
    host = host_of(task_vars)
    return f"[{host}] " if host else ""
