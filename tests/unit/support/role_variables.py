"""A role's variables as Ansible would work them out, without a play and without a cluster.

In a process of its own: Ansible finds the plugins of a collection only where it was the first to import the collection.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = ROOT / "roles"
# A role, the variables that are given, and what is asked for, as a template.
Question = tuple[str, dict[str, Any], str]


def answers(questions: Sequence[Question]) -> list[Any]:
    """The values of the templates."""
    done = subprocess.run(
        [sys.executable, __file__],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def problems(role: str, variables: dict[str, Any]) -> Question:
    """What the role reports about its variables before it changes anything, a line each."""
    for path in sorted((ROLES / role / "tasks").glob("*.yml")):
        for task in _tasks(path):
            imported = task.get("ansible.builtin.import_tasks", "")
            (said,) = _tasks(path.parent / imported) if imported.startswith("..") else (task,)
            for name, expression in said.get("vars", {}).items():
                if name in (f"__{role}_problems", "__release_problems"):
                    return role, variables, expression
    raise AssertionError(f"{role} checks no variables")


def _tasks(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _main() -> None:
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader
    from ansible.template import Templar, trust_as_template

    init_plugin_loader([])
    loader = DataLoader()

    @functools.cache
    def declared(role: str, folder: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for path in sorted((ROLES / role / folder).rglob("*.yml")):
            found |= loader.load_from_file(str(path), trusted_as_template=True) or {}
        return found

    def answer(role: str, variables: dict[str, Any], template: str) -> Any:
        # With the roles that it depends on, and what is given above all.
        known = {"role_name": role, "role_path": str(ROLES / role), "ansible_search_path": [str(ROLES / role)]}
        for folder in ("defaults", "vars"):
            for name in ("release", "wiring", role):
                known |= declared(name, folder)
        return Templar(loader, variables=known | variables).template(trust_as_template(template))

    json.dump([answer(*question) for question in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    _main()
