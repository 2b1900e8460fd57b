"""The lab of this worker, and what a playbook did there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = os.environ.get("SERVICE_MESH_TEST_INVENTORY", "")
# Two workers have a lab each, so that no test sees what another one's does: as molecule/default has it, and as
# tools/integration.sh has the second one.
_OWN = {"gw1": "second:200"}.get(os.environ.get("PYTEST_XDIST_WORKER", ""), "molecule:100")
_NAME, _OFFSET = os.environ.get("SERVICE_MESH_TEST_LAB", _OWN).split(":")
LAB = {"lab_name": _NAME, "lab_port_offset": int(_OFFSET)}


def lab_address(port: int) -> str:
    """Where the lab of this worker has on this machine what listens on that port by default."""
    return f"http://127.0.0.1:{port + LAB['lab_port_offset']}"


def kubectl_of(kubeconfig: str) -> list[str]:
    """The lab's kubectl, with its kubeconfig."""
    tools = json.loads((Path(kubeconfig).parent / "tools.json").read_text(encoding="utf-8"))
    return [tools["kubectl"], "--kubeconfig", kubeconfig]


_RECAP = re.compile(r"^(\S+)\s+:((?:\s+\w+=\d+)+)", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """What a playbook did."""

    rc: int
    stdout: str
    # host -> ok, changed, failed ...
    stats: dict[str, dict[str, int]]

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.stats.values())

    @property
    def failed(self) -> int:
        return sum(host["failed"] + host["unreachable"] for host in self.stats.values())

    @property
    def text(self) -> str:
        """The output as running text: the callback breaks and quotes lines."""
        return " ".join(self.stdout.replace("''", "'").split())


RunPlaybook = Callable[..., Run]


def runner(folder: Path) -> RunPlaybook:
    """run_playbook("site.yml", "--check", variables={...}): a file of playbooks/, a full name, or plays as YAML."""

    def run(
        playbook: str,
        *arguments: str,
        variables: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
    ) -> Run:
        if playbook.startswith(("[", "-")):
            path = folder / "playbook.yml"
            path.write_text(playbook)
            playbook = str(path)
        elif playbook.endswith(".yml"):
            playbook = str(ROOT / "playbooks" / playbook)
        command = ["ansible-playbook", playbook, "-i", INVENTORY or str(ROOT / "inventories/lab"), *arguments]
        command += ["-e", json.dumps({**({} if INVENTORY else LAB), **(variables or {})})]
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        stats = {
            host: {key: int(value) for key, value in (pair.split("=") for pair in counts.split())}
            for host, counts in _RECAP.findall(done.stdout)
        }
        return Run(done.returncode, done.stdout, stats)

    return run


def play(*tasks: dict[str, Any]) -> str:
    """A play on the clusters without any connection to them."""
    return yaml.safe_dump([{"name": "Test", "hosts": "clusters", "gather_facts": False, "tasks": list(tasks)}])


ISTIO_PREFLIGHT = {
    "ansible.builtin.include_role": {"name": "corpv3.service_mesh.istio", "tasks_from": "preflight", "public": True}
}
