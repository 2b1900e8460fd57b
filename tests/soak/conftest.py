"""The soak's lab: brought up by run.sh, or any other that SERVICE_MESH_TEST_KUBECONFIG names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# The fixtures of the integration tests are to use the soak's lab.
os.environ.setdefault("SERVICE_MESH_TEST_LAB", "canary:500")

from ..integration.conftest import (
    api,
    cluster_snapshot,
    kubeconfig,
    pytest_collection_modifyitems,
    run_playbook,
)
from ..integration.support.canary_lab import ROOT, Lab

__all__ = ["api", "cluster_snapshot", "kubeconfig", "pytest_collection_modifyitems", "run_playbook"]

REPORT = ROOT / "tests/output/soak.txt"
Report = Callable[[str], None]


@pytest.fixture(scope="session")
def whole_lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    path = Path(os.environ.get("SERVICE_MESH_TEST_KUBECONFIG") or ROOT / ".lab-canary/kubeconfig")
    if not path.is_file():
        pytest.fail(f"There is no kubeconfig at {path}: `make soak` brings up a lab and ends it.", pytrace=False)
    return Lab(path, tmp_path_factory.mktemp("soak"))


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    whole_lab.settle()
    yield whole_lab
    whole_lab.settle()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """What was measured, for people: no limit of seconds is a test's business."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)

    def write(text: str) -> None:
        line = f"{request.node.name}: {text}"
        print(line)
        with REPORT.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    return write
