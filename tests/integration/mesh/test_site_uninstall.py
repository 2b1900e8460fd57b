"""From the mesh to nothing. That site.yml makes all of it from nothing is molecule's converge."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ..support.playbooks import INVENTORY, RunPlaybook
from ..support.snapshots import Snapshot

pytestmark = [
    pytest.mark.last,
    pytest.mark.skipif(bool(INVENTORY), reason="takes the mesh away, so only on the tests' own lab"),
]

# What a cluster has by itself, and what the lab gives it.
OURS = (
    "istio",
    "restaurant",
    "service-mesh",
    "corpv3",
    "prometheus",
    "grafana",
    "loki",
    "alloy",
    "jaeger",
    "kiali",
    "PersistentVolume /pvc-",
    "database",
)


def test_uninstall_leaves_nothing_and_reports_what_stays(run_playbook: RunPlaybook, cluster_snapshot: Snapshot) -> None:
    kept = run_playbook("uninstall.yml", variables={"istio_uninstall_crds": True})
    assert kept.rc == 0, kept.stdout
    claims = "grafana, jaeger-badger, prometheus-server, storage-loki-0, storage-prometheus-alertmanager-0"
    assert f"volume claims {claims}" in kept.text, kept.stdout
    held = {name.split()[0] for name in cluster_snapshot() if " istio-system/" in name}
    assert held <= {"PersistentVolumeClaim", "Secret", "ConfigMap", "ServiceAccount"}, held

    everything = {"istio_uninstall_crds": True, "service_mesh_uninstall_volumes": True}
    removed = run_playbook("uninstall.yml", variables=everything)
    assert removed.rc == 0, removed.stdout
    assert "Nothing stays." in removed.text

    empty = cluster_snapshot()
    left = [name for name in empty if any(word in name for word in OURS)]
    assert not left

    # Neither changes anything, so neither waits for the other.
    with ThreadPoolExecutor() as pool:
        second = pool.submit(run_playbook, "uninstall.yml", variables=everything)
        announced = pool.submit(run_playbook, "site.yml", "--check", "--diff").result()
        again = second.result()
    assert (again.rc, again.changed) == (0, 0), again.stdout
    assert announced.rc == 0, announced.stdout
    for name in (
        "istiod",
        "istio-ingressgateway",
        "order-service",
        "restaurant-management",
        "database",
        "prometheus-server",
        "grafana",
        "loki",
        "alloy",
        "jaeger-query",
        "kiali",
    ):
        assert name in announced.text, name
    assert cluster_snapshot() == empty
