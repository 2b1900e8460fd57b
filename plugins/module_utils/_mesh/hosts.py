# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Host names, as Istio compares them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


def qualified(host: str, namespace: str, domain: str = "cluster.local") -> str:
    """A name without a dot means a Service of the namespace; everything else is taken literally."""
    if "." in host or host.startswith("*") or not host:
        return host
    return f"{host}.{namespace}.svc.{domain}"


def is_wildcard(host: str) -> bool:
    return host.startswith("*")


def covers(pattern: str, host: str) -> bool:
    """Whether every host that ``host`` stands for is one that ``pattern`` stands for."""
    if pattern == "*" or pattern == host:
        return True
    return pattern.startswith("*") and host.lstrip("*").endswith(pattern[1:])


def overlap(one: str, other: str) -> bool:
    """Whether any host matches both."""
    return covers(one, other) or covers(other, one)


def patterns(host: str) -> Iterator[str]:
    """Every wildcard, other than itself, that covers the host; the nearest first."""
    name = host.removeprefix("*")
    for place, letter in enumerate(name):
        if letter == "." and (place or name == host):
            yield f"*{name[place:]}"
    if host != "*":
        yield "*"


class Wildcards(Generic[Value]):
    """Values by wildcard. Finds what covers a host without iterating over all of them."""

    def __init__(self, entries: Iterable[tuple[str, Value]]) -> None:
        self._by_pattern: dict[str, list[Value]] = defaultdict(list)
        # *-a.example.com and the like, which end within a label.
        self._odd: list[tuple[str, Value]] = []
        for pattern, value in entries:
            if pattern == "*" or pattern.startswith("*."):
                self._by_pattern[pattern].append(value)
            else:
                self._odd.append((pattern, value))

    def covering(self, host: str) -> list[Value]:
        """The values whose wildcard covers the host or equals it, the nearest first."""
        if not self._by_pattern and not self._odd:
            return []
        found = list(self._by_pattern.get(host, ()))
        for pattern in patterns(host) if self._by_pattern else ():
            found += self._by_pattern.get(pattern, ())
        return found + [value for pattern, value in self._odd if covers(pattern, host)]

    def below(self, pattern: str) -> list[Value]:
        """The values whose wildcard is covered by the pattern and is not the pattern itself."""
        found = [
            value
            for other, values in self._by_pattern.items()
            if other != pattern and covers(pattern, other)
            for value in values
        ]
        return found + [value for other, value in self._odd if other != pattern and covers(pattern, other)]


def service_of(host: str, domain: str = "cluster.local") -> tuple[str, str] | None:
    """(namespace, name) of a qualified name of a Service, else None."""
    suffix = f".svc.{domain}"
    if not host.endswith(suffix):
        return None
    parts = host[: -len(suffix)].split(".")
    return (parts[1], parts[0]) if len(parts) == 2 else None
