"""Workflows that deploy, and a canary with its ends. tests/integration/pipelines/test_workflows.py has the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ..integration.support.canary_lab import PROXIES, Lab, slowness, success
from ..integration.support.workflow_lab import VALUES, Runner
from ..workflow_steps import step

SERVICE = "order-service"
INPUTS = {"inputs_service": SERVICE, "inputs_steps": "50,100", "inputs_step_duration": "2s"}


@pytest.fixture
def runner(lab: Lab, tmp_path: Path) -> Runner:
    runner = Runner(tmp_path, str(lab.kubeconfig))
    # Decides in seconds; how it decides is the subject of other tests.
    runner.more_facts(
        canary_provider=PROXIES,
        canary_metrics=[success(), slowness()],
        canary_whole_service_guard={},
        canary_interval="500ms",
        canary_drain="1s",
    )
    return runner


def good(done: CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.fixture
def deployed(lab: Lab, runner: Runner) -> Iterator[Runner]:
    yield runner
    back = lab.playbook("site.yml", "--tags", "restaurant_app")
    assert back.wait() == 0, back.tail


def test_a_push_is_deployed_and_serves(deployed: Runner, lab: Lab) -> None:
    good(deployed.run(step("ci-cd-istio.yml", "deploy-infra", "Deploy")))
    good(deployed.run(step("ci-cd-istio.yml", "deploy-app", "Deploy")))
    __, image = lab.workloads()[lab.workload(lab.stable)]
    assert image == f"docker.io/corpv3/{SERVICE}:{VALUES['github.sha']}"
    again = good(deployed.run(step("ci-cd-istio.yml", "deploy-app", "Deploy")))
    assert "changed=0 " in again, again[-1000:]
    good(deployed.run(step("ci-cd-istio.yml", "smoke-tests", "Run the smoke test")))


def test_a_canary_waits_for_its_approval_and_is_promoted(runner: Runner, lab: Lab) -> None:
    tag, canary = lab.tag(), lab.canary
    with lab.load():
        good(runner.run(step("canary.yml", "plan", "Show the plan"), inputs_image_tag=tag, **INPUTS))
        good(runner.run(step("canary.yml", "canary", "Roll out the new version"), inputs_image_tag=tag, **INPUTS))
        assert lab.now().state["phase"] == "WaitingPromotion"
        good(runner.run(step("canary.yml", "promote", "Open the gate"), inputs_image_tag=tag, **INPUTS))
    assert lab.now().state["phase"] == "Succeeded" and lab.now().weights[canary] == 100
    good(runner.run(step("canary.yml", "promote", "Summary"), inputs_image_tag=tag, **INPUTS))
    summary = runner.summary.read_text(encoding="utf-8")
    assert f"### {SERVICE} on staging: Succeeded" in summary, summary
    assert "| when | phase | traffic | why | who |" in summary and "| Promoting | 100 % |" in summary, summary
    # A late abort does no harm, and names the remedy.
    late = runner.run(step("canary.yml", "abort", "Roll back"), inputs_image_tag=tag, **INPUTS)
    assert late.returncode != 0 and " to return to " in late.stdout, late.stdout[-3000:]
    assert lab.now().weights[canary] == 100


@pytest.mark.parametrize("workflow", ["canary.yml", "canary-abort.yml"])
def test_a_canary_without_approval_is_rolled_back(workflow: str, runner: Runner, lab: Lab) -> None:
    tag, stable = lab.tag(), lab.stable
    with lab.load() as load:
        good(runner.run(step("canary.yml", "canary", "Roll out the new version"), inputs_image_tag=tag, **INPUTS))
        good(runner.run(step("canary.yml", "clean-up", "Reconcile orphaned canaries"), inputs_image_tag=tag, **INPUTS))
        assert lab.now().state["phase"] == "WaitingPromotion", "a run that waits for an approval is not orphaned"
        reason = {"inputs_reason": "customers cannot pay; | \"quoted\" 'and' {{ not a template }}"}
        good(runner.run(step(workflow, "abort", "Roll back"), inputs_image_tag=tag, **INPUTS, **reason))
    assert load.output.stat().st_size > 0
    assert lab.now().weights[stable] == 100 and lab.now().state["phase"] == "Failed"
    good(runner.run(step(workflow, "abort", "Summary"), inputs_image_tag=tag, **INPUTS, **reason))
    summary = runner.summary.read_text(encoding="utf-8")
    assert f"### {SERVICE} on staging: Rolled back" in summary, summary
    if workflow == "canary-abort.yml":
        assert "customers cannot pay; \\| \"quoted\" 'and' {{ not a template }} (alice)" in summary, summary


def test_a_failing_version_fails_the_job_and_is_back_by_itself(runner: Runner, lab: Lab) -> None:
    tag, stable, canary = lab.tag(), lab.stable, lab.canary
    lab.fault(service=SERVICE, version=canary, error_rate=1.0)
    try:
        with lab.load():
            done = runner.run(step("canary.yml", "canary", "Roll out the new version"), inputs_image_tag=tag, **INPUTS)
    finally:
        lab.fault(clear=True)
    assert done.returncode != 0
    assert lab.now().weights[stable] == 100 and lab.now().state["phase"] == "Failed", done.stdout[-3000:]
    good(runner.run(step("canary-reconcile.yml", "reconcile", "Reconcile orphaned canaries")))
