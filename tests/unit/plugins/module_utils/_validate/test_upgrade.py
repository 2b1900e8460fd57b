# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which releases an upgrade crosses, and what the user is referred to."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    ISTIO_VERSION,
    TARGET_VERSION,
    Mesh,
    Settings,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import upgrade
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.catalog import all_checks

from ....support import validate_harness as harness

EVERY_FIRING_CASE = [case for code, case in harness.load_cases() if code.startswith(upgrade.FAMILY) and case["finds"]]


@pytest.mark.parametrize(
    ("source", "target", "crossed"),
    [
        ("", "", False),
        ("1.29", "", False),
        ("1.29.3", "1.30", True),
        ("", "1.30.1", True),
        ("", "1.29", False),
        ("1.30", "1.32", False),
        ("1.28", "1.29", False),
    ],
)
def test_a_release_is_crossed_if_it_is_after_the_source_and_up_to_the_target(
    source: str, target: str, crossed: bool
) -> None:
    mesh = Mesh((), Settings(facts={ISTIO_VERSION: source, TARGET_VERSION: target}))
    assert upgrade.is_crossed(mesh, (1, 30)) is crossed


@pytest.mark.parametrize("case", EVERY_FIRING_CASE, ids=[case["name"] for case in EVERY_FIRING_CASE])
def test_no_check_of_an_upgrade_reports_anything_without_one(case: dict[str, Any]) -> None:
    settings = harness.settings_of(case["settings"])
    settings = settings._replace(facts={**settings.facts, TARGET_VERSION: None})
    checks = [check for check in all_checks() if check.rule.code.startswith(upgrade.FAMILY)]
    assert harness.run(case["input"], settings, checks).findings == []


def test_every_check_of_an_upgrade_names_its_note() -> None:
    for check in all_checks():
        if check.rule.code.startswith(upgrade.FAMILY):
            assert check.rule.docs.startswith("https://"), check.rule.name
            assert check.rule.title.startswith("Upgrade: ")


@pytest.mark.parametrize(
    ("source", "target", "notes"),
    [
        (None, None, []),
        ("1.30", "1.31", ["target_version 1.31: read also what no configuration shows: .*/1.31.x/.*/upgrade-notes/$"]),
        ("1.31", "1.31.2", ["target_version 1.31: the checks know the upgrades to Istio 1.29 to 1.32 only"]),
        (None, "1.40", ["know the notes of Istio up to 1.32 only", "1.29.x.* .*1.30.x.* .*1.31.x.* .*github"]),
    ],
)
def test_the_user_is_referred_to_the_notes(source: str | None, target: str | None, notes: list[str]) -> None:
    found = upgrade.notes_of(source, target)
    assert len(found) == len(notes)
    for note, wanted in zip(found, notes, strict=True):
        assert re.search(wanted, note)
