# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Colours of a terminal."""

from __future__ import annotations

_COLOURS = {"error": "1;31", "warning": "1;33", "info": "1;36", "place": "1", "faint": "2", "good": "32"}


class Style:
    """Colours, if the reader's terminal shows them."""

    def __init__(self, coloured: bool = False) -> None:
        self._coloured = coloured

    def __call__(self, name: str, shown: str) -> str:
        return f"\x1b[{_COLOURS[name]}m{shown}\x1b[0m" if self._coloured and shown else shown
