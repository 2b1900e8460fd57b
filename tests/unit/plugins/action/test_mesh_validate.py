# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-playbook shows of a validation: plain text, and one conclusion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.action.mesh_validate import shown_of

ROOT = Path(__file__).resolve().parents[4]
# A quote and a leading blank, which YAML would quote.
ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec: {hots: ['cart.example.com'], hosts: [cart.example.com]}
"""
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"import_role": {"name": "corpv3.service_mesh.validate"}}],
        "vars": {"validate_live": False, "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
    }
]


def validate(folder: Path, **variables: object) -> tuple[int, str]:
    """Exit code and output, with the callback format that quotes most."""
    (folder / "play.yml").write_text(json.dumps(PLAY))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"), "PWD": str(folder)}
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml", "-e", json.dumps(variables)]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=900)
    return done.returncode, done.stdout + done.stderr


def test_findings_are_plain_text_with_one_conclusion(tmp_path: Path) -> None:
    (tmp_path / "route.yaml").write_text(ROUTE)
    code, output = validate(tmp_path, validate_paths=["route.yaml"], validate_reports={"html": "r.html"})
    assert code == 2, output
    lines = output.split("\n")
    found = "unknown field 'hots'; nearest known name: 'hosts'"
    at = lines.index(f"route.yaml:4:8: error MESH101 VirtualService shop/cart: {found}")
    assert lines[at + 1] == "  4 | spec: {hots: ['cart.example.com'], hosts: [cart.example.com]}"
    assert lines[at + 2] == "    |        ^^^^"
    assert f"written: {tmp_path / 'r.html'}" in lines
    # Ansible itself shows the message of the failed task twice.
    verdicts = [line for line in lines if "2 errors" in line]
    assert verdicts, output
    assert all("The findings are above" in line for line in verdicts), verdicts


RESULT: dict[str, Any] = {
    "findings": [
        {
            "code": "MESH219",
            "level": "warning",
            "kind": "VirtualService",
            "namespace": "shop",
            "name": "cart",
            "file": "route.yaml",
            "line": 1,
            "column": 1,
            "field": "spec",
            "message": "the message",
            "remedy": "The remedy.",
            "docs": "",
        }
    ],
    "summary": {
        "error": 0,
        "warning": 1,
        "info": 0,
        "objects": 1,
        "files": 1,
        "suppressed": 0,
        "known": 0,
        "undecided": 3,
    },
    "undecided": {"check": ["Pod"]},
    "notes": ["a note"],
    "msg": "1 warning in 1 object of 1 file (3 checks undecided)",
    "files": [{"path": "/srv/mesh.html", "format": "html"}],
    "passed": True,
}
FINDING = [
    "route.yaml:1:1: warning MESH219 VirtualService shop/cart: the message",
    "  1 | apiVersion: networking.istio.io/v1",
    "    | ^^^^^^^^^^",
    "  -> The remedy.",
    "",
]
END = ["note: a note", "written: /srv/mesh.html"]


@pytest.mark.parametrize(
    ("show", "changes", "lines"),
    [
        ("all", {}, [*FINDING, RESULT["msg"], *END]),
        # The failed task has the conclusion.
        ("all", {"passed": False}, [*FINDING[:-1], *END]),
        ("brief", {"passed": False}, [*FINDING[:-1], *END]),
        ("brief", {}, [RESULT["msg"], END[1]]),
        ("brief", {"files": [], "summary": {**RESULT["summary"], "warning": 0}}, []),
        ("nothing", {"passed": False}, []),
        (None, {}, []),
    ],
)
def test_what_is_shown(tmp_path: Path, show: str | None, changes: dict[str, object], lines: list[str]) -> None:
    (tmp_path / "route.yaml").write_text(ROUTE)
    arguments = {"show": show, "base": str(tmp_path)}
    assert shown_of({**RESULT, **changes}, arguments) == lines
