# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What it costs, as module mesh_cost found it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.document import Cell, Section


def section(data: Mapping[str, Any]) -> Section:
    return Section("cost", "Cost", nothing="", notes=data["notes"])


def overview(data: Mapping[str, Any]) -> Cell:
    return Cell("not asked")
