# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the table of codes in docs/validation-codes.md from the checks themselves.

    python tools/validation_codes.py [--check]

With --check it writes nothing and exits with 1 if the page is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".ansible/collections"))

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import Rule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import INPUT_RULES
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.catalog import all_checks

PAGE = ROOT / "docs/validation-codes.md"
HEAD = """# What mesh_validate looks for

`make codes` writes this page from the checks themselves; do not edit it. Every code has cases in
`tests/unit/plugins/module_utils/_validate/cases` that fire it, and cases that must not. Codes that begin with IST are
istioctl's, those with KIA are Kiali's, and those with MESH are our own. "needs": in files, the check is undecided
without these kinds. "live": only a running cluster can show it. "off": only if `policy.enable` or `policy.levels` names
it.

| code | aliases | level | meaning and fix | needs |
|---|---|---|---|---|
"""


def page() -> str:
    rows = [(rule, "") for rule in INPUT_RULES]
    for check in all_checks():
        needs = [kind.kind for kind in check.needs]
        needs += ["live"] if check.live else []
        needs += ["off"] if not check.enabled else []
        rows.append((check.rule, ", ".join(needs)))
    rows.sort(key=lambda row: (row[0].code, row[0].name))
    return HEAD + "".join(f"| {' | '.join(cells(rule))} | {needs} |\n" for rule, needs in rows)


def cells(rule: Rule) -> list[str]:
    what = f"**{rule.title}.** {rule.why} *{rule.remedy}*"
    return [rule.code, ", ".join(rule.aliases), rule.level, what.replace("|", "\\|")]


def main() -> None:
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != page():
            sys.exit(f"{PAGE.relative_to(ROOT)} is out of date: run make codes")
    else:
        PAGE.write_text(page())


if __name__ == "__main__":
    main()
