# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A split of the traffic to a service, and what is asked of the objects that hold one.

``Route`` is the seam: code that shifts traffic, or checks whether it may be shifted, knows no other kind of object by
its fields. A further kind is a file beside virtual_service.py, and its line in routes.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right

# The API of Istio's own kinds.
NETWORKING = "networking.istio.io/v1"
# Ends the names of the routes that look for an Affinity's cookie.
AFFINITY_SUFFIX = "-affinity"
# (subset, host without the cluster's domain, share of the requests from 0 to 1) of each destination that has a share.
Shares = frozenset[tuple[str, str, float]]


class TrafficFailure(MeshError):
    """What is asked for does not fit the route; the message names the option and the way out."""


@dataclass(frozen=True)
class Mirror:
    """A copy of a share of the requests, whose answers are thrown away. ``present`` False takes it away."""

    subset: str = ""
    percentage: float = 100.0
    present: bool = True


@dataclass(frozen=True)
class MatchRoute:
    """A route in front of the split: requests with these headers, or this cookie, go to one subset."""

    name: str
    subset: str = ""
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cookie: Mapping[str, str] = field(default_factory=dict)
    present: bool = True


@dataclass(frozen=True)
class Affinity:
    """Clients that were once answered by ``subset`` stay there: the answer sets a cookie that a route in front matches.

    With ``moved`` the clients of the split's other subset stay as well, until the share grows: of those that it
    answered at each step before this one, in turn, so many percent move to ``subset`` with their next request.
    """

    cookie: str
    subset: str = ""
    max_age: int = 86400
    present: bool = True
    # Of the cookie; the subset's name if empty.
    value: str = ""
    moved: tuple[int, ...] | None = None  # pylint: disable=unsupported-binary-operation
    # Whether the cookie is for TLS only, and what it is sent along with: Lax, Strict or None, as browsers have it.
    secure: bool = True
    same_site: str = "Lax"

    def set_cookie(self, value: str) -> str:
        """The header's value."""
        attributes = ["HttpOnly", f"SameSite={self.same_site}", *(["Secure"] if self.secure else [])]
        return "; ".join([f"{self.cookie}={value}", f"Max-Age={self.max_age}", "Path=/", *attributes])


@dataclass(frozen=True)
class Split:
    """What is asked for. ``route`` empty means all routes that have one of the subsets of ``host``.

    With ``base``, it means those that have all subsets of ``weights``; if there are none, those that have ``base``. A
    route to another subset alone, such as one for testers, is then left as it is.
    """

    host: str
    route: str = ""
    weights: Mapping[str, int] = field(default_factory=dict)
    mirror: Mirror | None = None
    match_routes: Sequence[MatchRoute] = ()
    affinity: Affinity | None = None
    base: str = ""

    @property
    def receiving(self) -> set[str]:
        """The subsets that will get requests, so must be there and have ready endpoints."""
        found = {subset for subset, weight in self.weights.items() if weight > 0}
        found |= {entry.subset for entry in self.match_routes if entry.present}
        for extra in (self.mirror, self.affinity):
            if extra and extra.present:
                found.add(extra.subset)
        return found

    @property
    def named(self) -> set[str]:
        """Every subset that the request speaks of."""
        return self.receiving | set(self.weights)

    def meant(self, subsets: Sequence[Collection[str]]) -> list[int]:
        """Which of several routes, by their subsets. For a split without ``route``."""
        some = [index for index, found in enumerate(subsets) if self.named & set(found)]
        if not self.base:
            return some
        whole = [index for index in some if set(self.weights) <= set(subsets[index])]
        return whole or [index for index in some if self.base in subsets[index]] or some


class Sources(NamedTuple):
    """How the routes are known that istiod has made of an object.

    path: of the path that they bear; None where they bear that of another object, which includes this one.
    for_mesh: whether sidecars have them. shares: the name of a route -> its shares; several where names are not unique.
    hosts: set where routes of other objects bear the same path. The name of a route -> the hosts of its destinations,
    without the cluster's domain. A route with another name, or to other hosts, was made of another object.
    """

    path: re.Pattern[str] | None  # pylint: disable=unsupported-binary-operation
    namespace: str
    for_mesh: bool
    shares: Mapping[str, frozenset[Shares]]
    hosts: Mapping[str, frozenset[str]] | None = None  # pylint: disable=unsupported-binary-operation


@dataclass(frozen=True)
class Destinations:
    """How a kind of route names the destinations of one service.

    lists: of an object, the lists that may hold some. subset: of an entry of one; None if it is of another service.
    name: gives an entry a subset. plain: the subset that means all pods.
    """

    lists: Callable[[Object], Iterable[list[dict[str, Any]]]]
    subset: Callable[[Mapping[str, Any]], str | None]  # pylint: disable=unsupported-binary-operation
    name: Callable[[dict[str, Any], str], None]
    plain: str = ""


class Route(Protocol):
    """An object that decides which subsets of a service get the requests. Nothing changes it: an edit is a new one.

    versions: where clusters have definitions of several releases, the API's versions, the preferred one first. The
    cluster is queried for them, and a definition may lack a field, which the API server then drops in silence.
    by_service: its subsets are Services, called by their names. Otherwise DestinationRules define them.
    """

    api_version: ClassVar[str]
    versions: ClassVar[tuple[str, ...]]
    kind: ClassVar[str]
    by_service: ClassVar[bool]

    def __init__(self, obj: Object) -> None: ...

    @property
    def obj(self) -> Object:
        """As the API server has it."""

    @property
    def name(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    @classmethod
    def rights(cls, namespace: str, name: str) -> list[Right]:
        """What an account needs to read one, to write it, and to see its rivals."""

    def shifted(self, split: Split) -> Route:
        """With the split, and all else as it is. Raises TrafficFailure where it has no place for it."""

    def weights(self, split: Split) -> dict[str, dict[str, int]]:
        """Route -> subset -> weight, of the routes that the split is about.

        One without a name is called by its place. Of a destination with another host, the host is named too.
        """

    def for_some(self, split: Split) -> set[str]:
        """Of the routes that the split is about, those for some clients only, such as testers by a header.

        By their names in :meth:`weights`.
        """

    def protocols(self, split: Split) -> set[str]:
        """Of the routes that the split is about: ``http``, ``tls``, ``tcp``."""

    def backends(self, service: str) -> list[tuple[str, str]]:
        """(subset, name of the route) of each destination of a service; an empty subset means all pods."""

    def mirrored(self) -> set[str]:
        """The subsets that get copies of requests."""

    def destinations_of(self, service: str) -> Destinations:
        """How objects of this kind name those of one service."""

    def rivals(self, listed: Callable[[str, str], Iterable[Object]]) -> list[str]:
        """Others that make it open which routes count: namespace/name. ``listed``: every object of a kind."""

    def sources(self) -> Sources:
        """How its HTTP routes look at a proxy that has them."""

    def unaccepted(self, get: Callable[[Ref], Object | None]) -> list[str]:
        """What the status lacks as proof that its controllers use the object as it is now, in words.

        Empty for a kind without such a status. ``get``: the live object, for objects that this one refers to.
        """


@dataclass(frozen=True)
class RouteObject:
    """What is the same in the objects of every kind."""

    obj: Object
    kind: ClassVar[str]

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.obj["metadata"].get("namespace", ""))

    @property
    def title(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def _spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.obj.get("spec", {})
        return spec


def full_host(host: str, namespace: str) -> str:
    """A short name belongs to the namespace of the object that uses it; one with dots is taken as it is."""
    return host if "." in host else f"{host}.{namespace}.svc.cluster.local"


def service_of(subset: str, namespace: str) -> tuple[str, str]:
    """Namespace and name of a Service, as a route of ``namespace`` calls it: name, or namespace/name."""
    place, __, name = subset.rpartition("/")
    return place or namespace, name


def shares_of(destinations: Iterable[tuple[str, str, int]]) -> Shares:
    """Of (subset, host, weight) of each destination."""
    every = list(destinations)
    total = sum(weight for __, __, weight in every) or 1
    added: dict[tuple[str, str], float] = {}
    for subset, host, weight in every:
        if weight:
            place = (subset, host.partition(".svc.")[0])
            added[place] = added.get(place, 0) + weight / total
    return frozenset((subset, host, round(share, 4)) for (subset, host), share in added.items())
