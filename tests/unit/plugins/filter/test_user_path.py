# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Relative paths start in the working directory of the process, whatever PWD is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.corpv3.service_mesh.plugins.filter.user_path import FilterModule

user_path = FilterModule().filters()["user_path"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    # As pre-commit and subprocess leave it.
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("RECORDS", "/var/records")
    return tmp_path / "here"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("deploy/", "HERE/deploy"),
        (".", "HERE"),
        ("../here-too/mesh.yml", "HERE-too/mesh.yml"),
        ("deploy/**/*.yaml", "HERE/deploy/**/*.yaml"),
        ("/etc/mesh.yml", "/etc/mesh.yml"),
        ("/dev/stdout", "/dev/stdout"),
        ("~/prices.yml", "/home/ada/prices.yml"),
        ("$RECORDS/CHG-1", "/var/records/CHG-1"),
        ("", ""),
        (None, None),
        (["a.yml", "/b.yml"], ["HERE/a.yml", "/b.yml"]),
        ({"sarif": "mesh.sarif", "json": ""}, {"sarif": "HERE/mesh.sarif", "json": ""}),
    ],
)
def test_a_path_starts_where_the_user_stands(given: Any, wanted: Any, here: Path) -> None:
    assert user_path(given) == json.loads(json.dumps(wanted).replace("HERE", str(here)))


def test_the_other_values_of_a_dictionary_stay(here: Path) -> None:
    given = {"url": "http://prometheus", "ca_cert": "ca.pem", "timeout": 5}
    assert user_path(given, keys=["ca_cert"]) == {**given, "ca_cert": str(here / "ca.pem")}
    assert user_path("no dictionary", keys=["ca_cert"]) == "no dictionary"


def test_what_is_not_a_path_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="42 is not text"):
        user_path([42])


def test_a_missing_directory_is_reported_with_the_remedy(here: Path) -> None:
    here.rmdir()
    assert user_path("/there") == "/there"
    with pytest.raises(AnsibleFilterError, match="no longer exists"):
        user_path("a.yml")
