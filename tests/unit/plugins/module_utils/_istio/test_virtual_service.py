# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The split of traffic in a VirtualService."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.endpoints import ready_endpoints, subset_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    Affinity,
    MatchRoute,
    Mirror,
    Split,
    TrafficFailure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService

HOST = "order-service"


def destination(subset: str, weight: int | None = None, host: str = HOST) -> dict[str, Any]:
    result: dict[str, Any] = {"destination": {"host": host, "port": {"number": 8001}, "subset": subset}}
    return result if weight is None else {**result, "weight": weight}


def virtual_service(*http: dict[str, Any], **spec: Any) -> dict[str, Any]:
    default = {"name": "primary", "route": [destination("v1", 100), destination("v2", 0)], "timeout": "15s"}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": HOST, "namespace": "shop", "resourceVersion": "7", "annotations": {"keep": "me"}},
        "spec": {"hosts": [HOST], "http": list(http) or [default], "somethingNew": {"a": [1]}, **spec},
    }


def shifted(obj: dict[str, Any], wanted: Split) -> dict[str, Any]:
    return VirtualService(obj).shifted(wanted).obj


def weights(obj: dict[str, Any], wanted: Split) -> dict[str, dict[str, int]]:
    return VirtualService(obj).weights(wanted)


def rivals(obj: dict[str, Any], others: list[dict[str, Any]]) -> list[str]:
    known = {("networking.istio.io/v1", "VirtualService"): others}
    return VirtualService(obj).rivals(lambda *kind: known.get(kind, []))


def split(**options: Any) -> Split:
    return Split(**{"host": HOST, "route": "primary", **options})


def test_only_the_weights_change() -> None:
    before = virtual_service()
    after = shifted(before, split(weights={"v1": 90, "v2": 10}))
    assert weights(after, split()) == {"primary": {"v1": 90, "v2": 10}}
    expected = copy.deepcopy(before)
    expected["spec"]["http"][0]["route"][0]["weight"] = 90
    expected["spec"]["http"][0]["route"][1]["weight"] = 10
    assert after == expected
    assert before == virtual_service(), "the given object is not changed"


def test_a_split_that_is_there_changes_nothing() -> None:
    assert shifted(virtual_service(), split(weights={"v1": 100, "v2": 0})) == virtual_service()


def test_a_missing_weight_means_all_and_stays_missing() -> None:
    lone = virtual_service({"name": "primary", "route": [destination("v1")]})
    assert shifted(lone, split(weights={"v1": 100})) == lone
    assert shifted(lone, split(weights={"v1": 100, "v2": 0})) == lone


def test_a_subset_that_is_new_to_the_route_is_added_beside_the_others() -> None:
    lone = virtual_service({"name": "primary", "route": [destination("v1")]})
    after = shifted(lone, split(weights={"v1": 80, "v2": 20}))
    assert after["spec"]["http"][0]["route"] == [destination("v1", 80), destination("v2", 20)]


def test_destinations_that_are_not_named_keep_their_share() -> None:
    route = {"name": "primary", "route": [destination("v1", 70), destination("v2", 0), destination("legacy", 30)]}
    after = shifted(virtual_service(route), split(weights={"v1": 60, "v2": 10}))
    assert weights(after, split()) == {"primary": {"v1": 60, "v2": 10, "legacy": 30}}


@pytest.mark.parametrize("wrong", [{"v1": 80, "v2": 10}, {"v1": 100, "v2": 10}, {"v2": 50}])
def test_weights_that_do_not_sum_to_100_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(TrafficFailure, match="not 100"):
        shifted(virtual_service(), split(weights=wrong))


def test_all_routes_with_the_subsets_are_meant_where_none_is_named() -> None:
    api = {
        "name": "api",
        "match": [{"uri": {"prefix": "/api"}}],
        "route": [destination("v1", 100), destination("v2", 0)],
    }
    other = {"name": "other", "route": [{"destination": {"host": "frontend", "subset": "v1"}}]}
    tcp = {"route": [destination("v1")]}
    before = virtual_service(api, other, tcp=[tcp])
    after = shifted(before, split(route="", weights={"v1": 50, "v2": 50}))
    assert weights(after, split(route="", weights={"v1": 50})) == {
        "api": {"v1": 50, "v2": 50},
        "tcp[0]": {"v1": 50, "v2": 50},
    }
    assert after["spec"]["http"][1] == other


def test_a_host_is_the_same_under_its_long_name() -> None:
    route = {
        "name": "primary",
        "route": [destination("v1", 100, f"{HOST}.shop.svc.cluster.local"), destination("v2", 0)],
    }
    after = shifted(virtual_service(route), split(weights={"v1": 90, "v2": 10}))
    assert weights(after, split()) == {"primary": {"v1": 90, "v2": 10}}
    with pytest.raises(TrafficFailure, match="has no route 'primary'"):
        shifted(virtual_service(route), split(host=f"{HOST}.elsewhere.svc.cluster.local", weights={"v1": 100}))


def test_a_route_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(TrafficFailure, match=r"has no route 'secondary'. Its routes: primary"):
        shifted(virtual_service(), split(route="secondary", weights={"v1": 100}))


def test_a_mirror_comes_and_goes_without_a_trace() -> None:
    with_mirror = shifted(virtual_service(), split(mirror=Mirror("v2", 20)))
    route = with_mirror["spec"]["http"][0]
    assert route["mirror"] == destination("v2")["destination"]
    assert route["mirrorPercentage"] == {"value": 20}
    assert shifted(with_mirror, split(mirror=Mirror(present=False))) == virtual_service()


def test_match_routes_come_first_keep_their_order_and_go_without_a_trace() -> None:
    testers = MatchRoute("testers", "v2", headers={"x-tester": {"exact": "yes"}})
    beta = MatchRoute("beta", "v2", cookie={"beta": "on"})
    after = shifted(virtual_service(), split(match_routes=[testers, beta]))
    assert [route["name"] for route in after["spec"]["http"]] == ["testers", "beta", "primary"]
    first, second, last = after["spec"]["http"]
    assert first == {
        "name": "testers",
        "match": [{"headers": {"x-tester": {"exact": "yes"}}}],
        "route": [destination("v2")],
        "timeout": "15s",
    }
    assert second["match"] == [{"headers": {"cookie": {"regex": r"^(.*?;\s*)?beta=on(;.*)?$"}}}]
    assert last == virtual_service()["spec"]["http"][0]
    assert shifted(after, split(match_routes=[testers, beta])) == after
    gone = [MatchRoute("testers", present=False), MatchRoute("beta", present=False)]
    assert shifted(after, split(match_routes=gone)) == virtual_service()


def test_a_match_route_narrows_each_match_of_its_route() -> None:
    api = {"name": "primary", "match": [{"uri": {"prefix": "/api"}}, {"port": 80}], "route": [destination("v1")]}
    after = shifted(virtual_service(api), split(match_routes=[MatchRoute("t", "v2", headers={"a": {"exact": "b"}})]))
    assert after["spec"]["http"][0]["match"] == [
        {"uri": {"prefix": "/api"}, "headers": {"a": {"exact": "b"}}},
        {"port": 80, "headers": {"a": {"exact": "b"}}},
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [(MatchRoute("t", "v2"), "it would take all"), (MatchRoute("primary", "v2", cookie={"a": "b"}), "name of its own")],
)
def test_match_routes_that_would_take_everything_are_refused(entry: MatchRoute, message: str) -> None:
    with pytest.raises(TrafficFailure, match=message):
        shifted(virtual_service(), split(match_routes=[entry]))


def test_affinity_sets_a_cookie_matches_it_and_goes_without_a_trace() -> None:
    start = shifted(virtual_service(), split(weights={"v1": 90, "v2": 10}))
    after = shifted(start, split(affinity=Affinity("canary", "v2", 600)))
    sticky, base = after["spec"]["http"]
    assert sticky["name"] == "primary-affinity"
    assert sticky["route"] == [destination("v2")]
    assert base["route"][0] == destination("v1", 90)
    assert base["route"][1]["headers"]["response"]["add"] == {
        "Set-Cookie": "canary=v2; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure"
    }
    assert shifted(after, split(affinity=Affinity("canary", "v2", 600))) == after
    # Moving on does not lose it, and an unnamed route is not confused by the one in front.
    moved = shifted(after, split(route="", weights={"v1": 50, "v2": 50}))
    assert moved["spec"]["http"][0] == sticky
    assert shifted(after, split(affinity=Affinity("canary", present=False))) == start


def test_a_cookie_may_be_for_plain_http_and_for_this_site_only() -> None:
    loose = Affinity("canary", "v2", 600, secure=False, same_site="Strict")
    assert loose.set_cookie("a") == "canary=a; Max-Age=600; Path=/; HttpOnly; SameSite=Strict"


def test_affinity_of_both_sides_goes_without_a_trace_and_leaves_none_of_an_earlier_step() -> None:
    start = shifted(virtual_service(), split(weights={"v1": 90, "v2": 10}))
    found = start
    for moved in ((), (10,), (20, 15)):
        wanted = split(weights={"v1": 90, "v2": 10}, affinity=Affinity("canary", "v2", 600, value="run", moved=moved))
        found = shifted(found, wanted)
        steps = [f"primary-{step}-affinity" for step in (len(moved), *range(len(moved)))]
        assert [route["name"] for route in found["spec"]["http"]] == ["primary-affinity", *steps, "primary"]
        assert shifted(found, wanted) == found
    gone = split(weights={"v1": 90, "v2": 10}, affinity=Affinity("canary", present=False))
    assert shifted(found, gone) == start


def test_backends_are_the_subsets_of_a_service_with_their_routes() -> None:
    route = {"route": [destination("v1", 50), destination("", 30), destination("v9", 20, host="menu-service")]}
    found = VirtualService(virtual_service({"name": "primary", **route}, {"name": "canary-x", **route}, tcp=[route]))
    assert found.backends(HOST) == [(subset, name) for name in ("primary", "canary-x", "") for subset in ("v1", "")]
    assert found.backends(f"{HOST}.shop.svc.cluster.local") == found.backends(HOST)
    assert found.backends("menu-service") == [("v9", "primary"), ("v9", "canary-x"), ("v9", "")]


def test_mirrored_are_the_subsets_that_get_copies() -> None:
    assert VirtualService(virtual_service()).mirrored() == set()
    assert VirtualService(shifted(virtual_service(), split(mirror=Mirror("v2", 20)))).mirrored() == {"v2"}
    without_a_subset = {"name": "primary", "route": [destination("v1")], "mirror": {"host": "audit"}}
    assert VirtualService(virtual_service(without_a_subset)).mirrored() == set()


def test_claims_are_of_host_and_gateway() -> None:
    assert VirtualService(virtual_service()).claims() == {(f"{HOST}.shop.svc.cluster.local", "mesh")}
    edge = virtual_service(hosts=["shop.example"], gateways=["edge", "other/edge", "mesh"])
    assert VirtualService(edge).claims() == {("shop.example", g) for g in ("shop/edge", "other/edge", "mesh")}


def test_a_rival_speaks_for_the_same_host_at_the_same_gateway() -> None:
    own = virtual_service()
    elsewhere = virtual_service(hosts=[f"{HOST}.shop.svc.cluster.local"])
    elsewhere["metadata"] = {"name": "other", "namespace": "ops"}
    at_the_edge = virtual_service(gateways=["edge"])
    at_the_edge["metadata"] = {"name": "edge", "namespace": "shop"}
    assert rivals(own, [own, elsewhere, at_the_edge]) == ["ops/other"]


def test_m17_a_gateway_merges_what_does_not_match_the_same() -> None:
    def at_edge(name: str, *prefixes: str, **spec: Any) -> dict[str, Any]:
        http = [{"match": [{"uri": {"prefix": prefix}, "name": name}], "route": []} for prefix in prefixes]
        return {**virtual_service(*http, gateways=["edge"], **spec), "metadata": {"name": name, "namespace": "shop"}}

    orders, menus, both = at_edge("orders", "/orders"), at_edge("menus", "/menus"), at_edge("both", "/menus", "/orders")
    assert rivals(orders, [orders, menus]) == []
    assert rivals(orders, [orders, menus, both]) == ["shop/both"]
    everything = virtual_service(gateways=["edge"])
    everything["metadata"] = {"name": "everything", "namespace": "shop"}
    assert rivals(everything, [everything, orders]) == []
    assert rivals(everything, [at_edge("other", "/", tls=[{"match": [{"sniHosts": ["a"]}]}])]) == ["shop/other"]


@pytest.mark.parametrize(
    ("namespace", "parent", "counts"),
    [
        ("shop", {"group": "", "kind": "Service", "name": HOST}, True),
        ("ops", {"group": "", "kind": "Service", "name": HOST, "namespace": "shop"}, False),
        ("shop", {"group": "", "kind": "Service", "name": "another"}, False),
        ("shop", {"name": HOST}, False),
    ],
    ids=["of the service's namespace", "for clients elsewhere", "another service", "a Gateway"],
)
def test_a_route_of_the_gateway_api_is_a_rival_for_clients_in_the_mesh(
    namespace: str, parent: dict[str, str], counts: bool
) -> None:
    route = {"metadata": {"name": "split", "namespace": namespace}, "spec": {"parentRefs": [parent], "rules": [{}]}}

    def listed(api_version: str, kind: str) -> list[dict[str, Any]]:
        return [route] if (api_version, kind) == ("gateway.networking.k8s.io/v1", "HTTPRoute") else []

    assert VirtualService(virtual_service()).rivals(listed) == (["HTTPRoute shop/split"] if counts else [])
    assert VirtualService(virtual_service(gateways=["edge"])).rivals(listed) == []


@pytest.mark.parametrize(
    ("exported", "counts"), [(["."], False), (["ops", "qa"], False), (["*"], True), (["shop"], True), ([], True)]
)
def test_m17_what_is_exported_to_others_alone_is_theirs(exported: list[str], counts: bool) -> None:
    other = virtual_service(hosts=[f"{HOST}.shop.svc.cluster.local"], exportTo=exported)
    other["metadata"] = {"name": "other", "namespace": "ops"}
    assert rivals(virtual_service(), [other]) == (["ops/other"] if counts else [])


def test_subsets_come_from_the_rules_of_the_host_first_definition_first() -> None:
    def rule(namespace: str, host: str, **subsets: str) -> dict[str, Any]:
        spec = {"host": host, "subsets": [{"name": n, "labels": {"version": v}} for n, v in subsets.items()]}
        return {"metadata": {"name": "r", "namespace": namespace}, "spec": spec}

    rules = [
        rule("shop", HOST, v1="1"),
        rule("ops", f"{HOST}.shop.svc.cluster.local", v1="x", v2="2"),
        rule("ops", HOST, v3="3"),
    ]
    found = subset_labels(rules, f"{HOST}.shop.svc.cluster.local")
    assert found == {"v1": {"version": "1"}, "v2": {"version": "2"}}


def test_an_endpoint_counts_when_it_is_ready_and_its_pod_stays() -> None:
    def pod(name: str, version: str, **metadata: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, "labels": {"version": version}, **metadata}}

    pods = [pod("a", "v2"), pod("b", "v2"), pod("c", "v1"), pod("d", "v2", deletionTimestamp="now")]
    ready = {"a": True, "b": False, "c": True, "d": True}
    endpoints = [{"conditions": {"ready": state}, "targetRef": {"name": name}} for name, state in ready.items()]
    assert ready_endpoints([{"endpoints": endpoints}, {"endpoints": None}], pods, {"version": "v2"}) == 1
