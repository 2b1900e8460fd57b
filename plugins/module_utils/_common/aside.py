# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A question that may take long, asked beside a loop that must not wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """Asks in its own thread, one question at a time. A daemon: the process can end without the answer."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._done = threading.Event()
        self._begun: float | None = None
        self._answer: T | None = None
        self._failure: Exception | None = None

    @property
    def asked(self) -> bool:
        """Whether an answer is pending, or not fetched yet."""
        return self._begun is not None

    def begin(self) -> None:
        """Ask, unless an answer is still pending or not fetched yet."""
        if self._begun is None:
            self._begin()

    def answer(self, since: float, within: float) -> T | None:
        """The answer to a question that was asked after ``since``; None if it takes longer than ``within`` seconds.

        ``since`` is a moment of time.monotonic. Raises what the question raised. An answer is returned once.
        """
        deadline = time.monotonic() + within
        while True:
            self.begin()
            if not self._done.wait(max(0.0, deadline - time.monotonic())):
                return None
            begun, self._begun = self._begun, None
            if begun is not None and begun >= since:
                if self._failure is not None:
                    raise self._failure
                return self._answer

    def _begin(self) -> None:
        self._begun = time.monotonic()
        self._done.clear()
        self._answer = self._failure = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except Exception as error:
            self._failure = error
        self._done.set()
