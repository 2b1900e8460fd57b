"""A rollback needs only the route and the state: what is gone, refused or unreadable delays no weight of 0."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ..integration.support.api_faults import ApiFaults, Fault
from ..integration.support.canary_gone import (
    EVERYTHING_ELSE,
    GONE,
    RUN,
    Dead,
    at_25,
    dead,
    lab,
    until_zero,
    while_it_runs,
    without_a_process,
    without_its_lease,
)
from ..integration.support.canary_lab import Lab
from .conftest import Report

__all__ = ["dead", "lab"]


@pytest.mark.parametrize("what", [what for what in GONE if what != "Lease"])
def test_b2_the_running_process_rolls_it_back(lab: Lab, report: Report, what: str) -> None:
    took = while_it_runs(lab, what)
    report(f"{what} gone: weight 0 after {took:.2f} s, by the running process")


def test_a_lease_that_is_deleted_is_made_again_by_the_running_process(lab: Lab) -> None:
    without_its_lease(lab)


@pytest.mark.parametrize("what", GONE)
@pytest.mark.parametrize("state", ["aborted", "reconciled"])
def test_b2_without_the_process_an_abort_or_a_reconcile_rolls_it_back(
    dead: Dead, report: Report, state: str, what: str
) -> None:
    took = without_a_process(dead, state, what)
    report(f"{what} gone: weight 0 {took:.2f} s after the module began, {state}")


@pytest.mark.parametrize("status", [403, 429, 503])
@pytest.mark.parametrize("playbook", ["canary_abort.yml", "canary_reconcile.yml"])
def test_b2_an_api_server_that_refuses_everything_else_delays_no_rollback(
    dead: Dead, report: Report, tmp_path: Path, playbook: str, status: int
) -> None:
    lab = dead.lab
    dead.again()
    with ApiFaults(lab.kubeconfig) as faults, lab.sightings() as sightings:
        faults.add(Fault(path=EVERYTHING_ELSE, status=status, times=0))
        given = {"canary_service": lab.service} if playbook == "canary_abort.yml" else {}
        begin = time.time()
        call = lab.playbook(
            playbook, kubeconfig=faults.kubeconfig(tmp_path), canary_drain="1s", canary_wait_timeout="10s", **given
        )
        until_zero(lab, dead.canary)
        code = call.wait()
    zero = sightings.first({dead.stable: 100, dead.canary: 0}, begin)
    # How long Ansible takes to start is the machine's business, and other pages'.
    report(
        f"{status}: weight 0 {zero - faults.log[0].at:.2f} s after the first request of {playbook}, "
        f"{zero - begin:.2f} s after it was started"
    )
    assert "the weight is 0, and the rest is not complete" in " ".join(call.text.split()), call.tail
    # The abort has its rollback. The scheduled reconcile has a run left.
    assert (code == 0) == (playbook == "canary_abort.yml"), call.tail
    assert lab.call("reconciled", **RUN).wait() == 0
    assert lab.now().state["phase"] == "Failed"


@pytest.mark.parametrize("status", [403, 429, 503])
def test_b2_nor_that_of_the_running_process(lab: Lab, report: Report, tmp_path: Path, status: int) -> None:
    canary = lab.canary
    with ApiFaults(lab.kubeconfig) as faults:
        call = at_25(lab, kubeconfig=faults.kubeconfig(tmp_path), lease_duration=30)
        time.sleep(1)
        faults.add(Fault(path=EVERYTHING_ELSE, status=status, times=0))
        time.sleep(2)
        assert lab.now().weights[canary] == 25, "a refusal is not a reason to roll back"
        begin = time.time()
        call.terminate()
        until_zero(lab, canary)
        report(f"{status}: weight 0 {time.time() - begin:.2f} s after SIGTERM, by the running process")
        call.wait_for_all()
    assert lab.now().state["phase"] == "RollingBack"
    assert lab.call("reconciled", **RUN).wait() == 0
    assert lab.now().state["phase"] == "Failed"


def test_a_reconcile_whose_account_may_not_read_the_lease_leaves_a_run_that_lives(lab: Lab, tmp_path: Path) -> None:
    canary = lab.canary
    call = at_25(lab)
    time.sleep(1)
    with ApiFaults(lab.kubeconfig) as faults:
        faults.add(Fault(path="/leases/", status=403, times=0))
        reconcile = lab.call("reconciled", kubeconfig=faults.kubeconfig(tmp_path), **RUN)
        assert reconcile.wait() == 0, reconcile.tail
    assert reconcile.result["reason"] == "a process without a Lease runs it"
    assert call.running
    assert lab.now().weights[canary] == 25
    call.terminate()
    until_zero(lab, canary)
    call.wait_for_all()
