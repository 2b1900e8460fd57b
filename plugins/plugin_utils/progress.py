# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Shows a canary's log while it runs, also after Ansible's main process has stopped reading its workers' output."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import termination

_POLL_SECONDS = 0.2
# How long an orphaned worker keeps the terminal. Its reader waits for it, so ansible-runner, which kills
# ansible-playbook on a cancelled job, does not end (nor the job's container) before weight 0 is written.
# ansible-runner fails after 5 s.
_TERMINAL_SECONDS = 3.0


@contextlib.contextmanager
def terminal() -> Iterator[IO[bytes] | None]:
    """The terminal of Ansible's main process, or None if unknown. The worker's own output is /dev/null."""
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOCTTY
        file = os.fdopen(os.open(f"/proc/{os.getppid()}/fd/1", flags), "wb", buffering=0)
    except OSError:
        yield None
        return
    try:
        yield file
    finally:
        file.close()


class Follower:
    """A thread, so that a blocked terminal (Ctrl-S, or closed) never blocks the module."""

    def __init__(
        self, path: str, prefix: str, show: Callable[[str], object], direct: IO[bytes] | None, service: str = ""
    ) -> None:
        """``show``: prints through Ansible's main process. ``direct``: the output to use when it no longer prints.

        ``service``: that of the canary, for messages. Empty for a call without one.
        """
        self._path, self._prefix, self._show, self._direct = path, prefix, show, direct
        self._which = f" -e canary_service={service}" if service else ""
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._orphaned_since = 0.0
        self._explained = False

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finished.set()
        while self._thread.is_alive() and not termination.reason():
            self._thread.join(_POLL_SECONDS)
        self._thread.join(10 * _POLL_SECONDS)

    def log(self, line: str) -> None:
        """Show a line after all previous ones."""
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def _follow(self) -> None:
        begun = b""
        with open(self._path, "rb") as file:
            while True:
                # Checked before reading, so that the module's last lines are read after its end.
                last = self._finished.wait(_POLL_SECONDS)
                *lines, begun = (begun + file.read()).split(b"\n")
                if last and begun:
                    lines.append(begun)
                self._show_lines([line.decode("utf-8", "replace") for line in lines])
                if last:
                    return

    def _show_lines(self, lines: list[str]) -> None:
        if not termination.reason():
            for line in lines:
                self._show(self._prefix + line)
            return
        if not self._explained:
            self._explained = True
            lines = [_explanation(), *lines]
        for line in lines:
            self._print(self._prefix + line)
        self._let_the_terminal_go()

    def _print(self, line: str) -> None:
        if self._direct is not None:
            # The terminal may be closed, or its reader gone.
            with contextlib.suppress(OSError):
                self._direct.write(f"{line}\n".encode())

    def _let_the_terminal_go(self) -> None:
        if self._direct is None or not termination.orphaned():
            return
        self._orphaned_since = self._orphaned_since or time.monotonic()
        if time.monotonic() - self._orphaned_since > _TERMINAL_SECONDS:
            self._print(
                f"{self._prefix}The rest continues in the background: canary_status.yml{self._which} shows it. If it "
                "is killed before its end, canary_reconcile.yml completes it, on its schedule. To complete it now: "
                f"canary_abort.yml{self._which}, with the same -i."
            )
            self._direct.close()
            self._direct = None


def _explanation() -> str:
    if termination.orphaned():
        return "ansible-playbook has ended: its worker rolls the canary back, or completes it if it is Finalising."
    return (
        "The canary rolls back, or completes if it is Finalising, and then this command ends. "
        "Another Ctrl-C ends the command at once, and the rest continues in the background."
    )
