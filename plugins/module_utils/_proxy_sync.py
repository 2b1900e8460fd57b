# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether the mesh's proxies run what istiod last sent them, from the answers of istiod's /debug/syncz."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_TYPES = ("cluster", "listener", "route", "endpoint", "extensionconfig")


@dataclass(frozen=True)
class Proxy:
    name: str
    namespace: str
    type: str
    version: str
    # What was sent and not yet accepted.
    stale: tuple[str, ...]
    # What was refused, with the proxy's words.
    rejected: tuple[str, ...]
    # Changes with each push of routes.
    route_nonce: str = ""

    @property
    def in_sync(self) -> bool:
        return not self.stale and not self.rejected

    def describe(self) -> str:
        if self.rejected:
            return f"{self.name}.{self.namespace} refused {'; '.join(self.rejected)}"
        if self.stale:
            return f"{self.name}.{self.namespace} has not accepted {', '.join(self.stale)}"
        return f"{self.name}.{self.namespace} is in sync"


def proxies(answers: Iterable[Iterable[Mapping[str, Any]]]) -> list[Proxy]:
    """The proxies of all istiods. One that has just moved may be listed by two of them: the better answer counts."""
    best: dict[tuple[str, str], Proxy] = {}
    for answer in answers:
        for status in answer:
            proxy = _proxy(status)
            key = (proxy.namespace, proxy.name)
            if key not in best or proxy.in_sync:
                best[key] = proxy
    return [best[key] for key in sorted(best)]


def _proxy(status: Mapping[str, Any]) -> Proxy:
    # The id is <pod>.<namespace>; a pod's name may hold dots, a namespace's may not.
    name, _dot, namespace = str(status.get("proxy", "")).rpartition(".")
    resources: Mapping[str, Any] = status.get("resources") or {}
    return Proxy(
        name=name,
        namespace=namespace,
        type=str(status.get("proxy_type", "")),
        route_nonce=str(status.get("route_sent", "")),
        version=str(status.get("istio_version", "")),
        stale=tuple(
            kind
            for kind in _TYPES
            if status.get(f"{kind}_sent") and status[f"{kind}_sent"] != status.get(f"{kind}_acked")
        ),
        rejected=tuple(
            f"{url.rpartition('.')[2]}: {state['lastError']}"
            for url, state in sorted(resources.items())
            if state.get("lastError")
        ),
    )
