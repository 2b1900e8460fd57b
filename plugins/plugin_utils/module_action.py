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

import atexit
import contextlib
import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ClassVar

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import run_memory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube import module as kube_module

# Set to false, each module is a process of its own again.
SWITCH = "SERVICE_MESH_IN_PROCESS"

# Made here, once a run, as what they import is imported in every worker otherwise.
_PROFILE = "legacy"
_TO_MODULE = get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
_FROM_MODULE = get_module_encoder(_PROFILE, Direction.MODULE_TO_CONTROLLER)
# kubernetes.core asks for its version with each module.
with contextlib.suppress(ImportError):
    importlib.import_module("jsonpatch")
_DISCOVERED = ("auto", "auto_legacy", "auto_silent", "auto_legacy_silent")
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)


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
        memory = _memory_of(str(variables.get("inventory_hostname", "")))
        if self.runs_in_process(variables):
            return self._run_in_process(arguments, variables, memory)
        # What that one changes, it cannot strike out.
        shutil.rmtree(memory, ignore_errors=True)
        result: dict[str, Any] = self._execute_module(
            module_args=arguments, task_vars=variables, wrap_async=self._task.async_val
        )
        return result

    def runs_in_process(self, variables: dict[str, Any]) -> bool:
        """Whether a process of the module's own would have this machine, this user and this Python as well.

        Or another Python that nothing names: what Ansible discovers on a machine may lack the module's libraries.
        """
        given = variables.get("ansible_python_interpreter") or C.config.get_config_value("INTERPRETER_PYTHON")
        # As the inventories have it. Jinja takes longer for this one text than a module for a question.
        usual = given == "{{ ansible_playbook_python }}"
        interpreter = variables.get("ansible_playbook_python") if usual else self._templar.template(given)
        ours = interpreter == sys.executable or interpreter in _DISCOVERED
        return self.runs_here() and ours and boolean(os.environ.get(SWITCH, "true"), strict=False)

    def runs_here(self) -> bool:
        """Whether the module runs on this machine, as this user, while Ansible waits for it."""
        return self._connection.transport == "local" and not self._connection.become and not self._task.async_val

    def _run_in_process(self, arguments: dict[str, Any], variables: dict[str, Any], memory: str) -> dict[str, Any]:
        self._update_module_args(self._task.action, arguments, variables)
        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        with (
            tempfile.TemporaryDirectory(prefix="module-", dir=C.DEFAULT_LOCAL_TMP) as directory,
            _surroundings(environment, self._loader.get_basedir()),
            _remembering(memory),
            _end_of_process(),
        ):
            text = _main(self.module, {**arguments, "_ansible_tmpdir": directory})
        return _without_internals(self._parse_returned_data({"stdout": text, "stderr": "", "rc": 0}, _PROFILE))


def _without_internals(parsed: Any) -> dict[str, Any]:
    """A module's result as _execute_module returns it. What is parsed is a class of its own since ansible-core 2.21."""
    if not isinstance(parsed, dict):
        parsed.remove_internal_keys()
        return dict(parsed.as_result_dict(for_round_trip=True))
    from ansible.vars.clean import remove_internal_keys

    remove_internal_keys(parsed)
    return parsed


def _memory_of(host: str) -> str:
    """The folder of what the run's modules remember of that host."""
    return os.path.join(C.DEFAULT_LOCAL_TMP, f"service-mesh-{hashlib.sha256(host.encode()).hexdigest()[:16]}")


@contextlib.contextmanager
def _remembering(folder: str) -> Iterator[None]:
    run_memory.directory = folder
    try:
        yield
    finally:
        run_memory.directory = ""


def _main(module: ModuleType, arguments: dict[str, Any]) -> str:
    """What the module would have printed: its result as JSON."""
    results: list[str] = []

    class InProcessModule(AnsibleModule):  # type: ignore[misc]
        """Gives its result back instead of printing it."""

        def _record_module_result(self, o: dict[str, Any]) -> None:
            results.append(json.dumps(o, cls=_FROM_MODULE))

    usual = kube_module.module_class, basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE
    # Where a process of its own has them, too.
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=_TO_MODULE).encode()
    basic._ANSIBLE_PROFILE, kube_module.module_class = _PROFILE, InProcessModule
    try:
        module.main()
    except SystemExit:
        # Each module ends so, with exit_json or fail_json.
        pass
    except Exception as error:
        raise AnsibleError("Module failed.") from error
    finally:
        kube_module.module_class, basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = usual
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


@contextlib.contextmanager
def _end_of_process() -> Iterator[None]:
    """What the module leaves for the end of its process, such as the client's files with keys, is done at its own end.

    A worker of multiprocessing never comes to what is registered with atexit.
    """
    register = atexit.register
    with contextlib.ExitStack() as left:
        atexit.register = left.callback  # type: ignore[assignment]
        try:
            yield
        finally:
            atexit.register = register  # type: ignore[assignment]
