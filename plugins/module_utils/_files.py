# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile

_ALL_MAY_READ = 0o666


def folder_problem(path: str) -> str:
    """Why no file can be written to the path, empty where one can."""
    if _is_special(path):
        return ""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f"the folder {folder} does not exist. Make it, or name another one."
    if os.path.isdir(path):
        return f"{path} is a folder. Name a file in it."
    return "" if os.access(folder, os.W_OK) else f"the folder {folder} may not be written to. Name another one."


def content_of(path: str) -> str | None:
    """None where there is no file. What is not text is not one of ours, and is told as empty."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""


def write_atomically(path: str, text: str) -> None:
    """Whoever reads meanwhile reads the old file or the new one, and a failure leaves the old one.

    What is there and no file, such as /dev/stdout or a pipe, is written to as it stands.
    """
    if _is_special(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    target = os.path.realpath(path)
    descriptor, partial = tempfile.mkstemp(dir=os.path.dirname(target), prefix=f".{os.path.basename(target)}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.chmod(partial, _mode_for(target))
        os.replace(partial, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def _is_special(path: str) -> bool:
    """A terminal, a pipe or the like."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _mode_for(target: str) -> int:
    """The file's own, or what the user's mask leaves for a new one."""
    with contextlib.suppress(OSError):
        return os.stat(target).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return _ALL_MAY_READ & ~mask
