# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_validate beside `istioctl analyze` on the same meshes: time, memory, and which of the planted faults each finds.

    python benchmarks/validate.py [--sizes 100 1000 5000] [--runs 5] [--istioctl PATH]

Whole processes, in turn: istioctl with --use-kube=false -A, and the same checks as module mesh_validate without Ansible
in front. Prints a table; needs nothing but the two programs. Wall-clock and CPU seconds are the median with minimum and
maximum, memory is the largest resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from generated_mesh import Fault, mesh, planted


class Run(NamedTuple):
    wall: float
    cpu: float
    megabytes: float
    output: str


def measured(command: list[str]) -> Run:
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        _pid, _status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = 0
        output.seek(0)
        text = output.read().decode()
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)


def found_by(output: str, faults: list[Fault], istioctl: bool) -> int:
    """How many of the planted faults the output names at the right object."""
    named = set()
    for item in json.loads(output):
        if istioctl:
            kind, _space, place = item.get("origin", "").partition(" ")
            named.add((item["code"], kind, place))
        else:
            for code in (item["code"], *item["aliases"]):
                named.add((code, item["kind"], f"{item['namespace']}/{item['name']}"))
    return sum(any((code, f.kind, f"{f.namespace}/{f.name}") in named for code in f.codes) for f in faults)


def spread(values: list[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--istioctl", default=shutil.which("istioctl") or "")
    options = parser.parse_args()
    ours = [sys.executable, str(Path(__file__).resolve().with_name("validate_entry.py"))]
    theirs = [options.istioctl, "analyze", "--use-kube=false", "-A", "-o", "json"] if options.istioctl else []
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
    print(f"{options.runs} runs each, {machine}")
    print(f"{'services':>8} {'program':<13} {'wall s':<20} {'CPU s':<20} {'MB':<14} found")
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            file = Path(folder) / f"mesh-{size}.yaml"
            file.write_text("---\n".join(mesh(size)))
            faults = planted(size)
            for command in filter(None, (ours, theirs)):
                measured([*command, str(file)])
            runs: dict[str, list[Run]] = {"mesh_validate": [], "istioctl": []}
            for _turn in range(options.runs):
                runs["mesh_validate"].append(measured([*ours, str(file)]))
                if theirs:
                    runs["istioctl"].append(measured([*theirs, str(file)]))
            for program, results in runs.items():
                if results:
                    hits = found_by(results[-1].output, faults, program == "istioctl")
                    row = (spread([run.wall for run in results]), spread([run.cpu for run in results]))
                    memory = spread([run.megabytes for run in results], 0)
                    print(f"{size:>8} {program:<13} {row[0]:<20} {row[1]:<20} {memory:<14} {hits} of {len(faults)}")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
