# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML in, values as Kubernetes has them out; and nothing that a text can hold ends the program."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import exact_yaml, parsing
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import (
    Loaded,
    documents,
    load_bytes,
)
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("on", True),
        ("No", False),
        ("y", "y"),
        ("'yes'", "yes"),
        ("010", 8),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ("80:80", "80:80"),
        ("2026-11-25", "2026-11-25"),
        ("~", None),
        ("", None),
        ("1.2.3", "1.2.3"),
        ("-0", 0),
        ("!!str 1", "1"),
        ("&x 5", 5),
        ("[1, yes, 007]", [1, True, 7]),
        ("{8080: a}", {"8080": "a"}),
    ],
)
def test_scalars_as_kubernetes_reads_them(text: str, value: Any) -> None:
    for parse in (parsing.parse, parsing.parse_exactly):
        assert parse(f"a: {text}").value == {"a": value}


def test_keys_are_texts() -> None:
    for parse in (parsing.parse, parsing.parse_exactly):
        assert parse("8080: {mode: STRICT}\ntrue: x\n1.5: y\n").value == {
            "8080": {"mode": "STRICT"},
            "true": "x",
            "1.5": "y",
        }


def test_anchors_and_merge_keys() -> None:
    text = "base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3\nagain: *base\n"
    assert parsing.parse(text).value == {"base": {"a": 1, "b": 2}, "more": {"a": 1, "b": 3}, "again": {"a": 1, "b": 2}}


def test_an_anchor_may_be_defined_again() -> None:
    text = "a: &port 1\nb: [*port, &port 2]\nc: {&port d: &x 3, e: *port}\nf: *x\n"
    assert parsing.parse(text).value == {"a": 1, "b": [1, 2], "c": {"d": 3, "e": "d"}, "f": 3}
    assert exact_yaml.position(text, 1, ("c", "e")) == (3, 20)


@pytest.mark.parametrize(
    ("text", "fault", "line", "column"),
    [
        ("a: &a 1\nb: &a [*a, *b]", "syntax", 2, 12),
        ("a: 1\nb: {\n", "syntax", 3, 1),
        ("a:\n\tb: 1\n", "syntax", 2, 1),
        ("a: 1\nb: 2\na: 3\n", "duplicate", 3, 1),
        ("a:\n  - b: 1\n    b: 2\n", "duplicate", 3, 5),
        ("a: 1\nb: .inf\n", "number", 2, 4),
        ("a: 1e999\n", "number", 1, 4),
        ("a: " + "9" * 5000, "number", 1, 4),
        ("a: &a [*a]", "size", 1, 4),
        ("- " * 3000 + "a", "size", 1, 201),
        ("a: *no_anchor", "syntax", 1, 4),
    ],
)
def test_faults_have_their_place(text: str, fault: str, line: int, column: int) -> None:
    (problem,) = parsing.parse(text).problems
    assert (problem.fault, problem.line, problem.column) == (fault, line, column)


def test_few_lines_do_not_become_a_billion_objects() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (problem,) = parsing.parse("\n".join(lines)).problems
    assert problem.fault == "size"


_SCALARS = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(string.printable, max_size=12)
_VALUES = st.recursive(
    _SCALARS | st.sampled_from(["yes", "no", "010", "1e3", "0x1f", "2026-01-01", "80:80", "~", "*", "&a", "!x", "1_0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(string.ascii_letters, min_size=1), inner),
    max_leaves=20,
)


@given(_VALUES)
@settings(max_examples=300, deadline=None)
def test_both_readers_read_what_was_written(value: Any) -> None:
    for text in (yaml.safe_dump({"a": value}), yaml.safe_dump({"a": value}, default_flow_style=True)):
        fast, exact = parsing.parse(text), parsing.parse_exactly(text)
        assert json.dumps(fast.value) == json.dumps(exact.value)
        assert fast.problems == exact.problems


@given(st.text(alphabet="ab:- \n\t'\"[]{}#&*!|>?%@`,0123456789.eExyesno~<", max_size=60))
@settings(max_examples=1500, deadline=None)
def test_both_readers_agree_on_any_text(text: str) -> None:
    fast, exact = parsing.parse(text), parsing.parse_exactly(text)
    assert json.dumps(fast.value) == json.dumps(exact.value)
    assert fast.problems == exact.problems


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    load_bytes(data, "any.yaml", "default", Loaded())


def test_lines_and_columns_of_a_file_with_several_documents() -> None:
    text = "---\na: 1\n--- # second\nb:\n  - c: 1\n---\n\n---\nd: {e: f}\n"
    found = list(documents(text))
    assert [parsing.parse(document).value for _line, document in found] == [
        {"a": 1},
        {"b": [{"c": 1}]},
        {"d": {"e": "f"}},
    ]
    assert [
        exact_yaml.position(document, line, path)
        for (line, document), path in zip(found, [("a",), ("b", 0, "c"), ("d", "e")], strict=True)
    ] == [(2, 1), (5, 5), (9, 5)]


@pytest.mark.parametrize(
    "text", ["a: b---\n", "a: |\n  ---\n  b\n", "a:\n----\nb: 1\n", "a:\n---b\n", "# a ---\na: 1\n"]
)
def test_only_three_dashes_at_a_lines_beginning_separate(text: str) -> None:
    assert list(documents(text)) == [(1, text)]


@pytest.mark.parametrize("separator", ["---\n", "--- \n", "---\t# b\n", "---\r\n", "--- b: 1"])
def test_what_may_follow_the_dashes(separator: str) -> None:
    assert [line for line, _document in documents(f"a: 1\n{separator}\nb: 1\n")] == [1, 2]
    assert [document for _line, document in documents("a: 1\n---")] == ["a: 1\n"]


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"a: 1\nb: \xff\n", "MESH003", 2),
        (b"\x00\x01", "MESH003", 1),
        (b"kind: A\nkind: B\napiVersion: v1\n", "MESH002", 2),
        (b"x: 1\n---\ny: [\n", "MESH001", 4),
        (b"a" * (64 * 1024 * 1024 + 1), "MESH004", 1),
    ],
)
def test_what_cannot_be_read_is_a_finding(data: bytes, code: str, line: int) -> None:
    loaded = Loaded()
    load_bytes(data, "bad.yaml", "default", loaded)
    (finding,) = [item.as_dict() for item in loaded.findings]
    assert (finding["code"], finding["file"], finding["line"], finding["level"]) == (code, "bad.yaml", line, "error")


def test_items_of_lists_are_resources_with_their_places() -> None:
    loaded = Loaded()
    text = b"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n"
    load_bytes(text, "list.yaml", "shop", loaded)
    (service,) = loaded.resources
    assert (service.name, service.namespace, service.source.prefix) == ("a", "shop", ("items", 0))


def test_what_is_not_a_kubernetes_object_is_skipped() -> None:
    loaded = Loaded()
    load_bytes(b"replicas: 3\n---\n- 1\n---\njust text\n---\n", "values.yaml", "default", loaded)
    assert (loaded.resources, loaded.findings) == ([], [])
