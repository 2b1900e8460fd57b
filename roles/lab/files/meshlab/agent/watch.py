"""The agent's main loop: which pods are real, and a worker for each."""

from __future__ import annotations

import logging
import threading
from typing import Any

from .. import network
from ..api import Api
from ..cleanup import end_pods
from ..processes import Processes
from ..settings import Settings
from .kubelet import Kubelet
from .metrics import ContainerMetrics
from .names import Names
from .pod import PodWorker
from .podspec import labels
from .port_forward import Connect

Object = dict[str, Any]
LOGGER = logging.getLogger("agent")


def is_real(pod: Object, settings: Settings) -> bool:
    """Whether the agent runs this pod; kwok simulates all others of its nodes (keep equal to stages._simulated)."""
    if pod["spec"].get("nodeName") == settings.real_node_name:
        return False
    return (
        pod["metadata"]["namespace"] in settings.real_namespaces
        or any(_is_envoy(container) for container in pod["spec"]["containers"])
        or labels(pod).get("app") == "istiod"
    )


def _is_envoy(container: Object) -> bool:
    """ztunnel's container has the same name, and no program here."""
    return bool(container["name"] == "istio-proxy" and "ztunnel" not in container.get("args", []))


class Agent:
    """Follows the cluster's pods."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._api = Api(settings)
        self._processes = Processes(settings.state_dir / "run" / "pods")
        self._workers: dict[str, PodWorker] = {}
        self._lock = threading.Lock()
        self._last_index = 1
        self._names_changed = threading.Event()
        self._names = Names(self._api, self._names_changed.set)

    def run(self) -> None:
        """For ever. Ends the processes of an earlier agent first: its pods start again."""
        end_pods(self._settings)
        network.create_bridge(self._settings)
        self._names.start()
        threading.Thread(target=self._keep_names, daemon=True).start()
        ContainerMetrics(self._settings.port("container_metrics"), self._running).start()
        Kubelet(self._settings, self._ports_of).start()
        for event, item in self._api.watch("/api/v1/pods"):
            if event == "LIST":
                self._reconcile(item.get("items", []))
            elif event == "DELETED":
                self._forget(item["metadata"]["uid"])
            else:
                self._see(item)

    def _reconcile(self, pods: list[Object]) -> None:
        present = {pod["metadata"]["uid"] for pod in pods}
        for uid in [uid for uid in self._workers if uid not in present]:
            self._forget(uid)
        for pod in pods:
            self._see(pod)

    def _see(self, pod: Object) -> None:
        if not pod["spec"].get("nodeName") or not is_real(pod, self._settings):
            return
        uid = pod["metadata"]["uid"]
        worker = self._workers.get(uid)
        if worker is None:
            ip = self._free_ip()
            worker = PodWorker(self._settings, self._api, self._names, self._processes, pod, ip)
            LOGGER.info("%s: starting at %s", worker.name, ip)
            with self._lock:
                self._workers[uid] = worker
            worker.update(pod)
            worker.start()
        else:
            worker.update(pod)

    def _forget(self, uid: str) -> None:
        with self._lock:
            worker = self._workers.pop(uid, None)
        if worker:
            LOGGER.info("%s: gone", worker.name)
            worker.forget()

    def _free_ip(self) -> str:
        """The next address; one that was just given back is not taken again at once."""
        used = {worker.ip for worker in self._workers.values()}
        while True:
            self._last_index = self._last_index % 32000 + 1
            ip = self._settings.pod_ip(self._last_index)
            if ip not in used and self._last_index > 1:
                return ip

    def _running(self) -> list[PodWorker]:
        with self._lock:
            return list(self._workers.values())

    def _ports_of(self, namespace: str, name: str) -> Connect | None:
        wanted = (namespace, name)
        workers = [each for each in self._running() if (each.context.namespace, each.context.name) == wanted]
        return workers[0].connect if workers else None

    def _keep_names(self) -> None:
        while True:
            self._names_changed.wait()
            self._names_changed.clear()
            for worker in self._running():
                worker.refresh_hosts()
