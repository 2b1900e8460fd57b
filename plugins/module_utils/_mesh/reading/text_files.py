# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Files that say how others are rendered: Chart.yaml, values, kustomizations. What cannot be read is empty."""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import load_one

_MAX_BYTES = 1024 * 1024


def text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return ""


def mapping_of(path: str) -> dict[str, Any]:
    value = load_one(text_of(path))
    return value if isinstance(value, dict) else {}
