# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules against a real API server, then the state of the cluster."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError

COLLECTIONS = Path(__file__).resolve().parents[3] / ".ansible/collections"
RUN = """
import importlib, json, sys
from ansible.module_utils.testing import patch_module_args
with patch_module_args(json.load(sys.stdin)):
    importlib.import_module(sys.argv[1]).main()
"""


class Api:
    """Just enough of a client, so that tests do not look through the code that they test."""

    def __init__(self, kubeconfig: str) -> None:
        self._client = DynamicClient(config.new_client_from_config(config_file=kubeconfig))

    def ask(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> dict[str, Any]:
        response = self._client.request(method, path, body=body, content_type=content_type, serialize=False)
        return json.loads(response.data)

    def get(self, path: str) -> dict[str, Any] | None:
        try:
            return self.ask("get", path)
        except NotFoundError:
            return None

    def patch(self, path: str, body: dict[str, Any]) -> None:
        self.ask("patch", path, body, "application/merge-patch+json")

    def create(self, path: str, body: dict[str, Any]) -> None:
        self.ask("post", path, body)

    def delete(self, path: str) -> None:
        with contextlib.suppress(NotFoundError):
            self.ask("delete", path)


class Outcome(NamedTuple):
    """What a task did."""

    rc: int
    stdout: str
    result: dict[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.result["changed"])

    @property
    def message(self) -> str:
        return str(self.result.get("msg", ""))

    @property
    def diff(self) -> str:
        return json.dumps(self.result.get("diff", []))


@pytest.fixture(scope="session")
def api(kubeconfig: str) -> Api:
    return Api(str(kubeconfig))


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    name = f"trial-{uuid.uuid4().hex[:8]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


def helm_of(major: int) -> str:
    variable = {3: "SERVICE_MESH_TEST_HELM", 4: "SERVICE_MESH_TEST_HELM4"}[major]
    found = os.environ.get(variable)
    if not found:
        pytest.skip(f"no helm {major}: set {variable}")
    return found


@pytest.fixture(scope="session", params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> str:
    """Each helm that the collection works with."""
    return helm_of(request.param)


@pytest.fixture(scope="session")
def helm3() -> str:
    return helm_of(3)


@pytest.fixture(scope="session")
def helm4() -> str:
    return helm_of(4)


@pytest.fixture
def run_task(kubeconfig: str, run_playbook: Callable[..., Any], tmp_path: Path) -> Callable[..., Outcome]:
    """Runs a module as the task of a play, so that what people see of it is seen."""

    def run(module: str, /, *arguments: str, **options: Any) -> Outcome:
        file = tmp_path / f"result-{uuid.uuid4().hex}.json"
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "environment": {"K8S_AUTH_KUBECONFIG": str(kubeconfig)},
            "tasks": [
                {
                    "name": "Run the module",
                    f"corpv3.service_mesh.{module}": options,
                    "register": "result",
                    "failed_when": False,
                },
                {
                    "name": "Keep what it said",
                    "ansible.builtin.copy": {
                        "content": "{{ result | to_json }}",
                        "dest": str(file),
                        "mode": "0600",
                    },
                    "check_mode": False,
                    "diff": False,
                },
            ],
        }
        done = run_playbook(json.dumps([play]), *arguments)
        assert file.exists(), done.stdout
        return Outcome(done.rc, done.stdout, json.loads(file.read_text()))

    return run


@pytest.fixture
def run_module(kubeconfig: str, run_task: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Runs a module in a process of its own, without the seconds that a play takes; with -vvv in a play, to see all."""

    def run(module: str, /, *arguments: str, **options: Any) -> Outcome:
        if "-vvv" in arguments:
            return run_task(module, *arguments, **options)
        given = {
            **options,
            "_ansible_check_mode": "--check" in arguments,
            "_ansible_diff": "--diff" in arguments,
        }
        environment = {"K8S_AUTH_KUBECONFIG": kubeconfig, "PYTHONPATH": str(COLLECTIONS)}
        done = subprocess.run(
            [sys.executable, "-c", RUN, f"ansible_collections.corpv3.service_mesh.plugins.modules.{module}"],
            input=json.dumps(given),
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return Outcome(done.returncode, done.stdout + done.stderr, json.loads(done.stdout.splitlines()[-1]))

    return run


@pytest.fixture
def chart(tmp_path: Path) -> Callable[..., str]:
    """Writes a chart; file names are keywords, with ``__`` for a slash."""

    def write(version: str = "1.0.0", values: str = "", **files: str) -> str:
        root = tmp_path / "chart"
        if not root.exists():
            (root / "templates").mkdir(parents=True)
        (root / "Chart.yaml").write_text(f"apiVersion: v2\nname: trial\nversion: {version}\n")
        (root / "values.yaml").write_text(textwrap.dedent(values or "labels: {}\ngreeting: hello\npassword: hush\n"))
        for old in (root / "templates").glob("*.yaml"):
            old.unlink()
        for name, text in files.items():
            path = root / (f"{name.replace('__', '/')}.yaml" if "__" in name else f"templates/{name}.yaml")
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return str(root)

    return write
