# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Sets of hosts that find out whether one of them overlaps with a host, without comparing each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class HostSet:
    """Hosts are compared as Istio does: ``*.a.b`` stands for every name below a.b, ``*`` for all."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._exact: set[str] = set()
        self._wildcards: set[str] = set()
        self._parents: set[str] = set()
        for host in hosts:
            (self._wildcards if host.startswith("*") else self._exact).add(host)
            self._parents.update(_above(host))

    def __bool__(self) -> bool:
        return bool(self._exact or self._wildcards)

    def overlaps(self, host: str) -> bool:
        """Whether the host is in the set, is covered by one of its wildcards, or covers one of its hosts."""
        if host == "*" or "*" in self._wildcards:
            return bool(self)
        if host in self._exact or host in self._wildcards or any(name in self._wildcards for name in _above(host)):
            return True
        return host.startswith("*") and host in self._parents


def _above(host: str) -> Iterator[str]:
    """``*.a.b``, ``*.b`` for x.a.b; ``*.b`` for ``*.a.b``."""
    labels = host.split(".")
    for start in range(1 if not host.startswith("*") else 2, len(labels)):
        yield "*." + ".".join(labels[start:])
