# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A canary's run: what is known of it, and how it lies on the VirtualService, in the same object as the weights.

Times are Unix seconds by the clock of whoever wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object

(
    INITIALIZED,
    WAITING,
    PROGRESSING,
    PAUSED,
    WAITING_PROMOTION,
    PROMOTING,
    FINALISING,
    SUCCEEDED,
    ROLLING_BACK,
    FAILED,
) = PHASES = (
    "Initialized",
    "Waiting",
    "Progressing",
    "Paused",
    "WaitingPromotion",
    "Promoting",
    "Finalising",
    "Succeeded",
    "RollingBack",
    "Failed",
)
FINAL = (SUCCEEDED, FAILED)
# Somebody has to say how it goes on.
HELD = (WAITING, PAUSED, WAITING_PROMOTION)
# The decision has been taken; what is left is to carry it out.
DECIDED = (PROMOTING, FINALISING, ROLLING_BACK)

PREFIX = "canary.service-mesh.corpv3.com/"
_FORMAT = 1
_HISTORY = 40


class StateFailure(ValueError):
    """The annotation is not what this version of the collection has written."""


@dataclass(frozen=True)
class Side:
    """One version: a subset of the DestinationRule, the Deployment behind it and the image of its pods."""

    subset: str
    workload: str
    image: str


@dataclass(frozen=True)
class Step:
    """Where the traffic goes for a while: ``weight`` percent to the canary, ``mirror`` percent as a copy.

    ``matched`` sends the requests that the run's match describes to the canary as well, whatever the weight.
    """

    weight: int
    duration: float
    mirror: float = 0
    matched: bool = False
    # Of the stable side's pods, how many percent the canary has to have.
    capacity: int = 0


@dataclass(frozen=True)
class Event:
    at: float
    phase: str
    weight: int
    reason: str
    actor: str


@dataclass(frozen=True)
class State:
    run: str
    service: str
    # The first one's copy of the state decides; the others follow it.
    virtual_services: tuple[str, ...]
    phase: str
    stable: Side
    canary: Side
    steps: tuple[Step, ...]
    started: float
    deadline: float
    # Ready pods of the stable side when the run started.
    capacity: int
    strategy: str = "weight"
    # Index of the step in force; -1 before the first.
    step: int = -1
    weight: int = 0
    # When the phase or the step was entered, and when the step was.
    changed_at: float = 0
    step_at: float = 0
    # When the canary got its first traffic.
    since: float | None = None
    reason: str = ""
    # Where a Waiting or Paused run goes on.
    resume_phase: str = ""
    gate: str = ""
    passed_gates: tuple[str, ...] = ()
    promotion_requested: bool = False
    match: Mapping[str, Any] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)
    tallies: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Event, ...] = ()

    @property
    def final(self) -> bool:
        return self.phase in FINAL

    @property
    def current(self) -> Step | None:
        return self.steps[self.step] if 0 <= self.step < len(self.steps) else None

    @property
    def next(self) -> Step | None:
        return self.steps[self.step + 1] if self.step + 1 < len(self.steps) else None

    @property
    def gets_traffic(self) -> bool:
        """Whether any request, or a copy of one, goes to the canary."""
        step = self.current if self.phase not in (*FINAL, *DECIDED) else None
        return self.weight > 0 or (step is not None and (step.mirror > 0 or step.matched))

    def moved(self, now: float, actor: str, reason: str = "", **changes: Any) -> State:
        """The state with changes, which its history keeps."""
        changed = replace(self, changed_at=now, reason=reason, **changes)
        event = Event(now, changed.phase, changed.weight, reason, actor)
        return replace(changed, history=(*self.history, event)[-_HISTORY:])


def annotation(service: str) -> str:
    """The annotation's name. Two canaries may share a VirtualService, of the ingress gateway for example."""
    return f"{PREFIX}{service.partition('.')[0]}"


def dump(state: State) -> str:
    return json.dumps({"format": _FORMAT, **asdict(state)}, separators=(",", ":"))


def load(text: str) -> State:
    """Raises StateFailure where the text is no state."""
    try:
        found = json.loads(text)
        version = found.pop("format")
        if version != _FORMAT:
            raise StateFailure(f"the state is of format {version}, and this version knows {_FORMAT}")
        return State(
            **{
                **found,
                "virtual_services": tuple(found["virtual_services"]),
                "stable": Side(**found["stable"]),
                "canary": Side(**found["canary"]),
                "steps": tuple(Step(**step) for step in found["steps"]),
                "passed_gates": tuple(found["passed_gates"]),
                "history": tuple(Event(**event) for event in found["history"]),
            }
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, StateFailure):
            raise
        raise StateFailure(f"the state cannot be read: {type(error).__name__} {error}") from error


def state_of(virtual_service: Object, service: str) -> State | None:
    """The state of the service's newest run that the VirtualService carries."""
    text = (virtual_service["metadata"].get("annotations") or {}).get(annotation(service))
    return load(text) if text else None


def states_of(virtual_service: Object) -> dict[str, State]:
    """Service -> state, of every run that the VirtualService carries."""
    annotations = virtual_service["metadata"].get("annotations") or {}
    return {
        name.removeprefix(PREFIX): load(text) for name, text in sorted(annotations.items()) if name.startswith(PREFIX)
    }
