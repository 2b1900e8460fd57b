"""Ending what the lab started, and only that."""

from __future__ import annotations

import os
import shutil
import signal
import time

from . import limits, network
from .node import run as node
from .processes import Processes
from .settings import Settings

OWN = ("forward", "agent", "infra")
CONTROL_PLANE = (
    "prometheus",
    "kube-state-metrics",
    "kwok",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
)


def end_pods(settings: Settings) -> None:
    """End every pod's processes and remove every pod's network namespace."""
    processes = Processes(settings.state_dir / "run" / "pods")
    for record in list(processes.records()):
        processes.stop(record.name, grace=0.0)
    if settings.pod_network:
        _end_namespaces(settings)
    shutil.rmtree(settings.state_dir / "pods", ignore_errors=True)


def _end_namespaces(settings: Settings) -> None:
    for namespace in network.namespaces(settings):
        # Whatever runs inside a namespace of ours is ours, recorded or not.
        for pid in network.namespace_pids(namespace):
            _kill(pid)
        network.delete_namespace(namespace)
    network.flush_host_addresses(settings)


def end_all(settings: Settings) -> list[str]:
    """End the lab: its own programs, then pods and network, then the control plane and its data. Names what ended."""
    processes = Processes(settings.state_dir / "run")
    ended = [name for name in (*OWN, *CONTROL_PLANE) if processes.alive(name)]
    for name in OWN:
        processes.stop(name)
    ended += node.down(settings)
    end_pods(settings)
    if settings.pod_network:
        network.delete_bridge(settings)
        limits.restore_inotify(settings)
    for name in CONTROL_PLANE:
        processes.stop(name)
    for name in ("etcd", "prometheus", "prometheus-rules", "kwok", "pki", "run", "pods"):
        shutil.rmtree(settings.state_dir / name, ignore_errors=True)
    for name in ("kubeconfig", "faults.json", "cluster_uid", "prometheus.yml"):
        (settings.state_dir / name).unlink(missing_ok=True)
    return ended


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    time.sleep(0.01)
