"""What people ask of a run, where it makes no sense or comes too late."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import (
    RequestRefused,
    approved,
    nothing_to_abort,
    paused,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

from .test_decide import a_run


@pytest.mark.parametrize(
    "phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.ROLLING_BACK, Phase.PROMOTING, Phase.FINALISING]
)
def test_what_is_decided_can_be_neither_paused_nor_resumed(phase: Phase) -> None:
    with pytest.raises(RequestRefused):
        paused(a_run(phase=phase), 1, "me", "")
    with pytest.raises(RequestRefused):
        approved(a_run(phase=phase), 1, "me", "")


@pytest.mark.parametrize(
    ("phase", "begun_before", "why"),
    [
        (Phase.PROGRESSING, None, ""),
        (Phase.PROGRESSING, 1000.5, ""),
        (
            Phase.PROGRESSING,
            1000.0,
            "its run began at 1970-01-01T00:16:40.000Z, which is not before 1970-01-01T00:16:40.000Z",
        ),
        (
            Phase.PROGRESSING,
            999.0,
            "its run began at 1970-01-01T00:16:40.000Z, which is not before 1970-01-01T00:16:39.000Z",
        ),
        (Phase.FAILED, None, "no run is in progress"),
        (Phase.SUCCEEDED, 2000.0, "no run is in progress"),
    ],
)
def test_a_run_that_began_after_what_was_seen_is_left_alone(phase: Phase, begun_before: float | None, why: str) -> None:
    assert nothing_to_abort(replace(a_run(phase=phase), started=1000.0), begun_before) == why


def test_where_there_never_was_a_run_there_is_nothing_to_abort() -> None:
    assert nothing_to_abort(None, 1.0) == "no run is in progress"
