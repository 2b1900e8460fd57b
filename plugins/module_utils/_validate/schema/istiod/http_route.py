# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One rule of a VirtualService's http, as istiod's admission judges it."""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    gateway_names,
    labels,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.headers import (
    bad_matched_name,
    header_changes,
    is_authority,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.http_actions import (
    cors,
    direct_response,
    fault_injection,
    percentage,
    redirect,
    retries,
    rewrite,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import values

_CLAIMS = "@request.auth.claims"


def is_claim(name: str) -> bool:
    """``@request.auth.claims.group`` or ``@request.auth.claims[group]``: a claim of a token instead of a header."""
    if not name.lower().startswith(_CLAIMS):
        return False
    rest = name[len(_CLAIMS) :]
    return len(rest) > 1 and (rest.startswith(".") or (rest.startswith("[") and rest.endswith("]") and len(rest) > 2))


def http_route(faults: Faults, path: Path, route: Object, is_delegate: bool) -> None:
    _conflicts(faults, path, route, is_delegate)
    for index, match in enumerate(some(route.get("match"))):
        _match(faults, (*path, "match", index), match)
    if "headers" in route:
        header_changes(faults, (*path, "headers"), route["headers"])
    if "corsPolicy" in route:
        cors(faults, (*path, "corsPolicy"), route["corsPolicy"])
    if "fault" in route:
        fault_injection(faults, (*path, "fault"), route["fault"])
    _mirrors(faults, path, route)
    if "redirect" in route:
        redirect(faults, (*path, "redirect"), route["redirect"], route)
    if "directResponse" in route:
        direct_response(faults, (*path, "directResponse"), route["directResponse"])
    if "retries" in route:
        retries(faults, (*path, "retries"), route["retries"])
    if "rewrite" in route:
        rewrite(faults, (*path, "rewrite"), route["rewrite"])
    _authority(faults, path, route)
    _destinations(faults, path, route)
    if timeout := route.get("timeout"):
        faults.error((*path, "timeout"), values.bad_duration(timeout))


def _conflicts(faults: Faults, path: Path, route: Object, is_delegate: bool) -> None:
    if route.get("delegate") is not None and not is_delegate:
        for field in ("redirect", "route"):
            if route.get(field) is not None:
                faults.error(
                    (*path, field), f"a rule with a delegate must not have {field}: the delegate routes the requests"
                )
        return
    if route.get("delegate") is not None:
        faults.error((*path, "delegate"), "a delegate cannot delegate again")
    answers = [field for field in ("redirect", "directResponse") if route.get(field) is not None]
    if answers:
        for field in ("route", "fault", "rewrite"):
            if route.get(field) or (field != "route" and route.get(field) is not None):
                faults.error((*path, field), f"a rule with {answers[0]} must not have {field}")
        if len(answers) > 1:
            faults.error((*path, answers[1]), "a rule can have only one of redirect and directResponse")
    elif not route.get("route"):
        faults.error((*path, "route"), "the rule does nothing: set route, redirect or directResponse")
    if route.get("mirror") is not None and route.get("mirrors"):
        faults.error((*path, "mirrors"), "a rule can have only one of mirror and mirrors")


def _match(faults: Faults, path: Path, match: Object) -> None:
    for field in ("headers", "withoutHeaders"):
        for name, wanted in (match.get(field) or {}).items():
            where = (*path, field, name)
            if not is_claim(name):
                faults.error(where, bad_matched_name(name))
            if wanted is None and field == "headers":
                faults.error(where, f"the header {name!r} has no value to match")
            # Without headers, a * means that the header is absent.
            elif wanted is not None and not (field == "withoutHeaders" and wanted.get("regex") == "*"):
                string_match(faults, where, wanted)
    if match.get("uri"):
        string_match(faults, (*path, "uri"), match["uri"], empty_prefix=True)
    for field in ("scheme", "method", "authority"):
        if match.get(field):
            string_match(faults, (*path, field), match[field])
    for name, wanted in (match.get("queryParams") or {}).items():
        string_match(faults, (*path, "queryParams", name), wanted)
    if match.get("port"):
        faults.error((*path, "port"), values.bad_port(match["port"]))
    labels(faults, (*path, "sourceLabels"), match.get("sourceLabels"))
    gateway_names(faults, (*path, "gateways"), match.get("gateways"))
    if (namespace := match.get("sourceNamespace")) and not values.is_label(namespace):
        faults.error((*path, "sourceNamespace"), f"{namespace!r} is not a valid namespace name")


def string_match(faults: Faults, path: Path, wanted: Object | None, empty_prefix: bool = False) -> None:
    if wanted is None:
        return
    if wanted.get("prefix") == "" and not empty_prefix:
        faults.error((*path, "prefix"), "the prefix is empty")
    if (expression := wanted.get("regex")) is not None:
        fault = values.bad_regex(expression) if expression else "the regular expression is empty"
        faults.error((*path, "regex"), fault)


def _mirrors(faults: Faults, path: Path, route: Object) -> None:
    for field in ("mirrorPercent", "mirror_percent"):
        if (percent := route.get(field)) is not None:
            if percent > 100:
                faults.error((*path, field), f"{percent} is more than 100 percent")
            faults.warning((*path, field), f"{field} is deprecated; use mirrorPercentage")
    if route.get("mirrorPercentage"):
        percentage(faults, (*path, "mirrorPercentage"), route["mirrorPercentage"])
    destination(faults, (*path, "mirror"), route.get("mirror"))
    for index, mirror in enumerate(some(route.get("mirrors"))):
        where = (*path, "mirrors", index)
        destination(faults, (*where, "destination"), mirror.get("destination"))
        if mirror.get("percentage"):
            percentage(faults, (*where, "percentage"), mirror["percentage"])


def _authority(faults: Faults, path: Path, route: Object) -> None:
    """The host that the backend sees can be set in one place only."""
    found: list[Path] = []
    if (route.get("rewrite") or {}).get("authority"):
        found.append((*path, "rewrite", "authority"))
    request = (route.get("headers") or {}).get("request") or {}
    for operation in ("set", "add"):
        for name, value in (request.get(operation) or {}).items():
            if is_authority(name):
                if found:
                    faults.error(
                        (*path, "headers", "request", operation, name),
                        f"{name!r} sets the host a second time, after {found[0][-2]}.{found[0][-1]}",
                    )
                if value:
                    found.append((*path, "headers", "request", operation, name))


def _destinations(faults: Faults, path: Path, route: Object) -> None:
    routes = route.get("route") or []
    for index, item in enumerate(routes):
        where = (*path, "route", index)
        if "headers" in item:
            header_changes(faults, (*where, "headers"), item["headers"])
        destination(faults, (*where, "destination"), item.get("destination"))
    weights(faults, (*path, "route"), routes)


def destination(faults: Faults, path: Path, found: Any) -> None:
    if found is None:
        return
    host = found.get("host") or ""
    if host == "*":
        faults.error((*path, "host"), "'*' is not a valid destination host")
    else:
        faults.error((*path, "host"), values.bad_wildcard_domain(host))
    if (subset := found.get("subset")) and not values.is_label(subset):
        faults.error((*path, "subset"), f"{subset!r} is not a valid subset name: use letters, digits and hyphens")
    if (port := found.get("port")) is not None:
        faults.error((*path, "port", "number"), values.bad_port(port.get("number") or 0))


def weights(faults: Faults, path: Path, routes: list[Object]) -> None:
    total = 0
    for index, item in enumerate(routes):
        weight = item.get("weight") or 0
        total += weight
        if weight < 0:
            faults.error((*path, index, "weight"), f"{weight} is less than 0")
    if len(routes) > 1 and total == 0:
        faults.error((*path, 0, "weight"), "the weights add up to 0: no destination gets any request")
