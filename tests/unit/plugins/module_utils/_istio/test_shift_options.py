# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the options of traffic_shift ask for, and which of them contradict each other."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift_options import (
    Asked,
    argument_spec,
    asked,
)


def given(**options: Any) -> Asked:
    """As Ansible hands them over, with the defaults."""
    spec = argument_spec()
    params = {name: option.get("default") for name, option in spec.items()}
    if "route_ref" in options:
        known = {name: option.get("default") for name, option in spec["route_ref"]["options"].items()}
        options["route_ref"] = {**known, **options["route_ref"]}
    return asked({**params, **options})


def test_a_virtual_service_is_named_as_before() -> None:
    found = given(namespace="shop", virtual_service="vs", service="orders", route="primary", weights={"v1": "100"})
    assert (found.kind.kind, found.namespace, found.name) == ("VirtualService", "shop", "vs")
    assert (found.split.host, found.split.route, found.split.weights) == ("orders", "primary", {"v1": 100})


def test_a_virtual_service_may_be_named_as_other_kinds_are() -> None:
    new = given(route_ref={"name": "vs", "namespace": "shop", "rule": "primary"}, service="orders")
    assert new == given(namespace="shop", virtual_service="vs", service="orders", route="primary")


@pytest.mark.parametrize("places", [{"namespace": "shop"}, {}, {"namespace": ""}])
def test_the_namespace_is_set_once(places: dict[str, str]) -> None:
    outer = {} if places.get("namespace") else {"namespace": "shop"}
    found = given(route_ref={"kind": "HTTPRoute", "name": "orders", "rule": "0", **places}, **outer)
    assert (found.kind.kind, found.namespace, found.name, found.split.route) == ("HTTPRoute", "shop", "orders", "0")


def test_a_service_has_one_name() -> None:
    mirror = {"subset": "shop/b", "percentage": 100, "state": "present"}
    found = given(route_ref=REF, weights={"shop/a": 90, "spare/a": 10}, mirror=mirror)
    assert found.split.weights == {"a": 90, "spare/a": 10}
    assert found.split.mirror
    assert found.split.mirror.subset == "b"
    assert given(route_ref=REF, mirror={**mirror, "subset": "", "state": "absent"}).split.mirror


REF = {"kind": "HTTPRoute", "name": "orders", "namespace": "shop"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"namespace": "shop"}, "no route is named: set virtual_service, or route_ref"),
        ({"virtual_service": "vs", "service": "x"}, r"no namespace is set: set namespace, or route_ref\.namespace"),
        ({"route_ref": REF, "virtual_service": "vs"}, r"set route_ref\.name only, and remove virtual_service"),
        ({"route_ref": REF, "route": "primary"}, r"set route_ref\.rule only, and remove route"),
        ({"route_ref": REF, "namespace": "other"}, r"namespace is other and route_ref\.namespace is shop: remove"),
        ({"route_ref": REF, "service": "orders"}, "which HTTPRoute does not have: name the Services in weights, and"),
        ({"namespace": "shop", "virtual_service": "vs"}, "service is not set, .* set the service's name"),
        ({"route_ref": REF, "weights": {"a": 50, "shop/a": 50}}, "name a Service of the route's namespace twice"),
        (
            {"route_ref": REF, "mirror": {"subset": "", "percentage": 1, "state": "present"}},
            r"mirror\.subset names no Service: set the name of one",
        ),
        ({"route_ref": REF, "weights": {"a": "50.5"}}, "weights: a is '50.5': set a whole number"),
    ],
)
def test_contradictions_are_refused_with_a_remedy(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TrafficFailure, match=message):
        given(**options)
