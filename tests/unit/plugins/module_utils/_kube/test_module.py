"""How a module ends: with what its function returns, with a message, or as a bug."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.files import named_file_errors
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module

from .....module_files import MODULES

ROOT = Path(__file__).resolve().parents[5]
SPEC = {"name": {"type": "str"}, "provider": {"type": "dict"}, "empty": {"type": "dict"}}
PROVIDER = {"headers": {"Authorization": "Bearer of-a-person"}}

Ended = Callable[..., dict[str, Any]]


@pytest.fixture
def ended(capsys: pytest.CaptureFixture[str]) -> Ended:
    def run(function: Callable[[Any], Mapping[str, Any]], *hidden: str, code: int = 0) -> dict[str, Any]:
        with patch_module_args({"name": "shop", "provider": PROVIDER}), pytest.raises(SystemExit) as end:
            run_module(create_module(SPEC), function, *hidden)
        assert end.value.code == code
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def test_the_module_returns_what_its_function_returns(ended: Ended) -> None:
    result = ended(lambda module: {"changed": True, "found": module.params["name"]})
    assert (result["changed"], result["found"]) == (True, "shop")
    assert result["invocation"]["module_args"]["name"] == "shop"


def test_a_result_without_changed_has_changed_nothing(ended: Ended) -> None:
    assert ended(lambda _module: {})["changed"] is False


def raising(error: BaseException) -> Callable[[Any], Mapping[str, Any]]:
    def function(_module: Any) -> Mapping[str, Any]:
        raise error

    return function


def test_an_answer_of_ours_fails_the_module_with_its_values(ended: Ended) -> None:
    result = ended(raising(MeshError("name: no such shop.", phase="Failed", changed=True)), code=1)
    assert (result["failed"], result["msg"]) == (True, "name: no such shop.")
    assert (result["phase"], result["changed"]) == ("Failed", True)


def test_an_answer_of_the_api_server_fails_the_module(ended: Ended) -> None:
    assert ended(raising(ApiFailure(403, "Forbidden", "you may not")), code=1)["msg"] == "you may not"


def test_a_failure_says_nothing_of_a_change_unless_its_error_does(ended: Ended) -> None:
    assert "changed" not in ended(raising(MeshError("no")), code=1)


@pytest.mark.parametrize("bug", [KeyError("name"), TypeError("no"), AssertionError("no"), ValueError("no")], ids=repr)
def test_a_bug_stays_a_traceback(bug: Exception) -> None:
    with patch_module_args({"name": "shop"}), pytest.raises(type(bug)):
        run_module(create_module(SPEC), raising(bug))


@pytest.mark.parametrize("failure", [None, MeshError("no")], ids=["end", "failure"])
def test_what_may_hold_secrets_is_not_returned(ended: Ended, failure: MeshError | None) -> None:
    function = raising(failure) if failure else lambda _module: {}
    result = ended(function, "provider", "empty", code=1 if failure else 0)
    arguments = result["invocation"]["module_args"]
    assert arguments["provider"] == "(not shown, it may hold secrets)"
    assert (arguments["name"], arguments["empty"]) == ("shop", None)
    assert "of-a-person" not in json.dumps(result)


def test_a_file_that_cannot_be_read_is_named(ended: Ended, tmp_path: Path) -> None:
    missing = tmp_path / "prices.yml"

    @named_file_errors()
    def function(_module: Any) -> Mapping[str, Any]:
        return {"text": missing.read_text()}

    assert ended(function, code=1)["msg"] == f"{missing}: No such file or directory"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_ends_by_the_one_door(path: Path) -> None:
    # What is between the door and the module's function would be run before its errors become messages.
    tree = ast.parse(path.read_text())
    (main,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    (statement,) = main.body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    assert ast.unparse(statement.value.func) == "run_module"
    ends = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & {"exit_json", "fail_json"}
    assert not ends
