"""A job as AWX runs it: ansible-runner in a private data directory that has what AWX puts there.

From AWX 24.6.1 (awx/main: tasks/jobs.py, models/credential/injectors.py, models/mixins.py, models/workflow.py), in
short: the survey is judged before there is a job; its answers reach ansible as a file of extra variables, marked
!unsafe; the project is a checkout without the collections, which the execution environment has; the inventory is a
script that prints what an inventory source once exported; a Kubernetes credential is four variables and a file.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner
import yaml

from .awx_surveys import answer_problems

ROOT = Path(__file__).resolve().parents[3]
# What a run sets with set_stats; AWX hands it to the jobs after it in a workflow.
Artifacts = dict[str, Any]


class Unsafe(str):
    """A text that Ansible must not take for a template. ansible-core 2.19 makes numbers of those that look like one."""


class _Dumper(yaml.SafeDumper):
    pass


_DATA = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: corpv3.service_mesh.awx, tasks_from: data}
    - ansible.builtin.copy:
        dest: "{{ path }}"
        mode: "0600"
        content: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) | to_json }}"
      vars: {names: "{{ query('ansible.builtin.varnames', '^controller_') }}"}
"""

_Dumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


@functools.cache
def objects(variables: str = "{}") -> dict[str, list[dict[str, Any]]]:
    """The role's data: controller_* -> objects. The role's variables come as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        play, path = Path(folder, "play.yml"), Path(folder, "data.json")
        play.write_text(_DATA)
        given = {
            "path": str(path),
            "awx_execution_environment_image": "registry.example.com/ee:1",
            **json.loads(variables),
        }
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        command = ["ansible-playbook", str(play), "-e", json.dumps(given)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())
        return found


def template(name: str, environment: str = "staging") -> dict[str, Any]:
    """The job template of this name, without prefix and environment."""
    return next(t for t in objects()["controller_templates"] if t["name"] == f"service mesh {environment} {name}")


@dataclass(frozen=True)
class Credential:
    """What is in a credential of type OpenShift or Kubernetes API Bearer Token."""

    host: str
    token: str
    ca: str = ""
    verify: bool = True

    def environment(self, folder: Path) -> dict[str, str]:
        """As awx.main.models.credential.injectors.kubernetes_bearer_token writes it."""
        variables = {"K8S_AUTH_HOST": self.host, "K8S_AUTH_API_KEY": self.token}
        if not (self.verify and self.ca):
            return {**variables, "K8S_AUTH_VERIFY_SSL": "False"}
        path = folder / "env" / "ca.crt"
        path.write_text(self.ca)
        return {**variables, "K8S_AUTH_VERIFY_SSL": "True", "K8S_AUTH_SSL_CA_CERT": str(path)}


@dataclass(frozen=True)
class Kubeconfig:
    """What is in a credential of the type that the role makes; its injectors, filled in."""

    kubeconfig: str

    def environment(self, folder: Path) -> dict[str, str]:
        injectors = objects()["controller_credential_types"][0]["injectors"]
        path = folder / "env" / "kubeconfig"
        texts = {"{{ kubeconfig }}": self.kubeconfig}
        path.write_text(texts[injectors["file"]["template.kubeconfig"]])
        texts["{{ tower.filename.kubeconfig }}"] = str(path)
        return {name: texts[text] for name, text in injectors["env"].items()}


@dataclass(frozen=True)
class Job:
    """How a job ended. refused: AWX's objections to the answers; there was no job then."""

    status: str
    text: str
    changed: int = 0
    artifacts: Artifacts = field(default_factory=dict)
    refused: tuple[str, ...] = ()

    @property
    def running_text(self) -> str:
        return " ".join(self.text.replace("''", "'").split())


class Awx:
    """Runs job templates on one inventory."""

    def __init__(self, folder: Path, inventory: Path, variables: Mapping[str, Any], credential: Any) -> None:
        self._folder, self._credential = folder, credential
        self._inventory = exported(inventory, variables)
        self._jobs = 0

    def launch(
        self,
        name: str,
        answers: Mapping[str, Any] | None = None,
        *arguments: str,
        artifacts: Artifacts | None = None,
        credential: Any = None,
        unasked: bool = False,
        cancelled: Callable[[], bool] | None = None,
    ) -> Job:
        """With the survey's answers, `unasked` past the survey; artifacts are those of the jobs before it.

        ``cancelled`` is asked while it runs, and at least every five seconds.
        """
        chosen = template(name)
        answers = dict(answers or {})
        questions = chosen.get("survey_spec", {}).get("spec", [])
        defaults = {question["variable"]: question["default"] for question in questions if "default" in question}
        # The form is filled in with them.
        form = {**defaults, **answers}
        refused = tuple(problem for question in questions for problem in answer_problems(question, form))
        if refused and not unasked:
            return Job("refused", "", refused=refused)
        self._jobs += 1
        meta = {"awx_job_id": self._jobs, "awx_job_template_name": chosen["name"], "awx_user_name": "alice"}
        launched = {**defaults, **(artifacts or {}), **answers, **meta}
        return self._run(chosen, launched, credential or self._credential, arguments, cancelled)

    def _run(
        self,
        chosen: Mapping[str, Any],
        launched: dict[str, Any],
        credential: Any,
        arguments: Sequence[str],
        cancelled: Callable[[], bool] | None,
    ) -> Job:
        folder = self._folder / str(self._jobs)
        for part in ("env", "inventory", "project"):
            (folder / part).mkdir(parents=True)
        for part in ("playbooks", "inventories"):
            shutil.copytree(ROOT / part, folder / "project" / part)
        shutil.copy(ROOT / "ansible.cfg", folder / "project")
        script = folder / "inventory" / "hosts"
        script.write_text(f"#!{sys.executable}\nprint({json.dumps(self._inventory)!r})\n")
        script.chmod(0o700)
        extra = {**chosen.get("extra_vars", {}), **unsafe(launched)}
        (folder / "env" / "extravars").write_text(yaml.dump(extra, Dumper=_Dumper))
        environment = {
            **credential.environment(folder),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"),
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "JOB_ID": str(self._jobs),
        }
        (folder / "env" / "envvars").write_text(yaml.safe_dump(environment))
        run = ansible_runner.run(
            private_data_dir=str(folder),
            playbook=chosen["playbook"],
            inventory=str(script),
            cmdline=" ".join(arguments) or None,
            cancel_callback=cancelled,
            quiet=True,
        )
        last = next((event for event in run.events if event["event"] == "playbook_on_stats"), {})
        data = last.get("event_data", {})
        text = run.stdout.read()
        # A job that was given a secret must not print it.
        assert not any(secret in text for secret in secrets(credential)), "the credential is in the job's output"
        return Job(run.status, text, sum(data.get("changed", {}).values()), data.get("artifact_data") or {})


def secrets(credential: Any) -> list[str]:
    return [credential.token] if isinstance(credential, Credential) else []


def unsafe(value: Any) -> Any:
    if isinstance(value, str):
        return Unsafe(value)
    if isinstance(value, Mapping):
        return {Unsafe(key): unsafe(inner) for key, inner in value.items()}
    return [unsafe(inner) for inner in value] if isinstance(value, list) else value


def exported(inventory: Path, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What AWX keeps of an inventory in the project, with some variables of its own; those set to None go."""
    command = ["ansible-inventory", "-i", str(inventory), "--list", "--export"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    # Of the lab only: it expects its parts beside its inventory, and AWX has no folder of that name.
    found: dict[str, Any] = json.loads(done.stdout.replace("inventory_dir", f"'{inventory}'"))
    held = found["clusters"].setdefault("vars", {})
    held.update(variables)
    for name in [name for name, value in held.items() if value is None]:
        del held[name]
    return found
