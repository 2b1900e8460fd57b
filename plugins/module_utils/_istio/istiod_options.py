# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How istiod is asked, as modules take it. By itself, since who reads only files asks no istiod."""

from __future__ import annotations

from typing import Any

# How istiod is reached: through the API server, or at its pods' addresses where they are routed.
ACCESS = ("port_forward", "pod_address")
# As which istiod is asked at its pods' addresses; roles/istio makes it.
READER = "service-mesh-istiod-reader"
# For an argument spec; the doc fragment _istiod describes them.
ISTIOD_OPTIONS: dict[str, Any] = {
    "istio_namespace": {"type": "str", "default": "istio-system"},
    "istiod_access": {"type": "str", "choices": list(ACCESS), "default": "port_forward"},
    "istiod_account": {"type": "str", "default": READER},
}
