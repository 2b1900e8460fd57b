# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_validate beside `istioctl analyze` on the same meshes: time, memory, and which of the planted faults each finds.

    python benchmarks/validate.py [--sizes 100 1000 5000] [--runs 5] [--istioctl PATH]

Whole processes, in turn: istioctl with --use-kube=false -A, and the same checks as module mesh_validate without Ansible
in front. Each runs once before it is measured, which also fills Python's cache of compiled modules. Needs nothing but
the two programs. Prints how it measured, cores and load included, and a table: wall-clock and CPU seconds are the
median with minimum and maximum, memory is the largest resident set, and below each size is how many times as long
istioctl takes. That depends on the cores, since istioctl uses several and mesh_validate one: `taskset -c 1 python
benchmarks/validate.py` gives both the same single core.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from generated_mesh import mesh, planted
from validate_measuring import (
    HEADER,
    Run,
    found_by_istioctl,
    found_by_us,
    how,
    load,
    measured,
    ratio,
    row,
    with_compiled_modules,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--istioctl", default=shutil.which("istioctl") or "")
    options = parser.parse_args()
    print(f"{how(options.runs)}\n{HEADER}")
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            file = Path(folder) / f"mesh-{size}.yaml"
            file.write_text("---\n".join(mesh(size)))
            compare(size, str(file), options.runs, options.istioctl, f"{folder}/compiled")
    print(f"load {load()} after")


def compare(size: int, file: str, runs: int, istioctl: str, compiled: str) -> None:
    ours = [sys.executable, str(Path(__file__).resolve().with_name("validate_entry.py")), file]
    commands = {"mesh_validate": (ours, with_compiled_modules(compiled))}
    if istioctl:
        theirs = [istioctl, "analyze", "--use-kube=false", "-A", "-o", "json", file]
        commands["istioctl"] = (theirs, dict(os.environ))
    results: dict[str, list[Run]] = {program: [] for program in commands}
    for command, environment in commands.values():
        measured(command, environment)
    for _turn in range(runs):
        for program, (command, environment) in commands.items():
            results[program].append(measured(command, environment))
    faults = planted(size)
    for program, done in results.items():
        last = done[-1].output
        hits = found_by_us(json.loads(last), faults) if program == "mesh_validate" else found_by_istioctl(last, faults)
        print(row(size, program, done, f"{hits} of {len(faults)}"), flush=True)
    if istioctl:
        print(ratio(results["mesh_validate"], results["istioctl"]), flush=True)


if __name__ == "__main__":
    main()
