"""A split that is written to a cluster where others write, too."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import NETWORKING, Split, TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import shift
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

from ....support.canary_cluster import NAMESPACE, SERVICE, FakeCluster

REF = Ref(NETWORKING, "VirtualService", NAMESPACE, SERVICE)
ALL_TO_V1, HALF = Split(SERVICE, weights={"v1": 100, "v2": 0}), Split(SERVICE, weights={"v1": 50, "v2": 50})


class Busy(FakeCluster):
    """Another writer changes the route between the first ``conflicts`` reads and writes."""

    def __init__(self, conflicts: int, spec: bool) -> None:
        super().__init__()
        self.conflicts, self.spec = conflicts, spec
        self.looks = 0
        self.edit("Deployment", f"{SERVICE}-v2")["spec"]["replicas"] = 2

    def get(self, ref: Ref) -> Object | None:
        found = super().get(ref)
        if ref == REF and self.conflicts:
            self.conflicts -= 1
            route = self.edit("VirtualService", SERVICE)
            route["metadata"]["labels"] = {"touched": str(self.conflicts)}
            if self.spec:
                route["spec"]["http"][0]["timeout"] = f"{self.conflicts}s"
        return found

    def list(self, api_version: str, kind: str, *rest: Any, **more: Any) -> list[Object]:
        self.looks += kind == "DestinationRule"
        return super().list(api_version, kind, *rest, **more)


def test_a_split_is_written() -> None:
    cluster = Busy(0, spec=False)
    done = shift(cluster, REF, HALF, min_ready=1, dry_run=False)
    assert (done.changed, done.attempts, cluster.weights()) == (True, 1, {"v1": 50, "v2": 50})


def test_one_that_is_there_already_is_not() -> None:
    cluster = Busy(0, spec=False)
    done = shift(cluster, REF, ALL_TO_V1, min_ready=1, dry_run=False)
    assert (done.changed, cluster.writes, cluster.looks) == (False, [], 0)


@pytest.mark.parametrize(("spec", "looks"), [(False, 1), (True, 3)], ids=["metadata", "spec"])
def test_another_writers_change_stays(spec: bool, looks: int) -> None:
    cluster = Busy(2, spec)
    done = shift(cluster, REF, HALF, min_ready=1, dry_run=False)
    assert (done.attempts, cluster.weights()) == (3, {"v1": 50, "v2": 50})
    assert done.after["metadata"]["labels"] == {"touched": "0"}
    # Whether the traffic may go there is asked again only where the route itself was changed.
    assert cluster.looks == looks


def test_a_split_without_pods_is_not_written() -> None:
    cluster = Busy(0, spec=False)
    with pytest.raises(TrafficFailure, match="has 2 ready endpoints, and min_ready asks for 3"):
        shift(cluster, REF, HALF, min_ready=3, dry_run=False)
    assert cluster.writes == []


def test_a_route_that_is_not_there_is_named() -> None:
    cluster = Busy(0, spec=False)
    with pytest.raises(TrafficFailure, match=f"there is no VirtualService {NAMESPACE}/other: correct its name"):
        shift(cluster, REF._replace(name="other"), HALF, min_ready=1, dry_run=False)
