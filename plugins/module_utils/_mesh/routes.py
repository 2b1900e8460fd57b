# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The content of a VirtualService and where it is: destinations, gateways and durations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource

PROTOCOLS = ("http", "tls", "tcp")
# The gateway that stands for every sidecar.
MESH = "mesh"

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|us|µs|ns|m|s)")
_PARTS = re.compile(r"([\d.]+)([a-zµ]+)")


class Destination(NamedTuple):
    """One destination of a route.

    path: of the destination itself, so that its host is at ``(*path, "host")``. host: qualified. written: as given.
    port: None if not given. mirror: whether it gets copies. share: its part of the route's requests, 0 to 1; for a
    mirror, of the copies.
    """

    path: Path
    host: str
    written: str
    subset: str
    port: int | None
    share: float
    mirror: bool = False


def destinations_of(service: Resource, domain: str) -> list[Destination]:
    """All destinations of a VirtualService, in its order."""
    found = []
    for protocol in PROTOCOLS:
        for index, route in items(service.spec, protocol):
            path: Path = ("spec", protocol, index)
            entries = items(route, "route")
            weights = shares([entry for _place, entry in entries])
            for (place, entry), share in zip(entries, weights, strict=True):
                found.append(_destination(service, entry, (*path, "route", place), share, domain))
            if protocol != "http":
                continue
            if isinstance(mirror := route.get("mirror"), dict):
                found.append(_at(service, mirror, (*path, "mirror"), 1.0, domain, mirror=True))
            for place, entry in items(route, "mirrors"):
                found.append(_destination(service, entry, (*path, "mirrors", place), 1.0, domain, mirror=True))
    return [destination for destination in found if destination.written]


def _destination(
    service: Resource, entry: Object, path: Path, share: float, domain: str, mirror: bool = False
) -> Destination:
    return _at(service, part(entry, "destination"), (*path, "destination"), share, domain, mirror)


def _at(service: Resource, destination: Object, path: Path, share: float, domain: str, mirror: bool) -> Destination:
    written = destination.get("host")
    written = written if isinstance(written, str) else ""
    subset = destination.get("subset")
    return Destination(
        path,
        hosts.qualified(written, service.namespace, domain),
        written,
        subset if isinstance(subset, str) else "",
        whole(part(destination, "port").get("number")),
        share,
        mirror,
    )


def shares(entries: list[Object]) -> list[float]:
    """The share of the requests that each destination of a route gets, 0 to 1. A single one gets all."""
    if len(entries) == 1:
        return [1.0]
    weights = [max(0, whole(entry.get("weight")) or 0) for entry in entries]
    total = sum(weights)
    return [weight / total if total else 0.0 for weight in weights]


def whole(value: Any) -> int | None:
    """The value if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def gateways_of(service: Resource) -> list[tuple[Path, str]]:
    """The gateways that a VirtualService names, with their paths, including those of its matches."""
    found: list[tuple[Path, str]] = [
        (("spec", "gateways", place), name) for place, name in texts(service.spec, "gateways")
    ]
    for protocol in PROTOCOLS:
        for index, route in items(service.spec, protocol):
            for place, match in items(route, "match"):
                for number, name in texts(match, "gateways"):
                    found.append((("spec", protocol, index, "match", place, "gateways", number), name))
    return found


def gateway_identity(name: str, namespace: str) -> tuple[str, str]:
    """(namespace, name) of a gateway as istiod reads it: ``name``, ``namespace/name``, ``./name``, and the old form
    ``name.namespace`` with any domain.
    """
    place, slash, rest = name.partition("/")
    if slash:
        return (namespace if place == "." else place, rest)
    parts = name.split(".")
    return (parts[1], parts[0]) if len(parts) > 1 else (namespace, name)


def on_mesh(service: Resource) -> bool:
    """Whether sidecars use the VirtualService."""
    named = [name for _place, name in texts(service.spec, "gateways")]
    return not named or MESH in named


def own_gateways(service: Resource) -> Iterator[tuple[str, str]]:
    """(namespace, name) of each gateway of the VirtualService, without the mesh."""
    for _place, name in texts(service.spec, "gateways"):
        if name != MESH:
            yield gateway_identity(name, service.namespace)


def seconds(value: Any) -> float | None:
    """A duration as Go writes it (``1.5s``, ``1m30s``), in seconds; None if it is not valid."""
    if not isinstance(value, str) or not value or _DURATION.sub("", value):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(value))
