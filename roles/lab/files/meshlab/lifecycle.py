"""Bringing the lab up, in order, and saying how it is."""

from __future__ import annotations

from typing import Any

from . import limits, network, stages, telemetry
from .api import Api
from .components import SIMULATED_NODE, components, write_credentials
from .health import report, wait
from .node import run as node
from .processes import Processes
from .prometheus_config import Reloader
from .settings import Settings


def up(settings: Settings) -> dict[str, Any]:
    """Start what does not run, and wait until it answers. Safe to repeat, and after a crash."""
    for folder in (settings.state_dir, settings.logs, settings.state_dir / "kwok"):
        folder.mkdir(parents=True, exist_ok=True)
    write_credentials(settings)
    (settings.state_dir / "kwok.yaml").write_text(stages.kwok_config(settings), encoding="utf-8")
    telemetry.write_filter(settings)
    if settings.pod_network:
        limits.raise_inotify(settings)
        network.create_bridge(settings)
    processes = Processes(settings.state_dir / "run")
    started = []
    for component in components(settings):
        if processes.ensure(component.name, component.argv, settings.logs / f"{component.name}.log", component.env):
            started.append(component.name)
        wait(component, processes, settings)
        if component.name == "kube-apiserver":
            _seed(settings)
            Reloader(settings).once()
    if settings.real_node:
        started += node.up(settings)
    else:
        node.down(settings)
    uid = Api(settings).request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    (settings.state_dir / "cluster_uid").write_text(uid, encoding="ascii")
    return {"changed": bool(started), "started": started}


def status(settings: Settings) -> list[dict[str, Any]]:
    """One entry a process: pid, address, whether it runs and answers; then one a really running pod."""
    processes = Processes(settings.state_dir / "run")
    found = [report(component, processes) for component in components(settings)]
    found += node.status(settings)
    pods = Processes(settings.state_dir / "run" / "pods")
    for record in pods.records():
        found.append(
            {
                "name": record.name.replace("_", "/"),
                "pid": record.pid if record.alive else None,
                "address": "",
                "health": "running" if record.alive else "stopped",
            }
        )
    return found


def _seed(settings: Settings) -> None:
    """Nodes, and what a cluster has before the first installation."""
    api = Api(settings)
    for index in range(settings.nodes):
        name = f"{settings.name}-node-{index}"
        resources = {"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "200Gi"}
        api.create_if_missing(
            "/api/v1/nodes",
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": name,
                    "annotations": dict([SIMULATED_NODE]),
                    "labels": {
                        "kubernetes.io/hostname": name,
                        "kubernetes.io/os": "linux",
                        "kubernetes.io/arch": "amd64",
                        "topology.kubernetes.io/region": "lab",
                        "topology.kubernetes.io/zone": f"lab-{index % 3}",
                    },
                },
                "status": {"capacity": resources, "allocatable": resources},
            },
        )
