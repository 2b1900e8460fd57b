# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a route of the Gateway API holds: a shift changes the split and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_route import (
    GatewayRoute,
    GRPCRoute,
    HTTPRoute,
    TCPRoute,
    TLSRoute,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import MatchRoute, Mirror, Split
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMESPACE, STABLE, CANARY = "shop", "orders-v1", "orders-v2"
OWN = (STABLE, CANARY)
# A busy machine is not a failure.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text("abcü-/.: ", max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
# Of today's API and of a future one.
RULE_FIELDS = st.dictionaries(
    st.sampled_from(("timeouts", "retry", "sessionPersistence", "ofTomorrow")), JSON, max_size=4
)
REFERENCE_FIELDS = st.fixed_dictionaries(
    {}, optional={"port": st.integers(1, 65535), "filters": st.lists(JSON, max_size=2), "ofTomorrow": JSON}
)
# As the API server has them, and as a file may.
DEFAULTS = st.sampled_from(({}, {"group": "", "kind": "Service"}, {"kind": "Service"}))
FILTERS = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(("URLRewrite", "CORS", "OfTomorrow")), "x": JSON}), max_size=2
)
MATCHES = st.lists(
    st.fixed_dictionaries({}, optional={"path": st.dictionaries(TEXT, TEXT, max_size=2), "method": JSON}), max_size=2
)


@st.composite
def backends(draw: st.DrawFn, others: int) -> list[dict[str, Any]]:
    """Both Services in any order, and others that have this share between them."""
    first = draw(st.integers(0, 100 - others))
    found = [
        {"name": name, "weight": weight, **draw(DEFAULTS), **draw(REFERENCE_FIELDS)}
        for name, weight in zip(OWN, (first, 100 - others - first), strict=True)
    ]
    if others:
        # Neither another namespace's Service of this name nor another kind is ours.
        foreign = draw(
            st.sampled_from(
                [{"name": "legacy"}, {"name": STABLE, "namespace": "old"}, {"name": CANARY, "kind": "Pool"}]
            )
        )
        found.append({**foreign, "weight": others, **draw(REFERENCE_FIELDS)})
    return draw(st.permutations(found))


@st.composite
def foreign_rules(draw: st.DrawFn) -> dict[str, Any]:
    """A rule that has nothing of ours, perhaps no backend at all."""
    refs = st.lists(
        st.fixed_dictionaries({"name": st.just("frontend")}, optional={"weight": st.integers(0, 9)}), max_size=2
    )
    return {
        **draw(RULE_FIELDS),
        **draw(st.fixed_dictionaries({}, optional={"name": st.just("x"), "backendRefs": refs})),
    }


@st.composite
def routes(draw: st.DrawFn) -> tuple[dict[str, Any], int, int]:
    """A route, the index of the rule with both Services, and what of its 100 is the others'."""
    others = draw(st.sampled_from((0, 0, 10, 100)))
    own = {"name": "main", **draw(RULE_FIELDS), "matches": draw(MATCHES), "backendRefs": draw(backends(others))}
    if filters := draw(FILTERS):
        own["filters"] = filters
    before, after = draw(st.lists(foreign_rules(), max_size=2)), draw(st.lists(foreign_rules(), max_size=2))
    metadata = {
        "name": "orders",
        "namespace": NAMESPACE,
        "annotations": draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        "managedFields": draw(st.lists(JSON, max_size=2)),
    }
    spec = {
        **draw(st.dictionaries(st.sampled_from(("hostnames", "parentRefs", "soon")), JSON)),
        "rules": [*before, own, *after],
    }
    more = draw(st.fixed_dictionaries({}, optional={"status": JSON, "later": JSON}))
    return {"apiVersion": "x/v9", "kind": "X", "metadata": metadata, "spec": spec, **more}, len(before), others


def is_own(backend: dict[str, Any]) -> bool:
    """Found without the code under test."""
    return backend["name"] in OWN and "namespace" not in backend and backend.get("kind", "Service") == "Service"


def without_split(obj: dict[str, Any], index: int) -> dict[str, Any]:
    """All but the weights that the split decides."""
    result = copy.deepcopy(obj)
    for backend in result["spec"]["rules"][index]["backendRefs"]:
        if is_own(backend):
            backend.pop("weight", None)
    return result


def weights_for(canary: int, others: int) -> dict[str, int]:
    share = canary * (100 - others) // 100
    return {STABLE: 100 - others - share, CANARY: share}


@pytest.mark.parametrize("kind", [HTTPRoute, GRPCRoute, TLSRoute, TCPRoute], ids=lambda kind: kind.kind)
@PATIENT
@given(routes(), st.integers(0, 100), st.booleans(), st.booleans())
def test_all_but_the_split_survives(
    kind: type[GatewayRoute], drawn: tuple[dict[str, Any], int, int], canary: int, by_name: bool, by_index: bool
) -> None:
    before, index, others = drawn
    untouched, wanted = copy.deepcopy(before), weights_for(canary, others)
    split = Split("", "main" if by_name else str(index) if by_index else "", wanted)
    after = kind(before).shifted(split)
    assert before == untouched, "the given object is not changed"
    assert without_split(after.obj, index) == without_split(before, index)
    backends = after.obj["spec"]["rules"][index]["backendRefs"]
    assert sum(backend["weight"] for backend in backends) == 100
    assert {backend["name"]: backend["weight"] for backend in backends if is_own(backend)} == wanted
    (read,) = after.weights(split).values()
    assert {name: read[name] for name in OWN} == wanted
    assert after.shifted(split) == after


@PATIENT
@given(routes(), st.integers(0, 100))
def test_shifting_back_gives_the_original(drawn: tuple[dict[str, Any], int, int], canary: int) -> None:
    before, index, others = drawn
    own = {b["name"]: b["weight"] for b in before["spec"]["rules"][index]["backendRefs"] if is_own(b)}
    there = HTTPRoute(before).shifted(Split("", "main", weights_for(canary, others)))
    assert there.shifted(Split("", "main", own)).obj == before


@PATIENT
@given(routes(), st.sampled_from(OWN), st.integers(1, 100))
def test_what_a_shift_adds_goes_without_a_trace(
    drawn: tuple[dict[str, Any], int, int], service: str, share: int
) -> None:
    before, __, __ = drawn
    tester = {"x-tester": {"exact": "yes"}}
    there = Split("", "main", {}, Mirror(service, share), [MatchRoute("testers", service, headers=tester)])
    gone = Split("", "main", {}, Mirror(present=False), [MatchRoute("testers", present=False)])
    added = HTTPRoute(before).shifted(there)
    assert added.shifted(there) == added
    assert added.shifted(gone).obj == before
