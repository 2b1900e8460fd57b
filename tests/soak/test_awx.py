"""Every job template and the canary's workflow, as AWX runs them, with good answers and bad ones.

tests/integration/support/awx_job.py runs them. Also playbooks/awx.yml with all of its objects; CI's run of it has
fewer, since each object is a process.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..integration.pipelines import test_awx_controller
from ..integration.support.awx_account import awx, credential
from ..integration.support.awx_job import Artifacts, Awx, Credential, Job, Kubeconfig
from ..integration.support.canary_lab import ROOT, Lab
from .conftest import Report

__all__ = ["awx", "credential"]

SERVICE = "menu-service"
ASKED = {"canary_service": SERVICE}
PATH = "/api/v1/menu"


@pytest.fixture
def menu(whole_lab: Lab) -> Iterator[Lab]:
    lab = Lab(whole_lab.kubeconfig, whole_lab.folder, SERVICE)
    lab.settle()
    yield lab
    lab.settle()


def release(lab: Lab) -> dict[str, Any]:
    # A single share reaches the role as a number.
    return {**ASKED, "canary_image_tag": lab.tag(), "canary_steps": "50"}


def refused(job: Job, *words: str) -> None:
    """The job has failed, has changed nothing, and has reported each of the words."""
    assert (job.status, job.changed) == ("failed", 0), job.text
    assert [word for word in words if word not in job.running_text] == [], job.text


def test_site(awx: Awx, report: Report) -> None:
    plan = awx.launch("site", None, "--check", "--diff")
    assert (plan.status, plan.changed) == ("successful", 0), plan.text
    begin = time.monotonic()
    job = awx.launch("site", None, "--tags", "restaurant_app")
    assert (job.status, job.changed) == ("successful", 0), job.text
    report(f"a deployment of the application that changes nothing took {time.monotonic() - begin:.0f} s")


@pytest.mark.parametrize("name", ["validate", "smoke", "canary status", "canary reconcile", "cost", "report"])
def test_what_changes_nothing(name: str, awx: Awx) -> None:
    job = awx.launch(name, {"report_change": "CHG-1: nothing"} if name == "report" else {})
    assert job.status == "successful", job.text
    # The report is a file.
    assert job.changed == (1 if name == "report" else 0), job.text


@pytest.mark.parametrize(
    ("name", "answers", "words"),
    [
        ("validate", {"validate_fail_on": "panic"}, ["validate_fail_on is 'panic', which is not one of"]),
        (
            "validate",
            {"validate_certificate_days": "soon"},
            ["validate_certificate_days is 'soon', which is not a whole"],
        ),
        ("smoke", {"smoke_timeout": "long"}, ["smoke_timeout is 'long', which is not a whole number"]),
        (
            "report",
            {"report_certificate_days": "soon"},
            ["report_certificate_days is 'soon', which is not a whole"],
        ),
        ("canary", {**ASKED, "canary_image_tag": ""}, ["canary_image_tag is empty"]),
        (
            "canary",
            {**ASKED, "canary_image_tag": "2", "canary_strategy": "fast"},
            ["canary_strategy is 'fast', which is not one of"],
        ),
        ("canary promote", {"canary_service": "waiter"}, ["canary_service is 'waiter', which is not one of"]),
        ("canary abort", {"canary_service": "waiter"}, ["canary_service is 'waiter', which is not one of"]),
        ("canary undo", {"canary_service": "waiter"}, ["canary_service is 'waiter', which is not one of"]),
        ("canary pause", {"canary_service": "waiter"}, ["canary_service is 'waiter', which is not one of"]),
        ("canary resume", {"canary_service": "waiter"}, ["canary_service is 'waiter', which is not one of"]),
    ],
)
def test_answers_that_the_survey_and_the_role_refuse(
    name: str, answers: dict[str, Any], words: list[str], awx: Awx
) -> None:
    assert awx.launch(name, answers).refused
    refused(awx.launch(name, answers, unasked=True), *words)


@pytest.mark.parametrize("name", ["canary", "canary to approval"])
def test_answers_that_only_the_role_can_refuse(name: str, awx: Awx) -> None:
    job = awx.launch(name, {**ASKED, "canary_image_tag": "latest", "canary_steps": "50,25", "canary_strategy": "ab"})
    words = ["canary_image_tag is 'latest'", "canary_steps has 25 after 50", "canary_match selects no requests"]
    refused(job, *words, "Nothing was changed.")


def test_a_plan(awx: Awx, menu: Lab) -> None:
    before = menu.now()
    answers = release(menu)
    job = awx.launch("canary", answers, "--check", "--diff")
    assert job.status == "successful", job.text
    assert f"menu-service:{answers['canary_image_tag']}" in job.running_text
    assert menu.now().weights == before.weights
    assert menu.now().state == before.state
    # What AWX and ansible-core make of a tag that looks like a number.
    number = awx.launch("canary", {**answers, "canary_image_tag": "2.10"})
    refused(number, "canary_image_tag is the number 2.1, which loses trailing zeros")


def test_verbs_without_a_canary(awx: Awx, menu: Lab) -> None:
    job = awx.launch("canary abort", {**ASKED, "canary_reason": "in case"})
    assert (job.status, job.changed) == ("successful", 0), job.text
    for verb in ("canary promote", "canary pause", "canary resume"):
        refused(awx.launch(verb, ASKED), "run")


def test_a_cancelled_job_rolls_its_canary_back(awx: Awx, menu: Lab, report: Report) -> None:
    stable, canary = menu.stable, menu.canary
    seen: list[float] = []

    def cancelled() -> bool:
        if menu.now().weights[canary] == 50:
            seen.append(time.time())
        return bool(seen)

    with menu.load(PATH), menu.sightings() as sightings:
        job = awx.launch("canary", release(menu), cancelled=cancelled)
        ended = time.time()
        menu.until("weight 0", lambda: menu.now().weights == {stable: 100, canary: 0}, 5)
        menu.until("the end", lambda: menu.now().state["phase"] == "Failed")
    assert job.status == "canceled"
    zero = sightings.first({stable: 100, canary: 0}, seen[0])
    report(
        f"weight 0 {zero - seen[0]:.2f} s after the cancellation, ansible-runner ended after {ended - seen[0]:.2f} s"
    )


def up_to_approval(awx: Awx, lab: Lab, answers: dict[str, Any]) -> Artifacts:
    job = awx.launch("canary to approval", answers)
    assert job.status == "successful", job.text
    assert job.artifacts["canary_phase"] == "WaitingPromotion"
    assert lab.now().weights[lab.now().state["canary"]["subset"]] == 50
    return job.artifacts


def test_a_release_that_is_approved(awx: Awx, menu: Lab, report: Report) -> None:
    answers, canary = release(menu), menu.canary
    with menu.load(PATH):
        artifacts = up_to_approval(awx, menu, answers)
        begin = time.monotonic()
        # What a workflow asked, and what its earlier jobs have set, all of its jobs get.
        job = awx.launch("canary promote", answers, artifacts=artifacts)
        report(f"from the approval to the end of the promotion {time.monotonic() - begin:.0f} s")
    assert job.status == "successful", job.text
    assert job.artifacts["canary_phase"] == "Succeeded"
    assert menu.now().weights[canary] == 100
    smoke = awx.launch("smoke", answers, artifacts=job.artifacts)
    assert smoke.status == "successful", smoke.text
    for changed in (1, 0):
        undo = awx.launch("canary undo", {**ASKED, "canary_reason": "customers cannot pay"})
        assert (undo.status, undo.changed) == ("successful", changed), undo.text
    assert menu.now().weights[canary] == 0


def test_a_release_that_is_denied(awx: Awx, menu: Lab, report: Report) -> None:
    answers, stable = release(menu), menu.stable
    with menu.load(PATH):
        artifacts = up_to_approval(awx, menu, answers)
        begin = time.monotonic()
        job = awx.launch("canary abort", {**answers, "canary_reason": "it was denied"}, artifacts=artifacts)
        report(f"from the denial to the end of the rollback {time.monotonic() - begin:.0f} s")
    assert job.status == "successful", job.text
    assert menu.now().weights[stable] == 100
    end = awx.launch("not released", answers, artifacts=job.artifacts)
    refused(end, f"{SERVICE} {answers['canary_image_tag']} was not released: ")


def test_a_bad_release(awx: Awx, menu: Lab) -> None:
    answers, stable = release(menu), menu.stable
    menu.fault(service=SERVICE, version=menu.canary, error_rate=0.5)
    with menu.load(PATH):
        job = awx.launch("canary to approval", answers)
    assert job.status == "failed", job.text
    assert menu.now().weights[stable] == 100
    # The failure's own way in the workflow finds nothing left to do.
    after = awx.launch("canary abort", {**answers, "canary_reason": "it went wrong"}, artifacts=job.artifacts)
    assert (after.status, after.changed) == ("successful", 0), after.text
    assert job.artifacts["canary_reason"]


def test_a_canary_that_is_held_and_resumed(awx: Awx, menu: Lab) -> None:
    # Enough steps for another job to start beside it.
    answers, canary = {**release(menu), "canary_steps": "10,20,30,40,50"}, menu.canary
    jobs: list[Job] = []
    run = threading.Thread(target=lambda: jobs.append(awx.launch("canary", answers)))
    with menu.load(PATH):
        run.start()
        menu.until("the first step", lambda: menu.now().state.get("phase") == "Progressing")
        held = awx.launch("canary pause", ASKED)
        assert held.status == "successful", held.text
        menu.until("the pause", lambda: menu.now().state.get("phase") == "Paused")
        status = awx.launch("canary status")
        assert re.search(r"menu-service.*Paused|Paused.*menu-service", status.running_text), status.text
        assert "AWX job" in status.running_text
        # The job that runs it resumes it; this one only requests it.
        resuming = awx.launch("canary resume", answers)
        assert resuming.status == "successful", resuming.text
        run.join(timeout=240)
    assert [job.status for job in jobs] == ["successful"], jobs[0].text if jobs else "it still runs"
    assert menu.now().weights[canary] == 100


def test_the_role_s_own_credential_type(awx: Awx, menu: Lab) -> None:
    job = awx.launch("canary status", credential=Kubeconfig(menu.kubeconfig.read_text()))
    assert job.status == "successful", job.text


def test_the_credential_of_another_cluster(awx: Awx, menu: Lab, credential: Credential, tmp_path_factory: Any) -> None:
    variables = {**menu.variables, "service_mesh_kubeconfig": None, "service_mesh_cluster_uid": "of another cluster"}
    other = Awx(tmp_path_factory.mktemp("other"), ROOT / "inventories/lab", variables, credential)
    refused(other.launch("site"), "service_mesh_cluster_uid")


def test_all_objects_are_made_once(report: Report) -> None:
    controller = test_awx_controller.controller_with_required_objects()
    with test_awx_controller.serve(controller) as address:
        begin = time.monotonic()
        rc, __, text = test_awx_controller.apply(address)
        assert rc == 0, text
        made = time.monotonic() - begin
        before = len(controller.writes)
        rc, changed, text = test_awx_controller.apply(address)
        assert (rc, changed, controller.writes[before:]) == (0, 0, []), text
    again = time.monotonic() - begin - made
    report(f"one environment made in {made:.0f} s with {before} requests that write; again in {again:.0f} s")
