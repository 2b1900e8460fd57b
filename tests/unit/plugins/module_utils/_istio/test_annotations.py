"""What a canary writes: its phases, and the annotation that keeps the state."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    Slot,
    State,
    StateFailure,
    Step,
    dump,
    load,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.table import report
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

# As the collection has written it since its first release: other processes and versions read it.
WRITTEN = (
    '{"format":1,"run":"20260131-120000-4f1a","service":"order-service","virtual_services":["order-service",'
    '"edge"],"phase":"Paused","stable":{"subset":"v1","workload":"order-service","image":"order-service:1"},'
    '"canary":{"subset":"v2","workload":"order-service-v2","image":"order-service:2"},"steps":[{"weight":5,'
    '"duration":30.0,"mirror":0,"matched":false,"capacity":5},{"weight":100,"duration":60,"mirror":2.5,'
    '"matched":true,"capacity":100}],"started":1000.5,"deadline":4600.5,"capacity":2,"strategy":"weight",'
    '"step":0,"weight":5,"changed_at":1003,"step_at":1002,"since":1002,"reason":"lunch",'
    '"resume_phase":"Progressing","lacks_evidence":false,"gate":"","passed_gates":[],'
    '"promotion_requested":false,"match":{"headers":{"a":{"exact":"b"}}},"affinity":{},"tallies":{},'
    '"stored_image":"","stable_template":"","proven":false,"probe":"","terms":{"drain":"30s","gates":[]},'
    '"undoes":"","history":[{"at":1001.25,"phase":"Initialized","weight":0,'
    '"reason":"order-service:2 beside order-service:1","actor":"me"},{"at":1002,"phase":"Progressing",'
    '"weight":5,"reason":"","actor":"me"},{"at":1003,"phase":"Paused","weight":5,"reason":"lunch",'
    '"actor":"you"}]}'
)


def a_state() -> State:
    state = State(
        run="20260131-120000-4f1a",
        service="order-service",
        where=RouteNames("VirtualService", ("order-service", "edge")),
        phase=Phase.INITIALIZED,
        stable=Slot("v1", "order-service", "order-service:1"),
        canary=Slot("v2", "order-service-v2", "order-service:2"),
        steps=(Step(5, 30.0, capacity=5), Step(100, 60, mirror=2.5, matched=True, capacity=100)),
        started=1000.5,
        deadline=4600.5,
        capacity=2,
        match={"headers": {"a": {"exact": "b"}}},
        terms={"drain": "30s", "gates": []},
    )
    state = state.moved(1001.25, "me", "order-service:2 beside order-service:1")
    state = state.moved(1002, "me", phase=Phase.PROGRESSING, step=0, weight=5, step_at=1002, since=1002)
    return state.moved(1003, "you", "lunch", phase=Phase.PAUSED, resume_phase=Phase.PROGRESSING)


def test_the_annotation_is_the_same_byte_for_byte() -> None:
    assert dump(a_state()) == WRITTEN
    assert dump(load(WRITTEN)) == WRITTEN


def test_a_run_of_another_kind_of_route_is_written_with_the_kind() -> None:
    state = replace(a_state(), where=RouteNames("HTTPRoute", ("orders",)))
    assert load(dump(state)) == state
    assert '"where":{"kind":"HTTPRoute","names":["orders"]}' in dump(state)


def test_a_state_that_was_read_has_phases_and_not_text() -> None:
    state = load(WRITTEN)
    assert state == a_state()
    assert state.phase is Phase.PAUSED and state.resume_phase is Phase.PROGRESSING
    assert [event.phase for event in state.history] == [Phase.INITIALIZED, Phase.PROGRESSING, Phase.PAUSED]
    assert all(isinstance(event.phase, Phase) for event in state.history)


@pytest.mark.parametrize("phase", Phase)
def test_a_phase_is_written_as_its_word(phase: Phase) -> None:
    assert json.dumps([phase]) == f'["{phase}"]'
    assert load(dump(a_state().moved(1004, "me", phase=phase))).phase is phase


def test_an_unknown_phase_is_not_guessed_at() -> None:
    later: dict[str, Any] = {**json.loads(WRITTEN), "phase": "Resting"}
    with pytest.raises(StateFailure, match="Resting"):
        load(json.dumps(later))


def test_what_the_module_returns_is_plain_text() -> None:
    """Ansible takes no other types."""
    found = report(a_state())
    assert type(found["phase"]) is str and type(found["outcome"]) is str  # pylint: disable=unidiomatic-typecheck
    assert {type(event["phase"]) for event in found["history"]} == {str}


def test_the_sets_of_phases() -> None:
    assert [phase.value for phase in Phase if phase.final] == ["Succeeded", "Failed"]
    assert [phase.value for phase in Phase if phase.held] == ["Waiting", "Paused", "WaitingPromotion"]
    assert [phase.value for phase in Phase if phase.decided] == ["Promoting", "Finalising", "RollingBack"]
    assert [phase.value for phase in Phase if phase.ending] == ["Finalising", "RollingBack"]
    assert [phase.value for phase in Phase if phase.promoted] == ["Finalising", "Succeeded"]
