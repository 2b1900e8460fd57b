# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Retries of requests to the API server: which failures are permanent, for how long, and known remedies."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure

# Answers that will be the same the next time.
PERMANENT = (400, 401, 403, 404, 422)
_PATIENCE = 120
_AGAIN = 0.5
_WEBHOOK = "failed calling webhook"
_WEBHOOK_HELP = (
    "routes are read-only while istiod, which validates them, does not answer. Restore it: kubectl -n istio-system get "
    "pods -l app=istiod. docs/runbooks/istio_webhook_unreachable.md has the last resort, routes without validation"
)

Answer = TypeVar("Answer")


def with_retries(request: Callable[[], Answer], log: Callable[[str], None]) -> Answer:
    """Retries while the API server is busy or unreachable. A request that was half done continues from there."""
    begin, logged = time.monotonic(), ""
    while True:
        try:
            return request()
        except ApiFailure as failure:
            if failure.status in PERMANENT or time.monotonic() - begin > _PATIENCE:
                raise
            if str(failure) != logged:
                logged = str(failure)
                log(f"the API server fails, retrying: {explained(failure)}")
        time.sleep(_AGAIN)


def explained(failure: ApiFailure) -> str:
    """The failure, with a known remedy."""
    return f"{failure} ({_WEBHOOK_HELP})" if _WEBHOOK in str(failure) else str(failure)
