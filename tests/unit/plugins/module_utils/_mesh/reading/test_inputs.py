# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is not a file of the user's is not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.inputs import Reader


@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self", "/sys", "/dev/null", "/dev/zero"])
def test_the_kernels_files_and_devices_are_refused(path: str) -> None:
    reader = Reader()
    reader.read([path])
    assert [finding.rule.code for finding in reader.loaded.findings] == ["MESH006"]
    assert (reader.files, reader.loaded.resources) == (0, [])


def test_a_link_to_them_is_refused_too_and_a_pipe_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "environ.yaml").symlink_to("/proc/self/environ")
    os.mkfifo(tmp_path / "pipe.yaml")
    reader = Reader(base=str(tmp_path))
    reader.read([str(tmp_path)])
    found = [(finding.rule.code, finding.resource.source.file) for finding in reader.loaded.findings]
    assert found == [("MESH006", "environ.yaml"), ("MESH006", "pipe.yaml")]
