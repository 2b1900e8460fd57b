"""The runtime of a machine without CAP_SYS_RESOURCE: what it takes out of the descriptions that runc reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNTIME = Path(__file__).resolve().parents[3] / "tools/kind/runtime.py"
REFUSED = {
    "args": ["/sbin/init"],
    "capabilities": {"bounding": ["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"], "ambient": None},
    "oomScoreAdj": -999,
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1048576, "soft": 1048576}],
}
ALLOWED = {"args": ["/sbin/init"], "capabilities": {"bounding": ["CAP_SYS_ADMIN"], "ambient": []}, "oomScoreAdj": 0}


@pytest.fixture
def runc(tmp_path: Path) -> Path:
    """A runc that only prints its arguments."""
    program = tmp_path / "bin/runc"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


def call(runc: Path, *arguments: str) -> list[str]:
    environment = {**os.environ, "PATH": f"{runc.parent}:{os.environ['PATH']}"}
    argv = [sys.executable, str(RUNTIME), *arguments]
    done = subprocess.run(argv, cwd=runc.parent.parent, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("option", [["--bundle", "bundle"], ["--bundle=bundle"], ["-b", "bundle"]])
def test_a_container_is_created_without_what_the_kernel_would_refuse(runc: Path, option: list[str]) -> None:
    path = runc.parent.parent / "bundle/config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"hostname": "node", "process": REFUSED}), encoding="utf-8")
    arguments = ["--root", "/run/runc", "create", *option, "id"]
    assert call(runc, *arguments) == arguments
    assert json.loads(path.read_text(encoding="utf-8")) == {"hostname": "node", "process": ALLOWED}


def test_so_is_a_further_process_of_a_privileged_container(runc: Path) -> None:
    path = runc.parent.parent / "process.json"
    path.write_text(json.dumps(REFUSED), encoding="utf-8")
    arguments = ["--root", "/run/runc", "exec", "--process", str(path), "id"]
    assert call(runc, *arguments) == arguments
    assert json.loads(path.read_text(encoding="utf-8")) == ALLOWED


def test_other_calls_pass_unchanged(runc: Path) -> None:
    assert call(runc, "--root", "/run/runc", "delete", "--force", "id") == [
        "--root",
        "/run/runc",
        "delete",
        "--force",
        "id",
    ]
