# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.files import (
    WriteError,
    content_of,
    folder_problem,
    write_together,
)


def test_a_file_that_has_no_room_leaves_the_old_ones_and_nothing_else(tmp_path: Path) -> None:
    """The kernel's own refusal, of the second of two files."""
    reports = {str(tmp_path / "report.md"): "new", str(tmp_path / "report.html"): "new" * 2000}
    for path in reports:
        Path(path).write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(WriteError, match=rf"^path: {tmp_path}/report.html: File too large"):
            write_together("path", reports)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert {item.name: item.read_text() for item in tmp_path.iterdir()} == {"report.html": "old", "report.md": "old"}


def test_a_reader_keeps_the_file_that_it_has_opened(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    with path.open() as reader:
        write_together("reports", {str(path): "new"})
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_the_mode_is_the_files_own_or_that_of_the_users_mask(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    before = os.umask(0o027)
    try:
        write_together("reports", {str(path): "new"})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o604)
    write_together("reports", {str(path): "newer"})
    assert path.stat().st_mode & 0o777 == 0o604


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    link = tmp_path / "latest.html"
    link.symlink_to(tmp_path / "target/report.html")
    write_together("reports", {str(link): "new"})
    assert link.is_symlink()
    assert (tmp_path / "target/report.html").read_text() == "new"


def test_an_impossible_path_is_reported_beforehand(tmp_path: Path) -> None:
    assert folder_problem(str(tmp_path / "report.html")) == ""
    assert "does not exist" in folder_problem(str(tmp_path / "no/report.html"))
    (tmp_path / "report.html").mkdir()
    assert "is a folder" in folder_problem(str(tmp_path / "report.html"))


def test_a_file_of_something_else_is_replaced_without_a_difference(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_bytes(b"\xff\xfe")
    assert content_of(str(tmp_path / "report.md")) == ""
    assert content_of(str(tmp_path / "none.md")) is None


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    # As /dev/stdout, which is a link to one that has no path.
    reader, writer = os.pipe()
    link = tmp_path / "stdout"
    link.symlink_to(f"/proc/self/fd/{writer}")
    try:
        assert folder_problem(str(link)) == ""
        write_together("reports", {str(link): "all of it"})
        assert os.read(reader, 100) == b"all of it"
    finally:
        os.close(reader)
        os.close(writer)
    assert [item.name for item in tmp_path.iterdir()] == ["stdout"]
