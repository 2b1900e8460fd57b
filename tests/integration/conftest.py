"""A running cluster, playbooks run as a user runs them, and proof of what they left alone.

The cluster is the one of molecule's default scenario, or tools/integration.sh's second one. Another one is named by
SERVICE_MESH_TEST_INVENTORY and, for the tests' own look at it, SERVICE_MESH_TEST_KUBECONFIG.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config
from xdist.scheduler import LoadFileScheduling

# Their asserts report values as those of the tests do.
pytest.register_assert_rewrite("tests.integration.support")

from .support.canary_lab import Lab
from .support.playbooks import LAB, ROOT, RunPlaybook, runner
from .support.snapshots import Digests, Snapshot, snapshots

# They send requests all the time, and count them: beside one another on a small machine they starve both labs.
_WITH_LOAD = {
    "test_canary",
    "test_canary_analysis",
    "test_canary_gateway_api",
    "test_canary_operator",
    "test_canary_playbooks",
    "test_canary_rollback",
    "test_canary_target",
}
# They need no lab, so they can still run beside what takes the mesh away.
_WITHOUT_LAB = {
    "test_console_program",
    "test_database_archive",
    "test_database_backup",
    "test_database_brokers",
    "test_database_chart",
    "test_database_orders",
    "test_database_replication",
    "test_database_servers",
    "test_rendered_configuration",
    "test_restaurant_app_chart",
}


class OneLoadAtATime(LoadFileScheduling):
    """A worker takes a whole file; those with load are as one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "load" if Path(file).stem in _WITH_LOAD else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneLoadAtATime:
    return OneLoadAtATime(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Within a turn: modules first, then by file name, whatever the folder. The two labs are balanced for this order.
    items.sort(key=lambda item: (_turn(item), "" if item.path.parent.name == "modules" else item.path.stem))


def _turn(item: pytest.Item) -> int:
    """The longest runs first; the last ones are short and need no lab, so no worker is idle."""
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
    return runner(tmp_path)


@pytest.fixture
def cluster_snapshot(api: client.ApiClient) -> Snapshot:
    """The cluster's desired state, so not its status: object -> digest."""
    return snapshots(api)


@pytest.fixture(scope="module")
def whole_lab(kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    if not (Path(kubeconfig).parent / "settings.json").is_file():
        pytest.skip("faults are injected into the lab's own stand-ins, and this cluster is not the lab's")
    return Lab(Path(kubeconfig), tmp_path_factory.mktemp("canary"))
