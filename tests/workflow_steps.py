"""What GitHub's workflows run, read out of them: for the unit tests' rules and for running it on the lab."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / ".github/workflows"
# Those that touch a cluster, or judge what will.
DEPLOYING = ("canary-abort.yml", "canary-reconcile.yml", "canary.yml", "ci-cd-istio.yml", "validate.yml")
# The same for other repositories, which call them and have the collection installed.
REUSABLE = ("mesh-canary.yml", "mesh-validate.yml")
COLLECTION = "corpv3.service_mesh."
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True)
class Step:
    """One `run:` with the environment that workflow, job and step give it, expressions not yet evaluated."""

    workflow: str
    job: str
    name: str
    run: str
    env: dict[str, str]

    def __str__(self) -> str:
        return f"{self.workflow}:{self.job}:{self.name}"

    @property
    def words(self) -> list[str]:
        """Of the command, which may take the place of the step's shell."""
        return shlex.split(self.run.removeprefix("exec "))

    @property
    def playbook(self) -> str:
        """Its path in the repository, by which name it may be called."""
        name = self.words[1]
        return f"playbooks/{name.removeprefix(COLLECTION)}.yml" if name.startswith(COLLECTION) else name

    @property
    def variables(self) -> list[str]:
        """What is given by -e: JSON, or @ and the path in the repository."""
        return [given.replace("$SERVICE_MESH/", "") for given in self.following("-e")]

    def following(self, option: str) -> list[str]:
        """What stands behind each occurrence of an option."""
        return [self.words[at + 1] for at, word in enumerate(self.words) if word == option]

    def environment(self, values: Mapping[str, str]) -> dict[str, str]:
        """With each expression replaced by its value, which the caller must know."""
        return {name: EXPRESSION.sub(lambda found: values[found[1]], text) for name, text in self.env.items()}


def load(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def triggers(workflow: Mapping[Any, Any]) -> dict[str, Any]:
    """YAML 1.1 reads the key `on` as true."""
    found: dict[str, Any] = workflow[True]
    return found


def steps(name: str) -> Iterator[Step]:
    """The `run:` steps of a workflow."""
    workflow = load(WORKFLOWS / name)
    for job_name, job in workflow["jobs"].items():
        for step in job.get("steps", []):
            if "run" in step:
                env = {**workflow.get("env", {}), **job.get("env", {}), **step.get("env", {})}
                yield Step(name, job_name, step.get("name", step["run"]), step["run"], env)


def step(workflow: str, job: str, name: str) -> Step:
    return next(found for found in steps(workflow) if (found.job, found.name) == (job, name))
