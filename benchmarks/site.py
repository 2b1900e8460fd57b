"""How long site.yml takes where nothing is to be done, as a whole process, on a lab that `make up` brought up.

    python benchmarks/site.py [--runs 5] [ansible-playbook arguments]

Prints minimum, median and maximum of wall-clock and CPU seconds. Ends with 1 where a run fails or changes anything.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(arguments: list[str]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of one run."""
    command = ["ansible-playbook", "playbooks/site.yml", "-i", "inventories/lab", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0 or not re.search(r"changed=0 ", done.stdout):
        sys.exit(f"this run failed or changed something:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Warm up once, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    options, arguments = parser.parse_known_args()
    run(arguments)
    measured = [run(arguments) for __ in range(options.runs)]
    print(f"{options.runs} runs without change, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, column in (("wall", 0), ("CPU", 1)):
        values = sorted(row[column] for row in measured)
        print(f"{name:5} min {values[0]:6.1f} s  median {statistics.median(values):6.1f} s  max {values[-1]:6.1f} s")


if __name__ == "__main__":
    main()
