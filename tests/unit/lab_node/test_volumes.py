"""What the lab's storage does with a claim, with a real node and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab import volumes
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings("second", tmp_path, 200, True, 3, (), {}, "1s", True)


def claim(node: str = "") -> volumes.Object:
    annotations = {volumes.SELECTED_NODE: node} if node else {}
    return {
        "metadata": {"name": "data", "namespace": "shop", "uid": "u1", "annotations": annotations},
        "spec": {
            "storageClassName": volumes.CLASS,
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def test_a_claim_waits_for_its_first_pod() -> None:
    assert volumes.waits(claim())
    assert not volumes.waits(claim("second-real"))
    assert volumes.STORAGE_CLASS["volumeBindingMode"] == "WaitForFirstConsumer"


def test_only_the_real_node_has_storage_behind_a_volume(settings: Settings) -> None:
    real = volumes.volume_for(claim("second-real"), settings)["spec"]
    assert real["local"] == {"path": str(settings.state_dir / "node/volumes/u1")}
    (term,) = real["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["second-real"]
    simulated = volumes.volume_for(claim("second-node-0"), settings)["spec"]
    assert simulated["hostPath"] == {"path": "/nonexistent/u1"}
    assert "local" not in simulated


class Cluster:
    """One that has the class of a lab, and remembers what is asked of it."""

    def __init__(self, mode: str) -> None:
        self.found = {"volumeBindingMode": mode}
        self.asked: list[str] = []

    def get(self, __: str) -> volumes.Object:
        return self.found

    def request(self, method: str, __: str) -> None:
        self.asked.append(method)

    def create_if_missing(self, __: str, body: volumes.Object) -> None:
        self.asked.append(body["volumeBindingMode"])


def test_a_lab_of_before_gets_another_class() -> None:
    changed, same = Cluster("Immediate"), Cluster("WaitForFirstConsumer")
    volumes.ensure_class(changed)  # type: ignore[arg-type]
    assert changed.asked == ["DELETE", "WaitForFirstConsumer"]
    volumes.ensure_class(same)  # type: ignore[arg-type]
    assert same.asked == ["WaitForFirstConsumer"], "which leaves the one that exists"
