# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Durations as Prometheus writes them."""

from __future__ import annotations

import re
from decimal import Decimal

# From the largest to the smallest, the order in which Prometheus takes them.
_UNITS = {
    name: Decimal(seconds)
    for name, seconds in (
        ("y", 31536000),
        ("w", 604800),
        ("d", 86400),
        ("h", 3600),
        ("m", 60),
        ("s", 1),
        ("ms", "0.001"),
    )
}
_DURATION = re.compile("".join(f"(?:([0-9]+){unit})?" for unit in _UNITS))


def duration_of(text: str) -> Decimal | None:
    """In seconds, None where it is not a duration."""
    found = _DURATION.fullmatch(text)
    if not text or not found:
        return None
    parts = zip(found.groups(), _UNITS.values(), strict=True)
    return sum((Decimal(number or 0) * seconds for number, seconds in parts), Decimal(0))


def seconds_of(duration: str) -> Decimal:
    """In seconds, 0 where it is not a duration."""
    return duration_of(duration) or Decimal(0)
