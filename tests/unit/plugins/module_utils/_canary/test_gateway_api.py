"""Whole calls on a route of the Gateway API: the sides are Services, and the state is on the route."""

from __future__ import annotations

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import MIRROR
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State, state_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure, NoRoute
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.overview import observe, services_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.reconcile import reconcile, runs_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.rights import canary_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.route_names import route_names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase, annotation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import kind_called
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

from ....support.canary_calls import SLOT, Running, at_25, cluster, leave, until
from ....support.canary_cluster import EDGE, NAMESPACE, SERVICE, FakeCluster, params
from .core.test_terms import Good

__all__ = ["at_25", "cluster"]

STABLE, CANARY = f"{SERVICE}-blue", f"{SERVICE}-green"
CALLED = {"group": "", "kind": "Service", "name": SERVICE, "port": 80}
ACCEPTED = [{"type": name, "status": "True", "observedGeneration": 1} for name in ("Accepted", "ResolvedRefs")]
KINDS = ["HTTPRoute", "GRPCRoute"]
ONE = {"routes": [], "image": "order-service:2"}


def rule(*names: str) -> Object:
    weights = (100, 0) if len(names) > 1 else (1,)
    pairs = zip(names, weights, strict=True)
    return {"backendRefs": [{"kind": "Service", "name": name, "port": 80, "weight": weight} for name, weight in pairs]}


def route(*rules: Object) -> Object:
    return {
        "metadata": {"name": SERVICE, "generation": 1},
        "spec": {"parentRefs": [CALLED], "rules": list(rules)},
        "status": {"parents": [{"parentRef": CALLED, "conditions": ACCEPTED}]},
    }


class Shop:
    """The cluster of the other tests, with a route of another kind in the place of its VirtualServices."""

    def __init__(self, cluster: FakeCluster, kind: str, *rules: Object) -> None:
        self.cluster, self.kind = cluster, kind
        for name in (SERVICE, EDGE):
            cluster.remove("VirtualService", name)
        cluster.remove("DestinationRule", SERVICE)
        for name, version in ((STABLE, "v1"), (CANARY, "v2")):
            selector = {"app": SERVICE, "version": version}
            cluster.put("Service", {"metadata": {"name": name}, "spec": {"selector": selector}})
        cluster.put(kind, route(*rules or [rule(STABLE, CANARY)]))

    def weights(self, index: int = 0) -> dict[str, int]:
        with self.cluster.lock:
            backends = self.cluster.objects[self.kind, SERVICE]["spec"]["rules"][index]["backendRefs"]
            return {entry["name"]: entry["weight"] for entry in backends}

    def state(self) -> State:
        with self.cluster.lock:
            found = state_of(self.cluster.objects[self.kind, SERVICE], SERVICE)
        assert found is not None
        return found

    def at_25(self) -> bool:
        return self.weights() == {STABLE: 75, CANARY: 25}


@pytest.fixture(params=KINDS)
def shop(cluster: FakeCluster, request: pytest.FixtureRequest) -> Shop:
    return Shop(cluster, request.param)


def test_a_run_shifts_between_services_and_is_found_without_being_told_the_kind(shop: Shop) -> None:
    running = Running(shop.cluster, **ONE)
    until(shop.at_25)
    state = shop.state()
    assert (state.where.kind, state.where.names) == (shop.kind, (SERVICE,))
    assert [(slot.subset, slot.workload) for slot in (state.stable, state.canary)] == [
        (STABLE, SERVICE),
        (CANARY, SLOT),
    ]
    running.cancelled = "Ctrl-C"
    running.wait()
    assert shop.weights() == {STABLE: 100, CANARY: 0}
    assert (shop.state().phase, shop.cluster.replicas(SLOT)) == (Phase.FAILED, 0)


def test_a_split_stays_as_requested(shop: Shop) -> None:
    Running(shop.cluster, **ONE, strategy="split").wait()
    assert shop.at_25() and shop.state().phase == Phase.PAUSED
    observed = observe(shop.cluster, NAMESPACE, SERVICE, shop.state().where, 0)  # type: ignore[arg-type]
    assert {name: slot.ready for name, slot in observed.slots.items()} == {STABLE: 2, CANARY: 1}
    assert [*observed.routes.values()] == [{"rules[0]": {STABLE: 75, CANARY: 25}}]
    assert not observed.edits


def test_a_run_is_promoted_and_undone_and_a_second_one_changes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: Good())
    end = Running(shop.cluster, **ONE, step_duration="0s").wait()
    assert end.state and end.state.phase == Phase.SUCCEEDED
    assert shop.weights() == {STABLE: 0, CANARY: 100}
    assert (shop.cluster.replicas(SERVICE), shop.cluster.replicas(SLOT)) == (0, 2)
    assert not Running(shop.cluster, **ONE).wait().changed
    assert Running(shop.cluster, "undo", routes=[]).wait().changed
    assert shop.weights() == {STABLE: 100, CANARY: 0}


def test_every_rule_with_both_services_is_shifted(cluster: FakeCluster) -> None:
    shop = Shop(cluster, "HTTPRoute", rule(STABLE, CANARY), rule("legacy"), rule(STABLE, CANARY))
    running = Running(cluster, **ONE, canary={"subset": CANARY}, stable={"subset": STABLE})
    until(shop.at_25)
    assert [shop.weights(index) for index in (1, 2)] == [{"legacy": 1}, {STABLE: 75, CANARY: 25}]
    running.cancelled = "enough"
    running.wait()


def test_a_service_that_the_route_does_not_have_yet_is_named(cluster: FakeCluster) -> None:
    shop = Shop(cluster, "HTTPRoute", rule(STABLE))
    with pytest.raises(CanaryFailure, match=f"has the backends {STABLE} for {SERVICE}.* set canary.subset"):
        Running(cluster, **ONE).wait()
    running = Running(cluster, **ONE, canary={"subset": CANARY})
    until(shop.at_25)
    running.cancelled = "enough"
    running.wait()
    assert shop.weights() == {STABLE: 100, CANARY: 0}


def test_of_a_killed_run_an_abort_and_a_reconcile_find_the_route(shop: Shop) -> None:
    leave(shop.cluster, shop.at_25, **ONE)
    assert runs_in(shop.cluster, NAMESPACE, pytest.fail) == {SERVICE: shop.state().where}  # type: ignore[arg-type]
    result = Running(shop.cluster, "abort", routes=[], state="aborted").wait()
    assert result.changed and shop.weights() == {STABLE: 100, CANARY: 0}
    leave(shop.cluster, shop.at_25, **ONE)
    found = reconcile(
        shop.cluster,  # type: ignore[arg-type]
        params(state="reconciled", service="", routes=[]),
        lambda __: None,
        lambda: "",
    )
    assert found[SERVICE].changed and shop.weights() == {STABLE: 100, CANARY: 0}


@pytest.mark.parametrize("kind", ["Service", "Deployment"])
def test_what_is_gone_delays_no_rollback(shop: Shop, kind: str) -> None:
    running = Running(shop.cluster, **ONE)
    until(shop.at_25)
    shop.cluster.remove(kind, CANARY if kind == "Service" else SLOT)
    running.wait()
    assert shop.weights() == {STABLE: 100, CANARY: 0}
    assert "is gone" in shop.state().reason or "has a ready pod" in shop.state().reason


def test_an_unreadable_state_is_replaced_by_force(shop: Shop) -> None:
    leave(shop.cluster, shop.at_25, **ONE)
    notes = shop.cluster.edit(shop.kind, SERVICE)["metadata"]["annotations"]
    notes[annotation(SERVICE)] = '{"format": 99}'
    with pytest.raises(CanaryFailure, match="force=true"):
        Running(shop.cluster, "abort", routes=[], state="aborted").wait()
    Running(shop.cluster, "abort", routes=[], state="aborted", force=True, stable={"subset": STABLE}).wait()
    assert shop.weights() == {STABLE: 100, CANARY: 0}


def test_a_route_that_no_controller_uses_gets_no_run(shop: Shop) -> None:
    shop.cluster.edit(shop.kind, SERVICE)["status"] = {}
    with pytest.raises(TrafficFailure, match=f"{shop.kind} {SERVICE} is not in effect: no controller has reported"):
        Running(shop.cluster, **ONE).wait()
    assert not [write for write in shop.cluster.writes if write[1] != "Lease"]


def test_a_named_route_that_does_not_exist_is_refused_before_anything_is_written(shop: Shop) -> None:
    with pytest.raises(NoRoute, match=f"{shop.kind} .*edge does not exist: correct routes"):
        Running(shop.cluster, **{**ONE, "routes": [SERVICE, EDGE]}).wait()
    assert not [write for write in shop.cluster.writes if write[1] != "Lease"]


def test_what_the_route_has_no_place_for_is_refused_before_anything_is_written(shop: Shop) -> None:
    affinity = {"cookie_name": "v", "max_age": 60, "secure": True, "same_site": "Lax"}
    with pytest.raises(TrafficFailure, match=f"session_affinity is not available for {shop.kind}"):
        Running(shop.cluster, **ONE, session_affinity=affinity).wait()
    assert not [write for write in shop.cluster.writes if write[1] != "Lease"]


def test_copies_are_made_and_end(shop: Shop) -> None:
    running = Running(shop.cluster, **ONE, strategy=MIRROR, mirror_percentage=20)
    until(lambda: "filters" in shop.cluster.objects[shop.kind, SERVICE]["spec"]["rules"][0])
    assert shop.weights() == {STABLE: 100, CANARY: 0}
    running.cancelled = "enough"
    running.wait()
    assert "filters" not in shop.cluster.objects[shop.kind, SERVICE]["spec"]["rules"][0]


def test_an_account_without_rights_to_a_kind_is_told_and_reconciles_the_rest(
    at_25: Running, cluster: FakeCluster
) -> None:
    def refuse(verb: str, kind: str, __: str) -> int:
        return 403 if verb == "list" and kind in KINDS else 0

    cluster.refuse = refuse
    unread: list[str] = []
    assert list(runs_in(cluster, NAMESPACE, unread.append)) == [SERVICE]  # type: ignore[arg-type]
    assert [text.partition(",")[0] for text in unread] == ["canaries of HTTPRoutes and GRPCRoutes are left out"]
    assert list(services_in(cluster, NAMESPACE, unread.append)) == [SERVICE]  # type: ignore[arg-type]


def test_an_api_server_that_cannot_answer_is_never_taken_for_no_route(cluster: FakeCluster) -> None:
    cluster.remove("VirtualService", SERVICE)
    cluster.refuse = lambda verb, kind, __: 503 if (verb, kind) == ("get", "HTTPRoute") else 0
    with pytest.raises(ApiFailure):
        route_names(cluster, NAMESPACE, SERVICE, [])  # type: ignore[arg-type]
    cluster.refuse = lambda verb, kind, __: 403 if kind in KINDS else 0
    assert route_names(cluster, NAMESPACE, SERVICE, []).kind == "VirtualService"  # type: ignore[arg-type]


def test_rights_are_those_of_the_kind() -> None:
    rights = canary_rights(NAMESPACE, kind_called("HTTPRoute"), [SERVICE])
    assert {(right.verb, right.resource) for right in rights if right.name == SERVICE} == {
        ("get", "httproutes"),
        ("update", "httproutes"),
    }
    assert "destinationrules" not in {right.resource for right in rights}
