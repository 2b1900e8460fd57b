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

import pytest

ROOT = Path(__file__).resolve().parents[4]
# A quote and a leading blank, which YAML would quote.
ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec: {hots: ['cart.example.com'], hosts: [cart.example.com]}
"""
WARNING = (
    ROUTE.replace("hots: ['cart.example.com'], ", "") + "---\n" + ROUTE.replace("hots: ['cart.example.com'], ", "")
)
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"import_role": {"name": "corpv3.service_mesh.validate"}}],
        "vars": {"validate_live": False, "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
    }
]


def validate(folder: Path, result_format: str = "yaml", **variables: object) -> tuple[int, str]:
    (folder / "play.yml").write_text(json.dumps(PLAY))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CALLBACK_RESULT_FORMAT": result_format}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"), "PWD": str(folder)}
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml", "-e", json.dumps(variables)]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("result_format", ["yaml", "json"])
def test_findings_are_plain_text_whatever_the_callback_writes(tmp_path: Path, result_format: str) -> None:
    (tmp_path / "route.yaml").write_text(ROUTE)
    code, output = validate(tmp_path, result_format, validate_paths=["route.yaml"], validate_reports={"html": "r.html"})
    assert code == 2
    lines = output.split("\n")
    at = lines.index(
        "route.yaml:4:8: error MESH101 VirtualService shop/cart: unknown field 'hots'; nearest known name: 'hosts'"
    )
    assert lines[at + 1] == "  4 | spec: {hots: ['cart.example.com'], hosts: [cart.example.com]}"
    assert lines[at + 2] == "    |        ^^^^"
    assert f"written: {tmp_path / 'r.html'}" in lines
    # Ansible itself shows the failed task's message twice.
    verdicts = [line for line in lines if "1 error" in line]
    assert all("The findings are above" in line or "msg" in line for line in verdicts), verdicts


def test_a_validation_that_passes_ends_with_its_conclusion(tmp_path: Path) -> None:
    (tmp_path / "route.yaml").write_text(WARNING)
    code, output = validate(tmp_path, validate_paths=["route.yaml"])
    assert code == 0
    assert len([line for line in output.split("\n") if line.startswith("1 warning")]) == 1
    assert "MESH219" in output


def test_in_brief_a_validation_that_passes_is_one_line_or_none(tmp_path: Path) -> None:
    (tmp_path / "route.yaml").write_text(WARNING)
    code, output = validate(tmp_path, validate_paths=["route.yaml"], validate_brief=True)
    assert code == 0
    assert "MESH219" not in output
    assert len([line for line in output.split("\n") if line.startswith("1 warning")]) == 1
    (tmp_path / "route.yaml").write_text(WARNING.split("---\n")[0])
    assert "nothing found" not in validate(tmp_path, validate_paths=["route.yaml"], validate_brief=True)[1]
