"""The modules of collection awx.awx in this process: their argument specs, and calls of them."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any
from unittest.mock import patch

from ansible.module_utils.testing import patch_module_args

_MODULES = "ansible_collections.awx.awx.plugins.modules"


class _Captured(Exception):
    pass


def argument_spec(name: str) -> dict[str, Any]:
    """What the module takes, beside how the controller is reached."""
    module = importlib.import_module(f"{_MODULES}.{name}")

    def capture(*_: Any, argument_spec: dict[str, Any], **__: Any) -> None:
        raise _Captured(argument_spec)

    with patch.object(module, "ControllerAPIModule", capture):
        try:
            module.main()
        except _Captured as captured:
            found: dict[str, Any] = captured.args[0]
            return found
    raise AssertionError(f"{name} has no argument spec")


def call(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the module returns; the controller is that of the environment."""
    module = importlib.import_module(f"{_MODULES}.{name}")
    output = io.StringIO()
    with patch_module_args(dict(options)), redirect_stdout(output):
        try:
            module.main()
        except SystemExit as end:
            assert end.code == 0, output.getvalue()
    result: dict[str, Any] = json.loads(output.getvalue())
    return result
