# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Single values as istiod's admission judges them. Each function returns the reason for a refusal, or an empty text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go, regex

_LABEL = "[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_IS_LABEL = re.compile(_LABEL, re.ASCII)
_IS_WILDCARD_LABEL = re.compile(rf"\*|(?:\*-?)?{_LABEL}", re.ASCII)
_NAME = r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_IS_KEY = re.compile(rf"(?:({_LABEL}(?:\.{_LABEL})*)/)?({_NAME})", re.ASCII)
_IS_VALUE = re.compile(rf"(?:{_NAME})?", re.ASCII)
_IS_NUMBER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_LONGEST_LABEL = 63
_LONGEST_NAME = 253
_LONGEST_DOMAIN = 255
# Envoy does not accept longer ones.
_LONGEST_REGEX = 1024

HTTP_PROTOCOLS = frozenset({"http", "http2", "http_proxy", "grpc", "grpc-web"})
TLS_PROTOCOLS = frozenset({"https", "tls"})
TCP_PROTOCOLS = TLS_PROTOCOLS | {"tcp", "mongo", "redis", "mysql"}
PROTOCOLS = HTTP_PROTOCOLS | TCP_PROTOCOLS | {"udp"}
_SHOWN_PROTOCOLS = "HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL"


@lru_cache(maxsize=8192)
def is_label(text: str) -> bool:
    """A label of a domain name: letters, digits and hyphens."""
    return len(text) <= _LONGEST_LABEL and _IS_LABEL.fullmatch(text) is not None


@lru_cache(maxsize=8192)
def bad_domain(text: str) -> str:
    if fault := _bad_length(text):
        return fault
    return _bad_labels(text, text)


@lru_cache(maxsize=8192)
def bad_wildcard_domain(text: str) -> str:
    """Likewise, but the first label may be, or begin with, a ``*``."""
    if fault := _bad_length(text):
        return fault
    first, dot, rest = text.partition(".")
    if len(first) > _LONGEST_LABEL or not _IS_WILDCARD_LABEL.fullmatch(first):
        return f"{text!r} is not a valid domain name: {first!r} is not a valid label"
    return _bad_labels(text, rest) if dot else ""


def _bad_length(text: str) -> str:
    if not text:
        return "the domain name is empty"
    return f"the domain name is longer than {_LONGEST_DOMAIN} characters" if len(text) > _LONGEST_DOMAIN else ""


def _bad_labels(text: str, labels: str) -> str:
    parts = labels.split(".")
    if _IS_NUMBER.fullmatch(parts[-1]):
        return f"{text!r} is not a valid domain name: its last label is a number"
    # A dot at the end is allowed.
    for part in parts[:-1] if parts[-1] == "" else parts:
        if not is_label(part):
            return f"{text!r} is not a valid domain name: {part!r} is not a valid label"
    return ""


def bad_partial_wildcard(text: str) -> str:
    partial = "*" in text and len(text) != 1 and not text.startswith("*.")
    return f"the * in {text!r} must be a whole label of the name, as in *.example.com" if partial else ""


def bad_namespaced_host(text: str, gateway: bool) -> str:
    """``namespace/host``, of a Gateway's server or a Sidecar's egress listener."""
    namespace, slash, host = text.partition("/")
    if not slash:
        return _bad_listener_host(text, True) if gateway else f"{text!r} is not of the form namespace/host"
    if not namespace or not host:
        return f"{text!r} is not of the form namespace/host"
    wanted = namespace if gateway else namespace.removeprefix("~")
    if wanted not in ("*", ".") and not is_label(wanted) and (gateway or wanted):
        return f"{namespace!r} is not a valid namespace: use a name, * for all or . for the same"
    return _bad_listener_host(host, gateway)


def _bad_listener_host(host: str, gateway: bool) -> str:
    if host != "*" and "." not in host:
        return f"{host!r} is a short name; use the full name here"
    fault = bad_wildcard_domain(host)
    if fault and not (gateway and go.is_address(host)):
        return fault
    return bad_partial_wildcard(host)


def bad_port(number: int) -> str:
    return "" if 1 <= number <= 65535 else f"{number} is not a valid port (1 to 65535)"


def bad_protocol(text: str) -> str:
    """Empty is allowed: the proxy detects it."""
    return f"{text!r} is not a protocol; use {_SHOWN_PROTOCOLS}" if text and text.lower() not in PROTOCOLS else ""


def bad_port_name(text: str) -> str:
    return "" if is_label(text) else f"{text!r} is not a valid port name: use letters, digits and hyphens"


@lru_cache(maxsize=1024)
def bad_duration(text: str, zero: bool = False) -> str:
    found = go.duration(text)
    if found is None:
        return f"{text!r} is not a valid duration (for example 5s or 100ms)"
    if zero and abs(found) < go.MILLISECOND:
        return ""
    if found < go.MILLISECOND:
        return f"{text!r} is shorter than 1ms"
    return f"{text!r} is not a whole number of milliseconds" if found % go.MILLISECOND else ""


def bad_address(text: str) -> str:
    return "" if go.is_address(text) else f"{text!r} is not a valid IP address"


def bad_subnet(text: str) -> str:
    """An address, or a range of addresses."""
    if text.count("/") == 1:
        return "" if go.is_prefix(text) else f"{text!r} is not a valid range of addresses (for example 10.0.0.0/8)"
    return bad_address(text)


def bad_unix_address(text: str) -> str:
    if text.startswith("@") or (text.startswith("/") and not text.endswith("/")):
        return ""
    return f"{text!r} is not an absolute path of a socket"


@lru_cache(maxsize=1024)
def bad_regex(text: str) -> str:
    if len(text.encode(errors="surrogatepass")) > _LONGEST_REGEX:
        return f"the regular expression is longer than {_LONGEST_REGEX} characters"
    fault = regex.error(text)
    return f"{text!r} is not a valid RE2 regular expression: {fault}" if fault else ""


@lru_cache(maxsize=8192)
def bad_label_key(text: str) -> str:
    found = _IS_KEY.fullmatch(text)
    if found and len(found[1] or "") <= _LONGEST_NAME and len(found[2]) <= _LONGEST_LABEL:
        return ""
    return f"{text!r} is not a valid label key"


@lru_cache(maxsize=8192)
def bad_label_value(text: str) -> str:
    """Istio does not limit the length here, Kubernetes does."""
    return "" if _IS_VALUE.fullmatch(text) else f"{text!r} is not a valid label value"


def matches(one: str, other: str) -> bool:
    """Whether any host matches both hosts of a VirtualService."""
    if one.startswith("*"):
        if other.startswith("*"):
            return other[1:].endswith(one[1:]) if len(one) < len(other) else one[1:].endswith(other[1:])
        return other.endswith(one[1:])
    return one.endswith(other[1:]) if other.startswith("*") else one == other


def is_within(host: str, pattern: str) -> bool:
    """Whether every host that the first one matches is matched by the second."""
    if host.startswith("*"):
        return pattern.startswith("*") and len(host) >= len(pattern) and host[1:].endswith(pattern[1:])
    return host.endswith(pattern[1:]) if pattern.startswith("*") else host == pattern


def first(reasons: Iterable[str]) -> str:
    return next((reason for reason in reasons if reason), "")
