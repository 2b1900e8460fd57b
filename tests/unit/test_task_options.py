"""Every option that a task gives to one of the collection's modules is an option of that module."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = {path.stem for path in (ROOT / "plugins/modules").glob("*.py")}
FOLDERS = ("roles", "playbooks", "molecule", "extensions")
COLLECTION = "corpv3.service_mesh."


@pytest.fixture(scope="module")
def options() -> dict[str, set[str]]:
    """Of each module, names and aliases of its options, also those of the documentation's fragments."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = ["ansible-doc", "--json", "--type", "module", *(COLLECTION + module for module in sorted(CALLS))]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return {
        name.removeprefix(COLLECTION): {
            known for option, about in found["doc"]["options"].items() for known in (option, *about.get("aliases", []))
        }
        for name, found in json.loads(run.stdout).items()
    }


def mappings(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        yield data
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from mappings(value)


def calls() -> dict[str, set[tuple[str, str]]]:
    """Of each module, the options and the files that use them."""
    found: dict[str, set[tuple[str, str]]] = {}
    for path in (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.yml"))):
        if "files" in path.relative_to(ROOT).parts:
            continue
        for task in mappings(yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)):
            for name, given in task.items():
                module = name.removeprefix(COLLECTION)
                if name.startswith(COLLECTION) and module in MODULES and isinstance(given, dict):
                    found.setdefault(module, set()).update((option, str(path.relative_to(ROOT))) for option in given)
    return found


CALLS = calls()


def test_there_are_calls() -> None:
    assert len(CALLS) > 10


@pytest.mark.parametrize("module", sorted(CALLS))
def test_every_option_is_known(module: str, options: dict[str, set[str]]) -> None:
    assert {call for call in CALLS[module] if call[0] not in options[module]} == set()
