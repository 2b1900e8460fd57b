# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.secrets import (
    GENERATED,
    SecretError,
    Wanted,
    desired,
    random_text,
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def wanted(**values: str) -> Wanted:
    return Wanted("admin", "n", {}, values, {"password": 32})


def live(generated: str = "", **data: str) -> dict[str, Any]:
    marks = {GENERATED: generated} if generated else {}
    return {"metadata": {"annotations": marks}, "data": {key: encoded(text) for key, text in data.items()}}


def make(length: int) -> str:
    return "x" * length


def test_what_is_not_given_is_made_once() -> None:
    made, keys = desired(wanted(user="root", password=""), None, make)
    assert made["data"] == {"user": encoded("root"), "password": encoded("x" * 32)}
    assert made["metadata"]["annotations"] == {GENERATED: "password"}
    assert keys == ["password"]

    kept, keys = desired(wanted(user="root"), live("password", password="old"), make)
    assert kept["data"]["password"] == encoded("old")
    assert kept["metadata"]["annotations"] == {GENERATED: "password"}
    assert keys == []


def test_what_is_given_wins_and_is_no_longer_called_generated() -> None:
    given, keys = desired(wanted(user="root", password="chosen"), live("password", password="old"), make)
    assert given["data"]["password"] == encoded("chosen")
    assert "annotations" not in given["metadata"]
    assert keys == []


def test_a_value_that_was_chosen_earlier_stays_when_it_is_no_longer_given() -> None:
    kept, keys = desired(wanted(user="root", password=""), live(password="chosen"), make)
    assert kept["data"]["password"] == encoded("chosen")
    assert "annotations" not in kept["metadata"]
    assert keys == []


def test_an_empty_value_that_cannot_be_generated_is_an_error() -> None:
    with pytest.raises(SecretError, match="Secret n/admin: user has no value"):
        desired(wanted(user=""), None, make)


def test_generated_texts_need_no_quoting_and_differ() -> None:
    texts = {random_text(32) for _number in range(20)}
    assert len(texts) == 20
    assert all(text.isalnum() and len(text) == 32 for text in texts)
