# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a decision about a run is made of, and what it can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_run import Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_plan import Gate
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import State

ROLLBACK, PAUSE, REASSERT, GIVE_UP, WATCH = "rollback", "pause", "reassert", "fail", "watch"


@dataclass(frozen=True)
class Policy:
    """How a run decides. Times in seconds."""

    actor: str
    checks: int = 3
    min_ready: int = 1
    ready_timeout: float = 300
    sync_timeout: float = 60
    no_data_timeout: float = 60
    drain: float = 30
    on_no_data: str = ROLLBACK
    on_inconclusive: str = PAUSE
    on_drift: str = ROLLBACK
    on_pause: str = WATCH
    gates: Sequence[Gate] = ()
    # Return when the next step has passed.
    one_step: bool = False


@dataclass(frozen=True)
class Seen:
    """The cluster and the measurements at one moment."""

    now: float
    state: State
    # Every proxy has the traffic of the state.
    acknowledged: bool = False
    stable_ready: int = 0
    canary_ready: int = 0
    # Pods of the side that are asked for, and those that exist.
    stable_wanted: int = 0
    canary_wanted: int = 0
    stable_pods: int = 0
    canary_pods: int = 0
    # The Deployment runs nothing but its newest pods, and they are of the run's image.
    canary_rolled_out: bool = False
    canary_image: str = ""
    # What somebody changed in the split by hand; empty where nothing.
    drift: str = ""
    # Why traffic must not go to the canary now.
    unsafe: str = ""
    cancelled: str = ""
    outcome: Outcome | None = None
    # Passing rounds in a row since the proxies have this step.
    passes: int = 0
    open_urls: frozenset[str] = frozenset()
    # The autoscaler is as the phase wants it: pinned during the run, pointed at the right side at its end.
    autoscaler_settled: bool = True
    autoscaler_released: bool = True
    # Steps that this call has entered.
    steps_entered: int = 0


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
class Autoscale:
    """Pin the autoscaler for the run, or end that and point it at a Deployment."""

    pinned: bool
    workload: str


@dataclass(frozen=True)
class Abandon:
    """The state alone is written; the traffic stays as somebody has set it by hand."""

    state: State


@dataclass(frozen=True)
class Wait:
    what: str
    # Seconds until it is over by itself, where that is known.
    left: float | None = None


@dataclass(frozen=True)
class Return:
    """The call is over, though the run may not be."""


Decision = Write | Abandon | SetImage | Scale | Autoscale | Wait | Return  # pylint: disable=unsupported-binary-operation
