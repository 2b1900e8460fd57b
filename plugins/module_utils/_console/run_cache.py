# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The outputs of earlier runs, by their keys, in the user's cache folder.

Whatever is wrong with the folder or a file of it only costs time: the run does its work as without a cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import time

# Not hashlib: it loads OpenSSL, which takes longer than the rest of a run from the cache.
from _blake2 import blake2b
from typing import NamedTuple

# Exit codes of runs that checked everything.
CLEAN, FINDINGS = 0, 1
_FOLDER = "mesh-validate"
_MOST_ENTRIES = 200
_MOST_BYTES = 4 * 1024 * 1024
_SECONDS = 30 * 24 * 3600


class Shown(NamedTuple):
    """What a run wrote to standard output and standard error, and its exit code."""

    out: str
    err: str
    code: int


def load(key: str) -> Shown | None:
    """None if there is no entry, or it is damaged."""
    folder = _folder()
    if not folder:
        return None
    path = os.path.join(folder, key)
    try:
        with open(path, "rb") as file:
            digest, _line, data = file.read(2 * _MOST_BYTES).partition(b"\n")
        if digest.decode("ascii", "replace") != _digest(key, data):
            return None
        found = Shown(**json.loads(data))
        # The entries that are of use stay.
        os.utime(path)
    except (OSError, ValueError, TypeError):
        return None
    return found


def store(key: str, shown: Shown) -> None:
    data = json.dumps(shown._asdict()).encode()
    if len(data) > _MOST_BYTES:
        return
    folder = _folder(create=True)
    if not folder:
        return
    with contextlib.suppress(OSError):
        # Another run may read or write the same entry: it sees the whole old one or the whole new one.
        path = os.path.join(folder, f".new-{os.getpid()}-{time.monotonic_ns()}")
        try:
            with open(path, "xb", opener=_private) as file:
                file.write(_digest(key, data).encode() + b"\n" + data)
            os.replace(path, os.path.join(folder, key))
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            raise
        _prune(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _digest(key: str, data: bytes) -> str:
    return blake2b(key.encode() + data, digest_size=24).hexdigest()


def _folder(*, create: bool = False) -> str:
    """https://specifications.freedesktop.org/basedir-spec: relative paths are ignored.

    Empty if it is not there, or if others could write to it: their entries would be shown as results.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    folder = os.path.join(base, _FOLDER)
    try:
        if create:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        state = os.stat(folder)
    except OSError:
        return ""
    return folder if state.st_uid == os.getuid() and not state.st_mode & 0o022 else ""


def _prune(folder: str) -> None:
    """Removes what was not used for a month, and the oldest entries if there are too many."""
    ages = []
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            ages.append((time.time() - entry.stat().st_mtime, entry.path))
    for number, (age, path) in enumerate(sorted(ages)):
        if number >= _MOST_ENTRIES or age > _SECONDS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
