"""Calls of module canary on a cluster in memory, and what a test does to that cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import backends, lease, reconcile
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    State,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.reconcile import (
    Reconcilable,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.runner import Result
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService

from .canary_cluster import EDGE, SERVICE, FakeCluster, params

SLOT = f"{SERVICE}-v2"


class NothingYet:
    """A watch whose first measurement is still to come, so a run stays at its step."""

    scrape_interval = None
    measurements: tuple[Any, ...] = ()
    latest: tuple[Any, ...] = ()

    def enter(self, state: State) -> None:
        """Nothing."""

    def observe(self, acknowledged: bool) -> list[Any]:
        return []

    def outcome(self) -> None:
        return None

    def stored(self) -> dict[str, Any]:
        return {}


class Running:
    """A call of the module in a thread."""

    def __init__(self, cluster: FakeCluster, call: str = "progress", **given: Any) -> None:
        self.lines: list[str] = []
        self.cancelled = ""
        self.result: Result | None = None
        self.failure: Exception | None = None
        given = {"image": "order-service:2", **given} if call == "progress" else given
        canary = Reconcilable(cluster, params(**given), self.lines.append, lambda: self.cancelled)
        self._call: Callable[[], Result] = getattr(canary, call)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except Exception as error:
            self.failure = error

    def wait(self, seconds: float = 10) -> Result:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), self.lines
        if self.failure:
            raise self.failure
        assert self.result is not None
        return self.result


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    monkeypatch.setattr(backends, "_SECONDS", 0.1)
    monkeypatch.setattr(lease, "_CHECK_SECONDS", 0.1)
    monkeypatch.setattr(reconcile, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(reconcile, "_LEASE_SECONDS", 0.3)
    return FakeCluster()


@pytest.fixture
def at_25(cluster: FakeCluster) -> Iterator[Running]:
    running = Running(cluster)
    until(lambda: cluster.weights() == {"v1": 75, "v2": 25} == cluster.weights(EDGE))
    yield running
    running.cancelled = "the test has ended"


def until(condition: Callable[[], object], seconds: float = 20) -> float:
    """How long it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, "not in time"
        time.sleep(0.01)
    return time.monotonic() - begin


def leave(cluster: FakeCluster, when: Callable[[], object], **given: Any) -> None:
    """What a process leaves behind that is killed at that moment."""
    running = Running(cluster, **given)
    until(when)
    with cluster.lock:
        left = deepcopy(cluster.objects)
    cluster.refuse = lambda *__: 0
    running.cancelled = "killed"
    running.wait()
    with cluster.lock:
        cluster.objects = left
        notes = cluster.objects["Lease", f"canary-{SERVICE}"]["metadata"]["annotations"]
        process = "canary.service-mesh.corpv3.com/process"
        notes[process] = f"{notes[process].rpartition('/')[0]}/999999999@1"


def leave_at_25(cluster: FakeCluster) -> None:
    leave(cluster, lambda: cluster.weights() == {"v1": 75, "v2": 25} == cluster.weights(EDGE))


def delete_subset(cluster: FakeCluster) -> None:
    del cluster.edit("DestinationRule", SERVICE)["spec"]["subsets"][1]


GONE: dict[str, Callable[[FakeCluster], None]] = {
    "Deployment": lambda cluster: cluster.remove("Deployment", SLOT),
    "DestinationRule": lambda cluster: cluster.remove("DestinationRule", SERVICE),
    "subset": delete_subset,
    "Service": lambda cluster: cluster.remove("Service", SERVICE),
    "secondary VirtualService": lambda cluster: cluster.remove("VirtualService", EDGE),
    "Lease": lambda cluster: cluster.remove("Lease", f"canary-{SERVICE}"),
    "state": FakeCluster.spoil_state,
}


def refusing(status: int) -> Callable[[str, str, str], int]:
    return lambda verb, kind, name: 0 if kind == "VirtualService" and verb != "list" else status
