# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Timeouts, retries and mirrors of routes."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import VIRTUAL_SERVICE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import Destination, seconds, whole
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# Methods that may be repeated without doing anything twice.
_IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}
# Conditions that occur after the request has reached the server, so that it may have been processed.
_AFTER_ARRIVAL = {"5xx", "gateway-error", "retriable-status-codes", "reset"}

# A request that failed so often fails again. Istio's own default is 2.
_MOST_RETRIES = 10


class _Timed(NamedTuple):
    """A route with a timeout, retries, and a limit for each try; times in seconds."""

    service: Resource
    place: int
    route: Object
    timeout: float
    per_try: float
    tries: int


@once_per_mesh
def _timed(mesh: Mesh) -> list[_Timed]:
    found = []
    for service in mesh.of(VIRTUAL_SERVICE):
        for index, route in items(service.spec, "http"):
            retries = part(route, "retries")
            tries = _tries(retries)
            timeout, per_try = seconds(route.get("timeout")), seconds(retries.get("perTryTimeout"))
            if timeout and per_try and tries > 1:
                found.append(_Timed(service, index, route, timeout, per_try, tries))
    return found


def _tries(retries: Object) -> int:
    """attempts counts the retries after the first try."""
    return (whole(retries.get("attempts")) or 0) + 1


@check(
    code="MESH203",
    level="warning",
    title="Timeout not longer than one try",
    why="The timeout ends the request before perTryTimeout, or with it, so a hanging try is never repeated.",
    remedy="Make the timeout at least perTryTimeout times the tries, or shorten perTryTimeout.",
    alone=True,
)
def timeout_shorter_than_a_try(mesh: Mesh, report: Report) -> None:
    for timed in _timed(mesh):
        if timed.timeout <= timed.per_try:
            how = "is shorter than" if timed.timeout < timed.per_try else "is not longer than"
            text = f"the timeout {timed.route['timeout']} {how} perTryTimeout {timed.route['retries']['perTryTimeout']}"
            report(timed.service, ("spec", "http", timed.place, "timeout"), text)


@check(
    code="MESH204",
    level="info",
    title="Last retry cannot finish",
    why="If every try hangs, the timeout ends the request before the last retry. Fast failures get all retries.",
    remedy="Nothing if this is intended. Otherwise make the timeout at least perTryTimeout times (attempts + 1).",
    alone=True,
)
def timeout_shorter_than_all_tries(mesh: Mesh, report: Report) -> None:
    for timed in _timed(mesh):
        if timed.per_try < timed.timeout < timed.per_try * timed.tries:
            tries = f"{timed.tries} tries of {timed.route['retries']['perTryTimeout']}"
            message = f"the timeout {timed.route['timeout']} ends before {tries} could"
            report(timed.service, ("spec", "http", timed.place, "timeout"), message)


@check(
    code="MESH223",
    level="warning",
    title="Many retries of each request",
    why="While a server fails, each client sends every request so many times, which keeps the server overloaded.",
    remedy="Set attempts to 2 or 3, and let outlier detection eject pods that fail.",
    docs="https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRetry",
    alone=True,
)
def many_retries(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(VIRTUAL_SERVICE):
        for index, route in items(service.spec, "http"):
            attempts = whole(part(route, "retries").get("attempts")) or 0
            if attempts > _MOST_RETRIES:
                text = f"a failing request is sent {attempts + 1} times; more than {_MOST_RETRIES} attempts rarely help"
                report(service, ("spec", "http", index, "retries", "attempts"), text)


@check(
    code="MESH205",
    level="info",
    title="Retries repeat requests that are not idempotent",
    why="These conditions occur after the request has arrived, so a POST may be processed several times.",
    remedy="Restrict retries to routes that match idempotent methods, or make the service detect repeated requests.",
    alone=True,
)
def retries_of_non_idempotent_requests(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(VIRTUAL_SERVICE):
        for index, route in items(service.spec, "http"):
            retries = part(route, "retries")
            wanted = retries.get("retryOn")
            if not isinstance(wanted, str) or _tries(retries) < 2 or _is_idempotent(route):
                continue
            risky = [item for item in map(str.strip, wanted.split(",")) if item in _AFTER_ARRIVAL]
            if risky:
                report(
                    service,
                    ("spec", "http", index, "retries", "retryOn"),
                    f"on {', '.join(risky)} a POST is sent up to {_tries(retries)} times",
                )


def _is_idempotent(route: Object) -> bool:
    """Whether the route takes only requests with methods that may be repeated."""
    matches = [match for _place, match in items(route, "match")]
    return bool(matches) and all(str(part(match, "method").get("exact")) in _IDEMPOTENT for match in matches)


@check(
    code="MESH207",
    level="warning",
    title="Mirror to itself",
    why="The version that answers gets each mirrored request a second time: double load, and every POST is done twice.",
    remedy="Mirror to another version, or remove the mirror.",
    alone=True,
)
def mirror_to_itself(mesh: Mesh, report: Report) -> None:
    answering: set[tuple[object, ...]] = set()
    mirrors: list[tuple[tuple[object, ...], Resource, Destination]] = []
    for service, destination in mesh.destinations:
        key: tuple[object, ...] = (
            service.identity,
            destination.path[:3],
            destination.host,
            destination.subset,
            destination.port,
        )
        if destination.mirror:
            mirrors.append((key, service, destination))
        elif destination.share:
            answering.add(key)
    for key, service, destination in mirrors:
        if key in answering:
            subset = f" subset '{destination.subset}'" if destination.subset else ""
            message = f"requests to '{destination.written}'{subset} are mirrored to the same place"
            report(service, (*destination.path, "host"), message)
