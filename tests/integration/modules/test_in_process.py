# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each module runs inside Ansible's own process and as a process of its own, and gives the same result."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ...module_files import MODULES

ROOT = Path(__file__).resolve().parents[3]
APPLICATION = "restaurant-management"

Tasks = list[dict[str, Any]]
# Options of the module, keywords of the task.
Call = tuple[dict[str, Any], dict[str, Any]]

BROKEN = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}, weigt: 5}]}]}
"""

METRIC = {"name": "request-success-rate", "threshold_range": {"min": 99}}


def config_map(namespace: str) -> dict[str, Any]:
    metadata = {"name": "both-ways", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"number": "010", "text": "ü"}}


def calls(namespace: str, folder: Path, helm: str) -> dict[str, list[Call]]:
    """Module -> its calls, as options and keywords of the task; nothing of it changes the cluster."""
    check = {"check_mode": True, "diff": True}
    canary = {"namespace": APPLICATION, "service": "order-service"}
    chart = {"name": "both-ways", "namespace": namespace, "chart": str(ROOT / "tests/charts/kiali-server")}
    missing = {"namespace": APPLICATION, "virtual_service": "missing"}
    istiod = {"istiod_access": "pod_address"}
    place = {"namespace": "istio-system", "service": "istiod", "port": 15014, "path": "/version"}
    asked = {"name": "istiod says what it is", "wanted": r"\d+[.]\d+", **place}
    return {
        "canary": [
            ({**canary, "state": "reconciled"}, {}),
            ({"namespace": APPLICATION, "state": "paused"}, {}),
            ({**canary, "image_tag": "9.9.9", "provider": {"type": "envoy"}, "metrics": [METRIC], **istiod}, check),
            ({**canary, "image_tag": "9.9.9", "steps": [50, 10]}, {}),
            ({**canary, "service": "missing", "state": "promoted"}, {}),
        ],
        "canary_analysis": [({"namespace": APPLICATION, "metrics": []}, {})],
        "canary_info": [(canary, {}), ({"namespace": namespace}, {}), ({**canary, "service": "missing"}, {})],
        "capacity_preflight": [({"pods": [{"name": "p", "count": 1, "requests": {"cpu": "100m"}}]}, {})],
        "cluster_preflight": [({"expected_uid": "another", "helm_binary": ""}, {}), ({"helm_binary": helm}, {})],
        "helm_releases": [({"releases": [chart], "helm_binary": helm}, check), ({"releases": [{"name": "x"}]}, {})],
        "istio_preflight": [({"versions": {"v": "1.31.1"}}, {}), ({"versions": {"v": "1.2"}}, {})],
        "mesh_cost": [({"namespaces": [namespace]}, {})],
        "mesh_info": [({"content": BROKEN, "live": False}, {})],
        "mesh_report": [({"path": str(folder / "report")}, check), ({"path": "/missing/report"}, {})],
        "mesh_smoke": [({"mesh": False, "app_namespace": namespace, "timeout": 1}, {})],
        "mesh_sync_info": [(istiod, {})],
        "mesh_validate": [({"content": BROKEN, "live": False}, {}), ({"paths": [str(folder / "missing")]}, {})],
        "object_info": [
            ({"kind": "Namespace", "name": namespace}, {}),
            ({"kind": "Nonsense"}, {}),
            ({"kind": "Pod", "namespace": namespace, "label_selectors": ["app=x"]}, {}),
        ],
        "object_set": [
            ({"name": "both-ways", "objects": [config_map(namespace)]}, check),
            ({"name": "not a label", "objects": []}, {}),
            ({"name": "both-ways", "state": "nonsense"}, {}),
        ],
        "secret_set": [
            ({"secrets": [{"name": "s", "namespace": namespace, "values": {"password": "hidden-0815"}}]}, check)
        ],
        "service_answers": [
            ({"questions": [asked], "timeout": 1}, {}),
            ({"questions": [{**asked, "wanted": "nonsense"}], "timeout": 0}, {}),
        ],
        "traffic_shift": [
            ({"namespace": APPLICATION, "virtual_service": "order-service", "weights": {"v1": "x", "v2": 0}}, check),
            (
                {**missing, "weights": {"v1": 100, "v2": 0}, **istiod},
                check,
            ),
        ],
    }


def play(tasks: Tasks, results: Path) -> str:
    names = [f"result_{number}" for number in range(len(tasks))]
    answers = "{{ [" + ", ".join(names) + "] | to_json }}"
    write = {"ansible.builtin.copy": {"dest": str(results), "content": answers, "mode": "0600"}}
    registered = [{**task, "register": name, "ignore_errors": True} for task, name in zip(tasks, names, strict=True)]
    host = {"hosts": "localhost", "gather_facts": False, "tasks": [*registered, write]}
    return json.dumps([host])


@pytest.fixture
def both_ways(kubeconfig: str, tmp_path: Path) -> Callable[[Tasks], tuple[list[Any], list[Any], str]]:
    """What the tasks give inside Ansible's process, what as processes of their own, and what both print."""

    def run(tasks: Tasks) -> tuple[list[Any], list[Any], str]:
        answers, printed = [], ""
        for way in ("true", "false"):
            results, playbook = tmp_path / f"{way}.json", tmp_path / "play.yml"
            playbook.write_text(play(tasks, results))
            environment = {
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "K8S_AUTH_KUBECONFIG": kubeconfig,
                "SERVICE_MESH_IN_PROCESS": way,
            }
            done = subprocess.run(
                [sys.executable, "-m", "ansible", "playbook", str(playbook), "-vvv"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert results.exists(), done.stdout
            answers.append(json.loads(results.read_text()))
            printed += done.stdout
        return answers[0], answers[1], printed

    return run


def test_every_module_is_called(tmp_path: Path) -> None:
    assert sorted(calls("n", tmp_path, "helm")) == [path.stem for path in MODULES]


def with_helm(call: Call) -> bool:
    return bool(call[0].get("helm_binary"))


def compare(both_ways: Any, of_modules: dict[str, list[Call]]) -> str:
    """What both ways print."""
    tasks = [
        {f"corpv3.service_mesh.{module}": options, **keywords}
        for module, of_module in of_modules.items()
        for options, keywords in of_module
    ]
    inside, outside, printed = both_ways(tasks)
    for task, one, other in zip(tasks, inside, outside, strict=True):
        assert comparable(task, one) == comparable(task, other), task
    return str(printed)


def test_same_results(both_ways: Any, namespace: str, tmp_path: Path) -> None:
    of_modules = calls(namespace, tmp_path, "helm")
    printed = compare(
        both_ways, {name: [call for call in of if not with_helm(call)] for name, of in of_modules.items()}
    )
    assert "hidden-0815" not in printed


def test_same_results_with_each_helm(both_ways: Any, namespace: str, tmp_path: Path, helm: str) -> None:
    of_modules = {
        name: [call for call in of if with_helm(call)] for name, of in calls(namespace, tmp_path, helm).items()
    }
    assert [name for name, of in of_modules.items() if of] == ["cluster_preflight", "helm_releases"]
    compare(both_ways, of_modules)


def comparable(task: dict[str, Any], result: dict[str, Any]) -> Any:
    """The result without what differs from one moment to the next, be it by tests of other files."""
    measured = any(f"corpv3.service_mesh.{module}" in task for module in _MEASURED) and not result["failed"]
    return sorted(result) if measured else stable(result)


# All results of these were measured in this moment.
_MEASURED = ("mesh_report", "mesh_sync_info")
# Figures of the moment, and the name and times of a run that would be started.
_RESTLESS = ("age", "seconds", "generated", "moment", "waited", "run_id", "started", "deadline", "at", "trace_id")
# The date of a refused port-forward's answer, and what a secret value is shown as, which is another text in each run.
_PASSING = re.compile(r"\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT|\(hidden \w+\)")


def stable(result: Any) -> Any:
    if isinstance(result, dict):
        return {key: stable(value) for key, value in result.items() if key not in _RESTLESS}
    if isinstance(result, list):
        return [stable(item) for item in result]
    return _PASSING.sub("(passing)", result) if isinstance(result, str) else result
