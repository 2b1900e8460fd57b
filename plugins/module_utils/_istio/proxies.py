# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether the mesh's proxies run what istiod last sent them, from the answers of istiod's /debug/syncz."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# The type of an ingress or egress gateway.
GATEWAY = "router"
_TYPES = ("cluster", "listener", "route", "endpoint", "extensionconfig")
# What requests are routed by. A route never waits for another team's extension, certificate or listener; but the
# routes of TLS and TCP are a part of their listeners.
_HTTP_ROUTING = ("cluster", "route", "endpoint")
_ROUTING = (*_HTTP_ROUTING, "listener")
# Types of which a proxy names what it watches, with the sync status's word for them. Of the others it gets everything.
_WATCHED_BY_NAME = {
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration": "route",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment": "endpoint",
    "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig": "extensionconfig",
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret": "secret",
}


@dataclass(frozen=True)
class Proxy:
    name: str
    namespace: str
    type: str
    version: str
    # What was sent and not yet accepted.
    stale: tuple[str, ...]
    # What was refused, with the proxy's words.
    rejected: tuple[str, ...]
    # Nonces of the routes that were sent and accepted last; see version_of.
    route_sent: str = ""
    route_acked: str = ""
    # The pod of istiod that it is connected to.
    istiod: str = ""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def full_name(self) -> str:
        """As istiod names it."""
        return f"{self.name}.{self.namespace}"

    @property
    def in_sync(self) -> bool:
        return not self.stale and not self.rejected

    def has_routes(self, protocols: Collection[str]) -> bool:
        """Whether requests of ``http``, ``tls`` or ``tcp`` go where istiod last sent them.

        What was refused was not accepted either, so it is stale, too.
        """
        kinds = _HTTP_ROUTING if set(protocols) == {"http"} else _ROUTING
        return not any(kind in kinds for kind in self.stale)

    def describe(self) -> str:
        faults = [f"has not accepted {', '.join(self.stale)}"] if self.stale else []
        if self.rejected:
            faults.append(f"refused {'; '.join(self.rejected)}")
        return f"{self.full_name} {' and '.join(faults) or 'is in sync'}"


# When istiod made the configuration, and its number. Comparable among the nonces of one istiod.
Version = tuple[str, int]

_RANDOM_NAME = 36


def version_of(nonce: str) -> Version | None:
    """The version of istiod's configuration that was sent with the nonce; None where the nonce is of another form.

    A nonce is ``<time>/<number><UUID>`` (istiod's source, pilot/pkg/xds/discovery.go: NextVersion, nonce).
    """
    return version_of_push(nonce[:-_RANDOM_NAME])


def version_of_push(text: str) -> Version | None:
    """``<time>/<number>`` as a version; None where the text is of another form."""
    made, slash, number = text.rpartition("/")
    return (made, int(number)) if slash and number.isdecimal() else None


def proxies(answers: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[Proxy]:
    """The proxies of all istiods. ``answers``: istiod's pod -> its sync status.

    One that has just moved may be listed by two of them: the better answer counts.
    """
    best: dict[tuple[str, str], Proxy] = {}
    for istiod, answer in answers.items():
        for status in answer:
            proxy = _proxy(status, istiod)
            key = (proxy.namespace, proxy.name)
            if key not in best or proxy.in_sync:
                best[key] = proxy
    return [best[key] for key in sorted(best)]


def may_be_left_over(status: Mapping[str, Any]) -> bool:
    """Whether something was refused that the proxy may not watch any more.

    istiod forgets a refusal when the proxy accepts the next answer of the type. A proxy that no longer watches any gets
    no next one, so the refusal stays for as long as the connection.
    """
    return any(url in _WATCHED_BY_NAME for url in _refused(status))


def without_leftovers(status: Mapping[str, Any], clients: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The status without what was refused once and is not watched any more.

    ``clients`` of istiod's /debug/adsz: {connectionId: <proxy>-<number>, watches: {<type URL>: [name, ...]}}. There may
    be others among them.
    """
    watches = [
        client.get("watches") or {}
        for client in clients
        if str(client.get("connectionId", "")).rpartition("-")[0] == status.get("proxy")
    ]
    gone = {url for url in _refused(status) if url in _WATCHED_BY_NAME and not any(own.get(url) for own in watches)}
    if not watches or not gone:
        return status
    sent = {f"{_WATCHED_BY_NAME[url]}_sent" for url in gone}
    rest = {url: state for url, state in status["resources"].items() if url not in gone}
    return {**{key: value for key, value in status.items() if key not in sent}, "resources": rest}


def _refused(status: Mapping[str, Any]) -> dict[str, str]:
    """Type URL -> the proxy's words."""
    resources: Mapping[str, Any] = status.get("resources") or {}
    return {url: str(state["lastError"]) for url, state in sorted(resources.items()) if state.get("lastError")}


def _proxy(status: Mapping[str, Any], istiod: str) -> Proxy:
    # The id is <pod>.<namespace>; a pod's name may hold dots, a namespace's may not.
    name, _dot, namespace = str(status.get("proxy", "")).rpartition(".")
    return Proxy(
        name=name,
        namespace=namespace,
        type=str(status.get("proxy_type", "")),
        route_sent=str(status.get("route_sent", "")),
        route_acked=str(status.get("route_acked", "")),
        istiod=istiod,
        version=str(status.get("istio_version", "")),
        stale=tuple(
            kind
            for kind in _TYPES
            if status.get(f"{kind}_sent") and status[f"{kind}_sent"] != status.get(f"{kind}_acked")
        ),
        rejected=tuple(f"{url.rpartition('.')[2]}: {words}" for url, words in _refused(status).items()),
    )
