# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh-validate on public repositories, compared with the counts in tools/corpus.json.

    python tools/corpus.py FOLDER [--only NAME...] [--write]

FOLDER has each repository as owner+name, or gets it: `git fetch` of the commit from GitHub, where a network is. The
program runs as its users would run it, in the repository's root or in the paths of the list, with --no-config. Nothing
of the repositories belongs in this one. --write replaces the counts: read the findings behind each difference first.

helm and kustomize (or kubectl) decide how much of a repository is read, and remote bases need a network: without them
the counts of MESH007 and MESH009 differ, and with them all others. `rendered_with` of the list states what they were
taken with.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("corpus.json")
ENTRY = ROOT / "benchmarks" / "validate_entry.py"
COUNTED = ("error", "warning")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    listed = json.loads(LIST.read_text())
    differing = 0
    for name, entry in listed["repositories"].items():
        if given.only and name not in given.only:
            continue
        place = given.folder / name.replace("/", "+")
        if not place.is_dir():
            fetch(name, entry["commit"], place)
        counts = counts_of(place, entry.get("paths", ["."]))
        if counts != entry["counts"]:
            differing += 1
            print(f"{name}: {difference(entry['counts'], counts)}")
        entry["counts"] = counts
    if given.write:
        LIST.write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n")
    print(f"{differing} repositories differ from {LIST.name}")
    return 1 if differing else 0


def fetch(name: str, commit: str, place: Path) -> None:
    place.mkdir(parents=True)
    for command in (
        ["init", "--quiet"],
        ["fetch", "--quiet", "--depth=1", f"https://github.com/{name}", commit],
        ["checkout", "--quiet", "FETCH_HEAD"],
    ):
        subprocess.run(["git", "-C", str(place), *command], check=True)  # noqa: S607


def counts_of(place: Path, paths: list[str]) -> dict[str, int]:
    """Level and code -> how many findings."""
    command = [sys.executable, str(ENTRY), *paths, "--no-config", "--no-cache", "--format", "json", "--level", "never"]
    done = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, check=True, env=os.environ)
    findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    found = Counter(f"{item['level']} {item['code']}" for item in findings if item["level"] in COUNTED)
    return dict(sorted(found.items()))


def difference(before: dict[str, int], now: dict[str, int]) -> str:
    changed = [key for key in sorted({*before, *now}) if before.get(key, 0) != now.get(key, 0)]
    return ", ".join(f"{key} {before.get(key, 0)} -> {now.get(key, 0)}" for key in changed)


if __name__ == "__main__":
    sys.exit(main())
