# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Runs a module of ours inside Ansible's own worker process, where that is the same machine, user and Python.

What a module imports is then imported once, when Ansible loads the action plugin, and every worker inherits it. As a
process of its own, each task pays for it again: unpacking, Python's start, and the API client take nine tenths of a
task that changes nothing. ansible.netcommon does the same with the modules of network devices (``import_modules``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ClassVar

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.vars.clean import remove_internal_keys
from ansible_collections.corpv3.service_mesh.plugins.module_utils import _module

# Set to false, each module is a process of its own again.
SWITCH = "SERVICE_MESH_IN_PROCESS"

_PROFILE = "legacy"
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class ModuleAction(ActionBase):
    """The action plugin of one module; a subclass names it."""

    module: ClassVar[ModuleType]
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        result.update(self.run_module(dict(self._task.args), variables))
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def run_module(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The module's result, by whichever of the two ways holds for this task."""
        if self.runs_in_process(variables):
            return self._run_in_process(arguments, variables)
        result: dict[str, Any] = self._execute_module(
            module_args=arguments, task_vars=variables, wrap_async=self._task.async_val
        )
        return result

    def runs_in_process(self, variables: dict[str, Any]) -> bool:
        """Whether a process of the module's own would have this machine, this user and this Python as well."""
        interpreter = self._templar.template(variables.get("ansible_python_interpreter", ""))
        return (
            self.runs_here() and interpreter == sys.executable and boolean(os.environ.get(SWITCH, "true"), strict=False)
        )

    def runs_here(self) -> bool:
        """Whether the module runs on this machine, as this user, while Ansible waits for it."""
        return self._connection.transport == "local" and not self._connection.become and not self._task.async_val

    def _run_in_process(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        self._update_module_args(self._task.action, arguments, variables)
        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        with (
            tempfile.TemporaryDirectory(prefix="module-", dir=C.DEFAULT_LOCAL_TMP) as directory,
            _surroundings(environment, self._loader.get_basedir()),
        ):
            text = _main(self.module, {**arguments, "_ansible_tmpdir": directory})
        result: dict[str, Any] = self._parse_returned_data({"stdout": text}, _PROFILE)
        remove_internal_keys(result)
        return result


def _main(module: ModuleType, arguments: dict[str, Any]) -> str:
    """What the module would have printed: its result as JSON."""
    # Through JSON, so that the module gets the same plain types as ever.
    encoder = get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
    decoder = get_module_decoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
    params = json.loads(json.dumps(arguments, cls=encoder), cls=decoder)
    results: list[str] = []

    class InProcessModule(AnsibleModule):  # type: ignore[misc]
        """Takes its arguments from here, and gives its result back instead of printing it."""

        def _load_params(self) -> None:
            self.params = params

        def _record_module_result(self, o: dict[str, Any]) -> None:
            results.append(json.dumps(o, cls=get_module_encoder(_PROFILE, Direction.MODULE_TO_CONTROLLER)))

    usual = _module.module_class
    _module.module_class = InProcessModule
    try:
        module.main()
    except SystemExit:
        # Each module ends so, with exit_json or fail_json.
        pass
    except Exception as error:
        raise AnsibleError("Module failed.") from error
    finally:
        _module.module_class = usual
    if not results:
        raise AnsibleError("The module ended without a result.")
    return results[-1]


@contextlib.contextmanager
def _surroundings(environment: dict[str, Any], directory: str) -> Iterator[None]:
    """Environment, working directory and signals of a process of the module's own; the worker's come back."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    variables, working_directory = dict(os.environ), os.getcwd()
    os.environ.update({name: str(value) for name, value in environment.items()})
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(working_directory)
        os.environ.clear()
        os.environ.update(variables)
        for number, handler in handlers.items():
            signal.signal(number, handler)
