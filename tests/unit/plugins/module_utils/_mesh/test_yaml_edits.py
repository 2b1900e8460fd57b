# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of single tokens of YAML: everything else stays byte for byte, or the edit is refused."""

from __future__ import annotations

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.yaml_edits import Edit, edited

TEXT = """\
# before
spec:   # odd   spaces
    "http" :
  # a comment that does not follow the indentation
    -   'timeot': "5 s"   # why
        delay: { percent: 5 , x: ~ }
"""


def test_a_key_and_a_value_change_and_nothing_else() -> None:
    edit = Edit(("spec", "http", 0, "timeot"), key="timeout", value="5s")
    after = edited(TEXT.split("\n"), 0, TEXT, [edit])
    assert after == TEXT.replace("'timeot': \"5 s\"", "'timeout': \"5s\"").split("\n")


def test_a_value_moves_below_a_new_key() -> None:
    edit = Edit(("spec", "http", 0, "delay", "percent"), key="percentage", below="value")
    after = edited(TEXT.split("\n"), 0, TEXT, [edit])
    assert after == TEXT.replace("percent: 5 ", "percentage: {value: 5} ").split("\n")


def test_edits_of_one_line_and_of_nested_keys() -> None:
    text = "spec: {rout: [{prt: 1, hst: a}]}"
    edits = [
        Edit(("spec", "rout"), key="route"),
        Edit(("spec", "rout", 0, "hst"), key="host"),
        Edit(("spec", "rout", 0, "prt"), key="port"),
    ]
    assert edited([text], 0, text, edits) == ["spec: {route: [{port: 1, host: a}]}"]


def test_the_rest_of_a_file_before_and_after_the_document() -> None:
    lines = ["a: 1", "---", "spce: 2\r", "---", "spce: 3"]
    assert edited(lines, 2, "spce: 2\n", [Edit(("spce",), key="spec")]) == [*lines[:2], "spec: 2\r", *lines[3:]]


def test_json() -> None:
    text = '{"spec": {"prot": 1}}'
    assert edited([text], 0, text, [Edit(("spec", "prot"), key="port")]) == ['{"spec": {"port": 1}}']


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        # The new name is there already.
        ("a: {prot: 1, port: 2}", Edit(("a", "prot"), key="port")),
        # An alias: the other place would change, too.
        ("a: &x {prot: 1}\nb: *x", Edit(("a", "prot"), key="port")),
        ("a: &x {prot: 1}\nb: *x", Edit(("b", "prot"), key="port")),
        # The text does not have the key in this place.
        ("a: &x {prot: 1}\nb: {<<: *x}", Edit(("b", "prot"), key="port")),
        # More than one line, or not a scalar.
        ("? >-\n  prot\n: 1", Edit(("prot",), key="port")),
        ("a: |\n  5 s\n", Edit(("a",), value="5s")),
        ("a: [5]", Edit(("a",), key="b", below="c")),
        # The new text would not be the same value.
        ("a: x", Edit(("a",), value="5")),
        ("a: x", Edit(("a",), value="b: c")),
        ("a: {b: x}", Edit(("a", "b"), value="c, d: e")),
        # A field that does not exist, and a document that is not valid.
        ("a: 1", Edit(("b",), key="c")),
        ("a: 1\na: 2", Edit(("a",), key="b")),
        ("a: [", Edit(("a",), key="b")),
    ],
)
def test_what_is_not_an_edit_of_single_tokens_is_refused(text: str, edit: Edit) -> None:
    assert edited(text.split("\n"), 0, text, [edit]) is None


def test_a_file_that_differs_from_the_document_is_not_edited() -> None:
    edit = Edit(("b",), key="c")
    assert edited(["a: 1", "b: 2"], 0, "a: 1\nb: 2", [edit])
    assert edited(["a: 1", "b: 3"], 0, "a: 1\nb: 2", [edit]) is None
    assert edited(["a: 1"], 0, "a: 1\nb: 2", [edit]) is None
