"""A playbook that has nothing to do fails and gives the reason: Ansible alone would be green."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.play import unknown_tags

ROOT = Path(__file__).resolve().parents[4]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
HOSTS = """
clusters: {hosts: {one: {ansible_connection: local}, two: {ansible_connection: local}}}
others: {hosts: {three: {ansible_connection: local}}}
"""
# Tags that files bring which only a run finds, beside a playbook of this collection.
INCLUDES = """
- import_playbook: corpv3.service_mesh.canary_status
- hosts: localhost
  tasks:
    - include_tasks: included.yml
      tags: always
"""
# Tags of the user's own, beside a playbook of this collection; the file's name must be found.
IMPORTS = """
- import_playbook: corpv3.service_mesh.canary_status
- hosts: localhost
  vars: {part: included}
  tasks:
    - import_tasks: "{{ part }}.yml"
      tags: of_my_own
"""


def play(playbook: str, *arguments: str, cwd: Path = ROOT, **variables: str) -> tuple[int, str]:
    """Exit code, and the output as running text. The user of the tests may have variables of Ansible's own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **variables}
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), playbook, *arguments]
    done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    path = tmp_path / "hosts.yml"
    path.write_text(HOSTS)
    return str(path)


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_play_asks_for_its_hosts_in_the_one_way_that_can_fail(playbook: Path) -> None:
    for entry in yaml.safe_load(playbook.read_text()):
        assert entry["hosts"].startswith("{{ lookup('corpv3.service_mesh.play_hosts', '"), entry["name"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("playbooks/canary_abort.yml", "-e", "canary_service=order-service"),
        ("corpv3.service_mesh.canary_abort", "-e", "canary_service=order-service", "--check"),
        ("playbooks/site.yml", "--check", "--limit", "lab"),
        ("playbooks/lab_down.yml",),
    ],
    ids=" ".join,
)
def test_without_an_inventory_a_playbook_fails_and_reports_it(arguments: tuple[str, ...]) -> None:
    code, output = play(*arguments)
    assert code != 0
    assert "has no host in group 'clusters'. Name another one with -i, for example -i inventories/staging." in output
    assert "PLAY RECAP" not in output


@pytest.mark.parametrize("hosts", ["{others: {hosts: {three: }}}", "{clusters: {}, others: {hosts: {three: }}}"])
def test_an_inventory_without_clusters_is_named(hosts: str, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(hosts)
    code, output = play("corpv3.service_mesh.canary_abort", "-i", str(inventory), "-e", "canary_service=order-service")
    assert code != 0
    assert f"the inventory ({inventory}) has no host in group 'clusters'" in output


def test_a_limit_that_leaves_no_cluster_is_named(inventory: str) -> None:
    code, output = play("playbooks/canary_abort.yml", "-i", inventory, "--limit", "three", "-e", "canary_service=a")
    assert code != 0
    assert "--limit three leaves no host of group 'clusters', which has one, two" in output


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--syntax-check",), "playbook: "),
        (("--list-hosts",), "hosts (0)"),
        (("--list-tags",), "restaurant_app"),
        (("--list-tasks", "--tags", "istio"), "istio : "),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_listing_needs_no_inventory(arguments: tuple[str, ...], shown: str) -> None:
    code, output = play("playbooks/site.yml", *arguments)
    assert code == 0, output
    assert shown in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tags", "isto"), "--tags: playbooks/site.yml has no tag 'isto' (nearest: istio)"),
        (("--tags", "istio,grafna"), "'grafna' (nearest: grafana)"),
        (("--skip-tags", "smok", "--tags", "all"), "--skip-tags: playbooks/site.yml has no tag 'smok'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_unknown_tag_is_refused_with_the_nearest(arguments: tuple[str, ...], said: str, inventory: str) -> None:
    code, output = play("playbooks/site.yml", "-i", inventory, *arguments)
    assert code != 0
    assert said in output
    assert "TASK" not in output


def test_a_playbook_without_a_cluster_refuses_an_unknown_tag_too() -> None:
    code, output = play("playbooks/awx.yml", "--tags", "staging")
    assert code != 0
    assert "--tags: playbooks/awx.yml has no tag 'staging'" in output


@pytest.mark.parametrize("tags", ["istio_install", "all,always,tagged,untagged,never"])
def test_a_tag_that_the_playbook_or_ansible_has_is_taken(tags: str, inventory: str) -> None:
    code, output = play("corpv3.service_mesh.site", "-i", inventory, "--tags", tags, "--list-tasks")
    assert code == 0, output


@pytest.mark.parametrize(
    ("playbook", "tag", "known"),
    [(IMPORTS, "of_my_own", True), (IMPORTS, "inner", True), (IMPORTS, "other", False), (INCLUDES, "inner", True)],
)
def test_tags_of_a_playbook_that_imports_ours_count(
    playbook: str, tag: str, known: bool, inventory: str, tmp_path: Path
) -> None:
    (tmp_path / "own.yml").write_text(playbook)
    (tmp_path / "included.yml").write_text("- debug: {msg: here}\n  tags: inner\n")
    code, output = play("own.yml", "-i", inventory, "--tags", tag, cwd=tmp_path)
    assert (code == 0) is known, output
    assert ("here" in output) is known


def test_a_tag_of_another_playbook_of_the_same_call_counts(inventory: str, tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text("- hosts: localhost\n  tasks: [{debug: {msg: here}, tags: of_my_own}]\n")
    code, output = play(
        "corpv3.service_mesh.canary_status", "own.yml", "-i", inventory, "--tags", "of_my_own", cwd=tmp_path
    )
    assert code == 0, output
    assert "here" in output


def test_what_molecule_skips_in_every_run_need_not_be_here() -> None:
    tags = ("molecule-notest", "notest")
    assert unknown_tags("--skip-tags", tags, known=("istio",), playbooks=("site.yml",)) == ""
    assert "no tag 'molecule-notest', 'notest'" in unknown_tags(
        "--tags", tags, known=("istio",), playbooks=("site.yml",)
    )


def test_a_tag_that_the_configuration_skips_everywhere_need_not_be_here(inventory: str) -> None:
    code, output = play("playbooks/site.yml", "-i", inventory, "--list-tasks", ANSIBLE_SKIP_TAGS="slow")
    assert code == 0, output


def test_files_are_validated_without_an_inventory_and_clusters_are_not(tmp_path: Path) -> None:
    path = tmp_path / "service.yml"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"}}))
    variables = {"validate_live": False, "validate_paths": [str(path)]}
    code, output = play("playbooks/validate.yml", "-e", json.dumps(variables))
    assert code == 0, output
    assert "1 object" in output
    code, output = play("playbooks/validate.yml", "-e", json.dumps(variables | {"validate_live": True}))
    assert code != 0
    assert "has no host in group 'clusters'" in output
