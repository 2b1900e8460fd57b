# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The input of a decision about a run, and the possible decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import Gate
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State

ROLLBACK, PAUSE, REASSERT, GIVE_UP, WATCH = "rollback", "pause", "reassert", "fail", "watch"
IGNORE = "ignore"


@dataclass(frozen=True)
class Policy:
    """How a run decides. Times in seconds."""

    actor: str
    min_ready: int = 1
    ready_timeout: float = 300
    sync_timeout: float = 60
    # How long a step may wait for evidence past its duration. None: while the deadline leaves time for the other steps.
    no_data_timeout: float | None = None
    # How long measurements may fail before the run pauses.
    error_timeout: float = 180
    drain: float = 30
    on_no_data: str = PAUSE
    on_inconclusive: str = PAUSE
    on_drift: str = ROLLBACK
    on_pause: str = WATCH
    on_stable_change: str = ROLLBACK
    # How long everything but the route may be unreachable while the canary gets traffic.
    hindered_timeout: float = 120
    gates: Sequence[Gate] = ()
    # Return after the next step has passed.
    one_step: bool = False


@dataclass(frozen=True)
class Observation:
    """The cluster and the measurements at one moment."""

    now: float
    state: State
    # Whether every proxy has the traffic of the state, and for how many seconds.
    acknowledged: bool = False
    acknowledged_for: float = math.inf
    # The proxies that have not acknowledged it, and for how many seconds this call has waited for them.
    behind: str = ""
    waited: float = 0
    # The pods cannot be observed, so the fields about them are unknown.
    blind: bool = False
    # The API server's last refusal apart from the route, and for how many seconds it has refused continuously.
    hindrance: str = ""
    hindered_for: float = 0
    # What the run needs and is gone.
    broken: str = ""
    # The state in the cluster differs from this one.
    restate: bool = False
    stable_gone: str = ""
    canary_gone: str = ""
    # Empty if unknown.
    stable_image: str = ""
    stable_template: str = ""
    stable_ready: int = 0
    canary_ready: int = 0
    # Replicas of each Deployment, and pods that exist.
    stable_wanted: int = 0
    canary_wanted: int = 0
    stable_pods: int = 0
    canary_pods: int = 0
    # The Deployment runs its newest pods only.
    canary_rolled_out: bool = False
    # What keeps one of its pods from being ready.
    canary_problem: str = ""
    canary_image: str = ""
    canary_template: str = ""
    # The stable Deployment runs its newest pods only. The run has given it the tested template.
    stable_rolled_out: bool = False
    stable_given: bool = False
    # The run has already set the Deployment's image.
    image_given: bool = False
    # Seconds since this call last scaled the canary.
    scaled_for: float = math.inf
    # Attempts of this call in this phase, by effort; see effort_of.
    tries: Mapping[str, int] = field(default_factory=dict)
    # How the split was changed by hand. Empty if it was not.
    drift: str = ""
    # Why traffic must not go to the canary now.
    unsafe: str = ""
    cancelled: str = ""
    outcome: Outcome | None = None
    # Seconds between two scrapes, if known.
    scrape_interval: float | None = None
    open_urls: frozenset[str] = frozenset()
    # The autoscaler is as the phase requires: pinned during the run, and at the right side at its end.
    autoscaler_settled: bool = True
    autoscaler_released: bool = True
    # Number of steps that this call has entered.
    steps_entered: int = 0

    @property
    def has_change(self) -> bool:
        """The canary's Deployment has what the run is about."""
        state = self.state
        if state.copy is None:
            return self.canary_image in state.images
        return bool(state.canary_template) and self.canary_template == state.canary_template


@dataclass(frozen=True)
class Scaler:
    """The autoscaler. ``pinned``: it keeps at least the pods that the stable side had at the start of the run."""

    pinned: bool
    target: str


@dataclass(frozen=True)
class Write:
    """The new state and its traffic, in one request."""

    state: State


@dataclass(frozen=True)
class Scale:
    """A Deployment's number of pods."""

    workload: str
    replicas: int


@dataclass(frozen=True)
class SetImage:
    """The canary's image, while its slot has no traffic."""


@dataclass(frozen=True)
class SetTemplate:
    """A Deployment's pod template: of the canary's while it has no traffic, or of the original after a promotion."""

    workload: str


@dataclass(frozen=True)
class Restore:
    """The pod template of the original as it was before the run's promotion."""

    workload: str


@dataclass(frozen=True)
class Autoscale:
    """Pin the autoscaler for the run, or release it, and point it at a Deployment."""

    pinned: bool
    workload: str


@dataclass(frozen=True)
class Abandon:
    """Write the state only. The traffic stays as it was set by hand."""

    state: State


@dataclass(frozen=True)
class Wait:
    what: str
    # Seconds until it ends by itself, if known.
    left: float | None = None
    # Details for repeated log lines. A change of them alone is not logged.
    detail: str = ""
    # It is part of a normal run.
    planned: bool = False


@dataclass(frozen=True)
class Return:
    """The call ends. The run may not have. ``left``: what is left to do, and why."""

    left: str = ""


# What another controller could undo.
Action = SetImage | SetTemplate | Restore | Scale | Autoscale  # pylint: disable=unsupported-binary-operation
Decision = Write | Abandon | Action | Wait | Return  # pylint: disable=unsupported-binary-operation


def change_of(state: State) -> SetImage | SetTemplate:  # pylint: disable=unsupported-binary-operation
    """What gives the canary's Deployment what the run is about."""
    return SetTemplate(state.canary.workload) if state.copy else SetImage()


def effort_of(decision: Decision, state: State) -> str:
    """What the decision changes, in words, if another controller could undo it. Empty otherwise."""
    match decision:
        case Scale(workload, replicas):
            return f"Deployment {workload}'s replicas, {replicas},"
        case SetImage():
            return f"Deployment {state.canary.workload}'s image"
        case SetTemplate(workload) | Restore(workload):
            return f"Deployment {workload}'s pod template"
        case Autoscale():
            return "the HorizontalPodAutoscaler"
        case Write(new) if new == state:
            return "the weights"
    return ""
