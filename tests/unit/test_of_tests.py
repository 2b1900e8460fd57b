"""A test that runs nothing cannot fail: what tests and pages ask for by its name is there."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .test_workflows import tags as tags_of

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
# On a command line, and among the arguments of a call.
TAGS = re.compile(r'--(?:skip-)?tags(?:[ =]|", ")([a-z][a-z_,]*)')
SELECTED = re.compile(r"-k (\w+)")
# Tags that these files make up.
MADE_UP = {
    "CONTRIBUTING.md": {"tempo"},
    "tests/unit/test_docs.py": {"docs"},
    "tests/unit/test_documented_commands.py": {"isto"},
    "tests/unit/test_exit_codes.py": {"isto"},
}
ABOUT_UNKNOWN_TAGS = "tests/unit/plugins/lookup/test_play_hosts.py"


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def is_fixture(function: ast.FunctionDef) -> bool:
    texts = [ast.unparse(decorator) for decorator in function.decorator_list]
    return any(text.startswith("pytest.fixture") and "autouse" not in text for text in texts)


def test_a_tag_that_is_named_anywhere_exists() -> None:
    plays = [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")]
    known = tags_of([yaml.safe_load(path.read_text()) for path in plays])
    places = [*PAGES, *TESTS, *(ROOT / "playbooks").glob("*.yml"), *(ROOT / ".github/workflows").glob("*.yml")]
    named = {
        (str(path.relative_to(ROOT)), tag)
        for path in places
        for tags in TAGS.findall(path.read_text())
        for tag in tags.split(",")
    }
    assert len(named) > 20
    wrong = {(path, tag) for path, tag in named if tag not in known | MADE_UP.get(path, set())}
    assert {(path, tag) for path, tag in wrong if path != ABOUT_UNKNOWN_TAGS} == set()


def test_a_choice_of_tests_that_a_page_names_chooses_some() -> None:
    names = {path.stem for path in TESTS} | {function.name for path in TESTS for function in functions(path)}
    named = {(path.name, choice) for path in PAGES for choice in SELECTED.findall(path.read_text())}
    assert named
    assert {(page, choice) for page, choice in named if not any(choice in name for name in names)} == set()


def test_every_fixture_is_asked_for() -> None:
    trees = [ast.parse(path.read_text()) for path in TESTS]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    asked_for = {node.arg for node in nodes if isinstance(node, ast.arg)}
    # pytest.mark.usefixtures names them as texts.
    asked_for |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    made = {function.name for path in TESTS for function in functions(path) if is_fixture(function)}
    assert len(made) > 20
    assert made - asked_for == set()


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (("-k", "test_the_plan_changes_nothing"), "canary/test_canary_playbooks"),
        (("tests/integration/playbooks/test_lab.py", "-k", "crash"), "playbooks/test_lab"),
    ],
    ids=["choice", "path"],
)
def test_arguments_of_make_integration_choose_among_its_own_tests(
    arguments: tuple[str, ...], chosen: str, tmp_path: Path
) -> None:
    """pytest is the real one; the programs that make a lab do nothing, and helm 4 need not be built."""
    for name in ("molecule", "ansible-playbook"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "PYTEST_ADDOPTS": "--collect-only -q",
        "SERVICE_MESH_TEST_HELM4": str(tmp_path / "helm"),
    }
    argv = [ROOT / "tools/integration.sh", *arguments]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(re.findall(r"^tests/(\S+)\.py::", done.stdout, re.MULTILINE)) == {f"integration/{chosen}"}
