# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What validate.py and validate_live.py have in common: a whole process measured, and what it found."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from generated_mesh import Fault


class Run(NamedTuple):
    """Seconds, the largest resident set in MiB, and what was printed."""

    wall: float
    cpu: float
    megabytes: float
    output: str


def measured(command: Sequence[str], environment: Mapping[str, str], text: str = "") -> Run:
    """One process from its start to its end, with the text as its input."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output:
        given.write(text.encode())
        given.seek(0)
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=given, stdout=output, stderr=subprocess.DEVNULL, env=environment)
        _pid, _status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = 0
        output.seek(0)
        printed = output.read().decode()
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, printed)


def with_compiled_modules(folder: str) -> dict[str, str]:
    """The environment, and Python's cache of compiled modules in the folder.

    An installed Python has this cache by default, but containers and this repository's checkout often switch it off.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": folder}


def found_by_istioctl(output: str, faults: Sequence[Fault]) -> int:
    """How many of the planted faults ``istioctl analyze -o json`` names at the right object."""
    named = set()
    for item in json.loads(output):
        kind, _space, place = item.get("origin", "").partition(" ")
        named.add((item["code"], kind, place))
    return _count(named, faults)


def found_by_us(findings: Sequence[Mapping[str, Any]], faults: Sequence[Fault]) -> int:
    named = set()
    for item in findings:
        for code in (item["code"], *item["aliases"]):
            named.add((code, item["kind"], f"{item['namespace']}/{item['name']}"))
    return _count(named, faults)


def _count(named: set[tuple[str, str, str]], faults: Sequence[Fault]) -> int:
    return sum(any((code, f.kind, f"{f.namespace}/{f.name}") in named for code in f.codes) for f in faults)


def how(runs: int) -> str:
    """How it is measured, for the head of the table."""
    return f"{runs} runs each, in turn, after one that is not counted: median (smallest-largest)\n{machine()}"


def machine() -> str:
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"
    now = time.strftime("%Y-%m-%d %H:%M")
    return f"{now}, {cores}, load {load()} before, Python {sys.version.split()[0]}"


def load() -> str:
    """Of the last minute: the machine's other work."""
    return f"{os.getloadavg()[0]:.1f}"


HEADER = f"{'services':>8} {'program':<13} {'wall s':<20} {'CPU s':<20} {'MB':<14} found"


def row(services: int, program: str, runs: Sequence[Run], found: str) -> str:
    wall, cpu = _spread([run.wall for run in runs]), _spread([run.cpu for run in runs])
    return f"{services:>8} {program:<13} {wall:<20} {cpu:<20} {_spread([run.megabytes for run in runs], 0):<14} {found}"


def ratio(ours: Sequence[Run], theirs: Sequence[Run], name: str = "istioctl") -> str:
    """How many times as long the other program takes, by the medians, and in the turns that were extreme."""
    wall = statistics.median(run.wall for run in theirs) / statistics.median(run.wall for run in ours)
    cpu = statistics.median(run.cpu for run in theirs) / statistics.median(run.cpu for run in ours)
    turns = [other.cpu / one.cpu for one, other in zip(ours, theirs, strict=True)]
    return (
        f"{'':>8} {name} takes {wall:.2f} times the wall-clock and {cpu:.2f} times the CPU seconds "
        f"(by turn {min(turns):.2f}-{max(turns):.2f})"
    )


def _spread(values: Sequence[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"
