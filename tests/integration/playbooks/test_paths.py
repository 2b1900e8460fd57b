"""Relative paths start where the user stands, in every playbook that reads files or writes them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..support.playbooks import ROOT, Run, RunPlaybook

PRICES = (
    "{currency: EUR, source: a test, date: 2026-11-01, cpu_core_hour: 1, memory_gib_hour: 0,\n"
    " volume_gib_month: {default: 1}, load_balancer_month: {default: 5}}\n"
)
Called = Callable[..., Run]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def called(run_playbook: RunPlaybook, kubeconfig: str, here: Path) -> Called:
    """Called there, with a kubeconfig that is relative, too, and a PWD of somewhere else."""

    def call(playbook: str, *arguments: str, **variables: Any) -> Run:
        variables["service_mesh_kubeconfig"] = os.path.relpath(kubeconfig, here)
        return run_playbook(playbook, *arguments, variables=variables, environment={"PWD": "/"}, cwd=here)

    return call


def test_validation(called: Called, here: Path) -> None:
    (here / "deploy").mkdir()
    (here / "deploy/cart.yml").write_text(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cart}\nspec: {hots: [cart]}\n"
    )
    red = called("validate.yml", validate_paths=["deploy/"], validate_reports={"json": "known.json"})
    assert red.rc != 0, red.stdout
    assert "deploy/cart.yml:4:" in red.text
    assert f"written: {here / 'known.json'}" in red.text
    known = called("validate.yml", validate_paths=["deploy/"], validate_baseline="known.json")
    assert known.rc == 0, known.stdout


def test_cost(called: Called, here: Path) -> None:
    (here / "prices.yml").write_text(PRICES)
    run = called("cost.yml", cost_price_file="prices.yml", cost_reports={"markdown": "cost.md", "json": "cost.json"})
    assert run.rc == 0, run.stdout
    assert json.loads((here / "cost.json").read_text())["currency"] == "EUR"
    for name in ("cost.md", "cost.json"):
        assert f"written: {here / name}" in run.text


def test_report(called: Called, here: Path) -> None:
    (here / "prices.yml").write_text(PRICES)
    run = called("report.yml", cost_price_file="prices.yml")
    assert run.rc == 0, run.stdout
    (page,) = here.glob("service-mesh-report-*.html")
    assert f"written: {page}" in run.text
    assert json.loads(page.with_suffix(".json").read_text())["cost"]["currency"] == "EUR"


def test_canary_summary(called: Called, here: Path) -> None:
    run = called("canary_summary.yml", canary_service="order-service", summary_path="canary.md")
    assert run.rc == 0, run.stdout
    assert "order-service" in (here / "canary.md").read_text()
    assert f"written: {here / 'canary.md'}" in run.text


def test_charts_and_dashboards(called: Called, kubeconfig: str, here: Path) -> None:
    """The same as those of the inventory, so that nothing needs a change."""
    tools = json.loads((Path(kubeconfig).parent / "tools.json").read_text())
    defaults = yaml.safe_load((ROOT / "roles/grafana/defaults/main.yml").read_text())
    folders = {
        name: os.path.relpath(folder.replace("{{ role_path }}", str(ROOT / "roles/grafana")), here)
        for name, folder in defaults["grafana_dashboard_folders"].items()
    }
    run = called(
        "site.yml",
        "--check",
        "--tags=istio,grafana",
        istio_chart_path=os.path.relpath(tools["istio_charts"], here),
        service_mesh_chart_path=os.path.relpath(ROOT / "tests/charts", here),
        grafana_dashboard_folders=folders,
    )
    assert run.rc == 0, run.stdout
    assert run.changed == 0, run.stdout
