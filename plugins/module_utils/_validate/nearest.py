# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Nearest:
    """Names that differ from a wrong one by a letter too many, too few, changed or swapped with its neighbour.

    Indexed by the names with one letter left out, so that a question costs the same however many names there are.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_key: dict[str, str] = {}
        for name in names:
            for key in _keys(name):
                self._by_key.setdefault(key, name)

    def find(self, wrong: str) -> str:
        """Empty where none is near."""
        found = (self._by_key.get(key, "") for key in _keys(wrong))
        return next((name for name in found if name and name != wrong), "")


def _keys(name: str) -> Iterator[str]:
    yield name
    for place in range(len(name)):
        yield name[:place] + name[place + 1 :]
