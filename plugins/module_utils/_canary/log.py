# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The log of a run in progress: a line for each step and for each change of its verdict. The rest is details."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Measurement, Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    DURATION,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    number,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import Wait
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.table import outcome_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.propagation import Propagation

# Seconds until a wait is logged, and until it is logged again. With details, at once and often.
_PATIENCE, _AGAIN = 15.0, 300.0
_DETAILED_AGAIN = 15.0


class RunLog:
    """``details``: whether to log more than the steps and the verdicts."""

    def __init__(self, log: Callable[[str], None], details: bool) -> None:
        self._log, self._details = log, details
        self._step: tuple[Any, ...] = ()
        self._verdict = ""
        self._wait, self._wait_since, self._wait_logged_at = "", 0.0, -math.inf
        self._unproven = ""

    def log(self, text: str) -> None:
        self._log(f"{datetime.now(UTC):%H:%M:%S} {text}")

    def detail(self, text: str) -> None:
        if self._details:
            self.log(text)

    def transition(self, state: State) -> None:
        """Log a new phase or step. Waits begin again."""
        self._wait = ""
        self.log(transition(state))

    def measurements(self, found: Sequence[Measurement]) -> None:
        for entry in found:
            self.detail(f"  {entry.judgement.verdict:<12} {entry.judgement.reason}")

    def verdict(self, step: tuple[Any, ...], outcome: Outcome | None, found: Sequence[Measurement]) -> None:
        """Log a change of the verdict on a step. A verdict that rolls the run back is logged with the rollback."""
        if outcome is None or outcome.should_roll_back:
            return
        if step != self._step:
            self._step, self._verdict = step, INCONCLUSIVE
        # A step without evidence is like one without requests.
        verdict = INCONCLUSIVE if outcome.verdict == NO_DATA else outcome.verdict
        if verdict == self._verdict:
            return
        self._verdict = verdict
        self.log(f"  {verdict:<12} {evidence(found) if verdict == PASS else outcome.reason}")

    def proxies(self, sync: Propagation) -> None:
        """Log that all proxies have the routes. What replaces proof is logged once."""
        if sync.proxies or not sync.problem:
            self.detail(f"  all {sync.proxies} proxies have the routes after {sync.seconds:.1f} s")
            less = sync.unproven
        else:
            less = f"istiod cannot be queried ({sync.problem}): waited {sync.seconds:.0f} s instead of proof"
        if less:
            (self.detail if less == self._unproven else self.log)(f"  {less}")
        self._unproven = less

    def waits(self, wait: Wait, at_once: bool = False) -> None:
        """Log a wait that is not part of the plan: once it lasts, and then from time to time."""
        now = time.monotonic()
        if wait.what != self._wait:
            self._wait, self._wait_since, self._wait_logged_at = wait.what, now, -math.inf
        patience, again = (0.0, _DETAILED_AGAIN) if self._details else (_PATIENCE, _AGAIN)
        if wait.planned and not self._details:
            return
        if now - self._wait_logged_at < again or (now - self._wait_since < patience and not at_once):
            return
        self._wait_logged_at = now
        left = f" ({wait.left:.0f} s left)" if wait.left is not None else ""
        self.log(f"  waiting for {wait.what}{left}{': ' if wait.detail else ''}{wait.detail}")


def transition(state: State) -> str:
    """One line about the present phase of a run."""
    step = f" step {state.step + 1}/{len(state.steps)}," if state.phase is Phase.PROGRESSING and state.step >= 0 else ""
    current = state.current if state.phase is Phase.PROGRESSING else None
    what = [f"{state.weight} % to {state.canary.subset}"]
    if current and current.mirror:
        what.append(f"a copy of {current.mirror:g} %{'' if state.weight else ', measured at the receiving proxies'}")
    if current and current.matched:
        what.append("the requests that match")
    reason = f": {state.reason}" if state.reason else ""
    return f"{outcome_of(state)},{step} {' and '.join(what)}{reason}"


def evidence(found: Sequence[Measurement]) -> str:
    """The evidence of the metrics, in short. Guards are left out: they show no evidence for a pass."""
    return ", ".join(_shown(entry) for entry in found if not entry.metric.only_fails) or "no evidence against it"


def _shown(entry: Measurement) -> str:
    metric, reading = entry.metric, entry.reading
    if reading.value is None:
        return f"{metric.title}: no requests"
    unit = "" if metric.query else " %"
    slow = f" beyond {number(metric.maximum)} ms" if metric.name == DURATION and metric.maximum is not None else ""
    of = f" of {reading.samples}" if reading.samples is not None else ""
    stable = f" (stable {number(reading.baseline)}{unit})" if reading.baseline is not None else ""
    return f"{metric.name} {number(reading.value)}{unit}{slow}{of}{stable}"
