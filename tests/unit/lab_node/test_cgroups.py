"""Control groups, on folders that look like the kernel's."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node import cgroups


def hierarchy(root: Path, name: str, **files: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").touch()
    for file, content in files.items():
        (folder / file.replace("_", ".")).write_text(content)
    return folder


def test_each_hierarchy_once(tmp_path: Path) -> None:
    hierarchy(tmp_path, "cpu,cpuacct")
    (tmp_path / "cpu").symlink_to(tmp_path / "cpu,cpuacct")
    hierarchy(tmp_path, "memory")
    # The v2 hierarchy of a hybrid machine: runc makes the group there too, and has no file "tasks" to know it by.
    hierarchy(tmp_path, "unified")
    (tmp_path / "other").mkdir()
    assert [path.name for path in cgroups.hierarchies(tmp_path)] == ["cpu,cpuacct", "memory", "unified"]


def test_a_new_group_of_cpuset_gets_cpus_and_memory(tmp_path: Path) -> None:
    cpuset = hierarchy(tmp_path, "cpuset", cpuset_cpus="0-1\n", cpuset_mems="0\n")
    group = cpuset / "lab"
    # The kernel makes these files with the folder.
    group.mkdir()
    for file in cgroups.CPUSET_FILES:
        (group / file).write_text("\n")
    cgroups.create("lab", tmp_path)
    assert [(group / file).read_text() for file in cgroups.CPUSET_FILES] == ["0-1\n", "0\n"]


def test_v2_lets_the_children_have_limits(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "lab"):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    cgroups.create("lab", tmp_path)
    for folder in (tmp_path, tmp_path / "lab"):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu +cpuset +hugetlb +memory +pids"


def test_removing_takes_what_is_below_first_and_again_is_fine(tmp_path: Path) -> None:
    memory = hierarchy(tmp_path, "memory")
    (memory / "lab/kubepods/burstable/pod1").mkdir(parents=True)
    assert cgroups.exists("lab", tmp_path)
    cgroups.remove("lab", tmp_path)
    cgroups.remove("lab", tmp_path)
    assert list(memory.iterdir()) == [memory / "cgroup.procs"]
