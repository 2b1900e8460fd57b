# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a rule of http does with a request, as istiod's admission judges it: fault, redirect, retries, CORS and more."""

from __future__ import annotations

import base64
import binascii
import http

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    durations,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.headers import is_token
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go, values

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")
_RETRY_ON = (
    *("5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "retriable-4xx", "refused-stream"),
    *("retriable-status-codes", "retriable-headers", "envoy-ratelimited", "http3-post-connect-failure"),
    *("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"),
)
# Those of Go's net/http whose number Python does not have.
_STATUSES = {str(status.value) for status in http.HTTPStatus}
_GRPC_STATUSES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
_LARGE_BODY = 100 * 1024
_LARGEST_BODY = 1024 * 1024


def percentage(faults: Faults, path: Path, found: Object) -> None:
    """Of mirrored requests."""
    value = found.get("value") or 0
    if not 0 <= value <= 100:
        faults.error((*path, "value"), f"{value} is not a valid percentage (0 to 100)")


def _fault_percentage(faults: Faults, path: Path, found: Object | None) -> None:
    value = (found or {}).get("value") or 0
    if not 0 <= value <= 100:
        faults.error((*path, "percentage", "value"), f"{value} is not a valid percentage (0 to 100)")
    elif 0 < value < 0.0001:
        faults.error((*path, "percentage", "value"), f"{value} is less than the smallest percentage, 0.0001")


def fault_injection(faults: Faults, path: Path, fault: Object | None) -> None:
    if fault is None:
        return
    abort, delay = fault.get("abort"), fault.get("delay")
    if abort is None and delay is None:
        faults.error(path, "a fault needs an abort or a delay")
    if abort is not None:
        where = (*path, "abort")
        _fault_percentage(faults, where, abort.get("percentage"))
        if (status := abort.get("grpcStatus")) is not None:
            if status not in _GRPC_STATUSES:
                hint = nearest(status, _GRPC_STATUSES)
                faults.error((*where, "grpcStatus"), f"{status!r} is not a gRPC status{hint}")
        elif abort.get("http2Error") is not None:
            faults.error((*where, "http2Error"), "http2Error is not supported")
        elif (status := abort.get("httpStatus")) is not None:
            faults.error((*where, "httpStatus"), _bad_status(status))
        else:
            faults.warning(where, "the abort has no status: nothing is aborted")
    if delay is not None:
        where = (*path, "delay")
        _fault_percentage(faults, where, delay.get("percentage"))
        durations(faults, where, delay, "fixedDelay")
        if delay.get("exponentialDelay"):
            faults.error((*where, "exponentialDelay"), "exponentialDelay is not supported")


def _bad_status(status: int) -> str:
    return "" if 200 <= status <= 600 else f"{status} is not a valid response status (200 to 599)"


def redirect(faults: Faults, path: Path, found: Object | None, route: Object) -> None:
    if found is None:
        return
    if found.get("uri") and found.get("prefixRewrite"):
        faults.error((*path, "prefixRewrite"), "a redirect can have only one of uri and prefixRewrite")
        return
    if found.get("prefixRewrite"):
        for match in some(route.get("match")):
            if match.get("uri") is not None and "prefix" not in match["uri"]:
                faults.error((*path, "prefixRewrite"), "prefixRewrite needs matches of uri by prefix")
                return
    fields = ("uri", "prefixRewrite", "authority", "scheme")
    has_port = found.get("port") is not None or found.get("derivePort") is not None
    if not has_port and not any(found.get(field) for field in fields):
        faults.error(path, "the redirect changes nothing: set uri, prefixRewrite, authority, scheme or port")
        return
    code = found.get("redirectCode") or 0
    if code and not 300 <= code <= 399:
        faults.error((*path, "redirectCode"), f"{code} is not a valid redirect status (300 to 399)")
    if found.get("scheme") and found["scheme"] not in ("http", "https"):
        faults.error((*path, "scheme"), f"{found['scheme']!r} is neither http nor https")
    if port := found.get("port"):
        faults.error((*path, "port"), values.bad_port(port))


def direct_response(faults: Faults, path: Path, found: Object | None) -> None:
    if found is None:
        return
    body = found.get("body") or {}
    size = len((body.get("string") or "").encode(errors="surrogatepass")) or _decoded_size(body.get("bytes") or "")
    if size > _LARGEST_BODY:
        faults.error((*path, "body"), f"the body has {size} bytes; the limit is {_LARGEST_BODY}")
    elif size > _LARGE_BODY:
        faults.warning((*path, "body"), f"the body has {size} bytes: every proxy receives it, and istiod slows down")
    faults.error((*path, "status"), _bad_status(found.get("status") or 0))


def _decoded_size(text: str) -> int:
    try:
        return len(base64.b64decode(text))
    except (binascii.Error, ValueError):
        return 0


def retries(faults: Faults, path: Path, found: Object | None) -> None:
    if found is None:
        return
    attempts = found.get("attempts") or 0
    if attempts < 0:
        faults.error((*path, "attempts"), f"{attempts} is less than 0")
    fields = ("perTryTimeout", "retryOn", "retryRemoteLocalities")
    if attempts == 0 and (used := [name for name in fields if found.get(name) not in (None, "")]):
        faults.error((*path, "attempts"), f"0 attempts disable retries, but {' and '.join(used)} would need some")
    durations(faults, path, found, "perTryTimeout", "backoff")
    for policy in (found.get("retryOn") or "").split(",") if found.get("retryOn") else ():
        if policy not in _RETRY_ON and policy.lstrip("+").lstrip("0") not in _STATUSES:
            faults.error((*path, "retryOn"), f"{policy!r} is not a valid retry condition{nearest(policy, _RETRY_ON)}")


def rewrite(faults: Faults, path: Path, found: Object | None) -> None:
    if found is None:
        return
    expression = found.get("uriRegexRewrite")
    if found.get("uri") and expression is not None:
        faults.error((*path, "uriRegexRewrite"), "a rewrite can have only one of uri and uriRegexRewrite")
    elif not found.get("uri") and expression is None and not found.get("authority"):
        faults.error(path, "the rewrite changes nothing: set uri, uriRegexRewrite or authority")
    elif expression is not None:
        where = (*path, "uriRegexRewrite")
        if not expression.get("match") or not expression.get("rewrite"):
            faults.error(where, "uriRegexRewrite needs both match and rewrite")
        else:
            faults.error((*where, "match"), values.bad_regex(expression["match"]))


def cors(faults: Faults, path: Path, policy: Object | None) -> None:
    if policy is None:
        return
    for index, origin in enumerate(some(policy.get("allowOrigins"))):
        where = (*path, "allowOrigins", index)
        if not any(origin.get(kind) for kind in ("exact", "prefix", "regex")):
            faults.error(where, "the origin is empty")
        elif origin.get("regex"):
            faults.error((*where, "regex"), values.bad_regex(origin["regex"]))
    for index, method in enumerate(some(policy.get("allowMethods"))):
        if method not in _METHODS:
            hint = nearest(method, _METHODS)
            faults.error((*path, "allowMethods", index), f"{method!r} is not an HTTP method{hint}")
    for field in ("allowHeaders", "exposeHeaders"):
        for index, name in enumerate(some(policy.get(field))):
            if not is_token(name):
                faults.error((*path, field, index), f"{name!r} is not a valid header name")
    if text := policy.get("maxAge"):
        faults.error((*path, "maxAge"), values.bad_duration(text) or _not_whole_seconds(text))


def _not_whole_seconds(text: str) -> str:
    return f"{text!r} is not a whole number of seconds" if (go.duration(text) or 0) % go.SECOND else ""
