# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Garbage in any field of any object, and anywhere in a text: nothing may stumble. What is damaged are the cases.

For each of the three tests 200 seconds (of CPU time) of ever new examples:

    SERVICE_MESH_FUZZ_SECONDS=200 pytest tests/unit/plugins/module_utils/_validate/test_fuzz.py
"""

from __future__ import annotations

import copy
import datetime
import os
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import Loaded, load_bytes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource, Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import (
    catalog,
    engine,
    selection,
    validation,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ....support import validate_harness as harness

SECONDS = int(os.environ.get("SERVICE_MESH_FUZZ_SECONDS", "0"))
CASES = [case for _code, case in harness.load_cases()]
CHECKS = catalog.all_checks()

_GARBAGE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", "*", "*.", ".", "/", "a/b/c", "-1", "0s", "99999h", "{", "%zz", "a..b", "\ud800", "[::1]", "0.0.0.0/33"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["host", "name", "port", "number", "spec", "x", ""]), inner, max_size=3)
    ),
    max_leaves=6,
)


def until_the_deadline(test: Callable[[], None]) -> Callable[[], None]:
    @wraps(test)
    def again() -> None:
        end = time.process_time() + SECONDS
        test()
        while time.process_time() < end:
            test()

    return again


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the value but its top."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += paths(item, (*path, index))
    return found


@until_the_deadline
@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_check_stumbles_over_garbage(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    objects = [copy.deepcopy(resource.obj) for resource in harness.resources_of(case["input"])]
    for _change in range(data.draw(st.integers(1, 4))):
        if not objects:
            break
        target = data.draw(st.sampled_from(objects))
        places = [path for path in paths(target) if path[0] not in ("apiVersion", "kind")]
        if not places:
            continue
        place = data.draw(st.sampled_from(places))
        parent = target
        for step in place[:-1]:
            parent = parent[step]
        parent[place[-1]] = data.draw(_GARBAGE)
    resources = [Resource(obj, Source("fuzz.yaml", 1)) for obj in objects]
    wanted = harness.settings_of(case.get("settings", {}))
    outcome = engine.run_checks(Mesh(resources, wanted), CHECKS)
    assert outcome.broken == {}


# What a check or a report once stumbled over.
FOUND: list[dict[str, Any]] = [
    {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"hosts": ["db.example.com"], "resolution": "DNS", "ports": [None, None]},
    },
    {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"host": "shop", "subsets": [{"name": []}]},
    },
]


@pytest.mark.parametrize("obj", FOUND)
def test_nothing_stumbles_twice(obj: dict[str, Any]) -> None:
    assert engine.run_checks(Mesh([Resource(obj, Source("fuzz.yaml", 1))]), CHECKS).broken == {}


@until_the_deadline
@given(st.lists(_GARBAGE, max_size=3), _GARBAGE)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_object_is_too_strange_to_be_checked(values: list[Any], config: Any) -> None:
    kinds = [
        ("networking.istio.io/v1", "VirtualService"),
        ("v1", "Service"),
        ("v1", "Namespace"),
        ("apps/v1", "Deployment"),
    ]
    objects = [
        {"apiVersion": version, "kind": kind, "metadata": value, "spec": value}
        for (version, kind), value in zip(kinds, values, strict=False)
    ]
    mesh = Mesh([Resource(obj) for obj in objects], Settings(mesh_config=config if isinstance(config, dict) else None))
    assert engine.run_checks(mesh, CHECKS).broken == {}


_PIECES = st.sampled_from(
    [
        *("", " ", "  ", "\n", "\n---\n", "\n...\n", "\t", "\r\n", "\0", "\ufeff", "\u2028", "é", "\U0001f600", "#"),
        *(":", ": ", "- ", "? ", "[", "]", "{", "}", "[[", "{{", ",", "|\n", ">-\n", "'", '"', "\\", '"\\ud800"'),
        *("&a ", "*a", "<<: *a\n", "!!str ", "!!binary ", "!x ", "!!float nan", "%YAML 1.1\n", "yes", "~", "null"),
        *("010", "0x1F", "1_0", "1e3", "1e999", ".inf", ".nan", "-.5", "9" * 30, "2026-11-25", "12:30:45", "a" * 300),
        *("kind: List\n", "items: []\n", "kind: {}\n", "apiVersion: 1\n", "metadata: []\n", "spec: 1\n", "name: [a]\n"),
        *("namespace: 7\n", "labels: [a]\n", "annotations: {a: 1}\n"),
    ]
)


@until_the_deadline
@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_is_read_judged_and_reported(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    text = case["input"]
    for _change in range(data.draw(st.integers(1, 6))):
        begin = data.draw(st.integers(0, len(text)))
        end = min(len(text), begin + data.draw(st.integers(0, 40)))
        piece = data.draw(_PIECES | st.just(text[begin:end] * 2) | st.text(max_size=10))
        text = text[:begin] + piece + text[end:]
    loaded = Loaded()
    load_bytes(text.encode("utf-8", "surrogatepass"), "fuzz.yaml", "default", loaded)
    request = validation.Request(selection.Policy({"IST0101": "info"}), today=datetime.date(2026, 11, 25))
    result = validation.validate(loaded, harness.settings_of(case.get("settings", {})), CHECKS, request, 1)
    assert result.notes == []
    for form in validation.FORMATS:
        validation.rendered(form, result, fail_on="error", title="fuzz", version="0").encode()
