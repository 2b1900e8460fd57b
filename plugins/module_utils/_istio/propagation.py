# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which proxies have the routes that were written last.

istiod collects changes (for 100 ms, and up to 10 s where there are many) and then sends each proxy what concerns it. So
neither the time since a write nor a new answer proves that a proxy has the write. Three facts together do:

* A sidecar's own configuration has the routes that it follows, and what istiod would send to a gateway can be asked
  for. They show whether a proxy has routes of the written VirtualServices at all, and whether they are the written
  ones.
* A nonce is the version of istiod's configuration, which counts up, and a random name. So what one sidecar has shown
  holds for every other one of the same istiod that has accepted routes of that version or a newer one, if the version
  is newer than every version from before the write: an older one may have had the same weights and been followed by
  others.
* What a proxy has accepted once, it keeps. Each proxy is waited for once, not all of them in the same instant.

A sidecar that may not be asked is covered by one that may. Where there is none, time must do, and ``unproven`` says so.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import IstiodFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import (
    GATEWAY,
    Proxy,
    Version,
    version_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.sent_routes import Sent, WrittenRoutes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure

# One that has failed so often in a row is not asked again; time must do.
_FAILURES = 3
# istiod collects changes for 100 ms before it pushes. A proxy without news is asked for its routes after this time.
_QUIET_SECONDS = 1.0
# What a proxy shows may be newer than the nonce that istiod last noted, and what istiod shows may not be sent yet.
_SENDING_SECONDS = 0.3
# Proxies whose routes are asked for in one look.
_QUESTIONS = 10
# Looks that are kept, of which one is from before the last write.
_LOOKS = 8
_FORBIDDEN, _GONE = 403, 404
# Proxies that a message names.
_NAMED = 5


class Istiods(Protocol):
    """All istiods of a mesh. Both raise IstiodFailure and ApiFailure."""

    def proxies(self) -> list[Proxy]:
        """Every connected proxy."""

    def routes(self, proxy: Proxy) -> Sequence[Mapping[str, Any]]:
        """The RouteConfigurations that a sidecar has, or that a gateway gets."""

    def scope(self, proxy: Proxy) -> tuple[Version | None, Collection[str]]:
        """What istiod computed last for a sidecar: the version, and the services that it sends."""


class _Shown(NamedTuple):
    """When a proxy had the written routes, its istiod and its nonce at that time.

    of_all: they are of every VirtualService that is for the whole mesh, so they speak for other sidecars, too.
    """

    istiod: str
    nonce: str
    at: float
    of_all: bool


class _Look(NamedTuple):
    """When the proxies were listed, the nonces of their routes, and the newest version among them for each istiod."""

    at: float
    nonces: Mapping[str, str]
    newest: Mapping[str, Version]


class Propagation:
    """From a write to the last proxy's acknowledgement.

    Where istiod cannot be asked, ``unproven_wait`` seconds take the place of proof, and ``problem`` says why.
    ``routes``: the VirtualServices as they are written now. ``protocols``: of their routes, see Proxy.has_routes.
    """

    def __init__(
        self,
        istiods: Istiods,
        routes: Callable[[], WrittenRoutes],
        unproven_wait: float,
        protocols: Collection[str],
        before: Sequence[Proxy] = (),
        clock: Callable[[], float] = time.monotonic,
        connected: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """``before``: the proxies as they were before the write, if they were asked.

        ``connected``: keys of proxies that an istiod must know. After it has been away they come back one by one, and
        one that is not back yet sends as it did before.
        """
        self._connected = connected
        self._istiods, self._routes, self._unproven_wait, self._clock = istiods, routes, unproven_wait, clock
        self._protocols = protocols
        self._looks = deque([_looked(before, clock())] if before else [], maxlen=_LOOKS)
        # Proxies without a route of these VirtualServices, and such as have had one. The former are not asked again.
        self._strangers: set[str] = set()
        self._clients: set[str] = set()
        # Namespaces whose proxies may not be asked.
        self._closed: set[str] = set()
        self._failures = 0
        self.proxies = len(before)
        self.problem = ""
        self.written(clock())

    def written(self, begun: float | None = None) -> None:
        """The VirtualServices have other routes from now on. ``begun``: when the write began, where that is known."""
        self._written = self._clock()
        before = [look for look in self._looks if begun is not None and look.at <= begun]
        self._floor = before[-1].newest if before else {}
        self._before = (before or self._looks or [_Look(0, {}, {})])[-1].nonces
        self._wanted: WrittenRoutes | None = None
        self._has: set[str] = set()
        self._settled: dict[str, set[str]] = {}
        self._shown: dict[str, _Shown] = {}
        # The nonce with which a proxy had other routes than the written ones.
        self._outdated: dict[str, str] = {}
        # Proxies that could not be asked. They are not asked again.
        self._silent: set[str] = set()
        # Of such a one, the version that istiod computed last.
        self._computed: dict[str, Version] = {}
        self._proven: dict[str, Version] = {}
        self._failures = 0
        self.done = False
        self.unproven = ""
        self.seconds = 0.0
        self.behind: list[str] = []

    def acknowledged(self) -> bool:
        """Whether every proxy has what was written last. Never changes back to False."""
        if self.done:
            return True
        elapsed = self._clock() - self._written
        if self._failures < _FAILURES or self.proxies:
            try:
                return self._look(elapsed)
            except (IstiodFailure, ApiFailure) as failure:
                self._failures += 1
                self.problem = str(failure)
        # An istiod that has answered before is only away for a while, and sends nothing to any proxy meanwhile.
        return self._end(elapsed) if elapsed >= self._unproven_wait and not self.proxies else False

    @property
    def seen(self) -> bool:
        """Whether a proxy has shown HTTP routes of the written objects, current or not."""
        return bool(self._clients)

    @property
    def stragglers(self) -> str:
        """The proxies that have not accepted it, for a message."""
        named, more = self.behind[:_NAMED], len(self.behind) - _NAMED
        return "; ".join([*named, *([f"and {more} more"] if more > 0 else [])]) or self.problem

    def _look(self, elapsed: float) -> bool:
        found = self._istiods.proxies()
        looked = _looked(found, self._clock())
        self.proxies = len(found)
        if set(self._protocols) == {"http"}:
            behind, pushed = self._without_routes(found, elapsed), True
        else:
            behind = [proxy for proxy in found if not proxy.has_routes(self._protocols)]
            pushed = elapsed >= _QUIET_SECONDS or self._all_new(found)
        self._looks.append(looked)
        self.behind = [_what_lacks(proxy) for proxy in behind]
        if pushed and not behind:
            known = {proxy.key for proxy in found}
            self.behind = [f"{_dotted(key)} is not connected to istiod" for key in sorted({*self._connected()} - known)]
        return self._end(elapsed) if pushed and not self.behind else False

    def _all_new(self, found: Sequence[Proxy]) -> bool:
        known = [proxy for proxy in found if proxy.key in self._before]
        return bool(known) and all(proxy.route_sent != self._before[proxy.key] for proxy in known)

    def _without_routes(self, found: Sequence[Proxy], elapsed: float) -> list[Proxy]:
        """The proxies that have not been seen to have the written routes."""
        if self._wanted is None:
            self._wanted = self._routes()
        wanted, questions = self._wanted, _QUESTIONS
        behind = []
        # Who may shift a service's traffic is likely to have rights in its namespace.
        for proxy in sorted(found, key=lambda each: each.namespace not in wanted.namespaces):
            if proxy.key in self._strangers or proxy.key in self._has:
                continue
            if self._accepted(proxy, elapsed):
                self._has.add(proxy.key)
                continue
            behind.append(proxy)
            if questions and self._worth_asking(proxy, elapsed):
                questions -= 1
                if not self._ask(proxy, wanted):
                    behind.pop()
        return behind

    def _accepted(self, proxy: Proxy, elapsed: float) -> bool:
        """By what is known of it and of the others of its istiod."""
        settled = self._settled.setdefault(proxy.key, set())
        settled |= {"cluster", "endpoint"} - set(proxy.stale)
        if len(settled) < 2:
            return False
        if not proxy.route_sent:
            return True
        version, floor = version_of(proxy.route_acked), self._floor.get(proxy.istiod)
        shown = self._shown.get(proxy.key)
        if (
            shown
            and shown.nonce == proxy.route_acked == proxy.route_sent
            and self._clock() - shown.at >= _SENDING_SECONDS
        ):
            if shown.of_all and version and (floor is None or version > floor):
                self._proven.setdefault(proxy.istiod, version)
            return True
        proven = self._proven.get(proxy.istiod)
        # A gateway may have routes of other VirtualServices than the sidecars.
        if proxy.type != GATEWAY and proven and version and version >= proven:
            return True
        return self._unasked(proxy) and elapsed >= self._unproven_wait and self._by_time(proxy, proven)

    def _by_time(self, proxy: Proxy, proven: Version | None) -> bool:
        """Of a sidecar that cannot be asked: whether istiod has nothing left to send to it, as far as can be seen."""
        computed = self._computed.get(proxy.key)
        if proxy.route_sent != proxy.route_acked or (proven and not (computed and computed >= proven)):
            return False
        self.unproven = (
            f"{proxy.full_name} and perhaps others could not be asked for their routes "
            f"({self.problem}), so {self._unproven_wait:.0f} s took the place of proof"
        )
        return True

    def _unasked(self, proxy: Proxy) -> bool:
        return proxy.type != GATEWAY and (proxy.namespace in self._closed or proxy.key in self._silent)

    def _worth_asking(self, proxy: Proxy, elapsed: float) -> bool:
        nonce, quiet = proxy.route_sent, elapsed >= _QUIET_SECONDS
        shown = self._shown.get(proxy.key)
        if nonce != proxy.route_acked or (shown and shown.nonce == nonce):
            return False
        if nonce == self._before.get(proxy.key) and not quiet:
            return False
        if proxy.type == GATEWAY:
            return True
        if self._unasked(proxy):
            return quiet and proxy.istiod in self._proven
        if self._outdated.get(proxy.key) == nonce:
            return False
        version, floor = version_of(nonce), self._floor.get(proxy.istiod)
        if proxy.key in self._clients and version and floor and version <= floor:
            # It gets the new routes with a newer version.
            return False
        # One that has shown its routes will in a moment speak for the others of its istiod.
        return quiet or not self._has_witness(proxy.istiod)

    def _has_witness(self, istiod: str) -> bool:
        """Whether the others of this istiod are known, or will be in a moment."""
        now = self._clock()
        return istiod in self._proven or any(
            shown.istiod == istiod and shown.of_all and now - shown.at <= _QUIET_SECONDS
            for shown in self._shown.values()
        )

    def _ask(self, proxy: Proxy, wanted: WrittenRoutes) -> bool:
        """Look at the proxy's routes; False where it turned out that it is not a client."""
        try:
            if self._unasked(proxy):
                return self._ask_scope(proxy, wanted)
            sent = wanted.compare(self._istiods.routes(proxy))
        except ApiFailure as failure:
            if failure.status == _GONE:
                # It has left its istiod since it was listed.
                return True
            if proxy.type == GATEWAY:
                raise
            self.problem = str(failure)
            if failure.status == _FORBIDDEN:
                self._closed.add(proxy.namespace)
            else:
                self._silent.add(proxy.key)
            return True
        if sent is Sent.NONE:
            self._strangers.add(proxy.key)
            return False
        self._clients.add(proxy.key)
        if sent is Sent.OUTDATED:
            self._outdated[proxy.key] = proxy.route_sent
        else:
            self._shown[proxy.key] = _Shown(proxy.istiod, proxy.route_sent, self._clock(), sent is Sent.CURRENT_OF_ALL)
        return True

    def _ask_scope(self, proxy: Proxy, wanted: WrittenRoutes) -> bool:
        """Query istiod instead; False where it sends the proxy none of the services."""
        version, hosts = self._istiods.scope(proxy)
        if not wanted.hosts.intersection(hosts):
            self._strangers.add(proxy.key)
            return False
        if version:
            self._computed[proxy.key] = version
        return True

    def _end(self, elapsed: float) -> bool:
        self.done, self.seconds = True, elapsed
        return True


def _looked(proxies: Sequence[Proxy], at: float) -> _Look:
    newest: dict[str, Version] = {}
    for proxy in proxies:
        version = version_of(proxy.route_sent)
        if version:
            newest[proxy.istiod] = max(version, newest.get(proxy.istiod, version))
    return _Look(at, {proxy.key: proxy.route_sent for proxy in proxies}, newest)


def _dotted(key: str) -> str:
    """As messages name a proxy."""
    namespace, __, name = key.partition("/")
    return f"{name}.{namespace}"


def _what_lacks(proxy: Proxy) -> str:
    if proxy.in_sync:
        return f"{proxy.full_name} still has the previous routes"
    return proxy.describe()
