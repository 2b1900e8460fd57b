# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import run_memory


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(run_memory, "directory", str(tmp_path / "run"))
    return tmp_path / "run"


def test_what_is_remembered_is_its_users_alone(folder: Path) -> None:
    run_memory.remember("kinds", {"token": "open-sesame"}, {"Pod": ["pods", True]})
    assert run_memory.recall("kinds", {"token": "open-sesame"}) == {"Pod": ["pods", True]}
    assert run_memory.recall("kinds", {"token": "another"}) is None

    (file,) = folder.iterdir()
    assert "open-sesame" not in file.name + file.read_text()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)] == [0o700, 0o600]


def test_one_kind_is_forgotten_and_the_other_stays(folder: Path) -> None:
    for kind in ("kinds", "helm_version"):
        run_memory.remember(kind, "key", kind)
    run_memory.forget("kinds")
    assert [run_memory.recall(kind, "key") for kind in ("kinds", "helm_version")] == [None, "helm_version"]


def test_a_truncated_file_is_ignored(folder: Path) -> None:
    run_memory.remember("kinds", "key", "value")
    (file,) = folder.iterdir()
    file.write_text("{")
    assert run_memory.recall("kinds", "key") is None


def test_without_a_folder_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    run_memory.remember("kinds", "key", "value")
    run_memory.forget("kinds")
    assert run_memory.recall("kinds", "key") is None
    assert [*tmp_path.iterdir()] == []
