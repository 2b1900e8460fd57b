"""Runs steps of GitHub's workflows as a runner does, in a workspace whose inventory `staging` is the lab's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from ...workflow_steps import ROOT, Step, load

# What GitHub evaluates the workflows' expressions to: a developer's push, and a canary started by hand.
VALUES = {
    "github.ref_name == 'main' && 'production' || 'staging'": "staging",
    "inputs.environment": "staging",
    "matrix.environment": "staging",
    "vars.IMAGE_REGISTRY || 'docker.io'": "docker.io",
    "vars.IMAGE_PREFIX || 'corpv3'": "corpv3",
    "vars.VALIDATE_PATHS": "",
    "github.sha": "5f0c2a9e1b7d4e6f8a3b2c1d0e9f8a7b6c5d4e3f",
    "github.server_url": "https://github.com",
    "github.repository": "corpv3/service_mesh",
    "github.run_id": "1",
    "github.actor": "alice",
}


def settings_of(kubeconfig: str | Path) -> Path:
    """What a lab is called and where its ports are, beside its kubeconfig."""
    return Path(kubeconfig).parent / "settings.json"


class Runner:
    """A job on one machine: what an earlier step hands on by GITHUB_ENV, later ones have."""

    def __init__(self, folder: Path, kubeconfig: str) -> None:
        self.workspace, self.temporary = folder / "workspace", folder / "temporary"
        state = Path(kubeconfig).parent
        self.summary = self.temporary / "summary.md"
        self.temporary.mkdir()
        self.workspace.mkdir()
        for path in ROOT.iterdir():
            if path.name not in ("inventories", ".git"):
                (self.workspace / path.name).symlink_to(path)
        self._inventory(state)
        # helm, which the setup action installs on a runner, is the lab's.
        helm = Path(json.loads((state / "tools.json").read_text(encoding="utf-8"))["helm"])
        self.handed_on = {"PATH": f"{helm.parent}:{os.environ['PATH']}"}
        self._connect(Path(kubeconfig))

    def _inventory(self, state: Path) -> None:
        inventory = self.workspace / "inventories/staging"
        (inventory / "group_vars/clusters").mkdir(parents=True)
        source = ROOT / "inventories/lab"
        hosts = load(source / "hosts.yml")
        hosts["clusters"]["hosts"] = {"staging": None}
        (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
        facts = load(source / "group_vars/clusters/lab.yml")
        # The way to the cluster is the job's, as in the real inventories.
        del facts["service_mesh_kubeconfig"]
        settings = json.loads(settings_of(state / "kubeconfig").read_text(encoding="utf-8"))
        facts |= {"lab_name": settings["name"], "lab_port_offset": settings["port_offset"], "lab_state_dir": str(state)}
        (inventory / "group_vars/clusters/main.yml").write_text(yaml.safe_dump(facts), encoding="utf-8")

    def _connect(self, kubeconfig: Path) -> None:
        """By the action's own step for an environment with a secret."""
        steps = load(ROOT / ".github/actions/cluster/action.yml")["runs"]["steps"]
        script = next(step["run"] for step in steps if "KUBECONFIG_TEXT" in step.get("env", {}))
        done = self.shell(script, {"KUBECONFIG_TEXT": kubeconfig.read_text(encoding="utf-8")})
        assert done.returncode == 0, done.stdout

    @property
    def kubeconfig(self) -> Path:
        return self.temporary / "kubeconfig"

    def shell(self, script: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """As GitHub runs a step: bash with these options, and files to write into."""
        files = {"GITHUB_ENV": self.temporary / "env", "GITHUB_STEP_SUMMARY": self.summary}
        runner = {"GITHUB_WORKSPACE": self.workspace, "RUNNER_TEMP": self.temporary, **files}
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_AUTH_", "ANSIBLE_"))}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.workspace,
            env={
                **outside,
                "ANSIBLE_CONFIG": str(self.workspace / "ansible.cfg"),
                **{name: str(path) for name, path in runner.items()},
                **self.handed_on,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if files["GITHUB_ENV"].exists():
            lines = files["GITHUB_ENV"].read_text(encoding="utf-8").splitlines()
            self.handed_on |= dict(line.split("=", 1) for line in lines)
        return done

    def run(self, step: Step, **values: str) -> subprocess.CompletedProcess[str]:
        """The step's own line with its own environment; ``values`` are inputs, with _ for the dot."""
        given = {name.replace("_", ".", 1): value for name, value in values.items()}
        return self.shell(step.run, step.environment({**VALUES, **given}))

    def more_facts(self, **facts: object) -> None:
        """Facts of the environment, which a test needs otherwise than the lab has them."""
        path = self.workspace / "inventories/staging/group_vars/clusters/more.yml"
        path.write_text(json.dumps(facts), encoding="utf-8")
