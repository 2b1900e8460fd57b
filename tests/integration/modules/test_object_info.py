# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

RunModule = Callable[..., Any]


@pytest.fixture
def config_maps(api: Any, namespace: str) -> str:
    for name in ("a", "b"):
        metadata = {"name": name, "labels": {"letter": name, "kind": "vowel" if name == "a" else "consonant"}}
        api.create(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": metadata, "data": {"letter": name}})
    return namespace


def names(outcome: Any) -> list[str]:
    return [item["metadata"]["name"] for item in outcome.result["resources"]]


def test_one_object(run_module: RunModule, config_maps: str) -> None:
    found = run_module("object_info", kind="ConfigMap", namespace=config_maps, name="b")
    assert found.result["resources"][0]["data"] == {"letter": "b"}
    assert (names(found), found.changed) == (["b"], False)


def test_all_conditions_hold(run_module: RunModule, config_maps: str) -> None:
    labels = ["letter in (a, b)", "kind!=vowel"]
    assert names(run_module("object_info", kind="ConfigMap", namespace=config_maps, label_selectors=labels)) == ["b"]


def test_conditions_on_fields(run_module: RunModule, config_maps: str) -> None:
    found = run_module("object_info", kind="ConfigMap", namespace=config_maps, field_selectors=["metadata.name=b"])
    assert names(found) == ["b"]


def test_what_is_not_there_is_no_failure(run_module: RunModule, config_maps: str) -> None:
    for missing in ({"name": "c"}, {"namespace": "missing", "label_selectors": ["letter"]}, {"kind": "Nonsense"}):
        found = run_module("object_info", **{"kind": "ConfigMap", "namespace": config_maps, **missing})
        assert (found.rc, names(found)) == (0, []), found.stdout


def test_a_refusal_is_a_failure(run_module: RunModule) -> None:
    found = run_module("object_info", kind="Pod", label_selectors=["not a selector"])
    assert found.rc != 0
    assert "unable to parse requirement" in found.message
