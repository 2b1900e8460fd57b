# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The split of traffic in routes of the Gateway API."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_route import (
    GatewayRoute,
    GRPCRoute,
    HTTPRoute,
    TCPRoute,
    TLSRoute,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    Affinity,
    MatchRoute,
    Mirror,
    Split,
    TrafficFailure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

from ....support.canary_cluster import NAMESPACE
from ....support.gateway_cluster import CALLED, CANARY, GATEWAY, STABLE, backend, route, rule

TENTH = {STABLE: 90, CANARY: 10}
ANY_PATH = {"path": {"type": "PathPrefix", "value": "/"}}
KINDS = (HTTPRoute, GRPCRoute, TLSRoute, TCPRoute)


def split(weights: dict[str, int] | None = None, rule: str = "", **options: Any) -> Split:
    return Split("", rule, TENTH if weights is None else weights, **options)


def shifted(obj: Object, wanted: Split, kind: type[GatewayRoute] = HTTPRoute) -> Object:
    return kind(obj).shifted(wanted).obj


def refs(obj: Object, index: int = 0) -> dict[str, int | None]:
    return {entry["name"]: entry.get("weight") for entry in obj["spec"]["rules"][index]["backendRefs"]}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_only_the_weights_change(kind: type[GatewayRoute]) -> None:
    before = route(kind=kind.kind, hostnames=["shop.example"])
    after = shifted(before, split(), kind)
    expected = copy.deepcopy(before)
    for entry, weight in zip(expected["spec"]["rules"][0]["backendRefs"], (90, 10), strict=True):
        entry["weight"] = weight
    assert after == expected
    assert before == route(kind=kind.kind, hostnames=["shop.example"]), "the given object is not changed"
    assert kind(after).weights(split()) == {"rules[0]": TENTH}
    assert kind(after).protocols(split()) == {{"TLSRoute": "tls", "TCPRoute": "tcp"}.get(kind.kind, "http")}
    assert shifted(after, split(), kind) == after


@pytest.mark.parametrize("weight", [None, 1, 100])
def test_a_lone_backend_has_all_requests_whatever_its_weight(weight: int | None) -> None:
    lone = route(rule(backend(STABLE, weight)))
    assert HTTPRoute(lone).weights(split()) == {"rules[0]": {STABLE: 100}}
    assert shifted(lone, split({STABLE: 100, CANARY: 0})) == lone
    assert refs(shifted(lone, split())) == TENTH


def test_a_new_backend_gets_the_port_of_one_that_is_there_and_not_its_filters() -> None:
    before = route(rule(backend(STABLE, 1, port=9090, filters=[{"type": "RequestHeaderModifier"}])))
    added = shifted(before, split())["spec"]["rules"][0]["backendRefs"][1]
    assert added == backend(CANARY, 10, port=9090)
    elsewhere = shifted(before, split({STABLE: 90, "spare/orders": 10}))["spec"]["rules"][0]["backendRefs"][1]
    assert elsewhere == backend("orders", 10, port=9090, namespace="spare")


def test_relative_weights_become_percentages_where_all_backends_are_named() -> None:
    assert refs(shifted(route(rule(backend(STABLE, 3), backend(CANARY, 1))), split())) == TENTH
    with pytest.raises(TrafficFailure, match=r"would sum to 101, not 100: .* and 1 for backends that are not named"):
        shifted(route(rule(backend(STABLE, 3), backend(CANARY, 1), backend("legacy", 1))), split())


def test_backends_that_are_not_named_keep_their_share() -> None:
    before = route(rule(backend(STABLE, 60), backend(CANARY, 0), backend("legacy", 40)))
    assert refs(shifted(before, split({STABLE: 50, CANARY: 10}))) == {STABLE: 50, CANARY: 10, "legacy": 40}


def test_a_service_of_another_namespace_is_called_with_it() -> None:
    before = route(rule(backend(STABLE, 100), backend(STABLE, 0, namespace="spare"), backend(CANARY, 0, kind="Pool")))
    after = shifted(before, split({STABLE: 70, f"spare/{STABLE}": 30}))
    assert [entry["weight"] for entry in after["spec"]["rules"][0]["backendRefs"]] == [70, 30, 0]
    assert HTTPRoute(after).weights(split({STABLE: 0})) == {
        "rules[0]": {STABLE: 70, f"spare/{STABLE}": 30, f"Pool {NAMESPACE}/{CANARY}": 0}
    }


def test_the_same_service_on_two_ports_is_refused() -> None:
    before = route(rule(backend(STABLE, 50), backend(STABLE, 50, port=9), backend(CANARY, 0)))
    with pytest.raises(TrafficFailure, match=rf"rule 'rules\[0\]' has {STABLE} twice"):
        shifted(before, split())


SEVERAL = (
    rule(name="read"),
    rule(backend("legacy", 1), name="legacy"),
    rule(backend(STABLE, 1)),
    {"name": "moved", "filters": [{"type": "RequestRedirect"}]},
)


@pytest.mark.parametrize(("chosen", "index"), [("read", 0), ("0", 0), ("2", 2)])
def test_a_rule_is_chosen_by_its_name_or_its_index(chosen: str, index: int) -> None:
    before = route(*copy.deepcopy(SEVERAL))
    after = shifted(before, split(rule=chosen))
    assert refs(after, index) == TENTH
    assert [each for number, each in enumerate(after["spec"]["rules"]) if number != index] == [
        each for number, each in enumerate(before["spec"]["rules"]) if number != index
    ]


def test_a_name_goes_before_an_index() -> None:
    assert refs(shifted(route(rule(backend("legacy", 1)), rule(name="0")), split(rule="0")), 1) == TENTH


def test_without_a_name_the_only_rule_with_both_backends_is_meant() -> None:
    assert refs(shifted(route(*copy.deepcopy(SEVERAL)), split()), 0) == TENTH
    assert refs(shifted(route(rule(backend("legacy", 1)), rule(backend(STABLE, 1))), split()), 1) == TENTH


@pytest.mark.parametrize(
    ("rules", "chosen", "message"),
    [
        (
            (rule(backend(STABLE, 1), name="a"), rule(backend(STABLE, 1))),
            "",
            r"has several rules with orders-v1, orders-v2: set route_ref\.rule .* a \(orders",
        ),
        ((rule(backend("x", 1)), rule(backend("y", 1))), "", r"has no rule with .* rules\[0\] \(x\), rules\[1\] \(y\)"),
        ((rule(name="a"),), "b", r"has no rule 'b'\. Its rules: a \(orders-v1, orders-v2\)"),
        ((rule(),), "1", "has no rule '1'"),
        (({"name": "moved", "filters": []},), "moved", "rule 'moved', has no backends, so there is nothing to split"),
        ((rule(backend("pool", 1, kind="InferencePool")),), "0", "would sum to 200"),
    ],
)
def test_what_does_not_fit_is_refused(rules: tuple[Object, ...], chosen: str, message: str) -> None:
    with pytest.raises(TrafficFailure, match=message):
        shifted(route(*copy.deepcopy(rules)), split(rule=chosen))


def test_without_a_name_every_rule_with_both_backends_is_meant() -> None:
    found = shifted(route(rule(name="a"), rule(backend("legacy", 1)), rule(matches=[ANY_PATH])), split())
    assert [refs(found, index) for index in (0, 2)] == [TENTH, TENTH]
    assert refs(found, 1) == {"legacy": 1}


def test_requests_are_matched_before_one_rule_only() -> None:
    added = MatchRoute("testers", CANARY, headers={"x-tester": {"exact": "yes"}})
    with pytest.raises(TrafficFailure, match="one of 2 rules that split the requests, so match_routes would need"):
        shifted(route(rule(name="a"), rule(name="b")), split(match_routes=[added]))


@pytest.mark.parametrize("kind", [HTTPRoute, GRPCRoute], ids=lambda kind: kind.kind)
@pytest.mark.parametrize(
    ("percentage", "share"),
    [(100, {}), (20, {"percent": 20}), (0.5, {"fraction": {"numerator": 500, "denominator": 100_000}})],
)
def test_a_mirror_comes_and_goes_without_a_trace(
    kind: type[GatewayRoute], percentage: float, share: dict[str, Any]
) -> None:
    before = route(rule(filters=[{"type": "RequestHeaderModifier", "requestHeaderModifier": {}}]), kind=kind.kind)
    there = split({}, mirror=Mirror(CANARY, percentage))
    after = shifted(before, there, kind)
    assert after["spec"]["rules"][0]["filters"][1:] == [
        {"type": "RequestMirror", "requestMirror": {"backendRef": backend(CANARY), **share}}
    ]
    assert kind(after).mirrored() == {CANARY}
    assert shifted(after, there, kind) == after
    assert shifted(after, split({}, mirror=Mirror(present=False)), kind) == before
    plain = shifted(route(), there)
    assert shifted(plain, split({}, mirror=Mirror(present=False))) == route()


def test_several_mirrors_have_another_owner() -> None:
    filters = [{"type": "RequestMirror", "requestMirror": {"backendRef": backend(name)}} for name in ("a", "b")]
    with pytest.raises(TrafficFailure, match="has 2 filters RequestMirror, and this module sets one"):
        shifted(route(rule(filters=filters)), split({}, mirror=Mirror(CANARY)))


def test_a_header_rule_is_narrower_and_goes_without_a_trace() -> None:
    before = route(
        rule(name="main", matches=[{"path": {"type": "Exact", "value": "/a"}}, {}], timeouts={"request": "5s"})
    )
    headers = {"x-tester": {"exact": "yes"}, "x-build": {"prefix": "1.2"}, "x-id": {"regex": "[0-9]+"}}
    testers = MatchRoute("testers", CANARY, headers=headers, cookie={"beta": "on"})
    there = split({}, match_routes=[testers], mirror=Mirror(CANARY))
    after = shifted(before, there)
    added, main = after["spec"]["rules"]
    wanted = [
        {"type": "Exact", "name": "x-tester", "value": "yes"},
        {"type": "RegularExpression", "name": "x-build", "value": r"1\.2.*"},
        {"type": "RegularExpression", "name": "x-id", "value": "[0-9]+"},
        {"type": "RegularExpression", "name": "cookie", "value": r"^(.*?;\s*)?beta=on(;.*)?$"},
    ]
    assert added == {
        "name": "testers",
        "matches": [{"path": {"type": "Exact", "value": "/a"}, "headers": wanted}, {**ANY_PATH, "headers": wanted}],
        "backendRefs": [backend(CANARY, 1)],
        "timeouts": {"request": "5s"},
    }
    assert main["filters"][0]["type"] == "RequestMirror"
    assert shifted(after, there) == after
    assert shifted(after, split(match_routes=[testers])) != after, "the header rule is not taken for the split"
    gone = split({}, match_routes=[MatchRoute("testers", present=False)], mirror=Mirror(present=False))
    assert shifted(after, gone) == before


def test_a_call_of_grpc_has_no_path() -> None:
    testers = MatchRoute("testers", CANARY, headers={"x-tester": {"exact": "yes"}})
    after = shifted(route(kind="GRPCRoute"), split({}, match_routes=[testers]), GRPCRoute)
    header = {"type": "Exact", "name": "x-tester", "value": "yes"}
    assert after["spec"]["rules"][0]["matches"] == [{"headers": [header]}]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (MatchRoute("main", CANARY, headers={"a": {"exact": "b"}}), "needs a name of its own"),
        (MatchRoute("testers", CANARY), "has neither headers nor a cookie"),
        (MatchRoute("testers", CANARY, headers={"X-A": {"exact": "b"}}), "already matches header x-a"),
        (
            MatchRoute("testers", CANARY, headers={"b": {"suffix": "b"}}),
            "header b needs one of exact, prefix and regex",
        ),
        (MatchRoute("testers", CANARY, headers={"b": {}}), "header b needs one of exact"),
    ],
)
def test_header_rules_that_do_not_fit_are_refused(entry: MatchRoute, message: str) -> None:
    before = route(rule(name="main", matches=[{"headers": [{"name": "x-a", "value": "1"}]}]))
    with pytest.raises(TrafficFailure, match=message):
        shifted(before, split({}, "main", match_routes=[entry]))


@pytest.mark.parametrize(
    ("kind", "wanted", "message"),
    [
        (HTTPRoute, split(affinity=Affinity("canary", CANARY)), "session_affinity is not available for HTTPRoute"),
        (TCPRoute, split(mirror=Mirror(CANARY)), "TCPRoute splits connections, so mirror and match_routes"),
        (TLSRoute, split(match_routes=[MatchRoute("a", CANARY)]), "TLSRoute splits connections"),
    ],
)
def test_what_a_kind_does_not_have_is_refused(kind: type[GatewayRoute], wanted: Split, message: str) -> None:
    with pytest.raises(TrafficFailure, match=message):
        shifted(route(kind=kind.kind), wanted, kind)


def test_what_a_kind_does_not_have_may_be_absent() -> None:
    gone = split(
        mirror=Mirror(present=False),
        match_routes=[MatchRoute("testers", present=False)],
        affinity=Affinity("canary", present=False),
    )
    assert refs(shifted(route(kind="TCPRoute"), gone, TCPRoute)) == TENTH


def test_backends_are_those_of_a_services_clients_or_of_rules_that_name_it() -> None:
    pairs = [(STABLE, "main"), (CANARY, "main")]
    at_edge, in_mesh = route(rule(name="main")), route(rule(name="main"), parentRefs=[CALLED])
    assert HTTPRoute(in_mesh).backends("orders") == pairs
    assert HTTPRoute(in_mesh).backends(f"orders.{NAMESPACE}.svc.cluster.local") == pairs
    assert HTTPRoute(in_mesh).backends("orders.other.svc.cluster.local") == []
    assert HTTPRoute(at_edge).backends(STABLE) == pairs


def test_a_route_with_two_backends_is_about_one_service_whatever_its_name_is() -> None:
    two, three = route(rule(name="main"), rule(name="more")), route(rule(name="main"), rule(backend("legacy", 1)))
    assert HTTPRoute(two).backends("orders") == [(name, of) for of in ("main", "more") for name in (STABLE, CANARY)]
    assert HTTPRoute(two).backends("orders.other.svc.cluster.local") == []
    assert HTTPRoute(three).backends("orders") == []


def rivals(own: Object, *others: Object, services: tuple[Object, ...] = ()) -> list[str]:
    known = {"HTTPRoute": [own, *others], "VirtualService": list(services)}
    return HTTPRoute(own).rivals(lambda __, kind: known[kind])


def other(*rules: Object, namespace: str = NAMESPACE, **spec: Any) -> Object:
    found = route(*rules, **spec)
    found["metadata"].update(name="other", namespace=namespace)
    return found


def test_a_rival_has_the_same_parent_host_and_match() -> None:
    own = route(rule(), hostnames=["shop.example"])
    assert rivals(own, other(hostnames=["shop.example"])) == [f"{NAMESPACE}/other"]
    assert rivals(own, other(rule(matches=[ANY_PATH]))) == [f"{NAMESPACE}/other"]
    assert rivals(own, other(namespace="team")) == ["team/other"]
    assert rivals(own, other(hostnames=["blog.example"])) == []
    assert rivals(own, other(rule(matches=[{"path": {"type": "Exact", "value": "/blog"}}]))) == []
    assert rivals(own, other(parentRefs=[{**GATEWAY, "name": "inner"}])) == []
    part = {**GATEWAY, "sectionName": "https"}
    assert rivals(own, other(parentRefs=[part])) == [f"{NAMESPACE}/other"]
    assert rivals(route(parentRefs=[part]), other(parentRefs=[{**part, "sectionName": "http"}])) == []


def test_in_the_mesh_another_namespaces_route_is_for_its_own_clients() -> None:
    own = route(parentRefs=[CALLED])
    assert rivals(own, other(parentRefs=[CALLED])) == [f"{NAMESPACE}/other"]
    assert rivals(own, other(namespace="team", parentRefs=[{**CALLED, "namespace": NAMESPACE}])) == []


def test_a_virtual_service_of_the_parents_host_is_a_rival_in_the_mesh() -> None:
    def virtual_service(**spec: Any) -> Object:
        return {"metadata": {"name": "vs", "namespace": NAMESPACE}, "spec": {"hosts": ["orders"], **spec}}

    own = route(parentRefs=[CALLED])
    assert rivals(own, services=(virtual_service(),)) == [f"{NAMESPACE}/vs"]
    assert rivals(own, services=(virtual_service(gateways=["edge"]),)) == []
    assert rivals(own, services=(virtual_service(exportTo=["team"]),)) == []
    assert rivals(route(), services=(virtual_service(),)) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_rights_are_of_the_kind_its_gateways_and_virtual_services(kind: type[GatewayRoute]) -> None:
    found = {(right.verb, right.resource, right.name) for right in kind.rights(NAMESPACE, "orders")}
    plural = f"{kind.kind.lower()}s"
    assert found == {
        ("get", plural, "orders"),
        ("update", plural, "orders"),
        ("list", plural, ""),
        ("get", "gateways", ""),
        ("list", "virtualservices", ""),
    }


def test_the_path_is_a_pattern_of_names_that_istiod_gives() -> None:
    """The names are those of testdata/mesh.yaml.golden and http.yaml.golden in istiod's source."""
    at_edge, in_mesh = HTTPRoute(route()).sources(), HTTPRoute(route(parentRefs=[CALLED])).sources()
    prefix = "/apis/networking.istio.io/v1/namespaces/any/virtual-service"
    edge = f"{prefix}/istio-ingress~edge~istio-autogenerated-k8s-gateway~default~first.domain.example"
    mesh = f"{prefix}/{NAMESPACE}~orders.{NAMESPACE}.svc.domain.suffix"
    by_port = f"{prefix}/{NAMESPACE}~8080~orders.{NAMESPACE}.svc.domain.suffix"
    for source, fits, does_not in ((at_edge, (edge,), (mesh, by_port)), (in_mesh, (mesh, by_port), (edge,))):
        assert isinstance(source.path, re.Pattern)
        assert all(source.path.search(path) for path in fits)
        assert not any(source.path.search(path) for path in does_not)
    assert not at_edge.for_mesh
    assert in_mesh.for_mesh
    assert HTTPRoute(route(parentRefs=[])).sources().path.search(mesh) is None  # type: ignore[union-attr]
