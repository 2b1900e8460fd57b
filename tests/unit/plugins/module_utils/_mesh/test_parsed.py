# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a text was read as, and that depth ends no program and takes no time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import main as console
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import parsed, parsing
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import request

DEEP = 20_000


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * DEEP,
        "a: " + "[" * DEEP + "]" * DEEP,
        "a: " + "[1, " * 700 + "]" * 700,
        "a: " + "{a: " * DEEP + "1" + "}" * DEEP,
        "a: " + "['[', " * DEEP,
        "a: " + "[']', " * DEEP,
        "a: " + "[\n #\n" * DEEP,
        "- " * DEEP,
        '{"a": ' * DEEP + "1" + "}" * DEEP,
        '{"a": ' * 150 + "1" + "}" * 150,
        "".join(" " * level + "a:\n" for level in range(400)) + " " * 400 + "a: 1",
    ],
)
def test_deep_documents_are_refused_before_a_recursive_reader_gets_them(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_text: str) -> Any:
        raise AssertionError("its time grows with the square of the depth")

    monkeypatch.setattr(parsing, "_fast", forbidden)
    result = parsing.parse(text)
    assert result.value is None
    assert {problem.fault for problem in result.problems} <= {"size", "syntax"}


def test_brackets_in_strings_take_no_document_from_the_fast_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(parsing, "_fast", calls.append)
    parsing.parse("a: " + "'[', " * 40 + "b\n" + "c: [1, 2]\n" * 300)
    assert len(calls) == 1


@pytest.mark.parametrize(("levels", "is_deep"), [(parsed.DEPTH, False), (parsed.DEPTH + 1, True)])
def test_the_number_of_levels(levels: int, is_deep: bool) -> None:
    value: Any = 1
    for _level in range(levels):
        value = {"a": [value]} if _level % 2 else [value]
    assert parsed.is_deeper(value, parsed.DEPTH * 2) is False
    nested: Any = 1
    for _level in range(levels):
        nested = [nested]
    assert parsed.is_deeper(nested, parsed.DEPTH) is is_deep


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, -0, 1e3, true, null, "yes"]}', {"a": [1, 0, 1000.0, True, None, "yes"]}),
        ('\n{\n\t"a":\t1}\n', {"a": 1}),
        ('{"a": "\\u00e9"}', {"a": "é"}),
    ],
)
def test_json_is_read_as_such(text: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_fast", None)
    monkeypatch.setattr(parsing, "parse_exactly", None)
    assert parsing.parse(text).value == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [('{"a": 1, "a": 2}', "duplicate"), ('{"a": 1e999}', "number"), ('{"a": ' + "9" * 500 + "}", "number")],
)
def test_json_with_a_fault_goes_to_the_reader_that_knows_its_place(text: str, fault: str) -> None:
    assert [problem.fault for problem in parsing.parse(text).problems] == [fault]


def test_what_only_looks_like_json_is_yaml() -> None:
    assert parsing.parse("{a: yes, b: [on]}").value == {"a": True, "b": [True]}
    assert parsing.parse('{"a": 1} # a comment').value == {"a": 1}


def test_pyyaml_is_imported_only_for_what_needs_it() -> None:
    pytest.importorskip("ryaml")
    assert "yaml" not in _modules_after(f"from {parsing.__name__} import parse; parse('a: 1')")


def test_the_position_of_a_finding_needs_no_pyyaml(tmp_path: Path) -> None:
    pytest.importorskip("ryaml")
    (tmp_path / "mesh.yaml").write_text(
        """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: shop
spec:
  hosts:
    - shop.example.com
  http:
    - name: all
      timeoutt: 3s
"""
    )
    code = f"from {console.__name__} import main; main(['{tmp_path}', '--no-cache', '--no-config'])"
    found = _modules_after(code)
    assert f"{tmp_path}/mesh.yaml:10:7:" in found
    assert "yaml" not in found


def test_a_validation_imports_nothing_that_takes_as_long_as_its_checks() -> None:
    assert not {"asyncio", "dataclasses", "inspect", "yaml"} & _modules_after(f"import {request.__name__}")


def _modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    return set(done.stdout.split())
