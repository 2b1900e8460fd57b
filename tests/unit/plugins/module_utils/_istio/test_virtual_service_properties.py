# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a VirtualService holds: a shift changes the split and nothing else."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    Affinity,
    MatchRoute,
    Mirror,
    Split,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HOST, LONG_HOST, NAMESPACE = "orders", "orders.shop.svc.cluster.local", "shop"
OWN_HOSTS = (HOST, LONG_HOST)
SUBSETS = ("v1", "v2")
PROTOCOLS = ("http", "tls", "tcp")
# A busy machine is not a failure.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text("abcü-/.: ", max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
# Of today's API and of a future one.
ROUTE_FIELDS = st.dictionaries(
    st.sampled_from(("timeout", "retries", "rewrite", "corsPolicy", "fault", "mirrors", "headers", "ofTomorrow")),
    JSON,
    max_size=4,
)
MATCHES = st.lists(st.fixed_dictionaries({}, optional={"uri": JSON, "port": st.integers(1, 9), "x": JSON}), max_size=2)


def is_own(destination: dict[str, Any]) -> bool:
    """Whether the split is about it."""
    target = destination["destination"]
    return target["host"] in OWN_HOSTS and target.get("subset") in SUBSETS


@st.composite
def routes(draw: st.DrawFn, others: int, stated: bool) -> dict[str, Any]:
    """A route with both subsets, and others' destinations that have this share between them."""
    first = draw(st.integers(0, 100 - others))
    shares = list(zip(SUBSETS, (first, 100 - others - first), strict=True))
    destinations = []
    for subset, weight in shares:
        destination = {"host": draw(st.sampled_from(OWN_HOSTS)), "subset": subset, **draw(_port())}
        destinations.append(
            {"destination": destination, **draw(ROUTE_FIELDS), **({"weight": weight} if stated or weight else {})}
        )
    if others:
        # Another host's v1 is not ours, and neither is our own host's third subset.
        foreign = draw(st.sampled_from([("legacy", "v1"), ("legacy", "v2"), ("legacy", None), (HOST, "v0")]))
        destination = {"host": foreign[0], **({"subset": foreign[1]} if foreign[1] else {})}
        destinations.append({"destination": destination, "weight": others, **draw(ROUTE_FIELDS)})
    return {**draw(ROUTE_FIELDS), "match": draw(MATCHES), "route": draw(st.permutations(destinations))}


def _port() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={"port": st.fixed_dictionaries({"number": st.integers(1, 65535)})})


@st.composite
def foreign_routes(draw: st.DrawFn) -> dict[str, Any]:
    """A route that has nothing of ours: to others, or to no host at all."""
    target = st.fixed_dictionaries({"host": st.just("frontend")}, optional={"subset": st.sampled_from(SUBSETS)})
    destinations = draw(st.lists(st.fixed_dictionaries({"destination": target}), max_size=2))
    return {"name": draw(st.sampled_from(("other", "primary-affinity"))), **draw(ROUTE_FIELDS), "route": destinations}


@st.composite
def virtual_services(draw: st.DrawFn, stated: bool = True, http_only: bool = False) -> tuple[dict[str, Any], int]:
    """A VirtualService, and what of each route's 100 belongs to others."""
    others = draw(st.sampled_from((0, 0, 10, 100)))
    spec: dict[str, Any] = {"hosts": [HOST], **draw(st.dictionaries(st.sampled_from(("gateways", "soon")), JSON))}
    for protocol in ("http",) if http_only else PROTOCOLS:
        count = 1 if http_only else draw(st.integers(0 if protocol != "http" else 1, 2))
        found = [draw(routes(others, stated)) for __ in range(count)]
        for number, route in enumerate(found):
            route["name"] = "primary" if number == 0 else draw(st.sampled_from(("primary", "second")))
        spec[protocol] = draw(st.permutations(found + draw(st.lists(foreign_routes(), max_size=2))))
    metadata = {
        "name": "orders",
        "namespace": NAMESPACE,
        "annotations": draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        "labels": draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        "managedFields": draw(st.lists(JSON, max_size=2)),
    }
    found_status = draw(st.fixed_dictionaries({}, optional={"status": JSON, "later": JSON}))
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "X",
        "metadata": metadata,
        "spec": spec,
        **found_status,
    }, others


def places(virtual_service: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The routes that a split is about, found without the code under test."""
    return [
        route
        for protocol in PROTOCOLS
        for route in virtual_service["spec"].get(protocol, [])
        if any(is_own(destination) for destination in route["route"]) and (not name or route["name"] == name)
    ]


def without_split(virtual_service: dict[str, Any], name: str) -> dict[str, Any]:
    """All but the weights that the split decides."""
    result = copy.deepcopy(virtual_service)
    for route in places(result, name):
        for destination in route["route"]:
            if is_own(destination):
                destination.pop("weight", None)
    return result


@PATIENT
@given(virtual_services(stated=False), st.integers(0, 100), st.sampled_from(("", "primary")))
def test_all_but_the_split_survives(drawn: tuple[dict[str, Any], int], share: int, name: str) -> None:
    before, others = drawn
    canary = share * (100 - others) // 100
    untouched = copy.deepcopy(before)
    after = VirtualService(before).shifted(Split(HOST, name, {"v1": 100 - others - canary, "v2": canary})).obj
    assert before == untouched, "the given object is not changed"
    assert without_split(after, name) == without_split(before, name)
    for route in places(after, name):
        own = {d["destination"]["subset"]: d.get("weight", 0) for d in route["route"] if is_own(d)}
        assert own == {"v1": 100 - others - canary, "v2": canary}
        assert sum(destination.get("weight", 0) for destination in route["route"]) == 100


@PATIENT
@given(virtual_services(http_only=True), st.integers(0, 100))
def test_shifting_back_gives_the_original(drawn: tuple[dict[str, Any], int], share: int) -> None:
    before, others = drawn
    split = Split(HOST, "primary")
    (original,) = VirtualService(before).weights(split).values()
    canary = share * (100 - others) // 100
    there = VirtualService(before).shifted(Split(HOST, "primary", {"v1": 100 - others - canary, "v2": canary}))
    (own,) = ({d["destination"]["subset"]: d["weight"] for d in r["route"] if is_own(d)} for r in places(before, ""))
    assert there.shifted(Split(HOST, "primary", own)).obj == before
    assert set(original) >= set(SUBSETS)


@PATIENT
@given(virtual_services(http_only=True), st.sampled_from(SUBSETS), st.integers(1, 100))
def test_what_a_run_adds_goes_without_a_trace(drawn: tuple[dict[str, Any], int], subset: str, share: int) -> None:
    before, __ = drawn
    for route in places(before, ""):
        # A list of mirrors has another owner, and is refused; invalid header maps cannot be extended.
        route.pop("mirrors", None)
        for destination in route["route"]:
            destination.pop("headers", None)
    there = Split(
        HOST,
        "primary",
        mirror=Mirror(subset, share),
        match_routes=[MatchRoute("canary-orders", subset, headers={"x-tester": {"exact": "yes"}})],
        affinity=Affinity("canary", subset),
    )
    gone = Split(
        HOST,
        "primary",
        mirror=Mirror(present=False),
        match_routes=[MatchRoute("canary-orders", present=False)],
        affinity=Affinity("canary", subset, present=False),
    )
    for route in list(before["spec"]["http"]):
        # It is the name of the route that the affinity adds.
        if route["name"] == "primary-affinity":
            before["spec"]["http"].remove(route)
    added = VirtualService(before).shifted(there)
    assert added.shifted(there) == added
    assert added.shifted(gone).obj == before
