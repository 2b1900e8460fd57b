# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A client whose credentials end before the call does."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure

# Credentials that were refused are read again at most so often: an exec plugin takes its time.
_SECONDS = 5.0

Client = TypeVar("Client")
Answer = TypeVar("Answer")


class Renewable(Generic[Client]):
    """A client, recreated with the present credentials where its own are not valid any more.

    Of Kubernetes' client library, only exec plugins that say when their token ends, and a pod's own token, are read
    again; a kubeconfig, its tokenFile and its certificates are not. Safe to use from several threads.
    """

    def __init__(self, connect: Callable[[], Client], credentials: Callable[[Client], object]) -> None:
        """``connect`` reads the credentials; raises ApiFailure. ``credentials``: the same object for the same ones."""
        self._connect, self._credentials = connect, credentials
        self._lock, self._renewed_at = threading.Lock(), -math.inf
        self.now = connect()

    def ask(self, question: Callable[[Client], Answer]) -> Answer:
        """The answer; after a 401 the one to the credentials that there are by now, if they are others."""
        used = self.now
        try:
            return question(used)
        except ApiFailure as failure:
            if failure.status != 401 or not self._renewed(used):
                raise
        return question(self.now)

    def _renewed(self, refused: Client) -> bool:
        with self._lock:
            if self.now is not refused:
                return True
            if time.monotonic() - self._renewed_at < _SECONDS:
                return False
            self._renewed_at = time.monotonic()
            try:
                found = self._connect()
            except ApiFailure:
                return False
            if self._credentials(found) is self._credentials(refused):
                return False
            self.now = found
            return True
