# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_validate beside `istioctl analyze` on the same meshes: time, memory, and which of the planted faults each finds.

    python benchmarks/validate.py [--sizes 1 100 1000 5000] [--runs 5] [--istioctl PATH] [--ansible]

Whole processes, in turn: istioctl with --use-kube=false -A, and the console program mesh-validate. The size 1 is one
small file: a service's five objects and its Namespace. With --ansible also playbooks/validate.yml on the same file,
whose findings are not counted. Each runs once before it is measured, which also fills Python's cache of compiled
modules. Prints how it measured, cores and load included, and a table: wall-clock and CPU seconds are the median with
minimum and maximum, memory is the largest resident set, and below each size is how many times as long the other
programs take. That depends on the cores, since istioctl uses several and mesh-validate one: `taskset -c 1 python
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

from generated_mesh import Fault, mesh, planted
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

ROOT = Path(__file__).resolve().parents[1]
ENTRY = Path(__file__).resolve().with_name("validate_entry.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 100, 1000, 5000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--istioctl", default=shutil.which("istioctl") or "")
    parser.add_argument("--ansible", action="store_true")
    options = parser.parse_args()
    print(f"{how(options.runs)}\n{HEADER}")
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            file = Path(folder) / f"mesh-{size}.yaml"
            file.write_text("---\n".join(mesh(size)))
            compare(size, str(file), options, f"{folder}/compiled")
    print(f"load {load()} after")


def compare(size: int, file: str, options: argparse.Namespace, compiled: str) -> None:
    ours = [sys.executable, str(ENTRY), file, "--format", "json", "--level", "never", "--no-config", "--no-cache"]
    commands = {"mesh-validate": (ours, with_compiled_modules(compiled))}
    if options.istioctl:
        theirs = [options.istioctl, "analyze", "--use-kube=false", "-A", "-o", "json", file]
        commands["istioctl"] = (theirs, dict(os.environ))
    if options.ansible:
        variables = {"validate_live": False, "validate_paths": [file], "validate_fail_on": "never"}
        playbook = ["ansible-playbook", str(ROOT / "playbooks/validate.yml"), "-e", json.dumps(variables)]
        commands["Ansible"] = (playbook, with_compiled_modules(compiled))
    results: dict[str, list[Run]] = {program: [] for program in commands}
    for command, environment in commands.values():
        measured(command, environment)
    for _turn in range(options.runs):
        for program, (command, environment) in commands.items():
            results[program].append(measured(command, environment))
    for program, done in results.items():
        print(row(size, program, done, found(program, done[-1].output, planted(size))), flush=True)
    for program in commands:
        if program != "mesh-validate":
            print(ratio(results["mesh-validate"], results[program], program), flush=True)


def found(program: str, output: str, faults: list[Fault]) -> str:
    """How many of the planted faults the output names."""
    if program == "Ansible":
        return "not counted"
    if program == "istioctl":
        hits = found_by_istioctl(output, faults)
    else:
        hits = found_by_us(json.loads(output)["findings"], faults)
    return f"{hits} of {len(faults)}"


if __name__ == "__main__":
    main()
