# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What istiod is asked of its proxies, and which of their refusals count."""

from __future__ import annotations

import json
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.http import Answer
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio import istiod as istiod_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import (
    IstiodFailure,
    Istiods,
    Way,
    connected_proxies,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import Proxy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, MeshCluster

WAY = Way("istio-system", "port_forward", "reader")
PREFIX = "type.googleapis.com/envoy."
LISTENER = f"{PREFIX}config.listener.v3.Listener"
ROUTE = f"{PREFIX}config.route.v3.RouteConfiguration"
EXTENSION = f"{PREFIX}config.core.v3.TypedExtensionConfig"
SECRET = f"{PREFIX}extensions.transport_sockets.tls.v3.Secret"


class Istiod:
    """Behind a port-forward. ``refused``: type -> words; ``watches``: proxy -> type -> names, as istiod has them."""

    def __init__(self, refused: dict[str, str], **sync: str) -> None:
        kinds = ("cluster", "listener", "route", "endpoint")
        settled = {f"{kind}_{way}": "n1" for kind in kinds for way in ("sent", "acked")}
        self.status = {
            "proxy": "gateway.istio-system",
            "proxy_type": "router",
            **settled,
            **sync,
            "resources": {url: {"sent": "n2", "lastError": words} for url, words in refused.items()},
        }
        self.watches: dict[str, dict[str, list[str] | None]] = {}
        self.asked: list[str] = []

    def list(self, *_what: str, **_selectors: str) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "istiod-0", "namespace": "istio-system"}, "status": {"phase": "Running"}}]

    def get_through_pod(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        self.asked.append(path)
        parts = urlsplit(path)
        if parts.path == "/debug/syncz":
            return json.dumps([self.status]).encode()
        if parts.path == "/debug/config_dump":
            assert parse_qs(parts.query) == {"types": ["RDS"], "proxyID": ["gateway.istio-system"]}
            return b'{"configs": [{"name": "http.8080"}]}'
        if parts.path == "/debug/sidecarz":
            return b'{"version": "2026-11-30T10:00:02Z/7", "servicesByHostname": {"web.shop.svc.cluster.local": {}}}'
        if parts.path == "/config_dump":
            assert (namespace, pod, port) == ("shop", "web", 15000)
            return b'{"configs": [{"route_config": {"name": "8080"}}, {"warming_state": {}}]}'
        # istiod takes the first connection whose name has the text in it.
        (wanted,) = parse_qs(parts.query)["proxyID"]
        for proxy, watches in self.watches.items():
            if wanted in f"{proxy}-7":
                client = {"connectionId": f"{proxy}-7", "watches": watches}
                return json.dumps({"totalClients": 1, "clients": [client]}).encode()
        raise ApiFailure(404, "Not Found", "Proxy not connected to this Pilot instance")

    def proxy(self) -> Proxy:
        (found,) = connected_proxies(cast(MeshCluster, self), WAY)
        return found


@pytest.mark.parametrize("names", [[], None])
def test_a_refused_certificate_that_is_no_longer_wanted_is_history(names: list[str] | None) -> None:
    istiod = Istiod({SECRET: "no certificate"})
    istiod.watches = {"gateway.istio-system": {LISTENER: [], SECRET: names}}
    assert istiod.proxy().describe() == "gateway.istio-system is in sync"


def test_a_refused_certificate_that_is_still_wanted_counts() -> None:
    istiod = Istiod({SECRET: "no certificate"})
    istiod.watches = {"gateway.istio-system": {SECRET: ["kubernetes://shop-tls"]}}
    assert istiod.proxy().rejected == ("Secret: no certificate",)


def test_an_extension_that_is_gone_is_not_waited_for() -> None:
    istiod = Istiod({EXTENSION: "no such plugin"}, extensionconfig_sent="n2", extensionconfig_acked="n1")
    assert istiod.proxy().stale == ("extensionconfig",)
    istiod.watches = {"gateway.istio-system": {EXTENSION: []}}
    assert istiod.proxy().in_sync


def test_a_proxy_watches_all_listeners_without_naming_any() -> None:
    istiod = Istiod({LISTENER: "bad filter"}, listener_acked="n0")
    istiod.watches = {"gateway.istio-system": {LISTENER: []}}
    assert istiod.proxy().rejected == ("Listener: bad filter",)
    assert istiod.asked == ["/debug/syncz"]


def test_what_another_proxy_watches_proves_nothing() -> None:
    istiod = Istiod({SECRET: "no certificate"})
    istiod.watches = {"other-gateway.istio-system": {SECRET: []}}
    assert istiod.proxy().rejected


def test_a_refusal_counts_where_istiod_does_not_report_what_is_watched() -> None:
    assert Istiod({SECRET: "no certificate"}).proxy().rejected


def test_the_others_refusals_stay_when_one_is_history() -> None:
    istiod = Istiod({LISTENER: "bad filter", ROUTE: "no such cluster", SECRET: "no certificate"}, route_acked="n0")
    istiod.watches = {"gateway.istio-system": {LISTENER: [], ROUTE: ["http.8080"], SECRET: []}}
    proxy = istiod.proxy()
    assert proxy.stale == ("route",)
    assert proxy.rejected == ("Listener: bad filter", "RouteConfiguration: no such cluster")


def test_the_routes_of_a_proxy_come_from_its_own_istiod() -> None:
    istiods = Istiods(cast(MeshCluster, Istiod({})), WAY)
    (proxy,) = istiods.proxies()
    assert proxy.istiod == "istiod-0"
    assert istiods.routes(proxy) == [{"name": "http.8080"}]


def test_a_sidecar_is_queried_itself_so_that_istiod_caches_no_previous_routes() -> None:
    """istiod would make them of the proxy's last configuration and serve them to all others from its cache."""
    istiod = Istiod({})
    istiod.status.update(proxy="web.shop", proxy_type="sidecar")
    istiods = Istiods(cast(MeshCluster, istiod), WAY)
    (proxy,) = istiods.proxies()
    assert istiods.routes(proxy) == [{"name": "8080"}, {}]
    assert istiods.scope(proxy) == (("2026-11-30T10:00:02Z", 7), {"web.shop"})
    assert not [path for path in istiod.asked if path.startswith("/debug/config_dump")]


class Addressed(Istiod):
    """At its pod's address, with the tokens that were asked for."""

    def __init__(self, failure: ApiFailure | None = None) -> None:
        super().__init__({})
        self.minted: list[str] = []
        self.failure = failure

    def request(self, method: str, path: str, body: Any = None) -> Any:
        self.minted.append(path)
        if self.failure:
            raise self.failure
        return {"status": {"token": "t"}}

    def list(self, *what: str, **selectors: str) -> list[dict[str, Any]]:
        # istiod's own account is of no interest.
        (pod,) = super().list(*what, **selectors)
        return [{**pod, "spec": {"serviceAccountName": "istiod"}, "status": {"phase": "Running", "podIP": "127.0.0.1"}}]


def test_b7_no_token_of_istiods_own_account_is_ever_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = []

    def answer(url: str, given: dict[str, str], timeout: float) -> Answer:
        headers.append(given)
        return Answer(200, {}, b"[]")

    monkeypatch.setattr(istiod_module, "http_get", answer)
    istiod = Addressed()
    assert connected_proxies(cast(MeshCluster, istiod), WAY._replace(access="pod_address")) == []
    assert istiod.minted == ["/api/v1/namespaces/istio-system/serviceaccounts/reader/token"]
    assert headers == [{"Authorization": "Bearer t"}]


def test_a_missing_account_is_reported_with_the_remedy() -> None:
    istiod = Addressed(ApiFailure(404, "NotFound", 'serviceaccounts "reader" not found'))
    with pytest.raises(IstiodFailure, match=r"no service account reader in namespace istio-system .* istiod_account"):
        connected_proxies(cast(MeshCluster, istiod), WAY._replace(access="pod_address"))
