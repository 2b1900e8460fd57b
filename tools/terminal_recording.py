# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a command at a terminal of its own and draws an SVG in which each line appears when the command wrote it.

    python tools/terminal_recording.py SECONDS LEFT_OUT ansible-playbook ... > docs/pictures/recording.svg

The picture lasts at most SECONDS: longer waits are shortened alike. LEFT_OUT: a regular expression for lines that are
not shown, or empty. If the reader prefers no motion, and in print, all lines are there from the start.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import re
import shlex
import struct
import sys
import termios
import time

from terminal_picture import picture

COLUMNS = 120
# Reading time for each line, and for the last ones.
STEP, END = 0.15, 3.0
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]|\r")
Recorded = list[tuple[float, str]]


def main() -> None:
    seconds, left_out, *command = sys.argv[1:]
    recorded = [(at, line) for at, line in record(command) if not (left_out and re.search(left_out, line))]
    sys.stdout.write(animated(shlex.join(command), recorded, float(seconds)))


def record(command: list[str]) -> Recorded:
    """(seconds since the start, line) of all that it writes."""
    begun = time.monotonic()
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)  # noqa: S606  no shell
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    found: Recorded = []
    rest = b""
    while chunk := _read(terminal):
        *lines, rest = (rest + chunk).split(b"\n")
        found += [(time.monotonic() - begun, CONTROL.sub("", line.decode(errors="replace"))) for line in lines]
    os.waitpid(child, 0)
    return found


def _read(terminal: int) -> bytes:
    """Empty at the end, where Linux reports an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def wrapped(line: str) -> list[str]:
    """As a terminal of that width shows it. A line with colours is short."""
    if "\x1b" in line:
        return [line]
    return [line[start : start + COLUMNS] for start in range(0, max(len(line), 1), COLUMNS)]


def times(recorded: Recorded, seconds: float) -> list[float]:
    """When each line appears. Waits beyond a line's reading time share what is left of ``seconds``."""
    moments = [0.0, *(at for at, line in recorded)]
    waits = [max(at - before, STEP) for before, at in itertools.pairwise(moments)]
    longer = sum(wait - STEP for wait in waits)
    share = min(1.0, max(seconds - END - STEP * len(waits), 0) / longer) if longer else 1.0
    shown, now = [], 0.0
    for wait in waits:
        now += STEP + (wait - STEP) * share
        shown.append(now)
    return shown


def animated(command: str, recorded: Recorded, seconds: float) -> str:
    recorded = [(at, part) for at, line in recorded for part in wrapped(line)]
    drawn = picture(command, [line for at, line in recorded])
    # The command and an empty line come first.
    rules = [f".line-{number}{{animation-delay:{at:.2f}s}}" for number, at in enumerate(times(recorded, seconds), 2)]
    style = (
        "@keyframes show{from{visibility:hidden}to{visibility:visible}}\n"
        "@media screen and (prefers-reduced-motion:no-preference){.line{animation:show 1ms both}}\n" + "\n".join(rules)
    )
    drawn = re.sub(
        r'class="(terminal-r\d+)"([^>]*clip-path="url\(#terminal-line-(\d+)\)")', r'class="\1 line line-\3"\2', drawn
    )
    return drawn.replace("</style>", f"{style}\n</style>", 1)


if __name__ == "__main__":
    main()
