# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One run of a service at a time: a Lease is the lock, and a thread keeps it while the process lives."""

from __future__ import annotations

import os
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import PREFIX
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic_shift import FIELD_MANAGER, Cluster

_KIND = ("coordination.k8s.io/v1", "Lease")
_PROCESS = f"{PREFIX}process"
_ATTEMPTS = 5


class LeaseHeld(Exception):
    """Somebody else runs a canary of this service."""


def lease_ref(namespace: str, service: str) -> Ref:
    return Ref(*_KIND, namespace, f"canary-{service.partition('.')[0]}")


def holder_of(lease: Object | None) -> str:
    """Empty where nobody holds it, or has given it back."""
    return str((lease or {}).get("spec", {}).get("holderIdentity") or "")


def is_dead(lease: Object, now: float) -> bool:
    """Whether the holder is gone without having given it back."""
    process = (lease["metadata"].get("annotations") or {}).get(_PROCESS, "")
    host, __, number = process.partition("/")
    # On the same machine there is no need to wait until the time is over.
    if host == socket.gethostname() and number and number != _started(number.partition("@")[0]):
        return True
    spec = lease["spec"]
    return now >= _seconds(spec.get("renewTime")) + float(spec.get("leaseDurationSeconds") or 0)


def seconds_left(lease: Object, now: float) -> float:
    spec = lease["spec"]
    return max(0.0, _seconds(spec.get("renewTime")) + float(spec.get("leaseDurationSeconds") or 0) - now)


class Lease:
    """The lock of one service. ``lost`` says that another process has it now, so nothing may be written any more."""

    def __init__(self, cluster: Cluster, namespace: str, service: str, holder: str, duration: int) -> None:
        self._cluster, self._ref = cluster, lease_ref(namespace, service)
        self._holder, self._duration = holder, duration
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._version = ""
        self.lost = False
        # Not given back at the end: the run is not in good hands then, and everybody is to see that.
        self.keep = False

    def acquire(self) -> str:
        """Take it. Returns whose it was, where that holder is dead. Raises LeaseHeld where it is alive."""
        for __ in range(_ATTEMPTS):
            now = time.time()
            found = self._cluster.get(self._ref)
            other = holder_of(found)
            if found and other not in ("", self._holder) and not is_dead(found, now):
                raise LeaseHeld(
                    f"{other} runs a canary of this service, and its lock lasts {seconds_left(found, now):.0f} s more. "
                    "Wait for it, or end it with canary_abort.yml."
                )
            try:
                self._write(found)
            except ApiFailure as failure:
                if failure.status == 409:
                    continue
                raise
            self._thread = threading.Thread(target=self._renew, daemon=True)
            self._thread.start()
            return "" if other == self._holder else other
        raise LeaseHeld("somebody else took the lock at every attempt.")

    def release(self) -> None:
        """Give it back, so that a later look tells an end from a death."""
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=self._duration)
        if self._thread and not self.lost and not self.keep:
            for __ in range(_ATTEMPTS):
                try:
                    found = self._cluster.get(self._ref)
                    if found and holder_of(found) == self._holder:
                        self._put({**found, "spec": {**found["spec"], "holderIdentity": ""}})
                    return
                except ApiFailure:
                    time.sleep(0.2)

    def _renew(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(self._duration / 4):
            try:
                found = self._cluster.get(self._ref)
                if found is None or found["metadata"]["resourceVersion"] != self._version:
                    self.lost = True
                    return
                self._write(found)
                last = time.monotonic()
            except ApiFailure as failure:
                # Another one may have it from the moment that it has run out.
                if failure.status == 409 or time.monotonic() - last > self._duration:
                    self.lost = True
                    return

    def _write(self, found: Object | None) -> None:
        spec = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": self._duration,
            "acquireTime": _stamp(),
            "renewTime": _stamp(),
        }
        process = f"{socket.gethostname()}/{_started(str(os.getpid()))}"
        if found is None:
            metadata = {"name": self._ref.name, "namespace": self._ref.namespace, "annotations": {_PROCESS: process}}
            body: Object = {"apiVersion": _KIND[0], "kind": _KIND[1], "metadata": metadata, "spec": spec}
            path = self._cluster.path(self._ref._replace(name=""))
            answer = self._cluster.request("post", path, body=body, query=[("fieldManager", FIELD_MANAGER)])
            self._version = answer["metadata"]["resourceVersion"]
            return
        if holder_of(found) == self._holder:
            spec["acquireTime"] = found["spec"].get("acquireTime") or spec["acquireTime"]
        annotations = {**(found["metadata"].get("annotations") or {}), _PROCESS: process}
        self._put({**found, "metadata": {**found["metadata"], "annotations": annotations}, "spec": spec})

    def _put(self, body: Object) -> None:
        query: list[tuple[str, Any]] = [("fieldManager", FIELD_MANAGER)]
        answer = self._cluster.request("put", self._cluster.path(self._ref), body=body, query=query)
        self._version = answer["metadata"]["resourceVersion"]


def identity(name: str) -> str:
    """Who we are, so that no two processes are the same."""
    return f"{name} (process {os.getpid()})"


def _started(number: str) -> str:
    """A process and when it started, since numbers come again; empty where there is no such process."""
    try:
        fields = Path(f"/proc/{int(number)}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        # Without /proc nothing can be said of a process, and the time decides.
        return "" if Path("/proc/self/stat").exists() else number
    return "" if fields[0] == "Z" else f"{number}@{fields[19]}"


def _stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds(stamp: Any) -> float:
    return datetime.fromisoformat(str(stamp).replace("Z", "+00:00")).timestamp() if stamp else 0.0
