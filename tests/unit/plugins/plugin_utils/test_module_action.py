"""A module that runs inside Ansible's worker leaves nothing behind, as a process of its own would not."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
# Its end comes before the first request: no server listens there.
CLUSTER = {"server": "https://127.0.0.1:1", "certificate-authority-data": base64.b64encode(b"not one").decode()}
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": CLUSTER}],
    "users": [{"name": "u", "user": {"client-key-data": base64.b64encode(b"a key").decode()}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}


def test_keys_of_the_kubeconfig_do_not_stay_in_files(tmp_path: Path) -> None:
    kubeconfig, playbook, temporary = tmp_path / "kubeconfig", tmp_path / "play.yml", tmp_path / "tmp"
    kubeconfig.write_text(json.dumps(KUBECONFIG))
    temporary.mkdir()
    ask = {"corpv3.service_mesh.object_info": {"kind": "Namespace"}, "loop": [1, 2], "ignore_errors": True}
    own = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": own, "tasks": [ask]}]))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook)],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "K8S_AUTH_KUBECONFIG": str(kubeconfig),
            "TMPDIR": str(temporary),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.count("failed: [localhost]") == 2, done.stdout
    assert list(temporary.iterdir()) == []


def test_without_an_interpreter_it_does_not_depend_on_which_python_ansible_discovers(tmp_path: Path) -> None:
    """That of the machine may lack the client, or be a wrapper that prints something else."""
    programs, playbook = tmp_path / "bin", tmp_path / "play.yml"
    programs.mkdir()
    for name in ("python3", *(f"python3.{minor}" for minor in range(8, 15))):
        (programs / name).write_text("#!/bin/sh\necho no Python\n")
        (programs / name).chmod(0o755)
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(json.dumps({"clusters": {"hosts": {"shop": {"ansible_connection": "local"}}}}))
    ask = {"corpv3.service_mesh.cluster_preflight": {}, "ignore_errors": True}
    playbook.write_text(json.dumps([{"hosts": "clusters", "gather_facts": False, "tasks": [ask]}]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("K8S_AUTH")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook), "-i", str(inventory)],
        env={
            **environment,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "HOME": str(tmp_path),
            "KUBECONFIG": "",
            "PATH": f"{programs}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No cluster is configured" in done.stdout, done.stdout + done.stderr
