"""What lookup template makes of a file, and what Ansible's own makes of it.

In a process of its own: Ansible's plugin loader stays in a process, and every later import would go through it.

    python lookup_template.py FILE < VARIABLES
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def both_ways(file: Path, variables: dict[str, Any]) -> dict[str, Any]:
    """``variables``: values as templates.

    usual, ours: what each makes; left: the variables' names afterwards; uncopied: what ours makes beside a variable
    that must not be copied; copied: the error of the usual one there.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(file)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        input=json.dumps(variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class NeverCopied:
    def __deepcopy__(self, memo: dict[int, Any]) -> NeverCopied:
        raise AssertionError("a variable was copied with all that it holds")


def _main(file: str) -> None:
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader, lookup_loader
    from ansible.template import Templar, trust_as_template

    init_plugin_loader([])
    loader = DataLoader()
    variables = {name: trust_as_template(value) for name, value in json.load(sys.stdin).items()}

    def made_by(lookup: str) -> Any:
        plugin = lookup_loader.get(lookup, loader=loader, templar=Templar(loader, variables=variables))
        return plugin.run([file], variables=variables, template_vars={"given": "beside"})

    usual, ours = "ansible.builtin.template", "corpv3.service_mesh.template"
    found = {"usual": made_by(usual), "ours": made_by(ours), "left": sorted(variables), "copied": ""}
    variables["others"] = NeverCopied()
    found["uncopied"] = made_by(ours)
    try:
        made_by(usual)
    except AssertionError as error:
        found["copied"] = str(error)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main(sys.argv[1])
