# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the examples of `mesh-validate --explain CODE` from the checks' cases.

    python tools/validation_examples.py [--check]

Of each code, the shortest case that fires it alone, and the silent case of the same file that is most like it. With
--check it writes nothing and exits with 1 if the examples are out of date.
"""

from __future__ import annotations

import base64
import difflib
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "tests/unit/plugins/module_utils/_validate/cases"
DATA = ROOT / "plugins/module_utils/_validate/data/examples.py"
# Facts of an upgrade.
VERSIONS = {"istio_release", "target_release"}
# A line of the data.
WIDTH = 110
# A right example that differs in more lines does not show what to change.
ALIKE = 0.75


def examples() -> dict[str, dict[str, str]]:
    """Code -> its name, ``wrong`` and ``right``; either may be missing."""
    found: dict[str, dict[str, str]] = {}
    for code, cases in sorted(cases_by_code().items()):
        firing = [case for case in cases if case.get("finds")]
        silent = [case["input"] for case in cases if not case.get("finds") and not case.get("others")]
        if not firing:
            continue
        case = min(firing, key=lambda case: (bool(case.get("others")), len(case["finds"]), len(case["input"])))
        found[code] = {"name": case["name"], "wrong": case["input"]}
        silent = [text for text in silent if text != case["input"]]
        right = max(silent, key=lambda text: likeness(case["input"], text), default="")
        if likeness(case["input"], right) >= ALIKE:
            found[code]["right"] = right
    return found


def cases_by_code() -> dict[str, list[dict[str, Any]]]:
    """Those that a reader can understand from the input alone."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(CASES.glob("*.yaml")):
        cases = yaml.safe_load(path.read_text())
        plain = [case for case in cases if is_plain(case)]
        found.setdefault(path.stem.partition("_")[0], []).extend(plain)
    return found


def is_plain(case: dict[str, Any]) -> bool:
    """--explain states an upgrade itself, from an unknown version to the newest one."""
    facts = case.get("settings", {}).get("facts", {})
    return case.get("settings", {}).keys() <= {"facts"} and facts.keys() <= VERSIONS and not case.get("secrets")


def likeness(one: str, other: str) -> float:
    """Of their lines, from 0 to 1."""
    return difflib.SequenceMatcher(None, one.splitlines(), other.splitlines(), autojunk=False).ratio()


def module() -> str:
    """JSON, compressed (zlib), as text (base85), as the schemas are."""
    packed = base64.b85encode(zlib.compress(json.dumps(examples(), sort_keys=True).encode(), 9)).decode()
    lines = [packed[at : at + WIDTH] for at in range(0, len(packed), WIDTH)]
    head = DATA.with_name("annotations.py").read_text().split('"""', 1)[0]
    body = "".join(f'    "{line}"\n' for line in lines)
    return f'{head}"""Made by tools/validation_examples.py from the cases of the checks."""\n\nDATA = (\n{body})\n'


def main() -> None:
    if "--check" in sys.argv[1:]:
        if not DATA.exists() or DATA.read_text() != module():
            sys.exit(f"{DATA.relative_to(ROOT)} is out of date: run make codes")
    else:
        DATA.write_text(module())


if __name__ == "__main__":
    main()
