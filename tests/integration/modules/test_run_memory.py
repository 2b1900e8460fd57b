# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules of one run remember for one another, and that it is forgotten when it is no longer true."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.chart_server import ChartServer
from ..support.trial_chart import CONFIG_MAP

KINDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
def group(api: Any) -> Iterator[str]:
    """An API group of which no kind is defined yet."""
    name = f"g{uuid.uuid4().hex[:8]}.example.com"
    yield name
    for plural in ("firsts", "seconds"):
        api.delete(f"{KINDS}/{plural}.{name}")


def definition(group: str, kind: str) -> dict[str, Any]:
    names = {"plural": f"{kind.lower()}s", "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture
def run_tasks(kubeconfig: str, run_playbook: Callable[..., Any]) -> Callable[..., Any]:
    def run(*tasks: dict[str, Any]) -> Any:
        environment = {"K8S_AUTH_KUBECONFIG": kubeconfig}
        play = {"hosts": "localhost", "gather_facts": False, "environment": environment, "tasks": [*tasks]}
        return run_playbook(json.dumps([play]))

    return run


def test_kinds_that_the_run_itself_defines_are_known_to_its_next_task(
    run_tasks: Any, chart: Any, api: Any, namespace: str, helm3: str, group: str
) -> None:
    """Red where what an earlier task learned about the group outlives the task that changes it."""
    seen = '{{ .Capabilities.APIVersions.Has "GROUP/v1/First" }}-{{ .Capabilities.APIVersions.Has "GROUP/v1/Second" }}'
    path = chart(config=f"{CONFIG_MAP}      seen: {seen.replace('GROUP', group)}\n")

    def define(kind: str) -> dict[str, Any]:
        return {
            "corpv3.service_mesh.object_set": {"name": "trial", "objects": [definition(group, kind)], "prune": False}
        }

    def ensure(**options: Any) -> dict[str, Any]:
        release = {"name": "trial", "namespace": namespace, "chart": path, "wait": False}
        return {"corpv3.service_mesh.helm_releases": {"releases": [release], "helm_binary": helm3, **options}}

    run = run_tasks(define("First"), ensure(charts_only=True), define("Second"), ensure())
    assert run.rc == 0, run.stdout
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial")["data"]["seen"] == "true-true"


def test_a_chart_is_pulled_once_a_run(
    run_tasks: Any, chart: Any, namespace: str, helm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChartServer(tmp_path) as server:
        folder = chart("1.0.0", config=CONFIG_MAP)
        subprocess.run([helm, "package", folder, "--destination", str(tmp_path)], check=True, capture_output=True)
        server.add(tmp_path / "trial-1.0.0.tgz")
        for name, value in server.trust.items():
            monkeypatch.setenv(name, value)
        source = {"chart": "trial", "repository": f"https://{server.address}/charts", "version": "1.0.0"}
        release = {"name": "trial", "namespace": namespace, "wait": False, **source}
        options = {"releases": [release], "helm_binary": helm}
        task = {"corpv3.service_mesh.helm_releases": options}
        for pulls in (1, 2):
            run = run_tasks({"corpv3.service_mesh.helm_releases": {**options, "charts_only": True}}, task)
            assert run.rc == 0, run.stdout
            assert sum(path.endswith(".tgz") for path in server.asked) == pulls
