"""What the node sees of the machine: a mount namespace in which the standard paths are folders of the lab.

All mounts of the node, those of its pods too, exist in this namespace only. The kernel removes them with its last
process.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from .layout import CATATONIT, Node

MARKER = ".meshlab"
# Path in the node -> folder of the lab. The kubelet has some of these compiled in.
FOLDERS = {
    "/var/lib/kubelet": "kubelet",
    "/var/lib/containerd": "containerd",
    "/etc/cni": "etc-cni",
    "/opt/cni": "opt-cni",
    "/var/log/pods": "",
    "/var/log/containers": "log-containers",
}
# The kubelet sets these for the whole machine unless they are so already. It reads these values and changes nothing.
SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def source(node: Node, path: str) -> Path:
    """The lab's folder behind a path of the node. Logs of pods are stored with all others, and stay."""
    return node.folder / FOLDERS[path] if FOLDERS[path] else node.settings.logs / "node-pods"


def prepare(node: Node, root: Path = Path("/")) -> None:
    """Make the folders, their mount points where the machine has none, and the files that stand for sysctls."""
    for path in FOLDERS:
        source(node, path).mkdir(parents=True, exist_ok=True)
        point = root / path.lstrip("/")
        if not point.exists():
            point.mkdir(parents=True)
            (point / MARKER).touch()
    for name, value in SYSCTLS.items():
        file = node.folder / "sysctl" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n", encoding="ascii")


def remove_mount_points(root: Path = Path("/")) -> None:
    """Remove the empty folders that ``prepare`` made on the machine."""
    for path in FOLDERS:
        point = root / path.lstrip("/")
        if (point / MARKER).exists() and [each.name for each in point.iterdir()] == [MARKER]:
            (point / MARKER).unlink()
            with contextlib.suppress(OSError):
                point.rmdir()


def plan(node: Node) -> list[list[str]]:
    """The commands that make the node's view, for a new mount namespace that is a slave of the machine's."""
    return [
        # Network namespaces of other labs: a copy of their mounts would keep them alive.
        ["umount", "--recursive", "--lazy", "/run/netns"],
        ["mount", "-t", "tmpfs", "-o", "mode=755", "meshlab", "/run"],
        *(["mount", "--bind", str(source(node, path)), path] for path in FOLDERS),
        *(["mount", "--bind", str(node.folder / "sysctl" / name), f"/proc/sys/{name}"] for name in SYSCTLS),
        # Pods whose volumes propagate mounts need it; below a slave nothing reaches the machine.
        ["mount", "--make-rshared", "/"],
    ]


def enter(node: Node) -> None:
    """Become the node's first process: make its view, then only reap what its pods leave. Does not return."""
    for command in plan(node):
        optional = command[0] == "umount"
        subprocess.run(command, check=not optional, stderr=subprocess.DEVNULL if optional else None)
    os.execv(CATATONIT, [CATATONIT, "-P"])  # noqa: S606
