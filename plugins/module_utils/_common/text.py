# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Texts for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime


def shortened(items: Sequence[str], most: int = 4) -> str:
    """``a, b and 7 more``."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


# Control characters, and those that reorder or hide letters: U+200B to U+200F, U+202A to U+202E, U+2060 to U+2069.
# Not compiled before it is needed, which few programs do.
_INVISIBLE = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"


def visible(text: str) -> str:
    """One line without such characters."""
    return re.sub(_INVISIBLE, "\ufffd", " ".join(text.split()))


def iso_of(seconds: float) -> str:
    """A moment, given in seconds since the epoch, as 2026-11-25T22:01:02Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
