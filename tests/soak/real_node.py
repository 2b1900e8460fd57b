"""A lab with a real node, for the tests that need one: pods as containers under a kubelet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..integration.support.playbooks import ROOT

IMAGE = "docker.io/library/busybox:stable"
PROGRAMS = ("/usr/sbin/runc", "/usr/lib/cni/ptp", "/usr/bin/catatonit", "/bin/busybox", "/usr/share/zoneinfo/Etc/UTC")
Object = dict[str, Any]


def why_not() -> str:
    """Why this machine cannot run a real node, or nothing."""
    if os.geteuid() != 0:
        return "only root can run a real node"
    missing = [program for program in PROGRAMS if not Path(program).exists()]
    return (
        f"no {', '.join(missing)}: apt-get install runc containernetworking-plugins catatonit busybox-static tzdata"
        if missing
        else ""
    )


@dataclass(frozen=True)
class RealLab:
    """A lab with a real node."""

    name: str
    offset: int

    @property
    def folder(self) -> Path:
        return ROOT / f".lab-{self.name}"

    @property
    def node(self) -> str:
        return f"{self.name}-real"

    def playbook(self, name: str, tags: str = "", **variables: Any) -> None:
        own = {"lab_name": self.name, "lab_port_offset": self.offset, "lab_real_node": True}
        extra = json.dumps({**own, **variables})
        argv = ["ansible-playbook", f"playbooks/{name}.yml", "-i", "inventories/lab", "-e", extra]
        argv += ["--tags", tags] if tags else []
        run = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]

    def meshlab(self, verb: str) -> None:
        """What the playbooks lab_up and lab_down call, without the seconds that Ansible takes."""
        argv = [sys.executable, "-m", "meshlab", "--settings", str(self.folder / "settings.json"), verb]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "roles/lab/files"), "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr

    def kubectl_argv(self, *arguments: str) -> list[str]:
        kubectl = json.loads((self.folder / "tools.json").read_text())["kubectl"]
        return [kubectl, f"--kubeconfig={self.folder / 'kubeconfig'}", *arguments]

    def kubectl(self, *arguments: str, check: bool = True, **options: Any) -> str:
        run = subprocess.run(self.kubectl_argv(*arguments), capture_output=True, text=True, check=False, **options)
        assert run.returncode == 0 or not check, run.stderr
        return run.stdout + ("" if check else run.stderr)

    def get(self, *arguments: str) -> Object:
        found: Object = json.loads(self.kubectl("get", "-o", "json", *arguments))
        return found

    def apply(self, *objects: Object) -> None:
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def pid(self, program: str) -> int:
        return int(json.loads((self.folder / "run" / f"{program}.json").read_text())["pid"])


def until(condition: Callable[[], Any], what: str, seconds: float = 240) -> Any:
    """Wait for a condition; a limit for hangs, not a measurement."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.5)
    return found


def pod(name: str, *command: str, **fields: Any) -> Object:
    """A pod of the real node. ``fields``: of its container."""
    container = {"name": "main", "image": IMAGE, "command": list(command), **fields}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "nodeSelector": {"lab.corpv3.com/real": "true"},
            "tolerations": [{"key": "lab.corpv3.com/real", "operator": "Exists"}],
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
        },
    }


needs_real_node = pytest.mark.skipif(bool(why_not()), reason=why_not() or "runs")


def real_lab(**variables: Any) -> Iterator[RealLab]:
    """For a fixture: a lab of its own, without a mesh. SERVICE_MESH_TEST_REAL_LAB=NAME:OFFSET names another one.

    ``variables``: of lab_up.yml.
    """
    name, __, offset = os.environ.get("SERVICE_MESH_TEST_REAL_LAB", "real:600").partition(":")
    found = RealLab(name, int(offset))
    try:
        found.playbook("lab_up", **variables)
        yield found
    finally:
        found.playbook("lab_down")
