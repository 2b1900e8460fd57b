# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One run of a service at a time: a Lease is the lock, and a thread renews it while the process lives."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import PROCESS, SAFE_SUBSET
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import FIELD_MANAGER
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, Writable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import (
    Conflict,
    conditional_put,
    put,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

_KIND = ("coordination.k8s.io/v1", "Lease")
_ATTEMPTS = 5
# Notices a lost lock before the next renewal is due.
_CHECK_SECONDS = 2.0


class LeaseHeld(MeshError):
    """Another process runs a canary of this service."""


def lease_ref(namespace: str, service: str) -> Ref:
    return Ref(*_KIND, namespace, f"canary-{service.partition('.')[0]}")


def holder_of(lease: Object | None) -> str:
    """Empty if the Lease has no holder, or its holder released it."""
    return str((lease or {}).get("spec", {}).get("holderIdentity") or "")


def safe_subset(lease: Object | None) -> str:
    """The subset that gets all traffic if the run's state is unreadable. Empty if the Lease does not name one."""
    return str(((lease or {}).get("metadata", {}).get("annotations") or {}).get(SAFE_SUBSET) or "")


def is_dead(lease: Object, now: float) -> bool:
    """Whether the holder ended without releasing it."""
    process = (lease["metadata"].get("annotations") or {}).get(PROCESS, "")
    place, __, number = process.rpartition("/")
    # If its processes are visible here, there is no need to wait for the Lease to expire. The name of the machine does
    # not prove that: containers share it, and each has its own processes.
    if place and place == _place() and number != _started(number.partition("@")[0]):
        return True
    spec = lease["spec"]
    return now >= _seconds(spec.get("renewTime")) + float(spec.get("leaseDurationSeconds") or 0)


def seconds_left(lease: Object, now: float) -> float:
    spec = lease["spec"]
    return max(0.0, _seconds(spec.get("renewTime")) + float(spec.get("leaseDurationSeconds") or 0) - now)


class Lease:
    """The lock of one service."""

    def __init__(self, cluster: Writable, namespace: str, service: str, holder: str, duration: int) -> None:
        self._cluster, self._ref = cluster, lease_ref(namespace, service)
        self._holder, self._duration = holder, max(1, duration)
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._renewed = 0.0
        # The subset that gets all traffic if the state is unreadable, and the one that the Lease names.
        self._safe = self._noted = ""
        self._failure = ""
        # Another process has the Lease now, and runs the canary.
        self.lost = False
        # Do not release it at the end: after a failure, the run must be visibly orphaned.
        self.keep = False
        # The run is not finished. The released Lease keeps its renewal time, by which Prometheus shows that.
        self.unfinished = False

    @property
    def expired(self) -> str:
        """Why another process may take it. Empty while its last renewal is recent."""
        age = time.monotonic() - self._renewed
        if not self._thread or age < self._duration:
            return ""
        return f"the lock could not be renewed for {age:.0f} s: {self._failure or 'no answer'}"

    def acquire(self) -> str:
        """Take it. Returns the previous holder if it is dead. Raises LeaseHeld if it is alive."""

        def taken(found: Object | None) -> Object:
            now, self._renewed = time.time(), time.monotonic()
            other = holder_of(found)
            if found and other not in ("", self._holder) and not is_dead(found, now):
                raise LeaseHeld(
                    f"{other} runs a canary of this service, and its lock lasts {seconds_left(found, now):.0f} s more. "
                    "Wait for it, or end it with state=aborted."
                )
            return self._held(found)

        try:
            done = conditional_put(self._cluster, self._ref, taken, FIELD_MANAGER, attempts=_ATTEMPTS)
        except Conflict as conflict:
            raise LeaseHeld("another process took the lock at every attempt.") from conflict
        self._thread = threading.Thread(target=self._keep_renewed, daemon=True)
        self._thread.start()
        other = holder_of(done.before)
        return "" if other == self._holder else other

    def release(self) -> None:
        """Release it, so that others can distinguish a normal end from a dead holder."""
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=self._duration)
        if self._thread and not self.lost and not self.keep:
            for __ in range(_ATTEMPTS):
                try:
                    found = self._cluster.get(self._ref)
                    if found and holder_of(found) == self._holder:
                        times = found["spec"] if self.unfinished else {}
                        free = {**found, "spec": {**times, "holderIdentity": ""}}
                        put(self._cluster, self._ref, found, free, FIELD_MANAGER)
                    return
                except ApiFailure:
                    time.sleep(0.2)

    def remember(self, subset: str) -> None:
        """Store on it the subset that gets all traffic if the state is unreadable. Does not wait."""
        if subset != self._safe:
            self._safe = subset
            self._wake.set()

    def _keep_renewed(self) -> None:
        while not self.lost:
            self._wake.wait(min(self._duration / 4, _CHECK_SECONDS))
            self._wake.clear()
            if self._stop.is_set():
                return
            try:
                self._renew()
            # The next attempt may succeed after any failure. ``expired`` reports one that lasts too long.
            except Exception as error:
                self._failure = str(error) or type(error).__name__

    def _renew(self) -> None:
        """A deleted Lease has no other holder, so it is created again. If another process is faster, it has the lock.

        A holder in between has changed the run's state, and the runner notices that by itself.
        """
        begin = time.monotonic()
        found = self._cluster.get(self._ref)
        holder = holder_of(found)
        if holder not in ("", self._holder):
            self.lost = True
            return
        if not holder or self._noted != self._safe or begin - self._renewed >= self._duration / 4:
            # After a conflict, the next check finds the holder.
            body = self._held(found)
            put(self._cluster, self._ref, found, body, FIELD_MANAGER)
            self._renewed, self._noted = begin, safe_subset(body)

    def _held(self, found: Object | None) -> Object:
        """The Lease in our hands, with what belongs to others left as it is."""
        spec = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": self._duration,
            "acquireTime": _stamp(),
            "renewTime": _stamp(),
        }
        safe = self._safe
        notes = {PROCESS: f"{_place()}/{_started(str(os.getpid()))}", **({SAFE_SUBSET: safe} if safe else {})}
        if found is None:
            metadata = {"name": self._ref.name, "namespace": self._ref.namespace, "annotations": notes}
            return {"apiVersion": _KIND[0], "kind": _KIND[1], "metadata": metadata, "spec": spec}
        if holder_of(found) == self._holder:
            spec["acquireTime"] = found["spec"].get("acquireTime") or spec["acquireTime"]
        before = found["metadata"].get("annotations") or {}
        annotations = {**{name: text for name, text in before.items() if name != SAFE_SUBSET}, **notes}
        return {**found, "metadata": {**found["metadata"], "annotations": annotations}, "spec": spec}


class Held:
    """The lock for the length of a with statement."""

    def __init__(self, lease: Lease, log: Callable[[str], None]) -> None:
        self._lease, self._log, self._dead = lease, log, ""

    def __enter__(self) -> Lease:
        self._dead = self._lease.acquire()
        if self._dead:
            self._log(f"{self._dead} is dead: this process takes the run over")
        return self._lease

    def __exit__(self, failure: type[BaseException] | None, *__: Any) -> None:
        # A refused call leaves the run of a dead process orphaned.
        if self._dead and failure:
            self._lease.keep = True
        # A failure in the middle of a run leaves it orphaned: its holder looks dead, and state=reconciled finds it.
        self._lease.release()


def identity(name: str) -> str:
    """A unique name for this process. Containers reuse process numbers and share the name of the machine."""
    return f"{name} (process {os.getpid()}, {uuid.uuid4().hex[:8]})"


def _place() -> str:
    """The boot and the PID namespace whose processes /proc shows. Empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(number: str) -> str:
    """A process number and its start time, since numbers are reused. Empty if there is no such process."""
    try:
        fields = Path(f"/proc/{int(number)}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        # Without /proc, nothing is known about a process, and the Lease's time decides.
        return "" if Path("/proc/self/stat").exists() else number
    return "" if fields[0] == "Z" else f"{number}@{fields[19]}"


def _stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds(stamp: Any) -> float:
    return datetime.fromisoformat(str(stamp).replace("Z", "+00:00")).timestamp() if stamp else 0.0
