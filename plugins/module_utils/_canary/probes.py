# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether Kubernetes knows when a service's pods can answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PROBES = ("readinessProbe", "startupProbe")


def unprobed(workload: str, container: Mapping[str, Any] | None) -> list[str]:
    """One line if the container has no probe that keeps requests from it until it answers.

    ``container``: of the Deployment ``workload``, None if it is not known which one serves the requests. A pod without
    such a probe is ready once its containers have started. The proxies then send it requests, which fail until the
    process listens: at each step, at a promotion and at an undo.
    """
    if container is None or any(container.get(probe) for probe in _PROBES):
        return []
    return [
        f"container {container['name']} of Deployment {workload} has no readinessProbe, so its pods get requests "
        "before they can answer: add one"
    ]
