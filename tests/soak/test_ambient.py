"""roles/istio with ambient mode, whose ztunnel is simulated: shown, applied, unchanged, and removed again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ..integration.support.playbooks import INVENTORY, RunPlaybook
from ..integration.support.snapshots import Snapshot

NAMESPACE = "istio-system"
VARIABLES: dict[str, Any] = {"istio_ambient_enabled": True}


def ztunnel(api: client.ApiClient) -> client.V1DaemonSet | None:
    listed = client.AppsV1Api(api).list_namespaced_daemon_set(NAMESPACE).items
    return next((each for each in listed if each.metadata.name == "ztunnel"), None)


@pytest.mark.skipif(bool(INVENTORY), reason="changes the mesh, so only on the tests' own lab")
def test_ambient_mode_is_installed_and_removed(
    run_playbook: RunPlaybook, cluster_snapshot: Snapshot, api: client.ApiClient, kubeconfig: str
) -> None:
    before = cluster_snapshot()
    plan = run_playbook("site.yml", "--tags", "istio", "--check", "--diff", variables=VARIABLES)
    assert plan.rc == 0, plan.stdout
    assert "+ name: ztunnel" in plan.text
    assert cluster_snapshot() == before
    done = run_playbook("site.yml", "--tags", "istio", variables=VARIABLES)
    assert done.rc == 0, done.stdout
    found = ztunnel(api)
    assert found is not None and found.status.number_ready == found.status.desired_number_scheduled > 0
    (container,) = found.spec.template.spec.containers
    assert container.resources.requests == {"cpu": "200m", "memory": "512Mi"}
    (istiod,) = client.AppsV1Api(api).read_namespaced_deployment("istiod", NAMESPACE).spec.template.spec.containers
    assert "true" in [each.value for each in istiod.env if each.name == "PILOT_ENABLE_AMBIENT"]
    again = run_playbook("site.yml", "--tags", "istio", variables=VARIABLES)
    assert (again.rc, again.changed) == (0, 0), again.stdout
    refused = run_playbook("site.yml", "--tags", "istio")
    assert refused.failed == 1, refused.stdout
    assert "istio_ambient_enabled is false" in refused.text and ztunnel(api) is not None
    tools = json.loads((Path(kubeconfig).parent / "tools.json").read_text(encoding="utf-8"))
    subprocess.run([tools["helm"], "uninstall", "ztunnel", "-n", NAMESPACE, "--kubeconfig", kubeconfig], check=True)
    back = run_playbook("site.yml", "--tags", "istio")
    assert back.rc == 0, back.stdout
    assert ztunnel(api) is None
