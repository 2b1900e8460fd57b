"""The node's processes: its first one, containerd, the kubelet, kube-proxy; its way to the API server, its registry."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..components import Component, own
from ..processes import Processes
from . import net
from .config import CONTAINERD_METRICS_PORT, KUBELET_HEALTH_PORT
from .layout import KUBELET_PORT, PROXY_HEALTH_PORT, Node

FIRST = "node"
# In starting order, after the first one.
INSIDE = ("containerd", "kubelet", "kube-proxy")
DOOR = "node-api"
REGISTRY = "node-registry"
# What each reads as it starts.
READ = {
    "containerd": ("containerd.toml", "container.json"),
    "kubelet": ("kubelet.json", "resolv.conf"),
    "kube-proxy": ("kube-proxy.json",),
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def processes(node: Node) -> Processes:
    """Where the lab's processes are recorded."""
    return Processes(node.settings.state_dir / "run")


def first(node: Node) -> Component:
    """The first process of the node's namespaces. With it the kernel ends each process of the node, in any order."""
    argv = [
        net.NSENTER,
        f"--net={net.path(node)}",
        *("unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"),
        *own(node.settings, "node-enter", "").argv,
    ]
    return Component(FIRST, argv, address=node.ip, env=own(node.settings, "node-enter", "").env)


def first_pid(node: Node) -> int | None:
    """The machine's pid of the process that is 1 in the node, once its view is made."""
    record = processes(node).record(FIRST)
    if record is None or not record.alive:
        return None
    try:
        # nsenter and unshare become each other; unshare's child is the node's process 1.
        children = Path(f"/proc/{record.pid}/task/{record.pid}/children").read_text(encoding="ascii").split()
        ready = children and Path(f"/proc/{children[0]}/comm").read_text(encoding="ascii").strip() == "catatonit"
    except OSError:
        return None
    return int(children[0]) if ready else None


def inside(pid: int, argv: list[str]) -> list[str]:
    """The same command in the namespaces of the node. It ends with whatever started it."""
    return [net.NSENTER, "--target", str(pid), "--mount", "--net", "--pid", "setpriv", "--pdeathsig", "KILL", *argv]


def door(node: Node) -> Component:
    """The API server listens on loopback only; this leads there from the bridge."""
    return own(node.settings, DOOR, node.api_server)


def image_registry(node: Node) -> Component:
    """Where containerd pulls from."""
    address = f"http://{node.settings.bridge_ip}:{node.settings.port('registry')}"
    return replace(own(node.settings, REGISTRY, address), health=f"{address}/v2/")


def components(node: Node, pid: int | None = None) -> list[Component]:
    """All of them. ``pid``: of the node's first process; without one the commands are for reading only."""
    settings = node.settings
    folder = Path(settings.tool("containerd")).parent
    env = {"PATH": f"{PATH}:{folder}", "GOMAXPROCS": str(os.cpu_count() or 1)}
    # A program whose configuration has changed is started again.
    environments = {name: {**env, "MESHLAB_CONFIGURATION": _digest(node, READ[name])} for name in INSIDE}
    commands = {
        "containerd": [settings.tool("containerd"), f"--config={node.configuration / 'containerd.toml'}"],
        "kubelet": [
            settings.tool("kubelet"),
            f"--config={node.configuration / 'kubelet.json'}",
            f"--kubeconfig={node.configuration / 'kubelet.kubeconfig'}",
            f"--hostname-override={node.name}",
            f"--node-ip={node.ip}",
            "--node-labels=lab.corpv3.com/real=true,topology.kubernetes.io/region=lab,topology.kubernetes.io/zone=lab-0",
        ],
        "kube-proxy": [settings.tool("kube-proxy"), f"--config={node.configuration / 'kube-proxy.json'}"],
    }
    health = {
        "containerd": f"http://{node.ip}:{CONTAINERD_METRICS_PORT}/v1/metrics",
        "kubelet": f"http://{node.ip}:{KUBELET_HEALTH_PORT}/healthz",
        "kube-proxy": f"http://{node.ip}:{PROXY_HEALTH_PORT}/livez",
    }
    address = {"containerd": "in the node", "kubelet": f"{node.ip}:{KUBELET_PORT}", "kube-proxy": "cluster IPs"}
    found = [first(node), door(node), image_registry(node)]
    for name in INSIDE:
        command = inside(pid or 0, commands[name])
        found.append(Component(name, command, address[name], health[name], environments[name]))
    return found


def _digest(node: Node, names: Sequence[str]) -> str:
    """Of files, as far as they are written."""
    digest = hashlib.sha256()
    for path in (node.configuration / name for name in names):
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


def run(argv: list[str]) -> str:
    """Run a program to its end, and return what it prints. Raises RuntimeError where it fails."""
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {result.stderr.strip()[-500:]}")
    return result.stdout
