# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Nearest:
    """Names that differ from a wrong one by a letter added, missing, changed, or swapped with its neighbour.

    Indexed by the names with one letter left out, so that a lookup costs the same however many names there are.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_key: dict[str, str] = {}
        for name in names:
            for key in _keys(name):
                self._by_key.setdefault(key, name)

    def find(self, wrong: str) -> str:
        """Empty if none is near."""
        found = (self._by_key.get(key, "") for key in _keys(wrong))
        return next((name for name in found if name and name != wrong), "")


def _keys(name: str) -> Iterator[str]:
    yield name
    for place in range(len(name)):
        yield name[:place] + name[place + 1 :]


# Names at least this long may have two typos.
_LONG = 6


def is_slip(wrong: str, right: str) -> bool:
    """Whether a name is a known one misspelt: by case, _ and -, by one letter, or in a long name by two."""
    one, other = (name.replace("_", "").replace("-", "").lower() for name in (wrong, right))
    return one == other or _distance(one, other) <= (2 if min(len(one), len(other)) >= _LONG else 1)


def _distance(one: str, other: str) -> int:
    """Letters added, missing, changed, or swapped with their neighbour (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        before, last, row = row, before, [place]
        for at, counterpart in enumerate(other, 1):
            cost = min(before[at] + 1, row[at - 1] + 1, before[at - 1] + (letter != counterpart))
            if place > 1 and at > 1 and (letter, one[place - 2]) == (other[at - 2], counterpart):
                cost = min(cost, last[at - 2] + 1)
            row.append(cost)
    return row[-1]
