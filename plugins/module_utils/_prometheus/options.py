# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which Prometheus is asked, as modules take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.durations import seconds_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.server import Server

# For an argument spec; the doc fragment _prometheus describes them.
PROMETHEUS_OPTIONS: dict[str, Any] = {
    "prometheus": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "path_prefix": {"type": "str", "default": ""},
            "token": {"type": "str", "default": "", "no_log": True},
            "username": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "ca_cert": {"type": "path", "default": ""},
            "validate_certs": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 10},
        },
    },
    "window": {"type": "str", "default": "5m"},
}


def prometheus_of(params: Mapping[str, Any]) -> Server | None:
    """None where none is given. Raises InputError where what is given names no server."""
    if not params["prometheus"]:
        return None
    server = Server(**params["prometheus"])
    if problem := server.problem():
        raise InputError(problem.replace("provider:", "prometheus:"))
    if not seconds_of(params["window"]):
        raise InputError(f"window: '{params['window']}' is not a valid PromQL duration; write it like 30s, 5m or 1h.")
    return server
