"""Every option that a task gives to one of the collection's modules is an option of that module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import fragment_loader, init_plugin_loader
from ansible.utils.plugin_docs import get_docstring

ROOT = Path(__file__).resolve().parents[2]
MODULES = {path.stem: path for path in (ROOT / "plugins/modules").glob("*.py") if path.stem != "__init__"}
FOLDERS = ("roles", "playbooks", "molecule", "extensions")
COLLECTION = "corpv3.service_mesh."


def options(module: str) -> set[str]:
    """Names and aliases, also those of the documentation fragments."""
    init_plugin_loader()
    documentation: dict[str, Any] = get_docstring(str(MODULES[module]), fragment_loader)[0]
    given = documentation["options"].items()
    return {name for option, about in given for name in (option, *about.get("aliases", []))}


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


@pytest.mark.filterwarnings("ignore:AnsibleCollectionFinder has already been configured")
@pytest.mark.parametrize("module", sorted(CALLS))
def test_every_option_is_known(module: str) -> None:
    known = options(module)
    assert {call for call in CALLS[module] if call[0] not in known} == set()
