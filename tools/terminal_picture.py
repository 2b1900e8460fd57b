# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws what a terminal shows as SVG, for docs/pictures. The first argument is the command, stdin its coloured output.

python tools/terminal_picture.py 'ansible-playbook playbooks/cost.yml -i inventories/staging' < table > picture.svg

With --light after the command, as a terminal with a white background shows it.
"""

from __future__ import annotations

import io
import sys

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, DIMMED_MONOKAI, TerminalTheme
from rich.text import Text

# Rich's own names a font elsewhere on the net; GitHub shows no picture that does.
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def picture(command: str, lines: list[str], theme: TerminalTheme = DIMMED_MONOKAI) -> str:
    shown = [Text.assemble(("$ ", "bold green"), (command, "bold")), Text(), *map(Text.from_ansi, lines)]
    width = max(cell_len(line.plain) for line in shown) + 1
    console = Console(record=True, width=width, file=io.StringIO())
    for line in shown:
        console.print(line, soft_wrap=True, highlight=False)
    drawn = console.export_svg(title="", theme=theme, code_format=SVG, unique_id="terminal")
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


if __name__ == "__main__":
    theme = DEFAULT_TERMINAL_THEME if sys.argv[2:] == ["--light"] else DIMMED_MONOKAI
    sys.stdout.write(picture(sys.argv[1], sys.stdin.read().splitlines(), theme))
