# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws what a terminal shows as SVG, for docs/pictures. Lines come from stdin, the command line is the first argument.

python tools/terminal_picture.py 'ansible-playbook playbooks/cost.yml -i inventories/staging' < table > picture.svg
"""

from __future__ import annotations

import sys
from html import escape

CHARACTER, LINE, MARGIN, FONT = 7.8, 18, 20, 13


def picture(command: str, lines: list[str]) -> str:
    """Each line is as long as its characters, whatever font there is; what begins at the left is a heading."""
    shown = [f"$ {command}", "", *lines]
    width = round(max(map(len, shown)) * CHARACTER + 2 * MARGIN)
    height = len(shown) * LINE + 2 * MARGIN
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="{FONT}">',
        '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
    ]
    for number, line in enumerate(shown):
        text = line.strip()
        if not text:
            continue
        indent = len(line) - len(line.lstrip())
        colour = "#56d364" if number == 0 else "#c9d1d9" if indent else "#79c0ff"
        found.append(
            f'<text xml:space="preserve" x="{MARGIN + indent * CHARACTER:.1f}" y="{MARGIN + number * LINE + FONT}" '
            f'textLength="{len(text) * CHARACTER:.1f}" fill="{colour}">{escape(text, quote=False)}</text>'
        )
    return "\n".join([*found, "</svg>\n"])


if __name__ == "__main__":
    sys.stdout.write(picture(sys.argv[1], sys.stdin.read().splitlines()))
