"""Objects that were not made for canaries: three subsets, a route for testers, destinations without a weight."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import TrafficFailure

from ....support.canary_calls import Running, cluster, leave, until
from ....support.canary_cluster import EDGE, SERVICE, FakeCluster, deployment
from .core.test_terms import Good

__all__ = ["cluster"]

TESTERS = {"headers": {"end-user": {"exact": "jason"}}}


def to(*subsets: str) -> list[dict[str, Any]]:
    return [{"destination": {"host": SERVICE, "subset": subset}} for subset in subsets]


@pytest.fixture
def reviews(cluster: FakeCluster) -> FakeCluster:
    """As in Istio's sample of the book shop: v1 for all, v2 for a tester, and v3 is new."""
    cluster.remove("VirtualService", EDGE)
    http = [{"match": [TESTERS], "route": to("v2")}, {"route": to("v1")}]
    cluster.put("VirtualService", {"metadata": {"name": SERVICE}, "spec": {"hosts": [SERVICE], "http": http}})
    subsets = cluster.edit("DestinationRule", SERVICE)["spec"]["subsets"]
    subsets.append({"name": "v3", "labels": {"version": "v3"}})
    cluster.edit("Deployment", f"{SERVICE}-v2")["spec"]["replicas"] = 1
    cluster.put("Deployment", deployment(f"{SERVICE}-v3", "v3", 0, "order-service:0"))
    return cluster


ONE = {"routes": [], "image": "order-service:3", "stable": {"subset": "v1"}, "canary": {"subset": "v3"}}


def routes(cluster: FakeCluster) -> list[dict[str, int | None]]:
    with cluster.lock:
        return [
            {entry["destination"]["subset"]: entry.get("weight") for entry in route["route"]}
            for route in cluster.objects["VirtualService", SERVICE]["spec"]["http"]
        ]


def test_a_testers_route_stays_as_it_is(reviews: FakeCluster) -> None:
    running = Running(reviews, **ONE)
    until(lambda: routes(reviews) == [{"v2": None}, {"v1": 75, "v3": 25}])
    running.cancelled = "enough"
    running.wait()
    assert routes(reviews) == [{"v2": None}, {"v1": 100, "v3": 0}]
    assert reviews.replicas(f"{SERVICE}-v3") == 0


def test_the_version_that_testers_see_is_rolled_out_to_all(
    reviews: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: Good())
    end = Running(reviews, **{**ONE, "canary": {"subset": "v2"}}, step_duration="0s").wait()
    assert end.state and end.state.phase == Phase.SUCCEEDED
    assert routes(reviews) == [{"v2": None}, {"v1": 0, "v2": 100}]
    # The next one takes the slot that is free now.
    end = Running(
        reviews, **{**ONE, "image": "order-service:4", "stable": {"subset": "v2"}, "canary": {"subset": "v1"}}
    ).wait()
    assert routes(reviews) == [{"v2": None}, {"v1": 100, "v2": 0}]


def test_of_a_killed_run_an_abort_rolls_back_the_route_that_it_shifted(reviews: FakeCluster) -> None:
    leave(reviews, lambda: routes(reviews)[1] == {"v1": 75, "v3": 25}, **ONE)
    Running(reviews, "abort", routes=[], state="aborted").wait()
    assert routes(reviews) == [{"v2": None}, {"v1": 100, "v3": 0}]


def test_the_sides_are_found_by_the_route_for_all_and_by_the_image(reviews: FakeCluster) -> None:
    """With three subsets, and a route of testers."""
    with reviews.lock:
        of_v3 = reviews.objects["Deployment", f"{SERVICE}-v3"]["spec"]["template"]["spec"]["containers"][0]
        of_v3["image"] = "reviews-v3:1"
    running = Running(reviews, routes=[], image="reviews-v3:1")
    until(lambda: routes(reviews) == [{"v2": None}, {"v1": 75, "v3": 25}])
    running.cancelled = "enough"
    running.wait()


def test_the_version_of_the_stable_side_is_no_change_whatever_else_there_is(reviews: FakeCluster) -> None:
    result = Running(reviews, routes=[], image="order-service:1").wait()
    assert (result.state, result.changed) == (None, False)


def test_a_side_keeps_the_pods_that_testers_use(reviews: FakeCluster) -> None:
    """A canary of the version that testers see already is rolled back, and they still have it."""
    running = Running(reviews, **{**ONE, "canary": {"subset": "v2"}})
    until(lambda: routes(reviews)[1] == {"v1": 75, "v2": 25})
    running.cancelled = "enough"
    end = running.wait()
    assert end.state and end.state.phase == Phase.FAILED
    assert routes(reviews) == [{"v2": None}, {"v1": 100, "v2": 0}]
    assert reviews.replicas(f"{SERVICE}-v2") == 1


def test_the_previous_version_keeps_the_pods_that_testers_use(
    reviews: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: Good())
    http = [{"match": [TESTERS], "route": to("v3")}, {"route": to("v2")}]
    reviews.edit("VirtualService", SERVICE)["spec"]["http"] = http
    reviews.edit("Deployment", f"{SERVICE}-v3")["spec"]["replicas"] = 2
    end = Running(reviews, routes=[], image="order-service:3", stable={"subset": "v2"}, canary={"subset": "v3"},
                  step_duration="0s").wait()  # fmt: skip
    assert end.state and end.state.phase == Phase.SUCCEEDED
    assert reviews.replicas(f"{SERVICE}-v2") == 0
    back = Running(reviews, "undo", routes=[], state="undone").wait()
    assert back.state and back.state.phase == Phase.SUCCEEDED
    assert routes(reviews) == [{"v3": None}, {"v2": 100, "v3": 0}]
    assert reviews.replicas(f"{SERVICE}-v3") == 2


def test_the_testers_of_another_route_test_the_canary(reviews: FakeCluster) -> None:
    """Their own route would take all of their requests, so that of the run goes in front, and goes again."""
    match = {"headers": {"end-user": {"exact": "jason"}}}
    running = Running(reviews, **ONE, strategy="ab", steps=[], match=match)
    until(lambda: routes(reviews) == [{"v3": None}, {"v2": None}, {"v1": None}])
    running.cancelled = "enough"
    running.wait()
    assert routes(reviews) == [{"v2": None}, {"v1": None}]


def test_a_route_to_all_pods_needs_a_copy(reviews: FakeCluster) -> None:
    reviews.edit("VirtualService", SERVICE)["spec"]["http"] = [{"route": [{"destination": {"host": "elsewhere"}}]}]
    with pytest.raises(CanaryFailure, match=r"no route to a subset of order-service.* set target\.deployment and"):
        Running(reviews, routes=[], image="order-service:3").wait()


def test_a_route_of_the_gateway_api_for_the_same_clients_is_a_rival(reviews: FakeCluster) -> None:
    parent = {"group": "", "kind": "Service", "name": SERVICE}
    reviews.put("HTTPRoute", {"metadata": {"name": "split"}, "spec": {"parentRefs": [parent], "rules": [{}]}})
    with pytest.raises(TrafficFailure, match="HTTPRoute shop/split routes the same host"):
        Running(reviews, **ONE).wait()
    assert not [write for write in reviews.writes if write[1] != "Lease"]
    # An account with rights for VirtualServices alone cannot know.
    reviews.refuse = lambda verb, kind, name: 403 if kind in ("HTTPRoute", "GRPCRoute") else 0
    running = Running(reviews, **ONE)
    until(lambda: routes(reviews)[1] == {"v1": 75, "v3": 25})
    running.cancelled = "enough"
    running.wait()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"canary": {}}, "define the subsets v1, v2, v3 of .* canary's subset is ambiguous: set canary.subset"),
        ({"stable": {"subset": "v3"}, "canary": {"subset": "v2"}}, "stable.subset is v3, but .* elsewhere"),
    ],
)
def test_what_cannot_be_found_is_asked_for(reviews: FakeCluster, given: dict[str, Any], message: str) -> None:
    with pytest.raises(CanaryFailure, match=message):
        Running(reviews, **{**ONE, **given}).wait()
    assert not [write for write in reviews.writes if write[1] != "Lease"]
