"""GitHub's workflows: their own command lines, with their own environment, against the lab.

Those that change much are in tests/soak.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ...workflow_steps import step
from ..support.workflow_lab import Runner, settings_of

CANARY = {"inputs_service": "order-service", "inputs_image_tag": "9.9.9", "inputs_steps": "10,100"}


@pytest.fixture
def runner(kubeconfig: str, tmp_path: Path) -> Runner:
    if not settings_of(kubeconfig).is_file():
        pytest.skip("the workspace's inventory is the lab's, and this cluster is not the lab's")
    return Runner(tmp_path, kubeconfig)


def test_the_kubeconfig_of_the_secret_is_the_jobs_alone(runner: Runner, kubeconfig: str) -> None:
    assert runner.kubeconfig.read_text(encoding="utf-8").strip() == Path(kubeconfig).read_text(encoding="utf-8").strip()
    assert runner.kubeconfig.stat().st_mode & 0o077 == 0


def test_a_canary_is_planned(runner: Runner) -> None:
    planned = runner.run(step("canary.yml", "plan", "Show the plan"), inputs_step_duration="5m", **CANARY)
    assert planned.returncode == 0, planned.stdout
    assert "order-service:9.9.9" in planned.stdout, planned.stdout
    assert "weight 10 % for 300 s" in " ".join(planned.stdout.split()), planned.stdout


def test_an_input_cannot_become_another_variable(runner: Runner) -> None:
    wrong = {**CANARY, "inputs_image_tag": "1 canary_service=frontend {{ 1 }}"}
    planned = runner.run(step("canary.yml", "plan", "Show the plan"), inputs_step_duration="5m", **wrong)
    assert planned.returncode != 0
    assert "canary_image_tag is '1 canary_service=frontend {{ 1 }}'" in " ".join(
        planned.stdout.replace("''", "'").split()
    ), planned.stdout


def test_the_smoke_tests_pass(runner: Runner) -> None:
    asked = runner.run(step("ci-cd-istio.yml", "smoke-tests", "Run the smoke test"))
    assert asked.returncode == 0, asked.stdout


def test_a_pull_request_gets_sarif(runner: Runner) -> None:
    judged = runner.run(step("validate.yml", "validate", "Validate"))
    assert judged.returncode == 0, judged.stdout
    report = json.loads((runner.workspace / "mesh.sarif").read_text(encoding="utf-8"))
    assert report["version"] == "2.1.0"


def test_a_pull_request_is_judged_by_the_paths_of_its_repository(runner: Runner) -> None:
    """As docs/ci.md has them, and with names that GitHub finds in the repository."""
    (runner.workspace / "deploy").mkdir()
    (runner.workspace / "deploy/cart.yml").write_text(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cart}\nspec: {hots: [cart]}\n",
        encoding="utf-8",
    )
    judged = runner.run(step("validate.yml", "validate", "Validate"), vars_VALIDATE_PATHS='["deploy/"]')
    assert judged.returncode != 0, judged.stdout
    report = json.loads((runner.workspace / "mesh.sarif").read_text(encoding="utf-8"))
    places = {
        location["physicalLocation"]["artifactLocation"]["uri"]
        for result in report["runs"][0]["results"]
        for location in result["locations"]
    }
    assert "deploy/cart.yml" in places
    assert [place for place in places if not (runner.workspace / place).is_file()] == []
