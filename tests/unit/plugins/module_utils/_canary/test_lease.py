"""What Prometheus sees of a run: its lock has a renewal time from its start to its end, whatever process holds it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import holder_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService

from ....support.canary_calls import NothingYet, Running
from ....support.canary_cluster import SERVICE, FakeCluster

GATE = {"gates": [{"at": "start", "type": "return", "url": "", "timeout": "30m"}]}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    return FakeCluster()


def lock(cluster: FakeCluster) -> dict[str, Any]:
    lease = cluster.objects["Lease", f"canary-{SERVICE}"]
    assert holder_of(lease) == ""
    return dict(lease["spec"])


def test_a_run_that_waits_is_reported_and_one_that_has_ended_is_not(cluster: FakeCluster) -> None:
    Running(cluster, **GATE).wait()
    assert lock(cluster)["renewTime"]
    with pytest.raises(CanaryFailure, match="End it first"):
        Running(cluster, image="order-service:3", **GATE).wait()
    assert lock(cluster)["renewTime"]
    Running(cluster, "abort", drain="0s", **GATE).wait()
    assert "renewTime" not in lock(cluster)


def test_a_call_that_begins_no_run_is_not_reported(cluster: FakeCluster) -> None:
    Running(cluster, image="order-service:1").wait()
    assert "renewTime" not in lock(cluster)
    Running(cluster, **GATE).wait()
    assert lock(cluster)["renewTime"]
