"""One running container of a pod: its process, its probes, its restarts."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from ..processes import Processes
from . import status
from .commands import PodContext, command_for
from .probes import Probe

Object = dict[str, Any]
LONGEST_BACKOFF = 10.0


class Container:
    """Starts, watches and ends the process that stands for a container."""

    def __init__(self, context: PodContext, spec: Object, processes: Processes, log: Path) -> None:
        self.context = context
        self.spec = spec
        self.restarts = 0
        self.since = ""
        self._processes = processes
        self._record = f"{context.namespace}_{context.name}_{spec['name']}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0
        self._startup: Probe | None = None
        self._readiness: Probe | None = None
        self._liveness: Probe | None = None

    @property
    def ports(self) -> dict[str, int]:
        """Container ports by name."""
        return {port["name"]: port["containerPort"] for port in self.spec.get("ports", []) if "name" in port}

    def start(self) -> None:
        """Start the process; its probes begin again."""
        command = command_for(self.context, self.spec)
        self._process = self._processes.start(self._record, command.argv, self._log, command.env, command.cwd)
        begun = time.monotonic()
        self.since = status.now()
        self._startup = Probe.of(self.spec.get("startupProbe"), begun)
        self._readiness = Probe.of(self.spec.get("readinessProbe"), begun)
        self._liveness = Probe.of(self.spec.get("livenessProbe"), begun)

    @property
    def session(self) -> int | None:
        """The session of its processes, None where none runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def started(self) -> bool:
        """Running, and past its startup probe."""
        return self.running and (self._startup is None or bool(self._startup.passing))

    @property
    def ready(self) -> bool:
        """Started, and its readiness probe passes."""
        return self.started and (self._readiness is None or bool(self._readiness.passing))

    def tick(self) -> None:
        """Run the probes that are due; restart what has died or is not alive any more."""
        if self._process is None:
            return
        if not self.running:
            self._restart_after_backoff()
            return
        for probe in [self._startup] if not self.started else [self._readiness, self._liveness]:
            if probe:
                probe.run(time.monotonic(), self.context.ip, self.ports)
        for probe in (self._startup, self._liveness):
            if probe and probe.exhausted:
                self.kill()

    def _restart_after_backoff(self) -> None:
        now = time.monotonic()
        if self._not_before == 0.0:
            self._not_before = now + min(LONGEST_BACKOFF, 0.5 * 2**self.restarts)
        if now >= self._not_before:
            self._not_before = 0.0
            self.restarts += 1
            self.start()

    def terminate(self) -> None:
        """Ask the process, and only it, to end: a pilot-agent drains its Envoy first."""
        if self._process is not None and self.running:
            os.kill(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the process and its children at once."""
        if self._process:
            self._processes.stop(self._record, grace=0.0)
            self._process.wait()

    def status(self) -> Object:
        """Its entry in the pod's status."""
        if self._process is None:
            return status.waiting(self.spec, "PodInitializing")
        if not self.running:
            return status.waiting(self.spec, "CrashLoopBackOff", f"exited; restart {self.restarts + 1}") | {
                "restartCount": self.restarts
            }
        return status.running(self.spec, self.since, self.ready, self.started, self.restarts)
