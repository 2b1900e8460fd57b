# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects with one thing changed: a field left out, renamed, emptied, of another type, with another value."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

TEXTS = (
    *("", "*", "a", "UPPER-case", "under_score", "-begins", "a.b.example.com", "*.example.com", "*-x.example.com"),
    *("a..b", "a.1", "1.2.3.4", "::1", "10.0.0.0/8", "10.0.0.0/33", "ns/name", "*/*", "ns/*.example.com", "a/b/c"),
    *("5s", "0s", "1us", "1.5ms", "1h30m", "5", "-5s", "1500ms", "[a", "a{2000}", "(?=a)", "(?i)a", "a**", "\\d+"),
    *("true", "0", "80", "65536", "80-90", "http://a.example.com/x", "ftp://a", "unix:///a", "unix://a", "@x"),
    *("%", "%%", "%REQ(x)%", "100%", "é", "a b", "{*}", "/a/{*}/b", "a" * 64, "a" * 300, ".", "~", "mesh", "host"),
)
NUMBERS = (-1, 0, 1, 2, 4, 101, 200, 600, 65535, 65536, 2**31, 2**32, 0.5, 1.0, 100.5, 1e-05)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, ["a"], {"a": "b"}, [None], [{}], {"": ""}, {"a": None})


def mutations(obj: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what was done, the object) for everything below spec."""
    for path in paths(obj["spec"], ("spec",)):
        where = ".".join(map(str, path))
        yield f"without {where}", changed(obj, path, remove=True)
        if isinstance(path[-1], str):
            yield f"{where} misspelt", changed(obj, path, rename=path[-1] + "x")
        else:
            yield f"{where} twice", changed(obj, path, double=True)
        value = at(obj, path)
        choices = NUMBERS if isinstance(value, (int, float)) and not isinstance(value, bool) else ()
        choices = TEXTS if isinstance(value, str) else choices
        for other in (*choices, *OTHERS, "text", 7):
            if other != value or type(other) is not type(value):
                yield f"{where} = {other!r:.60}", changed(obj, path, value=other)


def paths(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))


def at(obj: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        obj = obj[step]
    return obj


def changed(
    obj: dict[str, Any],
    path: tuple[str | int, ...],
    *,
    value: Any = None,
    remove: bool = False,
    rename: str = "",
    double: bool = False,
) -> dict[str, Any]:
    result = copy.deepcopy(obj)
    parent = at(result, path[:-1])
    last = path[-1]
    if remove:
        del parent[last]
    elif rename:
        parent[rename] = parent.pop(last)
    elif double:
        parent.insert(int(last), copy.deepcopy(parent[int(last)]))
    else:
        parent[last] = copy.deepcopy(value)
    return result
