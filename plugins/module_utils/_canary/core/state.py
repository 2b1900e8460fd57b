# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The state of a canary's run, and its form on the route object, in the same object as the weights.

Times are Unix seconds by the clock of the process that wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    FORMAT,
    PREFIX,
    Phase,
    annotation,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

_HISTORY = 40
# Which Deployment has the service after a promotion: the one that was there, or the copy that was measured.
ORIGINAL, CANARY = KEEPS = ("original", "canary")


class StateFailure(MeshError):
    """This version of the collection cannot read the annotation."""


@dataclass(frozen=True)
class RouteNames:
    """The objects whose routes a run shifts, all of one kind. The state on the first one counts."""

    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Slot:
    """One version: a subset, the Deployment behind it, and the image of its pods.

    The subset is one of the DestinationRule, or the name of a Service if the route is one of the Gateway API.
    ``idle``: the pods that it keeps without a share of the run's routes, because other routes send requests to it.
    """

    subset: str
    workload: str
    image: str
    idle: int = field(default=0, kw_only=True)


@dataclass(frozen=True)
class Copy:
    """The Deployment that a run was asked for, and the copy of it that the collection makes.

    ``label`` and ``value``: a label of the copy's pods that the original's have with another value. ``adopted``: the
    route names the subsets of both.
    """

    original: str
    name: str
    keep: str
    label: str
    value: str
    adopted: bool = False


@dataclass(frozen=True)
class Step:
    """Where the traffic goes for a while: ``weight`` percent to the canary, ``mirror`` percent as a copy.

    ``matched`` also sends the requests of the run's match to the canary, regardless of the weight.
    """

    weight: int
    duration: float
    mirror: float = 0
    matched: bool = False
    # Pods that the canary needs, in percent of the stable side's.
    capacity: int = 0


@dataclass(frozen=True)
class Event:
    at: float
    phase: Phase
    weight: int
    reason: str
    actor: str


@dataclass(frozen=True)
class State:
    run: str
    service: str
    where: RouteNames
    phase: Phase
    stable: Slot
    canary: Slot
    steps: tuple[Step, ...]
    started: float
    deadline: float
    # Ready pods of the stable side when the run started.
    capacity: int
    strategy: str = "weight"
    # Index of the current step, -1 before the first.
    step: int = -1
    weight: int = 0
    # When the run entered the phase or the step, and when it entered the step.
    changed_at: float = 0
    step_at: float = 0
    # When the canary got its first traffic.
    since: float | None = None
    reason: str = ""
    # The phase to which a Waiting or Paused run resumes.
    resume_phase: Phase | Literal[""] = ""
    # Paused for lack of evidence. The deadline is suspended meanwhile.
    lacks_evidence: bool = False
    gate: str = ""
    passed_gates: tuple[str, ...] = ()
    promotion_requested: bool = False
    match: Mapping[str, Any] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)
    tallies: Mapping[str, Any] = field(default_factory=dict)
    # The canary's image as the API server stored it, if a webhook rewrites images.
    stored_image: str = ""
    # Fingerprint of the stable side's pod template at the start of the run.
    stable_template: str = ""
    # istiod has answered in this run. If it stops, the cause is not a missing right, and silence proves nothing.
    proven: bool = False
    # Probes for the process that runs it, if the Lease names none. That process removes the probe.
    probe: str = ""
    # The options by which it decides, for every process that resumes it; see terms. Empty for an older version's run.
    terms: Mapping[str, Any] = field(default_factory=dict)
    # The run whose promotion this run undoes.
    undoes: str = ""
    # None: two Deployments that take turns.
    copy: Copy | None = None  # pylint: disable=unsupported-binary-operation
    # What the pod template of the canary's Deployment gets apart from the image: a strategic merge patch.
    patch: Mapping[str, Any] = field(default_factory=dict)
    # ConfigMap/NAME or Secret/NAME -> the name of the one with the canary's content, and a digest of these contents.
    configuration: Mapping[str, str] = field(default_factory=dict)
    configuration_digest: str = ""
    # Fingerprint of the template that the run gave the canary's Deployment. Empty before, and without a copy.
    canary_template: str = ""
    history: tuple[Event, ...] = ()

    @property
    def images(self) -> tuple[str, ...]:
        """The images that the canary's Deployment may have."""
        return (self.canary.image, self.stored_image) if self.stored_image else (self.canary.image,)

    @property
    def adopted(self) -> bool:
        """Whether the route names the subsets. Before that, the run does not write any traffic."""
        return self.copy is None or self.copy.adopted

    @property
    def returns(self) -> bool:
        """Whether the original gets the tested template, and then the traffic, after a promotion."""
        copy = self.copy
        return copy is not None and copy.keep == ORIGINAL and self.canary.workload != copy.original

    @property
    def kept(self) -> Slot:
        """The side that has the traffic, or gets it in a rollback."""
        promoted = self.phase.promoted or (self.phase == Phase.ROLLING_BACK and self.weight)
        return self.canary if promoted and self.weight else self.stable

    def side_of(self, workload: str) -> Slot:
        return self.canary if self.canary.workload == workload else self.stable

    def is_first(self, kind: str, name: str) -> bool:
        """Whether the state on this route object is the one that counts."""
        return self.where.kind == kind and self.where.names[0] == name

    @property
    def final(self) -> bool:
        return self.phase.final

    @property
    def decided(self) -> bool:
        """The decision is taken, and any process may carry it out."""
        return self.phase.decided or bool(self.undoes)

    @property
    def current(self) -> Step | None:
        return self.steps[self.step] if 0 <= self.step < len(self.steps) else None

    @property
    def next(self) -> Step | None:
        return self.steps[self.step + 1] if self.step + 1 < len(self.steps) else None

    @property
    def gets_traffic(self) -> bool:
        """Whether any request or copy of a request goes to the canary."""
        step = None if self.phase.final or self.phase.decided else self.current
        return self.weight > 0 or (step is not None and (step.mirror > 0 or step.matched))

    def moved(self, now: float, actor: str, reason: str = "", **changes: Any) -> State:
        """The changed state, with the change in its history."""
        changes = {"lacks_evidence": False, "probe": "", **self._deadline_after(now), **changes}
        changed = replace(self, changed_at=now, reason=reason, **changes)
        event = Event(now, changed.phase, changed.weight, reason, actor)
        return replace(changed, history=(*self.history, event)[-_HISTORY:])

    def _deadline_after(self, now: float) -> dict[str, float]:
        """A pause for lack of evidence does not count. After it, the step gets its own time once more."""
        if not self.lacks_evidence or self.current is None:
            return {}
        return {"deadline": self.deadline + now - self.changed_at + self.current.duration}


def dump(state: State) -> str:
    run = asdict(state)
    # Versions that know neither copies nor kept pods read the states of all other runs.
    for name in ("copy", "patch", "canary_template", "configuration", "configuration_digest"):
        if not run[name]:
            del run[name]
    for side in ("stable", "canary"):
        if not run[side]["idle"]:
            del run[side]["idle"]
    written = {"format": FORMAT, "run": run.pop("run"), "service": run.pop("service"), **_written(run.pop("where"))}
    return json.dumps({**written, **run}, separators=(",", ":"))


def _written(where: Mapping[str, Any]) -> dict[str, Any]:
    """Versions that know no other kind read this form."""
    return {"virtual_services": where["names"]} if where["kind"] == VirtualService.kind else {"where": where}


def load(text: str) -> State:
    """Raises StateFailure if the text is not a valid state."""
    try:
        found = json.loads(text)
        version = found.pop("format")
        if version != FORMAT:
            raise StateFailure(f"the state has format {version}, and this version reads format {FORMAT}")
        where = _where(found)
        return State(
            **{
                **found,
                "where": where,
                "phase": Phase(found["phase"]),
                "resume_phase": Phase(found["resume_phase"]) if found.get("resume_phase") else "",
                "copy": Copy(**found["copy"]) if found.get("copy") else None,
                "stable": Slot(**found["stable"]),
                "canary": Slot(**found["canary"]),
                "steps": tuple(Step(**step) for step in found["steps"]),
                "passed_gates": tuple(found["passed_gates"]),
                "history": tuple(Event(**{**event, "phase": Phase(event["phase"])}) for event in found["history"]),
            }
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateFailure(f"the state cannot be read: {type(error).__name__} {error}") from error


def _where(found: dict[str, Any]) -> RouteNames:
    """Takes it out of ``found``."""
    if "where" not in found:
        return RouteNames(VirtualService.kind, tuple(found.pop("virtual_services")))
    where = found.pop("where")
    return RouteNames(str(where["kind"]), tuple(where["names"]))


@dataclass(frozen=True)
class Unreadable:
    """An annotation that this version of the collection cannot read."""

    text: str
    problem: str


Stored = State | Unreadable | None  # pylint: disable=unsupported-binary-operation


def stored(route: Object, service: str) -> Stored:
    """The state of the service's newest run on the route object."""
    text = (route["metadata"].get("annotations") or {}).get(annotation(service))
    return _readable(text) if text else None


def state_of(route: Object, service: str) -> State | None:
    """The same. Raises StateFailure if it is unreadable."""
    found = stored(route, service)
    if isinstance(found, Unreadable):
        raise StateFailure(found.problem)
    return found


def every_stored(route: Object) -> dict[str, State | Unreadable]:
    """Service -> state, for every run on the route object."""
    annotations = route["metadata"].get("annotations") or {}
    return {
        name.removeprefix(PREFIX): _readable(text)
        for name, text in sorted(annotations.items())
        if name.startswith(PREFIX)
    }


def states_of(route: Object) -> dict[str, State]:
    """The same, without unreadable states."""
    return {service: found for service, found in every_stored(route).items() if isinstance(found, State)}


def _readable(text: str) -> State | Unreadable:
    try:
        return load(text)
    except StateFailure as failure:
        return Unreadable(text, str(failure))
