"""The node's control groups: made before the kubelet starts, and removed once no process is left in them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# A new group of this controller has neither CPUs nor memory nodes, and takes no process until it has both.
CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")
# All that the kubelet insists on, where the machine has them.
CONTROLLERS = ("cpu", "cpuset", "hugetlb", "memory", "pids")
REMOVE_SECONDS = 10


def is_unified(root: Path = ROOT) -> bool:
    """Whether the machine has the single hierarchy of cgroup v2 (else one folder a controller)."""
    return (root / "cgroup.controllers").exists()


def hierarchies(root: Path = ROOT) -> list[Path]:
    """The roots below which a group must be made."""
    if is_unified(root):
        return [root]
    # systemd's named hierarchy and the v2 one of a hybrid machine limit nothing, but runc makes groups there too.
    return sorted({path.resolve() for path in root.glob("*") if (path / "cgroup.procs").exists()})


def create(name: str, root: Path = ROOT) -> None:
    """Make the group ``name`` in each hierarchy, ready to have children with limits."""
    for hierarchy in hierarchies(root):
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for file in CPUSET_FILES:
            if (group / file).exists() and not is_unified(root):
                (group / file).write_text((hierarchy / file).read_text(encoding="ascii"), encoding="ascii")
        if is_unified(root):
            for parent in (hierarchy, group):
                _enable(parent)


def _enable(group: Path) -> None:
    """Let the group's children have limits (cgroup v2)."""
    available = (group / "cgroup.controllers").read_text(encoding="ascii").split()
    wanted = [controller for controller in CONTROLLERS if controller in available]
    (group / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in wanted), encoding="ascii")


def exists(name: str, root: Path = ROOT) -> bool:
    """Whether any hierarchy still has the group."""
    return any((hierarchy / name).exists() for hierarchy in hierarchies(root))


def remove(name: str, root: Path = ROOT) -> None:
    """Remove the group with all below it. A process that was just killed may still leave it: wait for that.

    Raises RuntimeError where something does not leave it within ten seconds.
    """
    deadline = time.monotonic() + REMOVE_SECONDS
    while exists(name, root):
        for hierarchy in hierarchies(root):
            _remove_tree(hierarchy / name)
        if time.monotonic() > deadline:
            raise RuntimeError(f"control group {name} is still in use")
        time.sleep(0.05)


def _remove_tree(group: Path) -> None:
    """Children first: a control group's files cannot be deleted, its folders can."""
    if not group.is_dir():
        return
    for child in group.iterdir():
        if child.is_dir():
            _remove_tree(child)
    with contextlib.suppress(OSError):
        group.rmdir()


def pids(name: str, root: Path = ROOT) -> set[int]:
    """The processes in the group and below it."""
    files = [path for hierarchy in hierarchies(root) for path in (hierarchy / name).rglob("cgroup.procs")]
    return {int(pid) for path in files for pid in path.read_text(encoding="ascii").split()}
