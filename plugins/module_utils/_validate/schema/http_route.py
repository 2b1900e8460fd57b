# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One rule of a VirtualService's http, as istiod's admission judges it."""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import (
    Say,
    gateway_names,
    labels,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.headers import (
    bad_matched_name,
    header_changes,
    is_authority,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.http_actions import (
    cors,
    direct_response,
    fault_injection,
    percentage,
    redirect,
    retries,
    rewrite,
)

_CLAIMS = "@request.auth.claims"


def is_claim(name: str) -> bool:
    """``@request.auth.claims.group`` or ``@request.auth.claims[group]``: a claim of a token instead of a header."""
    if not name.lower().startswith(_CLAIMS):
        return False
    rest = name[len(_CLAIMS) :]
    return len(rest) > 1 and (rest.startswith(".") or (rest.startswith("[") and rest.endswith("]") and len(rest) > 2))


def http_route(say: Say, path: Path, route: Object, is_delegate: bool) -> None:
    _conflicts(say, path, route, is_delegate)
    for index, match in enumerate(some(route.get("match"))):
        _match(say, (*path, "match", index), match)
    if "headers" in route:
        header_changes(say, (*path, "headers"), route["headers"])
    if "corsPolicy" in route:
        cors(say, (*path, "corsPolicy"), route["corsPolicy"])
    if "fault" in route:
        fault_injection(say, (*path, "fault"), route["fault"])
    _mirrors(say, path, route)
    if "redirect" in route:
        redirect(say, (*path, "redirect"), route["redirect"], route)
    if "directResponse" in route:
        direct_response(say, (*path, "directResponse"), route["directResponse"])
    if "retries" in route:
        retries(say, (*path, "retries"), route["retries"])
    if "rewrite" in route:
        rewrite(say, (*path, "rewrite"), route["rewrite"])
    _authority(say, path, route)
    _destinations(say, path, route)
    if timeout := route.get("timeout"):
        say.refused((*path, "timeout"), values.bad_duration(timeout))


def _conflicts(say: Say, path: Path, route: Object, is_delegate: bool) -> None:
    if route.get("delegate") is not None and not is_delegate:
        for field in ("redirect", "route"):
            if route.get(field) is not None:
                say.refused(
                    (*path, field), f"a rule with a delegate has no {field}: the delegate says where requests go"
                )
        return
    if route.get("delegate") is not None:
        say.refused((*path, "delegate"), "a delegate has no delegates")
    answers = [field for field in ("redirect", "directResponse") if route.get(field) is not None]
    if answers:
        for field in ("route", "fault", "rewrite"):
            if route.get(field) or (field != "route" and route.get(field) is not None):
                say.refused((*path, field), f"a rule with {answers[0]} has no {field}")
        if len(answers) > 1:
            say.refused((*path, answers[1]), "a rule has one of redirect and directResponse")
    elif not route.get("route"):
        say.refused((*path, "route"), "the rule does nothing: one of route, redirect and directResponse is needed")
    if route.get("mirror") is not None and route.get("mirrors"):
        say.refused((*path, "mirrors"), "a rule has one of mirror and mirrors")


def _match(say: Say, path: Path, match: Object) -> None:
    for field in ("headers", "withoutHeaders"):
        for name, wanted in (match.get(field) or {}).items():
            where = (*path, field, name)
            if not is_claim(name):
                say.refused(where, bad_matched_name(name))
            if wanted is None and field == "headers":
                say.refused(where, f"the header {name!r} has no value to match")
            # Without headers, the * means that it is not there at all.
            elif wanted is not None and not (field == "withoutHeaders" and wanted.get("regex") == "*"):
                string_match(say, where, wanted)
    if match.get("uri"):
        string_match(say, (*path, "uri"), match["uri"], empty_prefix=True)
    for field in ("scheme", "method", "authority"):
        if match.get(field):
            string_match(say, (*path, field), match[field])
    for name, wanted in (match.get("queryParams") or {}).items():
        string_match(say, (*path, "queryParams", name), wanted)
    if match.get("port"):
        say.refused((*path, "port"), values.bad_port(match["port"]))
    labels(say, (*path, "sourceLabels"), match.get("sourceLabels"))
    gateway_names(say, (*path, "gateways"), match.get("gateways"))
    if (namespace := match.get("sourceNamespace")) and not values.is_label(namespace):
        say.refused((*path, "sourceNamespace"), f"{namespace!r} is no name of a namespace")


def string_match(say: Say, path: Path, wanted: Object | None, empty_prefix: bool = False) -> None:
    if wanted is None:
        return
    if wanted.get("prefix") == "" and not empty_prefix:
        say.refused((*path, "prefix"), "the prefix is empty")
    if (expression := wanted.get("regex")) is not None:
        fault = values.bad_regex(expression) if expression else "the regular expression is empty"
        say.refused((*path, "regex"), fault)


def _mirrors(say: Say, path: Path, route: Object) -> None:
    for field in ("mirrorPercent", "mirror_percent"):
        if (percent := route.get(field)) is not None:
            if percent > 100:
                say.refused((*path, field), f"{percent} is more than 100 percent")
            say.doubted((*path, field), f"{field} is deprecated, mirrorPercentage is its successor")
    if route.get("mirrorPercentage"):
        percentage(say, (*path, "mirrorPercentage"), route["mirrorPercentage"])
    destination(say, (*path, "mirror"), route.get("mirror"))
    for index, mirror in enumerate(some(route.get("mirrors"))):
        where = (*path, "mirrors", index)
        destination(say, (*where, "destination"), mirror.get("destination"))
        if mirror.get("percentage"):
            percentage(say, (*where, "percentage"), mirror["percentage"])


def _authority(say: Say, path: Path, route: Object) -> None:
    """The host that the backend sees can be set in one place."""
    found: list[Path] = []
    if (route.get("rewrite") or {}).get("authority"):
        found.append((*path, "rewrite", "authority"))
    request = (route.get("headers") or {}).get("request") or {}
    for operation in ("set", "add"):
        for name, value in (request.get(operation) or {}).items():
            if is_authority(name):
                if found:
                    say.refused(
                        (*path, "headers", "request", operation, name),
                        f"{name!r} sets the host a second time, beside {found[0][-2]}.{found[0][-1]}",
                    )
                if value:
                    found.append((*path, "headers", "request", operation, name))


def _destinations(say: Say, path: Path, route: Object) -> None:
    routes = route.get("route") or []
    for index, item in enumerate(routes):
        where = (*path, "route", index)
        if "headers" in item:
            header_changes(say, (*where, "headers"), item["headers"])
        destination(say, (*where, "destination"), item.get("destination"))
    weights(say, (*path, "route"), routes)


def destination(say: Say, path: Path, found: Any) -> None:
    if found is None:
        return
    host = found.get("host") or ""
    if host == "*":
        say.refused((*path, "host"), "the destination '*' is no host")
    else:
        say.refused((*path, "host"), values.bad_wildcard_domain(host))
    if (subset := found.get("subset")) and not values.is_label(subset):
        say.refused((*path, "subset"), f"{subset!r} is no name of a subset: letters, digits and hyphens are")
    if (port := found.get("port")) is not None:
        say.refused((*path, "port", "number"), values.bad_port(port.get("number") or 0))


def weights(say: Say, path: Path, routes: list[Object]) -> None:
    total = 0
    for index, item in enumerate(routes):
        weight = item.get("weight") or 0
        total += weight
        if weight < 0:
            say.refused((*path, index, "weight"), f"{weight} is less than 0")
    if len(routes) > 1 and total == 0:
        say.refused((*path, 0, "weight"), "the weights add up to 0: no destination gets any request")
