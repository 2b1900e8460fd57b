# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In a play, with the names that the collection really reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
# One that a host sets in its inventory; another one comes from the command line.
SET = {"istio_gateway_replica_min": 3}


def play(tmp_path: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    """Role preflight's check of names alone."""
    inventory, playbook = tmp_path / "inventory.yml", tmp_path / "play.yml"
    inventory.write_text(json.dumps({"clusters": {"hosts": {"shop": {"ansible_connection": "local", **SET}}}}))
    check = {"ansible.builtin.import_role": {"name": "corpv3.service_mesh.preflight", "tasks_from": "names"}}
    playbook.write_text(json.dumps([{"hosts": "clusters", "gather_facts": False, "tasks": [check]}]))
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook), "-i", str(inventory)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000"}
    argv += ["-e", json.dumps({"service_mesh_enviroment": "lab", **variables})]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)


def test_a_warning_by_default(tmp_path: Path) -> None:
    done = play(tmp_path)
    assert done.returncode == 0, done.stdout
    warning = next(line for line in done.stdout.splitlines() if "nothing reads" in line)
    assert warning.startswith("WARNING: ")
    for name, meant in (
        ("istio_gateway_replica_min", "istio_gateway_replicas_min"),
        ("service_mesh_enviroment", "service_mesh_environment"),
    ):
        assert f"{name} (did you mean {meant}?)" in warning


def test_a_failure_on_request(tmp_path: Path) -> None:
    done = play(tmp_path, service_mesh_misspelt_variables="fail")
    assert done.returncode == 2
    assert "Correct or delete them" in done.stdout


def test_silence_on_request(tmp_path: Path) -> None:
    done = play(tmp_path, service_mesh_misspelt_variables="ignore")
    assert (done.returncode, "nothing reads" in done.stdout + done.stderr) == (0, False)


@pytest.mark.parametrize("environment", ["development", "staging", "production", "lab"])
def test_our_own_inventories_have_none(environment: str) -> None:
    sys.path.insert(0, str(ROOT))
    from ansible_collections.corpv3.service_mesh.plugins.lookup.misspelt_variables import _prefixes, _read
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.variables import misspelt

    given: dict[str, object] = {}
    for path in (ROOT / "inventories" / environment / "group_vars").rglob("*.yml"):
        given.update(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    assert given
    assert misspelt(given, _read(), _prefixes()) == {}
