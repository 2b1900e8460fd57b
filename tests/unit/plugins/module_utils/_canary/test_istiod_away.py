"""istiod away or hanging, one of two, a proxy that refuses its routes: no side that may get requests loses its pods.

tests/soak/test_canary_istiod.py has the same on the lab, with requests.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import RouteNames
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.objects import CanaryObjects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.observe import sidecars
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio import propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

from ....support.canary_calls import SLOT, Running, cluster, leave, until
from ....support.canary_cluster import EDGE, SERVICE, FakeCluster

__all__ = ["cluster"]

PROXIES = {"api-7f.shop": True, "web-1.shop": True}
SHORT = {"wait_timeout": "2s"}


@pytest.fixture(autouse=True)
def quick_pushes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagation, "_QUIET_SECONDS", 0.1)
    monkeypatch.setattr(propagation, "_SENDING_SECONDS", 0.05)


def away(cluster: FakeCluster) -> None:
    cluster.proxies = {}


def hangs(cluster: FakeCluster) -> None:
    cluster.hanging = {"istiod-1": 0.3}


def hangs_for_long(cluster: FakeCluster) -> None:
    cluster.hanging = {"istiod-1": 2.5}


def one_of_two_hangs(cluster: FakeCluster) -> None:
    cluster.istiods = ["istiod-1", "istiod-2"]
    cluster.hanging = {"istiod-2": 0.3}


def a_proxy_refuses(cluster: FakeCluster) -> None:
    cluster.proxies = {**PROXIES, "web-1.shop": False}


# The action, and what it waits for then.
FAULTS: dict[Callable[[FakeCluster], None], str] = {
    away: "there is no pod of istiod",
    hangs: "istiod pod istiod-1 does not say which proxies it serves: Read timed out.",
    hangs_for_long: "istiod does not answer",
    one_of_two_hangs: "istiod pod istiod-2 does not say which proxies it serves: Read timed out.",
    a_proxy_refuses: "web-1.shop has not accepted route",
}
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)


def at_25(cluster: FakeCluster) -> bool:
    """With the proof of it: istiod's silence is a fault from now on."""
    state = cluster.state()
    return cluster.weights() == {"v1": 75, "v2": 25} == cluster.weights(EDGE) and bool(state)


def repaired(cluster: FakeCluster) -> None:
    cluster.proxies, cluster.istiods, cluster.hanging = dict(PROXIES), ["istiod-1"], {}


def reduced(cluster: FakeCluster) -> list[str]:
    """Deployments that were given fewer pods than they needed."""
    return [name for name, least in ((SERVICE, 2), (SLOT, 1)) if cluster.replicas(name) < least]


@pytest.fixture
def running(cluster: FakeCluster) -> Running:
    cluster.proxies = dict(PROXIES)
    running = Running(cluster, **SHORT)
    until(lambda: at_25(cluster) and any("all 2 proxies have the routes" in line for line in running.lines))
    return running


@each_fault
def test_during_a_rollback_the_canary_keeps_its_pods(cluster: FakeCluster, running: Running, fault: object) -> None:
    fault(cluster)  # type: ignore[operator]
    running.cancelled = "the process received SIGTERM"
    result = running.wait()
    assert cluster.weights() == {"v1": 100, "v2": 0}
    assert FAULTS[fault] in result.note  # type: ignore[index]
    assert "state=reconciled completes it" in result.note
    assert reduced(cluster) == []
    repaired(cluster)
    end = Running(cluster, "reconcile").wait().state
    assert end
    assert (end.phase, cluster.replicas(SLOT)) == (Phase.FAILED, 0)


@each_fault
def test_while_it_promotes_both_sides_keep_their_pods(cluster: FakeCluster, running: Running, fault: object) -> None:
    fault(cluster)  # type: ignore[operator]
    promote = Running(cluster, "promote", **SHORT)
    until(lambda: cluster.weights()["v2"] == 100)
    who = FAULTS[fault]  # type: ignore[index]
    until(lambda: any("waiting for proxies: " in line and who in line for line in running.lines))
    state = cluster.state()
    assert state
    assert state.phase == Phase.PROMOTING
    assert reduced(cluster) == []
    repaired(cluster)
    end = promote.wait().state
    assert end
    assert (end.phase, cluster.replicas(SERVICE)) == (Phase.SUCCEEDED, 0)


@each_fault
def test_at_a_step_whose_routes_are_not_everywhere_it_rolls_back(cluster: FakeCluster, fault: object) -> None:
    cluster.proxies = dict(PROXIES)
    leave(cluster, lambda: at_25(cluster) and (state := cluster.state()) and state.proven, **SHORT)
    fault(cluster)  # type: ignore[operator]
    again = Running(cluster, **SHORT)
    result = again.wait()
    state = cluster.state()
    assert state
    assert state.phase == Phase.ROLLING_BACK
    assert cluster.weights() == {"v1": 100, "v2": 0}
    assert "not every proxy has the routes of weight 25 %" in state.reason
    assert FAULTS[fault] in result.note  # type: ignore[index]
    assert reduced(cluster) == []


def test_which_proxies_istiod_must_know(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def pod(name: str, ready: str = "True", **spec: object) -> dict[str, object]:
        conditions = [{"type": "Ready", "status": ready}]
        return {"metadata": {"name": name}, "spec": spec, "status": {"phase": "Running", "conditions": conditions}}

    sidecar = [{"name": "app"}, {"name": "istio-proxy"}]
    pods = [
        pod("web", containers=sidecar),
        pod("native", containers=[{"name": "app"}], initContainers=[{"name": "istio-proxy"}]),
        pod("starting", "False", containers=sidecar),
        pod("job", containers=[{"name": "app"}]),
    ]
    monkeypatch.setattr(cluster, "list", lambda *__, **___: pods)
    objects = CanaryObjects(cluster, "shop", SERVICE, RouteNames("VirtualService", (SERVICE,)))  # type: ignore[arg-type]
    assert sidecars(objects, {"shop"}) == {"shop/web", "shop/native"}
