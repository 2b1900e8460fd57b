# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In a play with a role of the collection: invalid values are found before Ansible's own validation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def play(folder: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    """What the playbooks check first, in a play that has role istio but does not run it."""
    names = {"ansible.builtin.import_role": {"name": "corpv3.service_mesh.preflight", "tasks_from": "names"}}
    role = {"ansible.builtin.import_role": {"name": "corpv3.service_mesh.istio"}, "tags": ["never"]}
    (folder / "play.yml").write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [names, role]}])
    )
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml", "-e", json.dumps(variables)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".ansible/collections")
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def test_all_of_them_at_once(tmp_path: Path) -> None:
    done = play(
        tmp_path,
        istio_gateway_replicas_min="two",
        istio_istiod_values="x",
        # Through role istio's default, and with a value that a template has.
        service_mesh_trace_sampling="{{ rate }}",
        rate="often",
        # Of a role that the play does not have.
        canary_strategy="bluegreen",
        # What is not known yet is not judged.
        istio_gateway_replicas_max="{{ later }}",
    )
    assert done.returncode == 2, done.stdout
    assert "istio_gateway_replicas_min is 'two', which is not a whole number. The default is 2." in done.stdout
    assert "istio_istiod_values is a string, which is not a mapping." in done.stdout
    assert "service_mesh_trace_sampling (for istio_trace_sampling) is 'often', which is not a number." in done.stdout
    assert "Nothing was changed." in done.stdout
    for name in ("canary_strategy", "istio_gateway_replicas_max", "argument_spec"):
        assert name not in done.stdout
    assert len(done.stdout.splitlines()) <= 25


def test_valid_values(tmp_path: Path) -> None:
    # As -e gives them: text, which Ansible reads as numbers.
    done = play(
        tmp_path, istio_gateway_replicas_min="3", istio_istiod_values={"a": 1}, service_mesh_trace_sampling="0.5"
    )
    assert done.returncode == 0, done.stdout
