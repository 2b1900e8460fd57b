# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a running mesh: whole, true, without a secret, and written even by an account with few rights."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient, CoreV1Api

from ..support.planted import Objects, reader_of
from ..support.playbooks import ROOT, RunPlaybook

ENDINGS = {".html", ".md", ".json"}
# Shorter ones are words, such as the name of an administrator.
_LEAST = 16


def secrets(api: ApiClient) -> list[str]:
    """Every value of every Secret, as it lies there and as it is meant, in pieces that no line break divides."""
    found: list[str] = []
    for secret in CoreV1Api(api).list_secret_for_all_namespaces().items:
        for value in (secret.data or {}).values():
            found += [value[:64], *base64.b64decode(value).decode(errors="replace").splitlines()]
    return [text for text in found if len(text) >= _LEAST and not text.startswith("-----")]


def test_the_report_shows_what_is_there_and_no_secret(
    run_playbook: RunPlaybook, api: ApiClient, tmp_path: Path
) -> None:
    run = run_playbook(
        "report.yml", variables={"report_path": str(tmp_path / "lab"), "report_change": "CHG-1 <b>bold</b>"}
    )
    assert run.rc == 0, run.stdout
    assert {path.suffix for path in tmp_path.glob("lab.*")} == ENDINGS
    assert f"written: {tmp_path / 'lab.html'}" in run.text
    report: dict[str, Any] = json.loads((tmp_path / "lab.json").read_text())
    assert report["cluster"]["uid"] == CoreV1Api(api).read_namespace("kube-system").metadata.uid
    proxies = report["versions"]["proxies"]
    assert proxies["in_sync"] == proxies["total"] > 7
    assert {"istiod", "restaurant-app"} <= {release["name"] for release in report["versions"]["releases"]}
    assert {"order-service", "frontend"} <= {service["name"] for service in report["traffic"]["services"]}
    assert report["validation"]["summary"]["error"] == 0, report["validation"]["findings"]
    assert min(item["days_left"] for item in report["certificates"]["certificates"]) > 0
    assert report["cost"]["totals"]["all"]["cost"]["total"] > 0
    for key in ("cluster", "versions", "registries", "traffic", "validation", "canaries", "certificates"):
        assert report[key]["notes"] == [], key
    known = secrets(api)
    assert len(known) > 10
    for path in tmp_path.glob("lab.*"):
        text = path.read_text()
        assert [secret for secret in known if secret in text] == [], path
        assert "order-service" in text
    assert "<b>" not in (tmp_path / "lab.html").read_text()


def test_check_mode_writes_nothing_and_a_wrong_path_is_reported(run_playbook: RunPlaybook, tmp_path: Path) -> None:
    run = run_playbook(
        "report.yml", "--check", variables={"report_path": str(tmp_path / "lab"), "report_formats": ["markdown"]}
    )
    assert run.rc == 0, run.stdout
    assert (run.changed, list(tmp_path.iterdir())) == (1, [])
    assert f"would be written: {tmp_path / 'lab.md'}" in run.text
    wrong = run_playbook("report.yml", variables={"report_path": str(tmp_path / "no/lab"), "report_cost": False})
    assert wrong.rc != 0
    assert f"report_path: the folder {tmp_path / 'no'} does not exist" in wrong.text


def test_an_account_that_may_read_little_gets_a_report_that_names_what_it_lacks(
    run_playbook: RunPlaybook, api: ApiClient, kubeconfig: str, tmp_path: Path
) -> None:
    objects = Objects(api)
    roles = (
        (ROOT / "docs/validation-reader.yml").read_text() + "\n---\n" + (ROOT / "docs/report-reader.yml").read_text()
    )
    objects.apply(roles)
    try:
        reader = tmp_path / "kubeconfig"
        reader.write_text(json.dumps(reader_of(kubeconfig, "mesh-validation", "mesh-validation")))
        run = run_playbook(
            "report.yml",
            variables={
                "service_mesh_kubeconfig": str(reader),
                "report_istiod_access": "port_forward",
                "report_path": str(tmp_path / "lab"),
                "report_prometheus": {},
            },
        )
    finally:
        objects.delete(roles)
    assert run.rc == 0, run.stdout
    report = json.loads((tmp_path / "lab.json").read_text())
    assert report["cluster"]["account"] == "system:serviceaccount:mesh-validation:mesh-validation"
    unproven, *lacking = report["versions"]["notes"]
    assert unproven.startswith("it is not known what the proxies accepted")
    assert "docs/istiod-by-port-forward.yml grants what it lacks: get, create: pods/portforward" in unproven
    secrets = report["certificates"]["notes"]
    assert [note.split(" was not read")[0] for note in secrets] == ["Secret"]
    assert report["validation"]["notes"] == [unproven, *secrets]
    assert [note.split(" was not read")[0] for note in lacking] == [
        f"Helm's releases in {namespace}" for namespace in report["namespaces"]
    ]
    assert report["registries"]["notes"] == lacking
    assert report["traffic"]["notes"] == ["prometheus is not set, so the traffic is not known"]
    for key in ("cluster", "canaries"):
        assert report[key]["notes"] == [], key
    page = (tmp_path / "lab.html").read_text()
    assert "prometheus is not set" in page
    assert "Helm&#x27;s releases in database was not read" in page
