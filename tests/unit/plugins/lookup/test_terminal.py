# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.lookup.terminal import terminal_of


@contextmanager
def process(stdin: int) -> Iterator[int]:
    """Its number. It waits until it is killed."""
    with subprocess.Popen(["sleep", "60"], stdin=stdin) as running:
        yield running.pid
        running.kill()


def test_a_terminal() -> None:
    main, end = pty.openpty()
    with process(end) as number:
        assert terminal_of(number) == "yes"
    os.close(main)
    os.close(end)


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, subprocess.PIPE])
def test_no_terminal(stdin: int) -> None:
    with process(stdin) as number:
        assert terminal_of(number) == "no"


def test_a_named_pipe_without_a_writer_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    stdin = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with process(stdin) as number:
        assert terminal_of(number) == "no"
    os.close(stdin)


def test_a_process_that_is_not_there() -> None:
    assert terminal_of(2**22 + 1) == "unknown"
