# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Values that a chart does not read, because their name has a typo. Few charts have a schema, and helm accepts them."""

from __future__ import annotations

import difflib
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import yaml

# The share of equal letters from which a name is meant to be another one.
_ALIKE = 0.85
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# Where a chart names its values, with those of its subcharts.
_TEXTS = (".yaml", ".yml", ".tpl", ".json", ".txt", ".md")
# Istio's charts have their defaults below this key.
_DEFAULTS = "_internal_defaults_do_not_set"
Values = Mapping[str, Any]


def unknown_values(chart: str, values: Values) -> list[str]:
    """One text for each key of ``values`` that is most likely a typo. ``chart``: a folder or a packed archive.

    A key counts as read if the chart's own values have it at its place, if any file of the chart contains the word,
    or if its place accepts any key (the default is empty). The others are typos if a known key is like them.
    """
    texts = ChartTexts(chart)
    return [f"{'.'.join(path)} (did you mean {near}?)" for path, near in _unknown(values, texts.values, (), texts)]


class ChartTexts:
    """What a chart says of its values."""

    def __init__(self, path: str) -> None:
        self._path = path

    @cached_property
    def values(self) -> Values:
        """The chart's own, each subchart's below its name."""
        result: dict[str, Any] = {}
        # The outer chart last, because its values take precedence.
        for name, text in sorted(self._files(is_values), key=lambda entry: -entry[0].count("/")):
            loaded = yaml.load(text)
            if isinstance(loaded, dict):
                loaded = {**loaded.pop(_DEFAULTS, {}), **loaded}
                for subchart in reversed(re.findall(r"charts/([^/]+)/", name)):
                    loaded = {subchart: loaded}
                result = _merged(result, loaded)
        return result

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of the chart's files, but of its definitions."""
        return frozenset(
            word for _name, text in self._files(is_text) for word in _WORD.findall(text.decode("utf-8", "replace"))
        )

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset(_keys(self.values))

    def _files(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Paths start in the chart's folder."""
        if os.path.isdir(self._path):
            for folder, _folders, names in os.walk(self._path):
                for name in names:
                    path = os.path.join(folder, name)
                    if wanted(relative := os.path.relpath(path, self._path)):
                        with open(path, "rb") as file:
                            yield relative, file.read()
            return
        with tarfile.open(self._path) as archive:
            for member in archive:
                relative = member.name.partition("/")[2]
                if member.isfile() and wanted(relative) and (content := archive.extractfile(member)):
                    yield relative, content.read()


def is_values(path: str) -> bool:
    """Whether it is the chart's own values, or those of a subchart."""
    return re.fullmatch(r"(charts/[^/]+/)*values\.yaml", path) is not None


def is_text(path: str) -> bool:
    """Whether it may name values."""
    return path.endswith(_TEXTS) and "crds/" not in path


def _unknown(
    given: Values, known: Values, path: tuple[str, ...], texts: ChartTexts
) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in given.items():
        place = (*path, str(key))
        if key in known:
            below = known[key]
            if isinstance(value, Mapping) and isinstance(below, Mapping) and below:
                yield from _unknown(value, below, place, texts)
        elif str(key) not in texts.words:
            # Its own place first; a key of another place may be meant, too.
            near = _near(key, known.keys() - given.keys()) or _near(key, texts.keys)
            if near:
                yield place, near
        elif isinstance(value, Mapping) and not path:
            # Such as istiod's former key pilot, whose content the chart takes as its own.
            yield from _unknown(value, known, place, texts)


def _near(key: Any, names: Iterable[Any]) -> str:
    return next(iter(difflib.get_close_matches(str(key), [str(name) for name in names], 1, _ALIKE)), "")


def _keys(values: Values) -> Iterator[str]:
    for key, value in values.items():
        yield str(key)
        if isinstance(value, Mapping):
            yield from _keys(value)


def _merged(first: Values, second: Values) -> dict[str, Any]:
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            value = _merged(before, value)
        result[key] = value
    return result
