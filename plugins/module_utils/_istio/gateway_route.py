# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The split of traffic in a route of the Gateway API. An edit returns a new object and leaves the rest of it alone.

Written against gateway.networking.k8s.io/v1. The subsets of a split are Services here, and its route is the name or the
index of a rule. What has no place in these kinds is refused: session affinity, and copies or matches of connections.

istiod makes VirtualServices of these routes that are in no cluster. Its source, pilot/pkg/config/kube/gateway
(conversion.go: convertHTTPRoute, convertGRPCRoute; route_collections.go: mergeHTTPRoutes) of Istio 1.30 and 1.31: a
route has the name of the rule, or <namespace>.<name>.<index> where that has none; backends of weight 0 are left out;
and rules of all routes for one host at one parent are in one VirtualService.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_parents import (
    GATEWAY_API,
    Parent,
    parents_of,
    unaccepted,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_rules import (
    ANY_PATH,
    Entry,
    Rules,
    backends_of,
    is_service,
    label,
    mirrored_by,
    set_match_route,
    set_mirror,
    set_weights,
    weight_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    Destinations,
    RouteObject,
    Shares,
    Sources,
    Split,
    TrafficFailure,
    full_host,
    shares_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import MESH, VirtualService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right

_PAIR = 2
_STABLE, _TRIAL = f"{GATEWAY_API}/v1", f"{GATEWAY_API}/v1alpha2"


@dataclass(frozen=True)
class GatewayRoute(RouteObject):
    """A Route. What is the same for every kind of the Gateway API.

    plural: as rights name the kind. protocol: as proxies know it. matches_requests: whether rules can match headers and
    mirror. matches_paths: whether the API server adds a path to each match.
    """

    api_version: ClassVar[str] = _STABLE
    versions: ClassVar[tuple[str, ...]] = (_STABLE,)
    by_service: ClassVar[bool] = True
    plural: ClassVar[str]
    protocol: ClassVar[str] = "http"
    matches_requests: ClassVar[bool] = True
    matches_paths: ClassVar[bool] = False

    @classmethod
    def rights(cls, namespace: str, name: str) -> list[Right]:
        own = [Right(verb, GATEWAY_API, cls.plural, namespace, name) for verb in ("get", "update")]
        # Gateways may be in any namespace, and so may a VirtualService that claims the same host.
        return [
            *own,
            Right("list", GATEWAY_API, cls.plural),
            Right("get", GATEWAY_API, "gateways"),
            *(right for right in VirtualService.rights(namespace, name) if right.verb == "list"),
        ]

    def shifted(self, split: Split) -> Self:
        self._refuse_unknown(split)
        known = self._rules
        places = known.places_to_shift(split)
        result = copy.deepcopy(self.obj)
        rules: list[Entry] = result["spec"]["rules"]
        bases = [(rules[place], f"{self.title}, rule '{known.named(place)}'") for place in places]
        for base, title in bases:
            if not backends_of(base):
                raise TrafficFailure(f"{title}, has no backends, so there is nothing to split: name another rule.")
            set_weights(title, self.namespace, base, split)
            if split.mirror and self.matches_requests:
                set_mirror(title, self.namespace, base, split, split.mirror)
        if self.matches_requests:
            self._set_match_routes(known, rules, bases, split)
        return type(self)(result)

    def _set_match_routes(
        self, known: Rules, rules: list[Entry], bases: Sequence[tuple[Entry, str]], split: Split
    ) -> None:
        base, title = bases[0]
        if len(bases) > 1 and any(entry.present for entry in split.match_routes):
            raise TrafficFailure(
                f"{title} is one of {len(bases)} rules that split the requests, so match_routes would need a rule "
                "before each of them: name one rule, or split by weights."
            )
        for entry in split.match_routes:
            set_match_route(known, rules, base, split, entry, self.matches_paths)

    def weights(self, split: Split) -> dict[str, dict[str, int]]:
        rules = self._rules
        return {
            rules.named(index): {
                label(backend, self.namespace): weight_of(backend, rules.entries[index])
                for backend in backends_of(rules.entries[index])
            }
            for index in rules.places(split)
        }

    def for_some(self, split: Split) -> set[str]:
        rules = self._rules
        return {rules.named(index) for index in rules.places(split) if rules.is_for_some(index)}

    def protocols(self, split: Split) -> set[str]:
        return {self.protocol} if self._rules.places(split) else set()

    def backends(self, service: str) -> list[tuple[str, str]]:
        """A service's backends are those of its clients in the mesh, and those of rules that name the service.

        A route whose rules have no more than two backends is about one service, whatever its name is.
        """
        parts = full_host(service, self.namespace).split(".")
        called = any(parent.in_mesh and [parent.name, parent.namespace] == parts[:2] for parent in self._parents)
        name = parts[0] if parts[1] == self.namespace else f"{parts[1]}/{parts[0]}"
        rules = self._rules
        about = [rule for rule in rules.entries if called or name in rules.labels(rule)]
        if not about and parts[1] == self.namespace and self._has_one_pair:
            about = [*rules.entries]
        return [(found, str(rule.get("name", ""))) for rule in about for found in rules.labels(rule)]

    def mirrored(self) -> set[str]:
        return {name for rule in self._rules.entries for name in mirrored_by(rule, self.namespace)}

    def destinations_of(self, service: str) -> Destinations:
        """Every backend that is a Service of the route's namespace may be one of the service's."""
        return Destinations(
            lambda obj: (backends_of(rule) for rule in obj["spec"].get("rules") or [] if backends_of(rule)),
            lambda backend: label(backend, self.namespace) if is_service(backend) else None,
            lambda backend, name: backend.update(name=name),
            service.partition(".")[0],
        )

    def rivals(self, listed: Callable[[str, str], Iterable[Object]]) -> list[str]:
        """Routes of this kind with the same parent, host and match: the oldest of them counts.

        And VirtualServices that route a parent's host in the mesh. A route of another namespace for clients in the mesh
        is for the clients there alone, as its owner wants it.
        """
        own = str(self.obj.get("apiVersion") or self.api_version)
        others = map(type(self), listed(own, self.kind))
        found = {
            f"{other.namespace}/{other.name}"
            for other in others
            if (other.namespace, other.name) != (self.namespace, self.name) and self._conflicts(other)
        }
        called = {f"{each.name}.{each.namespace}.svc.cluster.local" for each in self._parents if each.in_mesh}
        if called:
            known = map(VirtualService, listed(VirtualService.api_version, VirtualService.kind))
            found |= {
                f"{each.namespace}/{each.name}"
                for each in known
                if each.is_seen_in(self.namespace)
                and any(host in called and gateway == MESH for host, gateway in each.claims())
            }
        return sorted(found)

    def sources(self) -> Sources:
        shares: dict[str, set[Shares]] = {}
        hosts: dict[str, set[str]] = {}
        for index, rule in enumerate(self._rules.entries):
            found = [(self._host(backend), weight_of(backend, rule)) for backend in backends_of(rule)]
            # Without backends nothing is forwarded, and of other kinds than Services it is open what istiod makes.
            if not all(host for host, __ in found) or not any(weight for __, weight in found):
                continue
            name = str(rule.get("name") or f"{self.namespace}.{self.name}.{index}")
            shares.setdefault(name, set()).add(shares_of(("", host, weight) for host, weight in found))
            hosts.setdefault(name, set()).update(host.partition(".svc.")[0] for host, __ in found)
        paths = "|".join(parent.path(self.namespace) for parent in self._parents)
        return Sources(
            # Where routes of several namespaces are merged, it is that of the oldest.
            path=re.compile(rf"/namespaces/[^/]+/virtual-service/({paths or '(?!)'})\Z"),
            namespace=self.namespace,
            for_mesh=any(parent.in_mesh for parent in self._parents),
            shares={name: frozenset(known) for name, known in shares.items()},
            hosts={name: frozenset(known) for name, known in hosts.items()},
        )

    def unaccepted(self, get: Callable[[Ref], Object | None]) -> list[str]:
        return unaccepted(self.obj, self._parents, get)

    @property
    def _rules(self) -> Rules:
        return Rules(self.title, self.namespace, self._spec.get("rules") or [])

    @property
    def _has_one_pair(self) -> bool:
        rules = self._rules
        return len({name for rule in rules.entries for name in rules.labels(rule)}) <= _PAIR

    @property
    def _parents(self) -> list[Parent]:
        return parents_of(self._spec, self.namespace)

    def _host(self, backend: Entry) -> str:
        if not is_service(backend):
            return ""
        return full_host(str(backend.get("name")), str(backend.get("namespace") or self.namespace))

    def _refuse_unknown(self, split: Split) -> None:
        """What must be absent is: no kind has session affinity, and some have no rules for requests."""
        if split.affinity and split.affinity.present:
            raise TrafficFailure(
                f"session_affinity is not available for {self.kind}: remove it, or shift a VirtualService."
            )
        wanted = (split.mirror and split.mirror.present) or any(entry.present for entry in split.match_routes)
        if wanted and not self.matches_requests:
            raise TrafficFailure(
                f"{self.kind} splits connections, so mirror and match_routes are not available: remove them."
            )

    def _conflicts(self, other: Self) -> bool:
        hosts, theirs = (set(each._spec.get("hostnames") or ["*"]) for each in (self, other))
        if not (hosts & theirs or "*" in hosts | theirs) or not self._matches() & other._matches():
            return False
        return any(
            parent.overlaps(rival) and (not parent.in_mesh or self.namespace == other.namespace)
            for parent in self._parents
            for rival in other._parents
        )

    def _matches(self) -> set[str]:
        """What the rules match, in a form that can be compared. A rule without a match takes every request."""
        every = [match for rule in self._rules.entries for match in rule.get("matches") or [{}]]
        default = ANY_PATH if self.matches_paths else {}
        return {json.dumps({**default, **match}, sort_keys=True) for match in every}


class HTTPRoute(GatewayRoute):
    """For requests of HTTP."""

    kind: ClassVar[str] = "HTTPRoute"
    plural: ClassVar[str] = "httproutes"
    matches_paths: ClassVar[bool] = True


class GRPCRoute(GatewayRoute):
    """For calls of gRPC, which proxies have as routes of HTTP."""

    kind: ClassVar[str] = "GRPCRoute"
    plural: ClassVar[str] = "grpcroutes"


class TLSRoute(GatewayRoute):
    """For TLS connections, by the name that they ask for."""

    versions: ClassVar[tuple[str, ...]] = (_STABLE, _TRIAL)
    kind: ClassVar[str] = "TLSRoute"
    plural: ClassVar[str] = "tlsroutes"
    protocol: ClassVar[str] = "tls"
    matches_requests: ClassVar[bool] = False


class TCPRoute(GatewayRoute):
    """For all connections of a listener."""

    versions: ClassVar[tuple[str, ...]] = (_STABLE, _TRIAL)
    kind: ClassVar[str] = "TCPRoute"
    plural: ClassVar[str] = "tcproutes"
    protocol: ClassVar[str] = "tcp"
    matches_requests: ClassVar[bool] = False
