# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a service's canary stands, for people and for playbooks."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    Slot,
    State,
    Step,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.status import (
    Autoscaler,
    CanaryStatus,
    Holder,
    SlotStatus,
    described,
    drift,
    lines,
    stable_subset,
    summary,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

OLD, NEW = "corpv3/order-service:1.0.0", "corpv3/order-service:2.0.0"
STABLE, CANARY = Slot("v1", "order-service", OLD), Slot("v2", "order-service-v2", NEW)


def state(phase: Phase, weight: int = 0, **changes: Any) -> State:
    begun = State(
        run="20260131-120000-4f1a",
        service="order-service",
        where=RouteNames("VirtualService", ("order-service",)),
        phase=Phase.INITIALIZED,
        stable=STABLE,
        canary=CANARY,
        steps=(Step(10, 30), Step(100, 30)),
        started=1000,
        deadline=4600,
        capacity=2,
    )
    return replace(begun, step=0).moved(1010, "ann@laptop", "because", phase=phase, weight=weight, **changes)


def view(found: State | None, weight: int | None = None, idle: int = 0, **changes: Any) -> CanaryStatus:
    """As the run wants it, but for the changes. ``weight`` is the live one of the canary's subset."""
    live = (found.weight if found else 0) if weight is None else weight
    promoted = found is not None and found.phase == Phase.SUCCEEDED
    active = found is not None and not found.final
    pods = {"v1": idle if promoted else 2, "v2": 2 if promoted or active else idle}
    sides = {"v1": STABLE, "v2": CANARY if found else replace(CANARY, image=OLD)}
    view = CanaryStatus(
        service="order-service",
        now=1060,
        state=found,
        slots={
            subset: SlotStatus(**asdict(slot), wanted=pods[subset], ready=pods[subset])
            for subset, slot in sides.items()
        },
        routes={"order-service": {"primary": {"v1": 100 - live, "v2": live}}},
        holder=Holder("ann@laptop", True, 20) if active else None,
        autoscaler=Autoscaler("order-service", CANARY.workload if promoted else STABLE.workload, active),
    )
    return replace(view, **changes)


def slots(**images: str) -> dict[str, SlotStatus]:
    return {
        subset: SlotStatus(subset, slot.workload, images.get(subset, slot.image), 2, 2)
        for subset, slot in {"v1": STABLE, "v2": CANARY}.items()
    }


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.SUCCEEDED, Phase.FAILED])
def test_what_is_as_the_run_wants_it_is_not_drift(phase: Phase) -> None:
    assert drift(view(state(phase, {Phase.PROGRESSING: 10, Phase.SUCCEEDED: 100}.get(phase, 0)))) == []


def test_a_service_without_a_run_has_no_phase_and_the_slot_that_serves() -> None:
    found = described(view(None))
    assert found["phase"] == "" and found["run_id"] == ""
    assert found["subsets"] == {"stable": "v1", "canary": "v2"}
    assert found["weights"] == {"stable": 100, "canary": 0}
    assert found["image"] == OLD
    assert found["drift"] == []
    assert summary(view(None)) == f"order-service: no canary yet; v1 100 %, v2 0 % ({OLD})"


def test_the_weights_are_the_live_ones() -> None:
    found = described(view(state(Phase.PROGRESSING, 10), weight=50, edits=("changed by hand",)))
    assert found["weights"] == {"stable": 50, "canary": 50}
    assert found["drift"] == ["changed by hand"]


def test_a_promotion_makes_the_other_slot_the_stable_one() -> None:
    promoted = view(state(Phase.SUCCEEDED, 100))
    assert stable_subset(promoted) == "v2"
    assert described(promoted)["previous_image"] == OLD
    assert summary(promoted).endswith(f"stable is {NEW}")


def test_a_failed_run_leaves_the_old_one_stable_and_nothing_to_undo() -> None:
    failed = view(state(Phase.FAILED))
    assert stable_subset(failed) == "v1"
    assert described(failed)["previous_image"] == ""
    assert summary(failed).endswith(f"stable is {OLD}")


def test_routes_that_disagree_are_reported() -> None:
    routes = {"order-service": {"primary": {"v1": 90, "v2": 10}}, "restaurant": {"api": {"v1": 100, "v2": 0}}}
    (text,) = drift(view(state(Phase.PROGRESSING, 10), routes=routes))
    assert "route api of restaurant" in text


def test_a_pin_that_was_left_is_reported() -> None:
    left = Autoscaler("order-service", CANARY.workload, True)
    assert drift(view(state(Phase.SUCCEEDED, 100), autoscaler=left)) == [
        "HorizontalPodAutoscaler order-service is still pinned for the run, which has ended"
    ]
    assert drift(view(None, autoscaler=replace(left, target=STABLE.workload))) == [
        "HorizontalPodAutoscaler order-service is pinned, and there is no run"
    ]


def test_an_autoscaler_of_the_idle_slot_is_reported() -> None:
    wrong = Autoscaler("order-service", STABLE.workload, False)
    (text,) = drift(view(state(Phase.SUCCEEDED, 100), autoscaler=wrong))
    assert "is for order-service, and order-service-v2 is stable" in text


def test_idle_pods_are_reported() -> None:
    assert drift(view(state(Phase.FAILED), idle=1)) == ["Deployment order-service-v2 gets no traffic and has 1 pods"]


@pytest.mark.parametrize(
    ("phase", "weight", "images", "notes"),
    [
        (Phase.PROGRESSING, 10, {"v2": "other"}, 1),
        (Phase.PROGRESSING, 10, {"v1": "other"}, 1),
        # What is idle may be anything.
        (Phase.SUCCEEDED, 100, {"v1": "other"}, 0),
        (Phase.SUCCEEDED, 100, {"v2": "other"}, 1),
        (Phase.FAILED, 0, {"v2": "other"}, 0),
        # The image comes with the first step.
        (Phase.INITIALIZED, 0, {"v2": OLD}, 0),
    ],
)
def test_an_image_of_another_owner(phase: Phase, weight: int, images: dict[str, str], notes: int) -> None:
    found = drift(view(state(phase, weight), slots=slots(**images)))
    assert len([text for text in found if "image" in text]) == notes


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (Holder("ann@laptop", True, 20), "ann@laptop runs it"),
        (Holder("ann@laptop", False, 0), "ann@laptop is dead"),
        (None, "no process runs it"),
    ],
)
def test_which_process_has_it(holder: Holder | None, words: str) -> None:
    text = "\n".join(lines(view(state(Phase.PROGRESSING, 10), holder=holder), full=False))
    assert words in text
    assert "3540 s to its deadline" in text


def test_the_history_is_for_one_service_only() -> None:
    progressing = view(state(Phase.PROGRESSING, 10))
    assert len(lines(progressing, full=False)) == 2
    full = "\n".join(lines(progressing, full=True))
    assert "order-service-v2, corpv3/order-service:2.0.0, 2 of 2 pods ready" in full
    assert "because" in full
