# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One sentence for a value that a role does not accept."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.values import problem

STRATEGIES = {"type": "str", "choices": ["weight", "blue_green"]}


@pytest.mark.parametrize(
    ("value", "option", "sentence"),
    [
        ("bluegreen", STRATEGIES, "x is 'bluegreen', which is not one of weight, blue_green. Did you mean blue_green?"),
        ("no", STRATEGIES, "x is 'no', which is not one of weight, blue_green."),
        ("two", {"type": "int", "default": 2}, "x is 'two', which is not a whole number. The default is 2."),
        ("two", {"type": "int", "default": "{{ y }}"}, "x is 'two', which is not a whole number."),
        ("9" * 70, {"type": "float"}, f"x is '{'9' * 57}...', which is not a number."),
        (
            "maybe",
            {"type": "bool", "default": True},
            "x is 'maybe', which is not true or false. On the command line, write it as JSON: -e '{\"x\": true}'.",
        ),
        (
            "a: secret",
            {"type": "dict"},
            "x is a string, which is not a mapping. On the command line, write it as JSON: -e '{\"x\": {...}}'.",
        ),
        ({"a": 1}, {"type": "int"}, "x is a mapping, which is not a whole number."),
        (["a"], {"type": "float"}, "x is a list, which is not a number."),
        ("secret", {"type": "int", "no_log": True}, "x is a string, which is not a whole number."),
        (["a"], {"type": "list", "elements": "int"}, "x: an entry is wrong."),
    ],
)
def test_a_sentence(value: Any, option: dict[str, Any], sentence: str) -> None:
    assert problem("x", value, option, ["an entry is wrong"]) == sentence
