# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packages of module_utils as a picture: layers as rows, imports as lines.

    python tools/house.py [--check]

It writes docs/pictures/house.svg; with --check it writes nothing and exits with 1 if a package, a purpose or a line
is missing or obsolete. Layers and purposes come from plugins/module_utils/README.md, imports from the code. A line is
as thick as there are imports; one that goes upwards would be red.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
# Through the link: grimp finds the collection by the name that Ansible imports it by.
sys.path.insert(0, str(ROOT / ".ansible/collections"))
FOLDER = ROOT / "plugins/module_utils"
PICTURE = ROOT / "docs/pictures/house.svg"
COLLECTION = "ansible_collections.corpv3.service_mesh"
WIDTH, ROW, BOX, TALL = 1200, 118, 270, 66


def packages() -> dict[str, tuple[int, str]]:
    """Name -> (layer, purpose), the highest layer first."""
    rows = re.findall(r"^\| (\d) \| `(\w+)` \| (.+?) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    return {name: (int(layer), purpose) for layer, name, purpose in rows}


def imports() -> Counter[tuple[str, str]]:
    """(importing package, imported package) -> how many imports."""
    graph = grimp.build_graph(COLLECTION, cache_dir=None)
    top = f"{COLLECTION}.plugins.module_utils."
    found: Counter[tuple[str, str]] = Counter()
    for module in graph.modules:
        if module.startswith(top):
            here = module.removeprefix(top).partition(".")[0]
            for imported in graph.find_modules_directly_imported_by(module):
                there = imported.removeprefix(top).partition(".")[0]
                if imported.startswith(top) and here != there:
                    found[here, there] += 1
    return found


def places(known: dict[str, tuple[int, str]]) -> dict[str, tuple[float, float]]:
    """Name -> the box's left upper corner."""
    layers = sorted({layer for layer, _purpose in known.values()}, reverse=True)
    found = {}
    for at, layer in enumerate(layers):
        names = [name for name, (own, _purpose) in known.items() if own == layer]
        gap = (WIDTH - BOX * len(names)) / (len(names) + 1)
        for number, name in enumerate(names):
            found[name] = (gap + number * (BOX + gap), 20 + at * ROW)
    return found


def files_of(name: str) -> int:
    folder = FOLDER / name
    return sum(file.name != "__init__.py" for file in folder.rglob("*.py")) if folder.is_dir() else 1


def wrapped(text: str, most: int = 42) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:2]


def svg() -> str:
    known = packages()
    at, drawn = places(known), []
    for (here, there), count in sorted(imports().items()):
        (x, y), (to_x, to_y) = at[here], at[there]
        color = "#7d8da1" if to_y > y else "#d1242f"
        start, end = (x + BOX / 2, y + TALL), (to_x + BOX / 2, to_y)
        bend = (end[1] - start[1]) / 2
        drawn.append(
            f'<path d="M{start[0]:.0f} {start[1]:.0f} C{start[0]:.0f} {start[1] + bend:.0f} {end[0]:.0f} '
            f'{end[1] - bend:.0f} {end[0]:.0f} {end[1]:.0f}" fill="none" stroke="{color}" stroke-opacity="0.55" '
            f'stroke-width="{min(1 + count / 8, 6):.1f}"><title>{here} uses {there}: {count} imports</title></path>'
        )
    for name, (x, y) in at.items():
        drawn.append(f'<rect x="{x:.0f}" y="{y}" width="{BOX}" height="{TALL}" rx="6"/>')
        title = f'{name} <tspan class="count">{files_of(name)} files</tspan>'
        drawn.append(f'<text class="name" x="{x + 10:.0f}" y="{y + 21}">{title}</text>')
        for number, line in enumerate(wrapped(known[name][1].replace("`", ""))):
            drawn.append(f'<text x="{x + 10:.0f}" y="{y + 39 + 15 * number}">{escape(line)}</text>')
    height = max(y for _x, y in at.values()) + TALL + 20
    style = (
        "rect{fill:#fff;stroke:#57606a}text{font:11px sans-serif;fill:#1f2328}"
        ".name{font-weight:bold;font-size:14px}.count{font-weight:normal;font-size:11px;fill:#57606a}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}">'
        f'<style>{style}</style><rect width="100%" height="100%" style="fill:#f6f8fa;stroke:none"/>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def without_counts(picture: str) -> str:
    """A further import or file makes no picture wrong: only packages, purposes and lines do."""
    return re.sub(r'stroke-width="[^"]*"|: \d+ imports|\d+ files', "", picture)


def main() -> None:
    if "--check" in sys.argv[1:]:
        if not PICTURE.exists() or without_counts(PICTURE.read_text()) != without_counts(svg()):
            sys.exit(f"{PICTURE.relative_to(ROOT)} is out of date: run make docs")
    else:
        PICTURE.write_text(svg())


if __name__ == "__main__":
    main()
