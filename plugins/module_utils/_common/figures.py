# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Figures as people read them."""

from __future__ import annotations


def rate(per_second: float) -> str:
    """``12.5``; a figure of which this would leave nothing has two digits that count: ``0.0033``."""
    return f"{per_second:.1f}" if per_second >= 0.1 or not per_second else f"{per_second:.2g}"


def rate_with_unit(per_second: float) -> str:
    """``12.5/s``; a rate below 0.1 a second is one a minute: ``2.4/min``."""
    if per_second >= 0.1 or not per_second:
        return f"{per_second:.1f}/s"
    return f"{per_second * 60:.1f}/min" if per_second * 60 >= 0.1 else "under 0.1/min"
