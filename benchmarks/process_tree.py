# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command and all processes that it starts take: time, CPU, memory, number."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Looking at 40 processes takes some 20 ms of CPU, which is not counted.
_INTERVAL = 0.5


class Usage(NamedTuple):
    """Seconds, and the most that was seen at once: MiB of proportional set size (PSS), and processes."""

    code: int
    wall: float
    cpu: float
    memory: float
    processes: int
    output: str


def measured(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Usage:
    """Runs the command to its end. No other child of this process may end meanwhile, for its CPU would be counted."""
    with tempfile.TemporaryFile("w+") as output:
        before, begin = _cpu(), time.monotonic()
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        peak = _Peak(process.pid)
        with peak:
            code = process.wait()
        wall = time.monotonic() - begin
        output.seek(0)
        return Usage(code, wall, _cpu() - before, peak.memory, peak.processes, output.read())


class _Peak:
    """Looks at a tree of processes while it is open."""

    def __init__(self, root: int) -> None:
        self.memory, self.processes = 0.0, 0
        self._root = root
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._observe, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *__: object) -> None:
        self._end.set()
        self._thread.join()

    def _observe(self) -> None:
        while not self._end.wait(_INTERVAL):
            found = tree(self._root)
            self.processes = max(self.processes, len(found))
            self.memory = max(self.memory, sum(map(proportional_memory, found)))


def tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold blanks.
            parent = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            children[int(parent)].append(int(stat.parent.name))
    found, unseen = [], [root]
    while unseen:
        found.append(pid := unseen.pop())
        unseen += children[pid]
    return found


def proportional_memory(pid: int) -> float:
    """MiB; a page that several processes share counts in parts. 0 where the process has gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
