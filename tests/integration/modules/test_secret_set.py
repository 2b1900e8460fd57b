# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

GENERATED = "service-mesh.corpv3.com/generated"


@pytest.fixture
def ensure(run_module: Callable[..., Any], namespace: str) -> Callable[..., Any]:
    def run(*arguments: str, password: str = "") -> Any:
        values = {"user": "root", "password": password}
        secret = {"name": "admin", "namespace": namespace, "values": values, "generate": {"password": 24}}
        return run_module("secret_set", *arguments, secrets=[secret])

    return run


def test_a_generated_value_is_made_once_and_never_shown(ensure: Any, api: Any, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets/admin"
    announced = ensure("--check", "--diff")
    assert announced.result["secrets"][0]["change"] == "created"
    assert announced.result["secrets"][0]["generated"] == ["password"]
    assert api.get(path) is None

    made = ensure("--diff", "-vvv")
    live = api.get(path)
    password = base64.b64decode(live["data"]["password"]).decode()
    assert len(password) == 24
    assert live["metadata"]["annotations"][GENERATED] == "password"
    for output in (made.stdout, made.diff, announced.stdout):
        assert password not in output
        assert live["data"]["password"] not in output

    assert not ensure().changed
    assert api.get(path)["data"] == live["data"]


def test_a_given_value_replaces_a_generated_one(ensure: Any, api: Any, namespace: str) -> None:
    ensure()
    given = ensure("--diff", "-vvv", password="chosen-by-hand")
    assert given.result["secrets"][0]["change"] == "changed"
    live = api.get(f"/api/v1/namespaces/{namespace}/secrets/admin")
    assert base64.b64decode(live["data"]["password"]) == b"chosen-by-hand"
    assert GENERATED not in live["metadata"].get("annotations", {})
    assert "chosen-by-hand" not in given.stdout
    # It stays, though it is no longer given.
    assert not ensure().changed


def test_keys_of_others_stay(ensure: Any, api: Any, namespace: str) -> None:
    ensure()
    path = f"/api/v1/namespaces/{namespace}/secrets/admin"
    api.patch(path, {"data": {"extra": base64.b64encode(b"mine").decode()}})
    assert not ensure().changed
    ensure(password="other")
    assert base64.b64decode(api.get(path)["data"]["extra"]) == b"mine"


def test_namespaces_that_are_missing_are_made_and_never_removed(run_module: Any, api: Any, namespace: str) -> None:
    name = f"{namespace}-made"
    made = run_module("object_set", name=namespace, namespaces=[name, namespace], objects=[])
    assert [entry["name"] for entry in made.result["objects"]] == [name]
    live = api.get(f"/api/v1/namespaces/{name}")
    assert "service-mesh.corpv3.com/part-of" not in live["metadata"].get("labels", {})
    assert not run_module("object_set", name=namespace, namespaces=[name], objects=[]).changed
    run_module("object_set", name=namespace, state="absent", prune_kinds=["v1/Namespace"])
    assert api.get(f"/api/v1/namespaces/{name}") is not None
    api.delete(f"/api/v1/namespaces/{name}")
