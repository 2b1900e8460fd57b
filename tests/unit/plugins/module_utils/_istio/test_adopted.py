"""Whatever a VirtualService holds: what adoption and shifts change, detaching restores."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.adopted import adopted, detached, is_plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Split, TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService
from hypothesis import given
from hypothesis import strategies as st

from .test_virtual_service_properties import HOST, LONG_HOST, NAMESPACE, PATIENT, ROUTE_FIELDS, foreign_routes

PLAIN = st.fixed_dictionaries({"host": st.sampled_from((HOST, LONG_HOST))}, optional={"port": st.just({"number": 80})})


@st.composite
def plain_routes(draw: st.DrawFn) -> dict[str, Any]:
    """A route to all pods of the service, as most applications have it."""
    stated = draw(st.booleans())
    return {
        **draw(ROUTE_FIELDS),
        "route": [{"destination": draw(PLAIN), **draw(ROUTE_FIELDS), **({"weight": 100} if stated else {})}],
    }


@st.composite
def applications(draw: st.DrawFn) -> VirtualService:
    http = [draw(plain_routes()), *draw(st.lists(foreign_routes(), max_size=2))]
    metadata = {"name": HOST, "namespace": NAMESPACE, **draw(st.sampled_from(({}, {"annotations": {"team": "a"}})))}
    return VirtualService({"metadata": metadata, "spec": {"hosts": [HOST], "http": draw(st.permutations(http))}})


@PATIENT
@given(applications(), st.lists(st.integers(0, 100), max_size=3))
def test_detaching_restores_what_adoption_and_shifts_changed(route: VirtualService, weights: list[int]) -> None:
    before = copy.deepcopy(route.obj)
    there = adopted(route, HOST, "stable")
    assert is_plain(route, HOST) and not is_plain(there, HOST)
    for weight in (*weights, 0):
        split = Split(HOST, weights={"stable": 100 - weight, "canary": weight}, base="stable")
        there = adopted(there.shifted(split), HOST, "stable")
    assert detached(there, HOST, "canary").obj == before
    assert route.obj == before


@PATIENT
@given(applications(), st.integers(1, 100))
def test_nothing_is_detached_while_the_canary_gets_requests(route: VirtualService, weight: int) -> None:
    split = Split(HOST, weights={"stable": 100 - weight, "canary": weight}, base="stable")
    with pytest.raises(TrafficFailure, match="sends requests to canary"):
        detached(adopted(route, HOST, "stable").shifted(split), HOST, "canary")


def test_a_route_that_was_deployed_again_is_adopted_again() -> None:
    """A deployment tool restores the route and leaves annotations that it does not know."""
    to = [{"destination": {"host": HOST}}]
    route = VirtualService({"metadata": {"name": HOST, "namespace": NAMESPACE}, "spec": {"http": [{"route": to}]}})
    there = adopted(route, HOST, "stable")
    again = VirtualService({**there.obj, "spec": route.obj["spec"]})
    assert adopted(again, HOST, "stable").obj == there.obj
