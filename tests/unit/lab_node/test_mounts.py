"""What the node sees of the machine, and what it leaves there."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node import mounts
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node.layout import Node
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.settings import Settings


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(Settings("lab", tmp_path / ".lab", 0, True, 3, (), {}, "1s", True))


def test_mount_points_that_the_machine_lacks_are_made_and_removed(node: Node, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "opt/cni/bin").mkdir(parents=True)
    mounts.prepare(node, root)
    assert all((root / path.lstrip("/")).is_dir() for path in mounts.FOLDERS)
    mounts.remove_mount_points(root)
    assert [path for path in mounts.FOLDERS if (root / path.lstrip("/")).exists()] == ["/opt/cni"]


def test_a_mount_point_that_another_program_uses_since_stays(node: Node, tmp_path: Path) -> None:
    root = tmp_path / "root"
    mounts.prepare(node, root)
    (root / "etc/cni/net.d").mkdir()
    mounts.remove_mount_points(root)
    assert [path for path in mounts.FOLDERS if (root / path.lstrip("/")).exists()] == ["/etc/cni"]


def test_each_sysctl_that_the_kubelet_would_set_is_covered_by_its_value(node: Node, tmp_path: Path) -> None:
    mounts.prepare(node, tmp_path / "root")
    plan = mounts.plan(node)
    for name, value in mounts.SYSCTLS.items():
        source = node.folder / "sysctl" / name
        assert source.read_text().strip() == value
        assert ["mount", "--bind", str(source), f"/proc/sys/{name}"] in plan


def test_the_logs_of_pods_stay_with_those_of_the_lab(node: Node) -> None:
    assert mounts.source(node, "/var/log/pods").is_relative_to(node.settings.logs)
