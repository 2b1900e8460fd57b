# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh-validate.yml: where it is found, how it is combined with options, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.configuration import (
    OPTIONS,
    ConfigurationError,
    configured,
    found_file,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.request import (
    VALIDATE_OPTIONS,
    with_configuration,
)

DEFAULTS: dict[str, Any] = {name: option.get("default") for name, option in VALIDATE_OPTIONS.items()}


def merged(tmp_path: Path, text: str, given: dict[str, Any] | None = None, **named: bool) -> dict[str, Any]:
    path = tmp_path / "mesh-validate.yml"
    path.write_text(text)
    return configured({**DEFAULTS, **(given or {})}, VALIDATE_OPTIONS, str(path), **named)


def test_it_is_found_in_the_folder_or_in_the_repositorys_root(tmp_path: Path) -> None:
    (tmp_path / "repository/deploy/cart").mkdir(parents=True)
    (tmp_path / "mesh-validate.yml").write_text("")
    here = str(tmp_path / "repository/deploy/cart")
    assert found_file(here) == ""
    (tmp_path / "repository/.git").mkdir()
    assert found_file(here) == ""
    root = tmp_path / "repository/mesh-validate.yml"
    root.write_text("")
    assert found_file(here) == str(root)
    nearer = tmp_path / "repository/deploy/cart/mesh-validate.yml"
    nearer.write_text("")
    assert found_file(here) == str(nearer)


def test_without_a_base_no_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mesh-validate.yml").write_text("fail_on: info\n")
    monkeypatch.chdir(tmp_path)
    assert with_configuration(DEFAULTS)["fail_on"] == "error"
    assert with_configuration({**DEFAULTS, "base": "."})["fail_on"] == "info"


def test_lists_are_added_and_others_replace_defaults(tmp_path: Path) -> None:
    text = (
        "suppress: [IST0102]\nfail_on: info\ncertificate_days: 7\npolicy: {levels: {A: info, B: 'off'}, enable: [C]}\n"
    )
    given = {"suppress": ["IST0118"], "certificate_days": 90, "policy": {"levels": {"A": "error"}, "enable": ["D"]}}
    found = merged(tmp_path, text, given)
    assert found["suppress"] == ["IST0102", "IST0118"]
    assert (found["fail_on"], found["certificate_days"]) == ("info", 90)
    assert found["policy"]["levels"] == {"A": "error", "B": "off"}
    assert found["policy"]["enable"] == ["C", "D"]


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("")
    text = "baseline: known.json\npolicy: {python: [checks.py, acme.mesh.checks]}\n"
    found = merged(tmp_path, text, may_run_code=True)
    assert found["baseline"] == str(tmp_path / "known.json")
    assert found["policy"]["python"] == [str(tmp_path / "checks.py"), "acme.mesh.checks"]


def test_a_file_that_was_only_found_runs_no_code(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"policy\.python would run code.*--config"):
        merged(tmp_path, "policy: {python: [checks.py]}\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("supress: []", "supress is not a valid option. Did you mean suppress"),
        ("helm_binary: ./evil", "helm_binary is not a valid option. The options are"),
        ("policy: {level: {}}", r"policy\.level is not a valid option. Did you mean levels"),
        ("suppress: IST0101", "suppress is 'IST0101'. Write a list"),
        ("istio_version: 1.30", "istio_version is 1.3. Write a text"),
        ("fail_on: fatal", "fail_on is 'fatal'. Use one of error"),
        ("certificate_days: true", "certificate_days is True. Write a number"),
        ("allow_unread: [1]", "allow_unread contains 1. Each item must be a text"),
        ("[a]", "the file is not an object"),
        ("a: [", r"mesh-validate.yml:\d+:\d+: "),
        ("suppress: []\nsuppress: []", "appears twice"),
    ],
)
def test_what_is_invalid_is_refused_with_the_way_out(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        merged(tmp_path, text)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert merged(tmp_path, "# nothing yet\n") == DEFAULTS
    assert merged(tmp_path, "suppress:\n") == DEFAULTS


def test_no_option_names_a_program() -> None:
    assert set(OPTIONS) <= set(VALIDATE_OPTIONS)
    assert [name for name in OPTIONS if name.endswith("_binary")] == []
