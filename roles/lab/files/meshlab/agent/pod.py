"""The life of one pod: network, capture, containers, probes, status, and an orderly end."""

from __future__ import annotations

import contextlib
import logging
import shutil
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .. import network
from ..api import MERGE_PATCH, Api, ApiError
from ..processes import Processes
from ..settings import Settings
from . import status
from .commands import PodContext, capture_command, hook_command, is_istiod_pod
from .container import Container
from .names import Names
from .podspec import find_container, is_sidecar
from .port_forward import connect_in, connect_on_host

Object = dict[str, Any]
TICK_SECONDS = 0.2
RETRY_SECONDS = 1.0
# Starting a proxy takes most of a core for a second: a few at a time are sooner ready than all at once.
STARTING = threading.BoundedSemaphore(4)


class PodWorker(threading.Thread):
    """A thread that owns a pod from its placement on a node until it is gone from the API."""

    def __init__(self, settings: Settings, api: Api, names: Names, processes: Processes, pod: Object, ip: str) -> None:
        super().__init__(name=f"{pod['metadata']['namespace']}/{pod['metadata']['name']}", daemon=True)
        self.pod = pod
        self.ip = ip
        self._settings = settings
        self._api = api
        self._names = names
        self._ending = threading.Event()
        self._gone = False
        self._logger = logging.getLogger(self.name)
        metadata = pod["metadata"]
        netns = f"{settings.netns_prefix}{metadata['name']}"
        folder = settings.state_dir / "pods" / f"{metadata['namespace']}_{metadata['name']}"
        self.context = PodContext(settings, api, pod, ip, netns, folder)
        logs = settings.logs / "pods" / metadata["namespace"] / metadata["name"]
        self._on_host = is_istiod_pod(pod)
        self.in_mesh = find_container(pod, "istio-proxy") is not None
        spec = pod["spec"]
        self._init = spec.get("initContainers", [])
        self._sidecars = [
            Container(self.context, c, processes, logs / f"{c['name']}.log") for c in self._init if is_sidecar(c)
        ]
        self._containers = [
            Container(self.context, c, processes, logs / f"{c['name']}.log") for c in spec["containers"]
        ]
        self._init_done = False
        self._published: Object = {}

    @property
    def containers(self) -> list[Container]:
        """All that run beside each other."""
        return [*self._sidecars, *self._containers]

    def connect(self, port: int) -> socket.socket:
        """To a port of the pod, from its own loopback."""
        return connect_on_host(self.ip, port) if self._on_host else connect_in(self.context.netns, port)

    # What the watcher says

    def update(self, pod: Object) -> None:
        """The pod as the API has it now."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._ending.set()

    def forget(self) -> None:
        """The pod is gone from the API already: end without ceremony."""
        self._gone = True
        self._ending.set()

    def refresh_hosts(self) -> None:
        """Write the names that the pod should know now."""
        if not self._on_host:
            network.write_hosts(self.context.netns, self._names.hosts(self.context.namespace, self.in_mesh))

    # Its life

    def run(self) -> None:
        """Set up, keep running, tear down. Whatever fails before the end is tried again, as a kubelet would."""
        while not self._ending.is_set():
            try:
                self._set_up()
                break
            except (LookupError, OSError, RuntimeError, ApiError, subprocess.SubprocessError) as error:
                self._logger.warning("not started yet: %s", error)
                # The next attempt begins with a new namespace, where what this one started would not be found again.
                for container in self.containers:
                    container.kill()
                with contextlib.suppress(OSError, ApiError):
                    self._publish(reason=f"{error}")
                self._ending.wait(RETRY_SECONDS)
        while not self._ending.wait(TICK_SECONDS):
            try:
                for container in self.containers:
                    container.tick()
                self._publish()
            except (LookupError, OSError, ApiError) as error:
                self._logger.warning("%s", error)
        try:
            self._tear_down()
        except (OSError, ApiError) as error:
            self._logger.warning("at the end: %s", error)

    def _set_up(self) -> None:
        self.context.folder.mkdir(parents=True, exist_ok=True)
        if self._on_host:
            network.add_host_address(self._settings, self.ip)
        else:
            network.create_namespace(self._settings, self.context.netns, self.ip)
            self.refresh_hosts()
        self._publish()
        with STARTING:
            if self._captures():
                self._capture()
            self._start_all(self._sidecars, wait=True)
            self._init_done = True
            self._start_all(self._containers, wait=False)

    def _captures(self) -> bool:
        """Sidecars capture their pod's traffic, gateways do not."""
        proxy = find_container(self.pod, "istio-proxy")
        return proxy is not None and "sidecar" in proxy.get("args", [])

    def _capture(self) -> None:
        init = next((c for c in self._init if c["name"] == "istio-init"), None)
        result = subprocess.run(capture_command(self.context, init), capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"istio-iptables: {result.stderr.strip()[-300:]}")

    def _start_all(self, containers: list[Container], wait: bool) -> None:
        """Start in order; a postStart hook, and a sidecar's startup, hold the ones behind them."""
        for container in containers:
            while not self._ending.is_set():
                container.start()
                hook = container.spec.get("lifecycle", {}).get("postStart", {}).get("exec")
                if hook:
                    self._run_hook(container, hook["command"], timeout=60)
                if container.running:
                    break
                container.restarts += 1
                self._ending.wait(RETRY_SECONDS)
            while wait and not container.started and not self._ending.is_set():
                container.tick()
                time.sleep(TICK_SECONDS)

    # Its end

    def _tear_down(self) -> None:
        grace = self.pod["metadata"].get("deletionGracePeriodSeconds", 30)
        deadline = time.monotonic() + (0 if self._gone else grace)
        # Native sidecars end after the containers that they serve; an ordinary istio-proxy ends beside them.
        for group in (self._containers, self._sidecars):
            self._end_group(group, deadline)
        if self._on_host:
            network.delete_host_address(self._settings, self.ip)
        else:
            network.delete_namespace(self.context.netns)
        shutil.rmtree(self.context.folder, ignore_errors=True)
        if not self._gone:
            self._delete_from_api()

    def _end_group(self, containers: list[Container], deadline: float) -> None:
        living = [container for container in containers if container.running]
        if living:
            with ThreadPoolExecutor(len(living)) as pool:
                list(pool.map(lambda container: self._pre_stop(container, deadline), living))
        while time.monotonic() < deadline and any(container.running for container in living):
            time.sleep(0.05)
        for container in containers:
            container.kill()

    def _pre_stop(self, container: Container, deadline: float) -> None:
        hook = container.spec.get("lifecycle", {}).get("preStop", {})
        left = max(0.0, deadline - time.monotonic())
        if "sleep" in hook:
            time.sleep(min(left, float(hook["sleep"]["seconds"])))
        elif "exec" in hook:
            self._run_hook(container, hook["exec"]["command"], timeout=left)
        container.terminate()

    def _run_hook(self, container: Container, command: list[str], timeout: float) -> None:
        """Run a hook until it ends, its time has passed, or its container has died."""
        argv = hook_command(self.context, container.spec, command)
        deadline = time.monotonic() + timeout
        with subprocess.Popen(
            argv, cwd=self.context.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as hook:
            while hook.poll() is None and container.running and time.monotonic() < deadline:
                time.sleep(0.05)
            if hook.poll() is None:
                self._logger.warning("hook %s did not end by itself", command)
                hook.kill()

    def _delete_from_api(self) -> None:
        metadata = self.pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        try:
            self._api.request("DELETE", path, options)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    # What it reports

    def _publish(self, reason: str = "") -> None:
        """Patch the pod's status where it differs from what was reported last."""
        at = status.now()
        containers = [container.status() for container in self._containers]
        if reason:
            containers = [status.waiting(c.spec, "CreateContainerError", reason) for c in self._containers]
        sidecars = {container.spec["name"]: container.status() for container in self._sidecars}
        init = [
            sidecars.get(c["name"])
            or (status.completed(c, at) if self._init_done else status.waiting(c, "PodInitializing"))
            for c in self._init
        ]
        ready = self._init_done and all(c.ready for c in [*self._containers, *self._sidecars])
        values = {
            "PodReadyToStartContainers": True,
            "Initialized": self._init_done,
            "ContainersReady": ready,
            "Ready": ready,
        }
        facts = {"conditions": values, "containers": _states(containers), "init": _states(init)}
        if facts == self._published:
            return
        not_ready = {"Ready": "ContainersNotReady", "ContainersReady": "ContainersNotReady"}
        body: Object = {
            "phase": "Running" if self._init_done and not reason else "Pending",
            "hostIP": self._settings.bridge_ip,
            "podIP": self.ip,
            "podIPs": [{"ip": self.ip}],
            "startTime": self.pod.get("status", {}).get("startTime") or at,
            "conditions": status.conditions(self.pod.get("status", {}).get("conditions", []), values, not_ready),
            "containerStatuses": containers,
        }
        if init:
            body["initContainerStatuses"] = init
        metadata = self.pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        try:
            self.pod = self._api.request("PATCH", path, {"status": body}, MERGE_PATCH)
        except ApiError as error:
            if error.status != 404:
                raise
            return
        if self.pod["metadata"].get("deletionTimestamp"):
            self._ending.set()
        self._published = facts


def _states(entries: list[Object]) -> list[tuple[str, bool, bool, int, str]]:
    """What makes one report differ from the next (times do not)."""
    return [(e["name"], e["ready"], e["started"], e["restartCount"], next(iter(e["state"]))) for e in entries]
