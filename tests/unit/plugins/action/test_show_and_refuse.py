# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that ansible-playbook shows as it is, with this repository's ansible.cfg and without any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.action.refuse import shortened
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.shown_text import headed, lines_of

ROOT = Path(__file__).resolve().parents[4]
# A quote, a colon and more columns than the terminal: YAML would quote and wrap it, JSON escape it.
WIDE = f'it\'s 1: {"wide " * 40}"end"'
OURS = ROOT / "ansible.cfg"


def play(folder: Path, configuration: Path, *tasks: dict[str, Any]) -> tuple[int, list[str]]:
    """Exit code and lines at 60 columns."""
    (folder / "empty.cfg").write_text("")
    (folder / "play.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(folder / configuration), "COLUMNS": "60"}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections")}
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml"]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def task(module: str, **arguments: Any) -> dict[str, Any]:
    return {"name": module, f"corpv3.service_mesh.{module}": arguments}


@pytest.mark.parametrize("configuration", [OURS, Path("empty.cfg")], ids=["ours", "none"])
def test_text_is_shown_as_it_is_below_its_title(tmp_path: Path, configuration: Path) -> None:
    code, lines = play(tmp_path, configuration, task("show", text=[WIDE, ["  b"]]), task("show", text=""))
    assert code == 0
    at = lines.index(WIDE)
    assert lines[at + 1] == "  b"
    titles = [number for number, line in enumerate(lines) if line.startswith("TASK [show]")]
    # A title after the text would be above the next one's.
    assert [number < at for number in titles] == ([] if configuration == OURS else [True, False])


@pytest.mark.parametrize("configuration", [OURS, Path("empty.cfg")], ids=["ours", "none"])
def test_a_refusal_is_shown_once_and_fits_on_a_terminal(tmp_path: Path, configuration: Path) -> None:
    problems = [WIDE, *(f"problem {number}" for number in range(30)), "Nothing was changed."]
    code, lines = play(tmp_path, configuration, task("refuse", msg=[]), task("refuse", msg=problems))
    assert code == 2
    assert [line for line in lines if "it's 1" in line] == [f"[ERROR]: Task failed: {WIDE}"]
    assert lines[lines.index("problem 6") + 1 :][:2] == ["23 more problems, which -v shows.", "Nothing was changed."]
    assert len(lines) <= 28
    assert any("The error above has the reason." in line for line in lines)


@pytest.mark.parametrize(
    ("problems", "all_of_them", "shown"),
    [
        ("one\ntwo", False, "one\ntwo"),
        (list("abcdefghij"), False, list("abcdefghij")),
        (list("abcdefghijk"), False, [*"abcdefgh", "2 more problems, which -v shows.", "k"]),
        (list("abcdefghijk"), True, list("abcdefghijk")),
    ],
)
def test_the_first_problems_of_many(problems: Any, all_of_them: bool, shown: Any) -> None:
    assert shortened(problems, all_of_them) == shown


def test_lines_of_strings_and_lists() -> None:
    assert lines_of(["a\nb\n", ["c", [4]], {"d": 1}]) == ["a", "b", "c", "4", "{'d': 1}"]


def test_several_hosts_have_their_names() -> None:
    hosts = {"inventory_hostname": "eu", "ansible_play_hosts_all": ["eu", "us"]}
    assert headed(["a"], hosts) == ["[eu]", "a"]
    assert headed(["a"], {**hosts, "ansible_play_hosts_all": ["eu"]}) == ["a"]
