"""The inventories of the three environments, one after the other on a lab: up, to another's sizes, and back.

They are taken as they are. Only what leads to this cluster, and what its plain Envoy needs, is given beside them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from ..integration.support.canary_lab import ROOT
from .conftest import Report

# Afterwards the lab has no mesh.
pytestmark = pytest.mark.last

Site = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def folder() -> Path:
    path = Path(os.environ.get("SERVICE_MESH_TEST_KUBECONFIG") or ROOT / ".lab-canary/kubeconfig")
    return path.parent


@pytest.fixture
def site(folder: Path, tmp_path: Path) -> Site:
    tools = json.loads((folder / "tools.json").read_text())
    variables: dict[str, Any] = {
        "service_mesh_kubeconfig": str(folder / "kubeconfig"),
        "service_mesh_cluster_uid": (folder / "cluster_uid").read_text().strip(),
        "service_mesh_helm_binary": tools["helm"],
        "service_mesh_chart_path": str(ROOT / "tests/charts"),
        "service_mesh_generated_secrets_allowed": True,
        "service_mesh_smoke_enabled": False,
        "validate_istiod_access": "pod_address",
        "istio_chart_path": tools["istio_charts"],
        "istio_version": "1.31.0",
        "istio_istiod_values": {
            "env": {"PILOT_ENABLE_ALPN_FILTER": "false", "PILOT_ENABLE_METADATA_EXCHANGE": "false"},
            "telemetry": {"enabled": False},
            "meshConfig": {"configSources": [{"address": "k8s://"}, {"address": f"fs://{folder}/istio-config"}]},
        },
    }

    def run(
        environment: str, *arguments: str, playbook: str = "site.yml", **more: Any
    ) -> subprocess.CompletedProcess[str]:
        given = tmp_path / "variables.json"
        given.write_text(json.dumps({**variables, **more}))
        command = ["ansible-playbook", f"playbooks/{playbook}", "-i", f"inventories/{environment}"]
        return subprocess.run(
            [*command, "-e", f"@{given}", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )

    return run


def changed(done: subprocess.CompletedProcess[str]) -> int:
    return int(re.findall(r"changed=(\d+)", done.stdout)[-1])


def claims(folder: Path) -> dict[str, str]:
    """What is wanted of each volume."""
    api = client.CoreV1Api(config.new_client_from_config(str(folder / "kubeconfig")))
    found = api.list_persistent_volume_claim_for_all_namespaces().items
    return {
        f"{item.metadata.namespace}/{item.metadata.name} {item.metadata.uid}": item.spec.resources.requests["storage"]
        for item in found
    }


def remove_everything(site: Site) -> None:
    gone = site("staging", playbook="uninstall.yml", istio_uninstall_crds=True, service_mesh_uninstall_volumes=True)
    assert gone.returncode == 0, gone.stdout[-4000:]


def test_from_staging_to_production_and_back(site: Site, folder: Path, report: Report) -> None:
    remove_everything(site)
    before: dict[str, str] = {}
    # Production has two replicas of PostgreSQL more. Their volumes stay when they go.
    for environment, more in (("staging", None), ("production", 2), ("staging", 0)):
        done = site(environment)
        assert done.returncode == 0, done.stdout[-4000:]
        now = claims(folder)
        assert before.items() <= now.items(), "a volume is gone, or has another size"
        assert more is None or len(now) - len(before) == more, sorted(now.keys() - before.keys())
        before = now
        again = site(environment)
        assert (again.returncode, changed(again)) == (0, 0), again.stdout[-4000:]
        report(f"{environment}: {len(before)} volumes, a second run changes nothing")
    smaller = site("staging", prometheus_volume_size="10Gi")
    assert smaller.returncode != 0
    assert changed(smaller) == 0
    assert "cannot shrink" in " ".join(smaller.stdout.split())


def test_development_knows_nothing_of_istio(site: Site, folder: Path) -> None:
    remove_everything(site)
    done = site("development")
    assert done.returncode == 0, done.stdout[-4000:]
    api = config.new_client_from_config(str(folder / "kubeconfig"))
    definitions = client.ApiextensionsV1Api(api).list_custom_resource_definition().items
    assert [item.metadata.name for item in definitions if item.metadata.name.endswith("istio.io")] == []
    hooks = client.AdmissionregistrationV1Api(api).list_mutating_webhook_configuration().items
    assert [item.metadata.name for item in hooks if "istio" in item.metadata.name] == []
    names = [item.metadata.name for item in client.CoreV1Api(api).list_namespace().items]
    assert "monitoring" in names
    assert "istio-system" not in names
    running = {item.metadata.name for item in client.AppsV1Api(api).list_namespaced_deployment("monitoring").items}
    assert {"prometheus-server", "grafana"} <= running
    again = site("development")
    assert (again.returncode, changed(again)) == (0, 0), again.stdout[-4000:]
