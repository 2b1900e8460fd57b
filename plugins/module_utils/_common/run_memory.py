# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What one module of a run has learned and the next ones need not find out again.

It is kept in files, since each task has a process of its own. The action plugin sets the directory: within Ansible's
own temporary directory, one folder per host, so that nothing outlives the run and no two tasks write at once. Without
a folder nothing is remembered.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from typing import Any

directory = ""


def recall(kind: str, key: Any) -> Any:
    """The remembered value (any JSON), or None."""
    if not directory:
        return None
    try:
        with open(_path(kind, key), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def remember(kind: str, key: Any, value: Any) -> None:
    """``key`` and ``value``: any JSON. Only the user can read the file (mode 0600), and it is complete or absent."""
    if not directory:
        return
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=directory, encoding="utf-8", delete=False) as file:
        json.dump(value, file)
    os.replace(file.name, _path(kind, key))


def folder(kind: str, key: Any) -> str:
    """Path for a folder that the run keeps; it may not exist yet. Empty if nothing is remembered."""
    if not directory:
        return ""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    return _path(kind, key)


def forget(kind: str) -> None:
    """All remembered values of that kind."""
    if not directory or not os.path.isdir(directory):
        return
    for name in os.listdir(directory):
        if name.startswith(f"{kind}-"):
            os.unlink(os.path.join(directory, name))


def _path(kind: str, key: Any) -> str:
    # Hashed, since a key may contain a token.
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return os.path.join(directory, f"{kind}-{digest}")
