# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether this process should end: it got a signal, or its parent is gone. Work in progress is then rolled back.

Signals belong to the process, so their state belongs to this module and not to an object.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from types import FrameType

# The task keyword ``timeout`` is a SIGALRM in Ansible's worker.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)

_received: list[str] = []
# 0: not watched yet.
_parent = 0


def note_signals() -> None:
    """From now on, each of ``SIGNALS`` is recorded instead of obeyed, and the parent is watched."""
    global _parent
    _received.clear()
    _parent = _started_by()
    for number in SIGNALS:
        signal.signal(number, _note)


def reason() -> str:
    """Why this process should end, or empty."""
    if _received:
        return f"the process received {_received[0]}"
    if orphaned():
        # Ansible's worker has its own session: it gets neither a closed terminal's SIGHUP nor a SIGKILL.
        return "ansible-playbook is gone: killed, or its terminal was closed"
    return ""


def obey() -> None:
    """After the rollback: end as the signal requested, so that no next item of a loop is started."""
    if orphaned() or set(_received) - {signal.SIGALRM.name}:
        signal.raise_signal(signal.SIGTERM)


def orphaned() -> bool:
    """Whether the parent of this process is gone."""
    return _parent not in (0, os.getppid())


def _note(number: int, __: FrameType | None) -> None:
    _received.append(signal.Signals(number).name)


def _started_by() -> int:
    # The parent of a worker, even if it died before this line.
    parent = multiprocessing.parent_process()
    return parent.pid if parent and parent.pid else os.getppid()
