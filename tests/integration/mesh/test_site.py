"""site.yml, smoke.yml and uninstall.yml as their users run them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from ..support.playbooks import INVENTORY, ROOT, RunPlaybook
from ..support.snapshots import Snapshot


def test_a_check_run_has_nothing_to_announce(run_playbook: RunPlaybook, cluster_snapshot: Snapshot) -> None:
    before = cluster_snapshot()
    run = run_playbook("site.yml", "--check", "--diff")
    assert (run.rc, run.changed) == (0, 0), run.stdout
    assert cluster_snapshot() == before


def test_a_tag_leaves_the_other_components_alone(run_playbook: RunPlaybook) -> None:
    run = run_playbook("site.yml", "--list-tasks", "--tags", "istio")
    assert "istio : Install | Ensure the releases" in run.text
    assert "restaurant_app : Install" not in run.text
    assert "preflight : Check the cluster" in run.text


def test_a_cluster_that_fails_does_not_stop_the_others(run_playbook: RunPlaybook, tmp_path: Path) -> None:
    other = tmp_path / "other.yml"
    host = {"ansible_connection": "local", "service_mesh_kubeconfig": str(tmp_path / "missing")}
    host["ansible_python_interpreter"] = "{{ ansible_playbook_python }}"
    other.write_text(yaml.safe_dump({"clusters": {"hosts": {"broken": host}}}))
    run = run_playbook("site.yml", "--check", "--tags", "namespaces", "-i", str(other))
    assert run.rc != 0
    assert run.stats["broken"]["failed"] == 1, run.stdout
    good = next(stats for name, stats in run.stats.items() if name != "broken")
    assert good["failed"] == 0, run.stdout


def test_smoke_ends_with_a_table(run_playbook: RunPlaybook) -> None:
    run = run_playbook("smoke.yml")
    assert (run.rc, run.changed) == (0, 0), run.stdout
    assert "proxies in sync" in run.stdout
    assert "FAILED" not in run.stdout


def test_smoke_names_what_failed(run_playbook: RunPlaybook) -> None:
    variables = {
        "smoke_timeout": 1,
        "smoke_requests": [{"name": "nowhere", "path": "/api/v1/nowhere", "status": 299}],
    }
    run = run_playbook("smoke.yml", variables=variables)
    assert run.rc != 0
    assert "smoke test failed: nowhere /api/v1/nowhere" in run.text, run.stdout


@pytest.mark.skipif(bool(INVENTORY), reason="another inventory may be production")
def test_the_artifact_runs_from_anywhere(run_playbook: RunPlaybook, tmp_path: Path) -> None:
    # Without the checkout's own configuration and the tests' own path, or Ansible would find the checkout.
    config = tmp_path / "ansible.cfg"
    config.touch()
    environment = {"ANSIBLE_CONFIG": str(config), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "PYTHONPATH": ""}

    def galaxy(*arguments: str) -> None:
        command = ["ansible-galaxy", "collection", *arguments]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, capture_output=True)

    galaxy("build", "--output-path", str(tmp_path))
    (artifact,) = tmp_path.glob("*.tar.gz")
    galaxy("install", "--no-deps", "-p", str(tmp_path), str(artifact))
    run = run_playbook(
        "corpv3.service_mesh.site", "--check", "--tags", "namespaces", cwd=tmp_path, environment=environment
    )
    assert (run.rc, run.failed) == (0, 0), run.stdout
