# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether the proxies have the routes that were written last, asked again and again without waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istiod import IstiodFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._proxy_sync import Proxy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic_shift import SETTLE_SECONDS, nonces

# One that has failed so often in a row is not asked again; time has to do.
_FAILURES = 3


class Propagation:
    """From a write to the last proxy's acknowledgement.

    Where istiod cannot be asked, ``unproven_wait`` seconds take the place of proof, and ``problem`` says why.
    """

    def __init__(
        self,
        ask: Callable[[], list[Proxy]],
        unproven_wait: float,
        protocols: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._unproven_wait, self._protocols, self._clock = ask, unproven_wait, protocols, clock
        self._written = clock()
        # Those of the last look: a push since then has others.
        self._nonces: dict[str, str] = {}
        self._before: dict[str, str] = {}
        self._failures = 0
        self.done = False
        self.proxies = 0
        self.seconds = 0.0
        self.behind: list[str] = []
        self.problem = ""

    def written(self) -> None:
        self._written, self._before, self.done = self._clock(), self._nonces, False
        self._failures = 0

    def acknowledged(self) -> bool:
        if self.done:
            return True
        elapsed = self._clock() - self._written
        if self._failures < _FAILURES or self.proxies:
            try:
                return self._judge(self._ask(), elapsed)
            except (IstiodFailure, ApiFailure) as failure:
                self._failures += 1
                self.problem = str(failure)
        # An istiod that has answered before is only away for a while, and sends nothing to anybody meanwhile.
        return self._end(elapsed) if elapsed >= self._unproven_wait and not self.proxies else False

    def _judge(self, found: list[Proxy], elapsed: float) -> bool:
        self._nonces = nonces(found)
        news = self._before and all(
            self._nonces[name] != nonce for name, nonce in self._before.items() if name in self._nonces
        )
        self.behind = [proxy.describe() for proxy in found if not proxy.has_routes(self._protocols)]
        self.proxies = len(found)
        if (news or elapsed >= SETTLE_SECONDS) and not self.behind:
            return self._end(elapsed)
        return False

    def _end(self, elapsed: float) -> bool:
        self.done, self.seconds = True, elapsed
        return True
