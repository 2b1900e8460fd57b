"""playbooks/inventory_new.yml: an inventory of one's own, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "500"}
    return subprocess.run(
        [str(BIN / argv[0]), *argv[1:]], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )


def new(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "ansible-playbook", str(ROOT / "playbooks/inventory_new.yml"), "-e", json.dumps(variables))


@pytest.mark.parametrize("kind", ["development", "staging", "production"])
def test_it_has_the_variables_of_its_kind_under_its_own_name(tmp_path: Path, kind: str) -> None:
    done = new(tmp_path, name="preprod", kind=kind)
    assert done.returncode == 0, done.stdout
    listed = run(tmp_path, "ansible-inventory", "-i", "inventories/preprod", "--list")
    host = json.loads(listed.stdout)["_meta"]["hostvars"]["preprod"]
    assert (host["service_mesh_environment"], host["service_mesh_environment_kind"]) == ("preprod", kind)
    assert host["ansible_connection"] == "local"
    own = yaml.safe_load((ROOT / "inventories" / kind / "group_vars/clusters/main.yml").read_text())
    assert host.items() >= {**own, "service_mesh_environment": "preprod"}.items()
    text = (tmp_path / "inventories/preprod/group_vars/clusters/main.yml").read_text()
    assert f"inventories/{kind}" not in text
    assert f"~/.kube/{kind}" not in text
    assert text.endswith("\n")


def test_one_that_exists_is_left_alone(tmp_path: Path) -> None:
    assert new(tmp_path, name="preprod", kind="staging").returncode == 0
    hosts = tmp_path / "inventories/preprod/hosts.yml"
    hosts.write_text("mine")
    done = new(tmp_path, name="preprod", kind="production")
    assert done.returncode == 2
    assert "exists, and nothing in it is replaced" in done.stdout
    assert hosts.read_text() == "mine"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"name": "Pre Prod", "kind": "staging"}, "name is 'Pre Prod', which is not a valid name"),
        ({"kind": "staging"}, "name is '', which is not a valid name"),
        ({"name": "preprod"}, "kind is '', which is not one of development, staging, production"),
        ({"name": "preprod", "kind": "prod"}, "kind is 'prod', which is not one of development, staging, production"),
    ],
)
def test_what_it_refuses(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    done = new(tmp_path, **variables)
    assert done.returncode == 2
    assert words in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"service_mesh_environment": "prodcution"}, "is 'prodcution', which is not one of lab, development"),
        (
            {"service_mesh_environment": "preprod", "service_mesh_environment_kind": "stage"},
            "kind is 'stage', which is",
        ),
        ({"service_mesh_environment": "Pre Prod", "service_mesh_environment_kind": "Pre Prod"}, "not a valid name"),
    ],
)
def test_a_name_without_a_kind_is_refused(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    """Since a typo would otherwise drop production's rules."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(json.dumps({"clusters": {"hosts": {"shop": {"ansible_connection": "local", **variables}}}}))
    done = run(tmp_path, "ansible-playbook", str(ROOT / "playbooks/site.yml"), "-i", str(inventory))
    assert done.returncode == 2
    assert words in done.stdout
