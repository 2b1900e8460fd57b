# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When every proxy has the routes that were written last, and when it only seems so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import IstiodFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.propagation import Propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import (
    Proxy,
    Version,
    proxies,
    version_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.sent_routes import WrittenRoutes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import wait_for_proxies
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure

from ....support.routes_of_proxies import configuration, virtual_service

UUID = "0f7b1c1e-9a55-4d1c-8a53-0d8b6f0a2f11"


def nonce(number: int) -> str:
    return f"2026-11-30T10:00:{number:02}Z/{number}{UUID}"


class Istiod:
    """Proxies by name, with the routes that they have."""

    def __init__(self) -> None:
        self.status: dict[str, dict[str, Any]] = {}
        self.dumps: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.up = True
        # What the account may not read, or what does not answer: name of a proxy -> HTTP status.
        self.failures: dict[str, int] = {}
        self.scopes: dict[str, tuple[int, set[str]]] = {}

    def connect(self, name: str, number: int, canary: int | None, kind: str = "sidecar") -> None:
        self.status[name] = {"proxy": f"{name}.shop", "proxy_type": kind}
        self.dumps[name] = []
        for resource in ("cluster", "endpoint", "route"):
            self.push(name, number, canary, resource)

    def push(self, name: str, number: int, canary: int | None, resource: str = "route", acked: bool = True) -> None:
        self.status[name][f"{resource}_sent"] = nonce(number)
        if acked:
            self.status[name][f"{resource}_acked"] = nonce(number)
        self.dumps[name] = [] if canary is None else [configuration(canary)]

    def proxies(self) -> list[Proxy]:
        if not self.up:
            raise IstiodFailure("refused")
        return proxies({"istiod-0": list(self.status.values())})

    def routes(self, proxy: Proxy) -> Sequence[Mapping[str, Any]]:
        self.asked.append(proxy.name)
        if status := self.failures.get(proxy.name):
            raise ApiFailure(status, "", f"pods/portforward: {status}")
        if proxy.name not in self.dumps:
            raise ApiFailure(404, "Not Found", "not connected")
        return self.dumps[proxy.name]

    def scope(self, proxy: Proxy) -> tuple[Version | None, Collection[str]]:
        number, hosts = self.scopes[proxy.name]
        return version_of(nonce(number)), hosts


class World:
    """A mesh, its VirtualService, and a clock that only the test moves."""

    def __init__(self, canary: int = 5, protocols: Collection[str] = ("http",)) -> None:
        self.now, self.canary, self.istiod = 100.0, canary, Istiod()
        self.protocols = set(protocols)
        self.connected: set[str] = set()
        self.sync = self.watch()

    def watch(self) -> Propagation:
        return Propagation(
            self.istiod,
            lambda: WrittenRoutes([virtual_service(self.canary)]),
            unproven_wait=5,
            protocols=self.protocols,
            clock=lambda: self.now,
            connected=lambda: self.connected,
        )

    def write(self, canary: int) -> None:
        self.canary = canary
        self.sync.written(self.now)

    def after(self, seconds: float) -> bool:
        self.now += seconds
        return self.sync.acknowledged()

    def settle(self) -> None:
        for __ in range(10):
            if self.after(0.5):
                return
        raise AssertionError(self.sync.behind)


@pytest.fixture
def world() -> World:
    world = World()
    world.istiod.connect("web", 1, 5)
    world.settle()
    return world


def test_an_acknowledgement_is_of_this_write(world: World) -> None:
    world.write(10)
    assert not world.after(0.1), "istiod has not pushed yet"
    world.istiod.push("web", 2, 10, acked=False)
    assert not world.after(0.1), "the proxy has not accepted yet"
    world.istiod.push("web", 2, 10)
    assert not world.after(0.1), "istiod may still be sending"
    assert world.after(0.4)
    assert world.sync.seconds == pytest.approx(0.7)


def test_m6_a_push_in_progress_at_the_write_proves_nothing(world: World) -> None:
    """It has a new nonce and the old routes."""
    world.write(10)
    world.istiod.push("web", 2, 5)
    for __ in range(20):
        assert not world.after(0.5)
    assert world.sync.stragglers == "web.shop still has the previous routes"
    world.istiod.push("web", 3, 10)
    assert not world.after(0.5)
    assert world.after(0.5)


def test_m6_an_istiod_that_collects_changes_for_seconds_is_waited_for(world: World) -> None:
    """A second without news proves nothing: with many changes istiod collects them for up to ten."""
    world.write(10)
    assert not any(world.after(0.5) for __ in range(18))


def test_m6_proxies_accept_one_after_the_other_while_endpoints_never_rest() -> None:
    world = World()
    for name in ("web", "cart", "search"):
        world.istiod.connect(name, 1, 5)
    world.settle()
    world.write(10)
    world.istiod.push("web", 2, 10)
    for number in range(3, 12):
        # At each reading another proxy has endpoints in progress.
        busy = ("web", "cart", "search")[number % 3]
        for name in ("web", "cart", "search"):
            world.istiod.push(name, 2, 10)
            world.istiod.push(name, number, 10, "endpoint", acked=name != busy)
        if world.after(0.5):
            break
    assert world.sync.done
    assert world.sync.seconds < 3


def test_m6_a_stranger_that_refuses_its_clusters_holds_up_no_step() -> None:
    world = World()
    world.istiod.connect("web", 1, 5)
    world.istiod.connect("legacy", 1, None)
    world.istiod.push("legacy", 2, None, "cluster", acked=False)
    world.settle()
    world.write(10)
    world.istiod.push("web", 3, 10)
    world.settle()
    assert world.istiod.asked.count("legacy") == 1, "a proxy that is not a client is asked once a run"


def test_m6_a_client_that_refuses_its_routes_is_named(world: World) -> None:
    world.istiod.connect("cart", 1, 5)
    world.write(10)
    world.istiod.push("web", 2, 10)
    world.istiod.push("cart", 2, 10, acked=False)
    url = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    world.istiod.status["cart"]["resources"] = {url: {"lastError": "no such cluster"}}
    assert not any(world.after(0.5) for __ in range(20))
    assert world.sync.stragglers == "cart.shop has not accepted route and refused RouteConfiguration: no such cluster"


def test_one_sidecar_speaks_for_the_others_of_its_istiod() -> None:
    world = World()
    for number in range(200):
        world.istiod.connect(f"web-{number}", 1, 5)
    world.settle()
    world.istiod.asked.clear()
    world.write(10)
    for number in range(200):
        world.istiod.push(f"web-{number}", 2, 10)
    world.settle()
    assert len(world.istiod.asked) == 1
    assert world.sync.proxies == 200


def test_a_gateway_speaks_for_itself(world: World) -> None:
    world.istiod.connect("gateway", 1, 5, kind="router")
    world.write(10)
    world.istiod.push("web", 2, 10)
    world.istiod.push("gateway", 3, 5)
    assert not any(world.after(0.5) for __ in range(10))
    assert world.sync.stragglers == "gateway.shop still has the previous routes"


def test_a_proxy_that_has_left_is_not_waited_for(world: World) -> None:
    world.istiod.connect("cart", 1, 5)
    world.write(10)
    world.istiod.push("web", 2, 10)
    del world.istiod.dumps["cart"]
    assert not world.after(1.5)
    del world.istiod.status["cart"]
    world.settle()


def test_a_rollback_is_not_proven_by_the_routes_before_the_shift() -> None:
    """A proxy that never got 5 % has 0 % still. That does not answer for those that got it."""
    world = World(canary=0)
    for name in ("slow", "web"):
        world.istiod.connect(name, 1, 0)
    world.settle()
    world.write(5)
    world.istiod.push("web", 2, 5)
    world.after(0.5)
    world.write(0)
    for __ in range(20):
        assert not world.after(0.5)
    assert "web.shop still has the previous routes" in world.sync.stragglers
    for name in ("slow", "web"):
        world.istiod.push(name, 3, 0)
    world.settle()


def other_namespace(world: World, name: str, number: int, canary: int, status: int = 403) -> None:
    """A proxy that may not be asked."""
    world.istiod.connect(name, number, canary)
    world.istiod.status[name]["proxy"] = f"{name}.elsewhere"
    world.istiod.failures[name] = status


@pytest.mark.parametrize("status", [403, 503])
def test_one_that_may_not_be_asked_is_covered_by_one_that_may(world: World, status: int) -> None:
    other_namespace(world, "cart", 1, 5, status)
    world.write(10)
    world.istiod.push("web", 2, 10)
    assert not any(world.after(0.5) for __ in range(1))
    world.istiod.push("cart", 2, 10)
    world.settle()
    assert not world.sync.unproven


def test_a_client_that_may_not_be_asked_is_waited_for_until_istiod_has_nothing_left_for_it(world: World) -> None:
    other_namespace(world, "cart", 1, 5)
    world.istiod.scopes["cart"] = (1, {"reviews.shop"})
    world.write(10)
    world.istiod.push("web", 2, 10)
    assert not any(world.after(0.5) for __ in range(30))
    assert world.sync.stragglers == "cart.elsewhere still has the previous routes"
    world.istiod.scopes["cart"] = (2, {"reviews.shop"})
    world.settle()
    assert "cart.elsewhere and perhaps others could not be asked" in world.sync.unproven


def test_a_proxy_that_a_sidecar_resource_keeps_away_is_not_a_client(world: World) -> None:
    other_namespace(world, "cart", 1, 5)
    world.istiod.scopes["cart"] = (1, {"carts.elsewhere"})
    world.write(10)
    world.istiod.push("web", 2, 10)
    world.settle()
    assert not world.sync.unproven


def test_where_no_sidecar_may_be_queried_it_waits_and_reports_so(world: World) -> None:
    world.istiod.failures["web"] = 403
    world.write(10)
    world.istiod.push("web", 2, 10)
    assert not any(world.after(0.5) for __ in range(9))
    world.settle()
    assert "web.shop and perhaps others could not be asked for their routes (pods/portforward: 403)" in (
        world.sync.unproven
    )


@pytest.mark.parametrize(
    ("protocols", "waits"), [({"http"}, False), ({"http", "tcp"}, True), ({"tls"}, True), ((), True)]
)
def test_only_what_is_routed_by_listeners_waits_for_them(protocols: Collection[str], waits: bool) -> None:
    world = World(protocols=protocols)
    world.istiod.connect("web", 1, 5)
    world.istiod.push("web", 2, 5, "listener", acked=False)
    assert any(world.after(0.5) for __ in range(6)) is not waits


def test_no_route_waits_for_another_teams_certificate(world: World) -> None:
    url = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    world.istiod.status["web"]["resources"] = {url: {"lastError": "no certificate"}}
    world.write(10)
    world.istiod.push("web", 2, 10)
    world.settle()


def test_without_istiod_time_must_do() -> None:
    world = World()
    world.istiod.up = False
    assert not world.after(4)
    assert world.after(2)
    assert world.sync.problem == "refused"


def test_an_istiod_that_went_away_is_waited_for(world: World) -> None:
    world.write(10)
    world.istiod.up = False
    assert not world.after(60)
    world.istiod.up = True
    world.istiod.push("web", 2, 10)
    world.settle()


def test_a_proxy_that_is_not_back_after_its_istiod_was_away_is_waited_for(world: World) -> None:
    world.connected = {"shop/web", "shop/late"}
    world.write(10)
    world.istiod.push("web", 2, 10)
    assert not any(world.after(1) for __ in range(5))
    assert world.sync.behind == ["late.shop is not connected to istiod"]
    world.istiod.connect("late", 2, 10)
    world.settle()


def test_an_istiod_that_knows_no_proxy_yet_proves_nothing() -> None:
    world = World()
    world.connected = {"shop/web"}
    assert not any(world.after(1) for __ in range(10))
    assert world.sync.stragglers == "web.shop is not connected to istiod"


def test_the_wait_ends_with_the_name_of_the_straggler() -> None:
    istiod = Istiod()
    istiod.connect("web", 1, 5)
    sync = Propagation(istiod, lambda: WrittenRoutes([virtual_service(10)]), 5, {"http"}, before=istiod.proxies())
    with pytest.raises(TrafficFailure, match=r"not every proxy has the new routes: web\.shop still has"):
        wait_for_proxies(sync, timeout=0)


def test_a_nonce_is_a_version_and_a_random_name() -> None:
    assert version_of(nonce(12)) == ("2026-11-30T10:00:12Z", 12)
    assert version_of("n1") is None
    assert version_of("") is None
