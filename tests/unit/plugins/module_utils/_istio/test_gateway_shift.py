# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A split in a route of the Gateway API that is written to a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio import shift as shifting
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    MatchRoute,
    Mirror,
    Split,
    TrafficFailure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import kind_called, served_ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import (
    shift,
    shift_rights,
    wait_for_status,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import Written
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right

from ....support.canary_cluster import NAMESPACE
from ....support.gateway_cluster import (
    CANARY,
    GATEWAY_API,
    STABLE,
    GatewayCluster,
    accept,
    backend,
    ref,
    route,
    rule,
)

TENTH = Split("", weights={STABLE: 90, CANARY: 10})


def shifted(cluster: GatewayCluster, split: Split = TENTH, kind: str = "HTTPRoute", dry_run: bool = False) -> Written:
    return shift(cluster, ref(kind), split, min_ready=1, dry_run=dry_run)


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
def test_a_split_is_written_once(kind: str) -> None:
    cluster = GatewayCluster(route(kind=kind))
    done = shifted(cluster, kind=kind)
    assert (done.changed, done.attempts, cluster.shares(kind)) == (True, 1, {STABLE: 90, CANARY: 10})
    again = shifted(cluster, kind=kind)
    assert (again.changed, len(cluster.writes)) == (False, 1)


def test_a_dry_run_writes_nothing() -> None:
    cluster = GatewayCluster()
    done = shifted(cluster, dry_run=True)
    assert done.changed
    assert (cluster.writes, cluster.shares()) == ([], {STABLE: 100, CANARY: 0})


def test_another_writers_change_remains() -> None:
    class Busy(GatewayCluster):
        conflicts = 2

        def request(self, method: str, path: str, body: Any = None, query: Any = (), content_type: str = "") -> Any:
            if not query or ("dryRun", "All") in query or not self.conflicts:
                return super().request(method, path, body, query, content_type)
            self.conflicts -= 1
            self.edit("HTTPRoute", "orders")["spec"]["hostnames"] = [f"h{self.conflicts}.example"]
            return super().request(method, path, body, query, content_type)

    cluster = Busy()
    done = shifted(cluster)
    assert (done.attempts, cluster.shares()) == (3, {STABLE: 90, CANARY: 10})
    assert done.after["spec"]["hostnames"] == ["h0.example"]


def test_a_service_that_is_not_there_is_refused() -> None:
    cluster = GatewayCluster()
    cluster.remove("Service", CANARY)
    with pytest.raises(TrafficFailure, match=f"there is no Service {NAMESPACE}/{CANARY}: .* not subsets"):
        shifted(cluster)
    assert cluster.writes == []


def test_a_service_without_pods_is_refused_unless_it_gets_nothing() -> None:
    cluster = GatewayCluster()
    cluster.ready[CANARY] = 0
    with pytest.raises(TrafficFailure, match=f"Service {NAMESPACE}/{CANARY} has 0 ready endpoints, and min_ready asks"):
        shifted(cluster)
    cluster.edit("HTTPRoute", "orders")["spec"]["rules"] = [rule(backend(STABLE, 50), backend(CANARY, 50))]
    shifted(cluster, Split("", weights={STABLE: 100, CANARY: 0}))
    assert cluster.shares() == {STABLE: 100, CANARY: 0}


def test_a_rival_is_refused() -> None:
    cluster = GatewayCluster()
    other = route()
    other["metadata"]["name"] = "other"
    cluster.put("HTTPRoute", other)
    with pytest.raises(TrafficFailure, match=f"{NAMESPACE}/other routes the same host at the same gateway"):
        shifted(cluster)


@pytest.mark.parametrize(
    ("field", "split"),
    [
        ("percent", Split("", mirror=Mirror(CANARY, 20))),
        ("name", Split("", match_routes=[MatchRoute("testers", CANARY, headers={"a": {"exact": "b"}})])),
    ],
)
def test_a_field_that_the_definition_lacks_is_refused_before_anything_is_written(field: str, split: Split) -> None:
    def drop(obj: Object) -> None:
        for each in obj["spec"]["rules"]:
            each.pop(field, None)
            for entry in each.get("filters", []):
                entry["requestMirror"].pop(field, None)

    cluster = GatewayCluster()
    cluster.drops = drop
    with pytest.raises(TrafficFailure, match=r"definition of HTTPRoute lacks a field .* Nothing was changed"):
        shifted(cluster, split)
    assert cluster.writes == []
    cluster.drops = lambda __: None
    assert shifted(cluster, split).changed


def test_rights_follow_the_services_that_are_named() -> None:
    found = shift_rights(ref(), Split("", weights={STABLE: 90, f"spare/{CANARY}": 10}))
    for place in (NAMESPACE, "spare"):
        assert {right for right in found if right.namespace == place and not right.name} == {
            Right("get", "", "services", place),
            Right("list", "discovery.k8s.io", "endpointslices", place),
            Right("list", "", "pods", place),
        }


def test_the_version_is_that_of_the_cluster() -> None:
    cluster = GatewayCluster()
    assert served_ref(kind_called("HTTPRoute"), NAMESPACE, "orders", cluster.resource) == ref()
    cluster.serves = {(f"{GATEWAY_API}/v1alpha2", "TCPRoute")}
    found = served_ref(kind_called("TCPRoute"), NAMESPACE, "orders", cluster.resource)
    assert found.api_version == f"{GATEWAY_API}/v1alpha2"
    with pytest.raises(TrafficFailure, match=r"does not know HTTPRoute in gateway\.\S+/v1: install the Gateway API's"):
        served_ref(kind_called("HTTPRoute"), NAMESPACE, "orders", cluster.resource)


def test_a_virtual_service_is_reached_without_discovery() -> None:
    def refused(*__: str) -> None:
        raise AssertionError("the cluster was queried")

    assert served_ref(kind_called("VirtualService"), NAMESPACE, "x", refused).api_version == "networking.istio.io/v1"


def test_the_status_must_show_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifting, "_STATUS_POLL_SECONDS", 0.01)
    cluster = GatewayCluster()
    cluster.controller = lambda __: None
    shifted(cluster)
    with pytest.raises(TrafficFailure, match=r"is written, but not accepted: .*Accepted is of generation 1, not of 2"):
        wait_for_status(cluster, ref(), 0.05)
    seen: list[int] = []

    def late(verb: str, kind: str, name: str) -> int:
        seen.append(1)
        if len(seen) == 3:
            accept(cluster.objects["HTTPRoute", "orders"])
        return 0

    cluster.refuse = late
    assert wait_for_status(cluster, ref(), 5)
    assert len(seen) > 3


def test_a_virtual_service_has_no_such_status() -> None:
    found = served_ref(kind_called("VirtualService"), NAMESPACE, "order-service", lambda *__: None)
    assert not wait_for_status(GatewayCluster(), found, 0)
