"""A running cluster, playbooks run as a user runs them, and proof of what they left alone.

The cluster is the one of molecule's default scenario, or tools/integration.sh's second one. Another one is named by
SERVICE_MESH_TEST_INVENTORY and, for the tests' own look at it, SERVICE_MESH_TEST_KUBECONFIG.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = os.environ.get("SERVICE_MESH_TEST_INVENTORY", "")
# Two workers have a lab each, so that no test sees what another one's does: as molecule/default has it, and as
# tools/integration.sh has the second one.
_OWN = {"gw1": "second:200"}.get(os.environ.get("PYTEST_XDIST_WORKER", ""), "molecule:100")
_NAME, _OFFSET = os.environ.get("SERVICE_MESH_TEST_LAB", _OWN).split(":")
LAB = {"lab_name": _NAME, "lab_port_offset": int(_OFFSET)}


def lab_address(port: int) -> str:
    """Where the lab of this worker has on this machine what listens on that port by default."""
    return f"http://127.0.0.1:{port + LAB['lab_port_offset']}"


_RECAP = re.compile(r"^(\S+)\s+:((?:\s+\w+=\d+)+)", re.MULTILINE)
# They send requests all the time, and count them: beside one another on a small machine they starve both labs.
_WITH_LOAD = {
    "test_canary",
    "test_canary_analysis",
    "test_canary_operator",
    "test_canary_playbooks",
    "test_canary_way_back",
}
# They need no lab, so they can still run beside what takes the mesh away.
_WITHOUT_LAB = {
    "test_database_archive",
    "test_database_backup",
    "test_database_brokers",
    "test_database_chart",
    "test_database_replication",
    "test_database_servers",
    "test_rendered_configuration",
    "test_restaurant_app_chart",
}
# They change by themselves.
_RESTLESS = {"Event", "Lease"}


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


class Digests(dict[str, str]):
    """Object -> digest; two that differ are explained by the objects that make the difference."""


class OneLoadAtATime(LoadFileScheduling):
    """A worker takes a whole file; those with load are as one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "load" if Path(file).stem in _WITH_LOAD else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneLoadAtATime:
    return OneLoadAtATime(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """The longest begins, and the last are those whose end leaves no worker without work."""
    if item.path.stem in _WITH_LOAD:
        return 0
    if item.path.stem in _WITHOUT_LAB:
        return 3
    return 2 if item.get_closest_marker("last") else 1


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    if op != "==" or not isinstance(left, Digests) or not isinstance(right, Digests):
        return None
    return [
        "the cluster is as it was",
        *(f"only left: {name}" for name in sorted(left.keys() - right.keys())),
        *(f"only right: {name}" for name in sorted(right.keys() - left.keys())),
        *(f"differs: {name}" for name in sorted(left.keys() & right.keys()) if left[name] != right[name]),
    ]


RunPlaybook = Callable[..., Run]
Snapshot = Callable[[], Digests]


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    path = Path(os.environ.get("SERVICE_MESH_TEST_KUBECONFIG") or ROOT / f".lab-{LAB['lab_name']}/kubeconfig")
    if not path.is_file():
        pytest.fail(
            f"There is no kubeconfig at {path}, so there is no cluster to test against. `make integration` brings up "
            "its own; or point SERVICE_MESH_TEST_KUBECONFIG and SERVICE_MESH_TEST_INVENTORY at one.",
            pytrace=False,
        )
    return str(path)


@pytest.fixture(scope="session")
def api(kubeconfig: str) -> client.ApiClient:
    return config.new_client_from_config(kubeconfig)


@pytest.fixture
def run_playbook(kubeconfig: str, tmp_path: Path) -> RunPlaybook:
    """run_playbook("site.yml", "--check", variables={...}): a file of playbooks/, a full name, or plays as YAML."""

    def run(
        playbook: str,
        *arguments: str,
        variables: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
    ) -> Run:
        if playbook.startswith(("[", "-")):
            path = tmp_path / "playbook.yml"
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


@pytest.fixture
def cluster_snapshot(api: client.ApiClient) -> Snapshot:
    """Everything that somebody wants of the cluster, so not its status: object -> digest."""

    dynamic = DynamicClient(api)

    def ask(path: str) -> dict[str, Any]:
        response = dynamic.request("get", path, serialize=False)
        answer: dict[str, Any] = json.loads(response.data)
        return answer

    def snapshot() -> Digests:
        # What an earlier test deleted may take its time to go.
        going = {
            item["metadata"]["name"]
            for item in ask("/api/v1/namespaces")["items"]
            if "deletionTimestamp" in item["metadata"]
        }
        roots = ["/api/v1"]
        roots += [f"/apis/{group['preferredVersion']['groupVersion']}" for group in ask("/apis")["groups"]]
        digests = Digests()
        for root in roots:
            for kind in ask(root)["resources"]:
                if "list" not in kind["verbs"] or kind["kind"] in _RESTLESS:
                    continue
                for item in ask(f"{root}/{kind['name']}")["items"]:
                    metadata = item["metadata"]
                    if (
                        "deletionTimestamp" not in metadata
                        and metadata.get("namespace") not in going
                        and not _follows_pods(metadata)
                    ):
                        digests[_name(kind["kind"], item)] = _digest(item)
        return digests

    return snapshot


def _name(kind: str, item: Mapping[str, Any]) -> str:
    metadata = item["metadata"]
    return f"{kind} {metadata.get('namespace', '')}/{metadata['name']}"


def _follows_pods(metadata: Mapping[str, Any]) -> bool:
    """Whether Kubernetes itself writes it of a Service and its pods' readiness: their status in another place."""
    return (
        metadata.get("labels", {}).get("endpointslice.kubernetes.io/managed-by") == "endpointslice-controller.k8s.io"
        or "endpoints.kubernetes.io/managed-by" in metadata.get("labels", {})
        or "endpoints.kubernetes.io/last-change-trigger-time" in metadata.get("annotations", {})
    )


def _digest(item: Mapping[str, Any]) -> str:
    metadata = {
        key: value for key, value in item["metadata"].items() if key not in ("resourceVersion", "managedFields")
    }
    # Elections of the old kind are held in an annotation.
    metadata["annotations"] = {
        key: value for key, value in metadata.get("annotations", {}).items() if not key.endswith("/leader")
    }
    wanted = {**item, "metadata": metadata}
    wanted.pop("status", None)
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
