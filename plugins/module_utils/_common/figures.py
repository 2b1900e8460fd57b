# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Figures as people read them."""

from __future__ import annotations


def per_second(rate: float) -> str:
    """``12.5/s``; a rate of which this would leave nothing is one a minute, or less: ``2.4/min``."""
    if rate >= 0.1 or not rate:
        return f"{rate:.1f}/s"
    return f"{rate * 60:.1f}/min" if rate * 60 >= 0.1 else "under 0.1/min"
