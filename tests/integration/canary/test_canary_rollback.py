"""A rollback needs only the route and the state. tests/soak/test_canary_rollback.py has every case, and the times."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.canary_gone import Dead, dead, lab, refused_everywhere_else, while_it_runs, without_a_process
from ..support.canary_lab import Lab

__all__ = ["dead", "lab"]


@pytest.mark.parametrize("what", ["Deployment", "state"])
def test_b2_the_running_process_rolls_it_back(lab: Lab, what: str) -> None:
    while_it_runs(lab, what)


@pytest.mark.parametrize(("state", "what"), [("aborted", "Deployment"), ("reconciled", "DestinationRule")])
def test_b2_so_does_an_abort_or_a_reconcile_without_the_process(dead: Dead, state: str, what: str) -> None:
    without_a_process(dead, state, what)


def test_b2_an_api_server_that_refuses_everything_else_delays_no_abort(dead: Dead, tmp_path: Path) -> None:
    refused_everywhere_else(dead, tmp_path, 503)
