# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Positions in plain block style are the ones that libyaml has, and other forms are left to it."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import exact_yaml, parsing
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.positions import block_positions, positions
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import documents
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from hypothesis import given, settings
from hypothesis import strategies as st

HERE = File(__file__).parent


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    yield (*path, "missing")
    yield (*path, 99)
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in children:
        yield from _paths(child, (*path, step))


def _agrees(text: str) -> bool:
    """Whether the form is plain. Each position that is found is compared with libyaml's."""
    value = parsing.parse(text).value
    if value is None:
        return False
    paths = list(_paths(value))
    exact = exact_yaml.positions(text, 3, paths)
    if found := block_positions(text, 3, paths):
        assert found == exact
        return True
    if not block_positions(text, 3, [()]):
        return False
    # A path into brackets leaves all of them to libyaml.
    for path, place in zip(paths, exact, strict=True):
        assert block_positions(text, 3, [path]) in (None, [place])
    return True


def test_the_cases_of_the_checks() -> None:
    total = plain = 0
    for folder in ("cases", "everyday", "valid"):
        for file in sorted((HERE / folder).rglob("*.yaml")):
            text = file.read_text()
            read = yaml.safe_load(text) if folder == "cases" else [{"input": text}]
            for _line, document in (found for case in read for found in documents(case["input"])):
                total += 1
                plain += _agrees(document)
    assert plain > total / 2


@pytest.mark.parametrize(
    "text",
    [
        "a:\n- b: 1\n  c:\n  - d\n  - e: f\nz: 1\n",
        "a:\n  - - b\n    - c: 1\n  -   d: 1\n      e: 2\n",
        "---\n# first\n\n- a: |\n    b: c\n   # not in it\n  d: 1\n- >-\n  e: f\n\n  g\n- h\n",
        "a: |\n\n  b: c\n # comment\n  # text\nb: 'x # y'\nc: \"z\" # c\n",
        "a: # comment\n  b: 1\n# comment\n  c: 2\n",
        "a:\nb:\n  c:\n",
        "f: [] # e\nz: {}\n",
        "a: -1\nb: .5\nc: x-y\nd: http://e:80/f#g\n1: 2\n",
        "a: 1\nb: 2\na:\n  c: 3\n",
    ],
)
def test_plain_forms(text: str) -> None:
    assert _agrees(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: b\n  c\n", ("a",)),
        ("a: b\n  - c\n", ("a",)),
        ("a: 'b\n  c: d'\ne: 1\n", ("e",)),
        ('a: "b\nc: d"\ne: 1\n', ("e",)),
        ('a: "b\\"c"\n', ("a",)),
        ("a: {b: c}\n", ("a", "b")),
        ("a: [b,\nc]\n", ("a",)),
        ("a: &b 1\nc: *b\n", ("c",)),
        ("a: !!str 1\n", ("a",)),
        ("<<: {a: 1}\nb: 2\n", ("b",)),
        ('"a": 1\n', ("a",)),
        ("'a': 1\n", ("a",)),
        ("? a\n: b\n", ("a",)),
        ("a:\n-\n  b: 1\n", ("a", 0, "b")),
        ("a: |2\n   b\n  c\n", ("a",)),
        ("a:\t1\n", ("a",)),
        ("a: 1\r\nb: 2\r\n", ("b",)),
        ("a: 1\u2028b: 2\n", ("b",)),
        ('{"a": 1}\n', ("a",)),
        ("a\n", ()),
        ("", ()),
        ("a: 1\n...\n", ("a",)),
        ("a:\n  b: 1\n c: 2\n", ("a",)),
    ],
)
def test_what_is_left_to_libyaml(text: str, path: Path) -> None:
    assert block_positions(text, 1, [path]) is None
    assert positions(text, 1, [path]) == exact_yaml.positions(text, 1, [path])


_SCALARS = st.none() | st.booleans() | st.integers() | st.text(string.printable, max_size=30)
_VALUES = st.recursive(
    _SCALARS | st.sampled_from(["a: b", "# c", "- d", "e:", "|", "f\ng: h", "\ni\n", "a b c " * 20]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_VALUES, st.sampled_from([None, False]), st.sampled_from([None, "|", ">", "'", '"']), st.booleans())
@settings(max_examples=500, deadline=None)
def test_what_pyyaml_writes(value: Any, flow: bool | None, style: str | None, sort: bool) -> None:
    _agrees(yaml.safe_dump({"a": value, "z": [value]}, default_flow_style=flow, default_style=style, sort_keys=sort))


_CONTENTS = [
    *("a:", "b: 1", "c: |", "- ", "- a:", "- b: 2", "- - c", "- >", "# d", "", "'e", 'f"', "g", "h: >-", "- i: x # y"),
    *("j: {k: l}", "m: [n", "o]", "p: 'q'", "---", "r: s # t", "-   u: v", "w : x", "y: ", "z:  # b", "- |"),
]
_LINES = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(_CONTENTS)), max_size=12)


@given(_LINES)
@settings(max_examples=500, deadline=None)
def test_any_lines(lines: list[tuple[int, str]]) -> None:
    for _line, document in documents("\n".join(" " * indent + content for indent, content in lines)):
        _agrees(document)
