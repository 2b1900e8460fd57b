# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Reading data of any shape: what is not what it should be counts as empty."""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object


def items(value: Any, *keys: str) -> list[tuple[int, Object]]:
    """The dicts of the list below the keys, each with its place; values that are not lists or dicts are skipped.

    ``for index, route in items(resource.spec, "http")``
    """
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return (
        [(index, item) for index, item in enumerate(value) if isinstance(item, dict)] if isinstance(value, list) else []
    )


def texts(value: Any, *keys: str) -> list[tuple[int, str]]:
    """Likewise the texts of a list of texts."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return (
        [(index, item) for index, item in enumerate(value) if isinstance(item, str)] if isinstance(value, list) else []
    )


def part(value: Any, *keys: str) -> Object:
    """The dict below the keys; an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
