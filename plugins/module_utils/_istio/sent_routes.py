# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The HTTP routes that a proxy gets or has, compared with the objects that they are made of.

istiod shows them with the names of JSON (virtualHosts), a proxy with those of its protocol (virtual_hosts).

What istiod makes of a VirtualService is in its source, pilot/pkg/networking/core/route/route.go: a route has the name
of the VirtualService's route (and, after a dot, of the match), the VirtualService's path as metadata, and no
destination of weight 0 beside others. The routes of a delegate bear the path of the VirtualService that includes it,
and that one's route name before their own.

A route of the Gateway API becomes a VirtualService that is in no cluster. gateway_route.py describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route, Shares, Sources, shares_of


class Sent(Enum):
    """What a proxy's routes contain of the wanted VirtualServices."""

    # It has no route of them, so it is not a client.
    NONE = "none"
    # All of its routes are as the VirtualServices have them now.
    CURRENT = "current"
    # The same, and it has routes of each VirtualService that is for the whole mesh.
    CURRENT_OF_ALL = "current of all"
    OUTDATED = "outdated"


class WrittenRoutes:
    """The HTTP routes of some objects, as they are written now."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._sources = [each.sources() for each in routes]
        self.namespaces = frozenset(source.namespace for source in self._sources)
        every = (shares for source in self._sources for known in source.shares.values() for shares in known)
        # The services that the routes lead to, as istiod names them but for the cluster's domain.
        self.hosts = frozenset(host for shares in every for _subset, host, _share in shares)

    def compare(self, configurations: Iterable[Mapping[str, Any]]) -> Sent:
        """``configurations``: the proxy's Envoy RouteConfigurations as JSON (virtualHosts, their routes)."""
        found: set[int] = set()
        for route in _routes(configurations):
            for index, source in enumerate(self._sources):
                if _made(source, route):
                    if not _has(source, route):
                        return Sent.OUTDATED
                    found.add(index)
        if not found:
            return Sent.NONE
        everywhere = {index for index, source in enumerate(self._sources) if source.for_mesh}
        return Sent.CURRENT_OF_ALL if everywhere and everywhere <= found else Sent.CURRENT


def _made(source: Sources, route: Mapping[str, Any]) -> bool:
    """Whether istiod made the proxy's route of this object."""
    if source.path:
        return bool(source.path.search(_path(route))) and (source.hosts is None or _leads_there(source.hosts, route))
    return any(_of_delegate(str(route.get("name", "")), name) for name in source.shares)


def _leads_there(hosts: Mapping[str, frozenset[str]], route: Mapping[str, Any]) -> bool:
    """Whether a route with this name has one of these hosts."""
    own = hosts.get(str(route.get("name", "")), frozenset())
    return any(host in own for _subset, host, _share in _sent_shares(route))


def _has(source: Sources, route: Mapping[str, Any]) -> bool:
    """Whether a route with this name has these shares now."""
    name, shares = str(route.get("name", "")), _sent_shares(route)
    return any(
        shares in known
        for own, known in source.shares.items()
        if (_of_delegate(name, own) if not source.path else name == own or name.startswith(f"{own}."))
    )


def _sent_shares(route: Mapping[str, Any]) -> Shares:
    action: Mapping[str, Any] = route.get("route") or {}
    clusters = _either(action, "weightedClusters", "weighted_clusters").get("clusters")
    if clusters is None:
        clusters = [{"name": action["cluster"], "weight": 100}] if "cluster" in action else []
    return shares_of((*_subset_and_host(str(each["name"])), int(each.get("weight", 0))) for each in clusters)


def _subset_and_host(cluster: str) -> tuple[str, str]:
    """Of outbound|port|subset|host."""
    parts = cluster.split("|")
    return (parts[2], parts[3]) if len(parts) == 4 else ("", cluster)


def _routes(configurations: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for configuration in configurations:
        for host in _either(configuration, "virtualHosts", "virtual_hosts") or ():
            for route in host.get("routes") or ():
                if route.get("route"):
                    yield route


def _either(message: Mapping[str, Any], of_istiod: str, of_proxy: str) -> Any:
    return message.get(of_istiod) or message.get(of_proxy) or {}


def _path(route: Mapping[str, Any]) -> str:
    metadata = _either(route.get("metadata") or {}, "filterMetadata", "filter_metadata")
    return str((metadata.get("istio") or {}).get("config", ""))


def _of_delegate(sent: str, own: str) -> bool:
    """Whether a route that is sent may be this one of a delegate: <name of the including route>-<own name>."""
    name = sent.partition(".")[0]
    return bool(own) and (name == own or name.endswith(f"-{own}"))
