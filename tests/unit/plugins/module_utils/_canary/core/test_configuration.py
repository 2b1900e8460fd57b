"""ConfigMaps and Secrets with another content: names, contents, and every place of a pod that refers to one."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.configuration import (
    configuration_problems,
    renamed,
    used,
    with_content,
)

LIVE = {"metadata": {"name": "settings", "namespace": "shop", "labels": {"of": "argo"}}, "data": {"A": "1", "B": "2"}}


def template(name: str) -> dict[str, Any]:
    """Every place that refers to the ConfigMap and the Secret of that name, and others that do not."""
    container = {
        "name": name,
        "env": [
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": name, "key": "name"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": name, "key": "B"}}},
            {"name": "C", "value": "settings"},
        ],
        "envFrom": [{"configMapRef": {"name": name}}, {"secretRef": {"name": name}}],
    }
    volumes = [
        {"name": "settings", "configMap": {"name": name, "items": [{"key": "settings", "path": "settings"}]}},
        {"name": "keys", "secret": {"secretName": name}},
        {"name": "all", "projected": {"sources": [{"configMap": {"name": name}}, {"secret": {"name": name}}]}},
    ]
    spec = {"containers": [container], "initContainers": [{"name": "init", "envFrom": container["envFrom"]}]}
    return {"metadata": {"labels": {"configMap": "settings"}}, "spec": {**spec, "volumes": volumes}}


def test_every_reference_is_found_and_renamed() -> None:
    before = template("settings")
    assert used(before) == {"ConfigMap/settings", "Secret/settings"}
    after = renamed(before, {"ConfigMap/settings": "new", "Secret/settings": "new", "ConfigMap/other": "no"})
    wanted = template("new")
    wanted["spec"]["containers"][0]["name"] = "settings"
    assert after == wanted
    assert before == template("settings")


def test_the_name_is_of_the_content_and_of_the_first_object() -> None:
    first = with_content(LIVE, "ConfigMap", {"A": "3", "B": None}, "shop")
    assert first["data"] == {"A": "3"}
    assert first["immutable"] is True
    assert first["metadata"]["name"].startswith("settings-")
    assert "labels" not in first["metadata"]
    assert with_content(LIVE, "ConfigMap", {"A": "3", "B": None}, "shop") == first
    later = with_content(first, "ConfigMap", {"A": "4"}, "shop")
    assert later["metadata"]["name"].count("-") == 1
    assert later["metadata"]["name"] != first["metadata"]["name"]


def test_texts_of_a_secret_are_stored_as_its_api_has_them() -> None:
    live = {**LIVE, "type": "Opaque", "data": {"A": "MQ=="}}
    made = with_content(live, "Secret", {"B": "x"}, "shop")
    assert (made["data"], made["type"]) == ({"A": "MQ==", "B": base64.b64encode(b"x").decode()}, "Opaque")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"kind": "ConfigMap", "name": "a"}, "without exactly kind, name and data"),
        ({"kind": "Pod", "name": "a", "data": {"A": "1"}}, "kind must be ConfigMap or Secret"),
        ({"kind": "Secret", "name": "a", "data": {}}, "not a dictionary with at least one key"),
        ({"kind": "Secret", "name": "a", "data": {"A": 4711}}, "not a text"),
    ],
)
def test_what_is_not_valid_is_named_without_its_content(entry: dict[str, Any], problem: str) -> None:
    (found,) = configuration_problems([entry], "canary_")
    assert problem in found and "4711" not in found
