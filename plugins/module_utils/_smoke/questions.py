# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Questions that are repeated until the answers are right or the time is up, and the table of the answers."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure

_PAUSE = 1
_STATES = {True: "ok", False: "failed", None: "skipped"}


@dataclass(frozen=True)
class Result:
    """One line of the table. `ok`: None if the question cannot be asked from here."""

    ok: bool | None
    detail: str


Question = Callable[[], Result]


def ask_all(questions: Mapping[str, Question], timeout: float, *failures: type[Exception]) -> dict[str, Result]:
    """The answers by the questions' names. A question with a wrong answer is repeated for ``timeout`` seconds.

    ``failures``: exceptions that count as a wrong answer, besides those of the API server and of a connection.
    """
    wrong_ways = (ApiFailure, OSError, http.client.HTTPException, *failures)
    deadline = time.monotonic() + timeout
    results = {name: _ask(question, wrong_ways) for name, question in questions.items()}
    while (wrong := [name for name, result in results.items() if result.ok is False]) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        for name in wrong:
            results[name] = _ask(questions[name], wrong_ways)
    return results


def _ask(question: Question, failures: tuple[type[Exception], ...]) -> Result:
    try:
        return question()
    except failures as error:
        return Result(False, str(error) or type(error).__name__)


def report(results: Mapping[str, Result]) -> dict[str, Any]:
    """What a module returns about them: passed, failed_checks, checks and table."""
    failed = [name for name, result in results.items() if result.ok is False]
    width = max((len(name) for name in results), default=0)
    return {
        "passed": not failed,
        "failed_checks": failed,
        "checks": [
            {"name": name, "state": _STATES[result.ok], "detail": result.detail} for name, result in results.items()
        ],
        "table": [
            f"{name:<{width}}  {_STATES[result.ok].upper():<7}  {result.detail}" for name, result in results.items()
        ],
    }
