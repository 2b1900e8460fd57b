# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which helm is taken. What each does is tested with the real ones, on a lab."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import run_memory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.program import Helm, HelmFailure

ProgramWithOutput = Callable[[str], Helm]


@pytest.fixture
def program_with_output(tmp_path: Path) -> ProgramWithOutput:
    def write(text: str) -> Helm:
        program = tmp_path / "helm"
        program.write_text(f"#!/bin/sh\necho '{text}'\n")
        program.chmod(0o755)
        return Helm(str(program))

    return write


@pytest.mark.parametrize("text", ["v3.18.0", "v3.22.0+g1234567", "v4.0.0", "v4.3.2"])
def test_helm_3_and_4_are_taken(program_with_output: ProgramWithOutput, text: str) -> None:
    version = program_with_output(text).require_version()
    assert text.startswith(f"v{'.'.join(map(str, version))}")


@pytest.mark.parametrize("text", ["v2.17.0", "v3.17.4", "v5.0.0"])
def test_a_helm_that_was_never_run_is_refused(program_with_output: ProgramWithOutput, text: str) -> None:
    with pytest.raises(HelmFailure, match=r"needed is helm 3\.18 or newer, or helm 4\. .*helm_binary"):
        program_with_output(text).require_version()


def test_what_is_not_helm_is_reported(program_with_output: ProgramWithOutput) -> None:
    with pytest.raises(HelmFailure, match="returned 'Usage', which is not a valid version"):
        program_with_output("Usage").require_version()


def test_releases_that_are_stored_elsewhere_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for driver in ("", "secret", "secrets"):
        monkeypatch.setenv("HELM_DRIVER", driver)
        Helm("helm").require_secrets()
    monkeypatch.setenv("HELM_DRIVER", "configmap")
    with pytest.raises(HelmFailure, match=r"HELM_DRIVER is 'configmap'.*Unset it"):
        Helm("helm").require_secrets()


def test_a_program_is_asked_for_its_version_once_a_run(
    program_with_output: ProgramWithOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_memory, "directory", str(tmp_path / "run"))
    first = program_with_output("v3.18.0")
    assert first.version == (3, 18, 0)
    binary = tmp_path / "helm"
    about = binary.stat()
    binary.write_text("#!/bin/sh\nexit 1\n")
    os.utime(binary, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert Helm(str(binary)).version == (3, 18, 0)
    os.utime(binary, ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    with pytest.raises(HelmFailure):
        __ = Helm(str(binary)).version
