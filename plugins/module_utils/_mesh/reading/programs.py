# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The programs that render input: helm, kustomize and kubectl."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError

_SECONDS = 120


def output_of(commands: Sequence[Sequence[str]], given: str, what: str, chosen_by: str) -> tuple[str, str]:
    """The output of the first program that is installed, or what is wrong in one line.

    Raises InputError if none is, and the user chose it by an option. Otherwise that is a finding about this input
    alone: the rest of a repository can be checked without the program.
    """
    done = None
    try:
        for command in commands:
            done = done or _done(command, given)
    except subprocess.TimeoutExpired:
        return "", f"{what} did not finish within {_SECONDS} s"
    if done is None:
        program = commands[0][0]
        if chosen_by:
            raise InputError(
                f"the program '{program}' was not found. {what} input needs it: install it, or name it in {chosen_by}."
            )
        return "", f"the program '{program}' was not found: install it, or name it in {what}_binary"
    if done.returncode:
        return "", _problem(done.stderr) or f"{what} failed with exit code {done.returncode}"
    return done.stdout, ""


def is_ignored_by_git(path: str) -> bool:
    """Whether the file that is not here is one that its repository's .gitignore keeps out of it."""
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    # The setting could name a program.
    command = ["git", "-C", folder, "-c", "core.fsmonitor=false", "check-ignore", "--quiet", "--no-index", path]
    try:
        done = _done(command, "")
    except subprocess.TimeoutExpired:
        return False
    return done is not None and done.returncode == 0


# A line of kubectl's log: err="...", or its lines between < and >.
_LOGGED = re.compile(r'\berr=(?:"((?:[^"\\]|\\.)*)"|<\n(.*?)\n\s*>)', re.DOTALL)


def _problem(text: str) -> str:
    """The program's reason in one line."""
    if found := _LOGGED.search(text):
        reason = found[1].replace('\\"', '"').replace("\\n", " ") if found[1] else found[2]
        return " ".join(reason.split())
    lines = [line.strip() for line in text.splitlines()]
    start = next((place for place, line in enumerate(lines) if line.startswith(("Error", "error"))), None)
    if start is None:
        return next((line for line in reversed(lines) if line), "")
    # What follows an empty line is advice.
    reason = " ".join(itertools.takewhile(bool, lines[start:]))
    return reason.removeprefix("Error: ").removeprefix("error: ")


def _done(command: Sequence[str], given: str) -> subprocess.CompletedProcess[str] | None:
    """None if the program is not installed."""
    try:
        return subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False, errors="replace"
        )
    except (FileNotFoundError, PermissionError):
        return None
