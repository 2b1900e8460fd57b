# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The names that a canary writes on objects: annotations, routes, and the words in its state.

Packages that may not import each other share them. The chart of role restaurant_app repeats the names of the
annotations in its templates.
"""

from __future__ import annotations

from enum import StrEnum

PREFIX = "canary.service-mesh.corpv3.com/"
# The format of a run's state.
FORMAT = 1

# On a Deployment: the image that a run set, that run, and the image in the chart's values at that time.
IMAGE, RUN, DECLARED_IMAGE = f"{PREFIX}image", f"{PREFIX}run", f"{PREFIX}declared-image"
# On the Deployment that a run was asked for: the pod template that a promotion replaced, as JSON.
PREVIOUS_TEMPLATE = f"{PREFIX}previous-template"
# On a HorizontalPodAutoscaler that is pinned for a run: its minReplicas before the run.
PINNED = f"{PREFIX}pinned-min-replicas"
# On a Lease: the process of its holder, and the subset that gets all traffic if the state is unreadable.
PROCESS, SAFE_SUBSET = f"{PREFIX}process", f"{PREFIX}safe-subset"
# On what adoption made or changed, followed by the service: what it did, as JSON. canary_detach.yml undoes that.
_ADOPTION = "adoption.service-mesh.corpv3.com/"
# An owner that reads weights, images and replicas from the cluster before it writes sets this on its objects. The
# chart of role restaurant_app does.
KEEPS_CANARIES = "service-mesh.corpv3.com/keeps-canaries"

WEIGHT, AB, BLUE_GREEN, MIRROR, SPLIT = STRATEGIES = ("weight", "ab", "blue_green", "mirror", "split")


class Phase(StrEnum):
    """Where a run is. docs/canary.md has the transitions between them."""

    INITIALIZED = "Initialized"
    WAITING = "Waiting"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    WAITING_PROMOTION = "WaitingPromotion"
    PROMOTING = "Promoting"
    FINALISING = "Finalising"
    SUCCEEDED = "Succeeded"
    ROLLING_BACK = "RollingBack"
    FAILED = "Failed"

    @property
    def final(self) -> bool:
        """The run has ended."""
        return self in (Phase.SUCCEEDED, Phase.FAILED)

    @property
    def held(self) -> bool:
        """The run waits until it is resumed."""
        return self in (Phase.WAITING, Phase.PAUSED, Phase.WAITING_PROMOTION)

    @property
    def decided(self) -> bool:
        """The decision is taken, and the rest is to carry it out."""
        return self is Phase.PROMOTING or self.ending

    @property
    def ending(self) -> bool:
        """Nothing is measured any more. What is left is to drain, and to scale."""
        return self in (Phase.FINALISING, Phase.ROLLING_BACK)

    @property
    def promoted(self) -> bool:
        """The canary has all traffic, and keeps it."""
        return self in (Phase.FINALISING, Phase.SUCCEEDED)


# As text, to compare with text that may not be a phase.
FINAL = tuple(phase.value for phase in Phase if phase.final)


def annotation(service: str) -> str:
    """The annotation with a run's state. Two canaries may share a VirtualService, such as the ingress gateway's.

    ``service``: a name or a host.
    """
    return f"{PREFIX}{service.partition('.')[0]}"


def adoption(service: str) -> str:
    """The annotation with what adoption did to the object for a service."""
    return f"{_ADOPTION}{service.partition('.')[0]}"


def header_route(service: str) -> str:
    """The name of the route for requests that match, in front of the split."""
    return f"canary-{service.partition('.')[0]}"
