# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Texts as Go reads them: durations, URLs, addresses. The API server and istiod are written in it."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

# Nanoseconds.
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
MILLISECOND = _UNITS["ms"]
SECOND = _UNITS["s"]
HOUR = _UNITS["h"]
_DURATION = re.compile(r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_PART = re.compile(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LONGEST = 2**63 - 1


@lru_cache(maxsize=1024)
def duration(text: str) -> int | None:
    """Nanoseconds of ``1h30m``, ``1.5s``; None if it is not a valid duration."""
    if text in ("0", "+0", "-0"):
        return 0
    if not _DURATION.fullmatch(text):
        return None
    total = 0
    for number, unit in _PART.findall(text):
        whole, _dot, fraction = number.partition(".")
        size = _UNITS[unit]
        total += int(whole or "0") * size + (int(fraction) * size // 10 ** len(fraction) if fraction else 0)
    return None if total > _LONGEST else -total if text.startswith("-") else total


class Url(NamedTuple):
    scheme: str
    host: str
    port: str


_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_HOST = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:\"<>%]|[^\x00-\x7f])*")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?")


@lru_cache(maxsize=256)
def url(text: str, request: bool = False) -> Url | None:
    """Parts of a URL, as url.Parse takes it; with ``request`` as url.ParseRequestURI. None if Go refuses it."""
    if not request:
        text, _hash, fragment = text.partition("#")
        if _BAD_ESCAPE.search(fragment):
            return None
    if _CONTROL.search(text) or (request and not text):
        return None
    found = _SCHEME.match(text)
    if text.startswith(":"):
        return None
    scheme, rest = (found[1].lower(), text[found.end() :]) if found else ("", text)
    rest = rest.partition("?")[0]
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme, "", "")
        if request or ":" in rest.partition("/")[0]:
            return None
    if _BAD_ESCAPE.search(rest):
        return None
    host = port = ""
    if rest.startswith("//") and (scheme or not (request or rest.startswith("///"))):
        authority = rest[2:].partition("/")[0].rpartition("@")[2]
        parts = _AUTHORITY.fullmatch(authority)
        if not parts:
            return None
        host, port = parts[1].strip("[]"), parts[2] or ""
        if not _HOST.fullmatch(host):
            return None
    return Url(scheme, host, port)


@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """An IPv4 or IPv6 address."""
    text, percent, zone = text.partition("%")
    if percent and (not zone or ":" not in text):
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def is_prefix(text: str) -> bool:
    """``10.0.0.0/8``: an address and a length."""
    address, slash, length = text.partition("/")
    if not slash or "%" in address or not re.fullmatch(r"0|[1-9][0-9]{0,2}", length) or not is_address(address):
        return False
    return int(length) <= (128 if ":" in address else 32)


def split_host_port(text: str) -> tuple[str, str] | None:
    """Host and port of ``host:port`` or ``[address]:port``, None if it is neither."""
    host, colon, port = text.rpartition(":")
    if not colon:
        return None
    if host.startswith("["):
        return (host[1:-1], port) if host.endswith("]") and "[" not in host[1:] else None
    return None if ":" in host or "[" in host or "]" in host else (host, port)
