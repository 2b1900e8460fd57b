# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A page of the playbooks, from the comments that they begin with."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROLE = re.compile(r"(?:role|name): corpv3\.service_mesh\.(\w+)$", re.MULTILINE)


def main() -> None:
    print("# Playbooks\n\nInstalled as a collection, `playbooks/site.yml` is `corpv3.service_mesh.site`, and so on.")
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        print("\n".join(section(path)))


def section(path: Path) -> list[str]:
    text = path.read_text()
    comment = re.findall(r"\A---\n((?:#.*\n)+)", text)[0].splitlines()
    lines = [f"\n## {path.stem}"]
    for code, block in groupby(comment, key=lambda line: line.startswith("#   ")):
        lines.append("\n```" if code else "")
        lines += [line[4:] if code else escaped(line[2:]) for line in block]
        lines += ["```"] if code else []
    described = {path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml")}
    roles = [f"[{role}](collection/{role}_role.rst)" for role in sorted(described.intersection(ROLE.findall(text)))]
    return [*lines, "\nRoles: " + ", ".join(roles)] if roles else lines


def escaped(text: str) -> str:
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", text)


if __name__ == "__main__":
    main()
