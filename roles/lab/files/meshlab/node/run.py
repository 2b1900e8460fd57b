"""Bringing the real node up, saying what it runs, and removing all of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import requests

from .. import network
from ..api import Api, ApiError
from ..health import report, wait
from ..pki import Pki
from ..settings import Settings
from . import archive, catalog, cgroups, config, mounts, net, objects, programs, registry
from .layout import CONTAINERD_SOCKET, Node

Object = dict[str, Any]
READY_SECONDS = 300


def up(settings: Settings) -> list[str]:
    """Start what does not run of the node, and wait until the cluster sees it ready. Names what was started."""
    node = Node(settings)
    cgroups.create(node.cgroup)
    net.create(node)
    mounts.prepare(node)
    _write_configuration(node)
    changed_images = _write_images(node)
    started = _start_outside(node)
    pid = _first_pid(node)
    api = Api(settings)
    for path, item in objects.objects(node):
        api.apply(path, item)
    running = programs.processes(node)
    for component in programs.components(node, pid):
        if component.name not in programs.INSIDE:
            continue
        log = settings.logs / f"{component.name}.log"
        if running.ensure(component.name, component.argv, log, component.env):
            started.append(component.name)
        wait(component, running, settings)
        if component.name == "containerd" and changed_images:
            _forget_images(node, pid)
        if component.name == "kubelet":
            _write_pod_network(node, api)
    _wait_until_ready(node, api)
    return started


def _start_outside(node: Node) -> list[str]:
    running, settings = programs.processes(node), node.settings
    outside = [part for part in programs.components(node) if part.name not in programs.INSIDE]
    return [
        part.name
        for part in outside
        if running.ensure(part.name, part.argv, settings.logs / f"{part.name}.log", part.env)
    ]


def _first_pid(node: Node) -> int:
    deadline = time.monotonic() + READY_SECONDS
    while (pid := programs.first_pid(node)) is None:
        if time.monotonic() > deadline or not programs.processes(node).alive(programs.FIRST):
            raise RuntimeError(f"the real node does not start; see {node.settings.logs / programs.FIRST}.log")
        time.sleep(0.05)
    return pid


def _write_configuration(node: Node) -> None:
    folder, pki = node.configuration, Pki(node.settings.state_dir / "pki")
    folder.mkdir(parents=True, exist_ok=True)
    pki.server_certificate("real-node", f"system:node:{node.name}", [node.ip, node.name])
    context = node.settings.name
    users = {"kubelet": (f"system:node:{node.name}", "system:nodes"), "kube-proxy": ("system:kube-proxy", None)}
    for name, (user, group) in users.items():
        pki.kubeconfig(folder / f"{name}.kubeconfig", node.api_server, user, group, context)
    node.settings.shared.mkdir(exist_ok=True)
    if node.settings.faults.exists():
        shutil.copy(node.settings.faults, node.settings.shared)
    default = programs.run([node.settings.tool("ctr"), "oci", "spec"])
    texts = {
        "container.json": json.dumps(config.container(json.loads(default), node)),
        "containerd.toml": config.containerd(node),
        "resolv.conf": "# Names outside the cluster do not resolve.\n",
        "kubelet.json": json.dumps(config.kubelet(node), indent=1),
        "kube-proxy.json": json.dumps(config.kube_proxy(node), indent=1),
    }
    for name, text in texts.items():
        _write(folder / name, text)
    every = folder / config.REGISTRIES / "_default" / "hosts.toml"
    every.parent.mkdir(parents=True, exist_ok=True)
    _write(every, config.registry(node))


def _write(path: Path, text: str) -> None:
    """Write what differs: kube-proxy ends when its file is written, whatever is in it."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _write_images(node: Node) -> bool:
    """Make the images for the registry, unless it has these very ones. True if it had others."""
    folder = node.settings.registry
    written, wanted = folder / "fingerprint", catalog.fingerprint(node)
    if written.exists() and written.read_text(encoding="ascii") == wanted:
        return False
    others = folder.exists()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    index = archive.store(catalog.images(node), folder)
    (folder / registry.INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
    written.write_text(wanted, encoding="ascii")
    return others


def _forget_images(node: Node, pid: int) -> None:
    """Have containerd pull all images again; running containers keep theirs."""
    ctr = [node.settings.tool("ctr"), "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io", "images"]
    names = programs.run(programs.inside(pid, [*ctr, "ls", "--quiet"])).split()
    if names:
        programs.run(programs.inside(pid, [*ctr, "rm", *names]))


def _write_pod_network(node: Node, api: Api) -> None:
    """Give the plugins the addresses that the controller manager has given the node."""
    deadline = time.monotonic() + READY_SECONDS
    while not (cidr := (_get(node, api).get("spec") or {}).get("podCIDR")):
        if time.monotonic() > deadline:
            raise RuntimeError(f"node {node.name} has no addresses; see {node.settings.logs / 'kubelet.log'}")
        time.sleep(0.2)
    folder = mounts.source(node, "/etc/cni") / "net.d"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "10-meshlab.conflist"
    # istio-cni adds its plugin to the file.
    if not path.exists():
        path.write_text(json.dumps(config.pod_network(cidr), indent=1), encoding="utf-8")


def _wait_until_ready(node: Node, api: Api) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        conditions = (_get(node, api).get("status") or {}).get("conditions", [])
        ready = next(
            (each for each in conditions if each["type"] == "Ready"), {"status": "", "message": "not registered"}
        )
        if ready["status"] == "True":
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"node {node.name} is not ready: {ready['message']}")
        time.sleep(0.2)


def _get(node: Node, api: Api) -> Object:
    return api.get(f"/api/v1/nodes/{node.name}") or {}


def status(settings: Settings) -> list[Object]:
    """One entry a process of the node; one that says why there is none where the lab has no real node."""
    if not settings.real_node:
        why = "off: lab_real_node=false" if os.geteuid() == 0 else "off: only root can run one"
        return [{"name": "real node", "pid": None, "address": why, "health": "simulated"}]
    node = Node(settings)
    running = programs.processes(node)
    return [*(report(component, running) for component in programs.components(node)), *_pods(node)]


def _pods(node: Node) -> list[Object]:
    """One entry a pod of the node, with its images; none if the API server does not answer."""
    try:
        listed = Api(node.settings).request("GET", f"/api/v1/pods?fieldSelector=spec.nodeName={node.name}")
    except (requests.RequestException, ApiError):
        return []
    return [pod_line(pod, node.name) for pod in listed["items"]]


def pod_line(pod: Object, node: str) -> Object:
    """What the status says of a pod: its images without their registries, and whether it is ready."""
    metadata, status = pod["metadata"], pod.get("status", {})
    containers = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    images = dict.fromkeys(container["image"].rpartition("/")[2] for container in containers)
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))
    state = "ready" if ready else str(status.get("phase", "Pending")).lower()
    return {
        "name": f"{metadata['namespace']}/{metadata['name']}",
        "pid": None,
        "address": f"{node}: {', '.join(images)}",
        "health": state,
        # A workload of the cluster, not a part of the lab.
        "pod": True,
    }


def exists(settings: Settings) -> bool:
    """Whether anything of a real node is there, of this run or of one that was killed."""
    node = Node(settings)
    return node.folder.exists() or net.path(node).exists() or cgroups.exists(node.cgroup)


def down(settings: Settings) -> list[str]:
    """End the node and remove what it made, in any state in which it may be. Names the processes that ended."""
    if os.geteuid() != 0 or not exists(settings):
        return []
    node = Node(settings)
    running = programs.processes(node)
    names = (programs.FIRST, programs.DOOR, programs.REGISTRY, *programs.INSIDE)
    ended = [name for name in names if running.alive(name)]
    # With the first process, the kernel ends all others and removes their mounts.
    for name in names:
        running.stop(name, grace=0.0)
    _kill_left_over(node)
    cgroups.remove(node.cgroup)
    net.delete(node)
    shutil.rmtree(node.folder, ignore_errors=True)
    if not _other_nodes(node):
        mounts.remove_mount_points()
    return ended


def _kill_left_over(node: Node) -> None:
    """Processes of the node whose first process's record was lost: those of its namespace and of its control group."""
    for pid in {*network.namespace_pids(node.name), *cgroups.pids(node.cgroup)}:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _other_nodes(node: Node) -> bool:
    return any(path.name != node.cgroup for root in cgroups.hierarchies() for path in root.glob("meshlab-*"))
