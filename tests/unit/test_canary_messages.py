"""The module names its states and options. Role canary adds the playbooks and variables to them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import STATES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = [ROOT / "plugins/module_utils/_canary", ROOT / "plugins/module_utils/_analysis"]
ROLE = yaml.safe_load((ROOT / "roles/canary/vars/main.yml").read_text())
# The state that starts a run is called by no name: messages speak of a new run.
NAMED = [state for state in STATES if state != "progressed"]


def texts() -> Iterator[tuple[Path, str]]:
    """Every text of the packages, docstrings included."""
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield path, node.value


def named(text: str) -> str:
    for pattern, replacement in (ROLE["__canary_playbook_names"], ROLE["__canary_variable_names"]):
        text = re.sub(pattern, replacement, text)
    return text


def test_no_message_names_a_playbook_or_a_variable_of_a_role() -> None:
    playbooks = "|".join(re.escape(path.name) for path in (ROOT / "playbooks").glob("*.yml"))
    defaults = yaml.safe_load((ROOT / "roles/canary/defaults/main.yml").read_text())
    names = re.compile(rf"\b({playbooks})\b|\b({'|'.join(map(re.escape, defaults))})\b")
    found = [f"{path.relative_to(ROOT)}: {text}" for path, text in texts() if names.search(text)]
    # Fields and functions of the code that happen to have the name of a variable.
    assert [line for line in found if " " in line.partition(": ")[2]] == []


@pytest.mark.parametrize("state", NAMED)
def test_each_state_has_its_playbook(state: str) -> None:
    playbook, __, rest = named(f"use state={state} now").removeprefix("use ").partition(" ")
    assert (ROOT / "playbooks" / playbook).is_file()
    assert rest == f"(state={state}) now"


def test_messages_name_states_that_have_a_playbook() -> None:
    states = {match[1] for __, text in texts() for match in re.finditer(r"\bstate=(\w+)", text)}
    assert {"aborted", "reconciled", "resumed"} <= states <= set(NAMED)


def test_options_become_variables_once() -> None:
    text = "run state=aborted with force=true, set stable.subset or canary.subset, or managed_by_others to accept"
    end = named(text)
    assert end == (
        "run canary_abort.yml (state=aborted) with canary_force=true, set canary_stable.subset or "
        "canary_canary.subset, or canary_managed_by_others to accept"
    )
    assert named(end) == end
