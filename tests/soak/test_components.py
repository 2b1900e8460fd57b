"""Components in another shape and back, and from nothing, on the running mesh."""

from __future__ import annotations

from typing import Any

from kubernetes import client

from ..integration.database.test_database import NAMESPACE as DATABASE_NAMESPACE
from ..integration.database.test_database import claims, secrets, small
from ..integration.observability.test_logs_and_traces import APPS, CORE, config_of, get, names
from ..integration.support.database_servers import wait_for
from ..integration.support.playbooks import RunPlaybook
from ..integration.support.snapshots import Snapshot

__all__ = ["get"]

NAMESPACE = "istio-system"
TAGS = ("--tags", "loki,alloy,promtail,jaeger,kiali")


def test_a_second_run_changes_nothing(run_playbook: RunPlaybook, cluster_snapshot: Snapshot) -> None:
    before = cluster_snapshot()
    run = run_playbook("site.yml")
    assert (run.rc, run.changed) == (0, 0), run.stdout
    assert cluster_snapshot() == before


def test_egress_gateway_comes_and_goes(run_playbook: RunPlaybook, api: client.ApiClient) -> None:
    def objects() -> list[str]:
        selector = "app=istio-egressgateway"
        found = client.AppsV1Api(api).list_namespaced_deployment(NAMESPACE, label_selector=selector).items
        found += client.CoreV1Api(api).list_namespaced_service(NAMESPACE, label_selector=selector).items
        return [item.metadata.name for item in found]

    assert objects() == []
    run = run_playbook("site.yml", "--tags", "istio", variables={"istio_egress_enabled": True})
    assert (run.rc, run.changed) == (0, 1), run.stdout
    assert objects() == ["istio-egressgateway", "istio-egressgateway"]
    run = run_playbook("site.yml", "--tags", "istio")
    assert (run.rc, run.changed) == (0, 1), run.stdout
    assert objects() == []


def test_as_in_staging_and_back(run_playbook: RunPlaybook, get: Any) -> None:
    """One pod of Jaeger in place of its parts, and Promtail in place of Alloy: the same hosts, the same volume."""
    claim = get(f"{CORE}/persistentvolumeclaims/jaeger-badger")["metadata"]["uid"]
    staging = {
        "jaeger_mode": "all-in-one",
        "service_mesh_log_collector": "promtail",
        "kiali_auth_strategy": "anonymous",
        "kiali_service_type": "ClusterIP",
    }
    there = run_playbook("site.yml", *TAGS, variables=staging)
    assert there.rc == 0, there.stdout
    assert "Promtail's end of life was" in there.text
    assert {name for name in names(get, f"{APPS}/deployments") if "jaeger" in name} == {"jaeger"}
    assert {"promtail"} == names(get, f"{APPS}/daemonsets") & {"alloy", "promtail"}
    for host in ("jaeger-query", "jaeger-collector"):
        selector = get(f"{CORE}/services/{host}")["spec"]["selector"]
        assert selector["app.kubernetes.io/instance"] == "jaeger"
    assert config_of(get, "kiali")["deployment"]["view_only_mode"] is True

    again = run_playbook("site.yml", *TAGS, variables=staging)
    assert (again.rc, again.changed) == (0, 0), again.stdout

    back = run_playbook("site.yml", *TAGS)
    assert back.rc == 0, back.stdout
    assert {name for name in names(get, f"{APPS}/deployments") if "jaeger" in name} == {
        "jaeger-storage",
        "jaeger-collector",
        "jaeger-query",
    }
    assert {"alloy"} == names(get, f"{APPS}/daemonsets") & {"alloy", "promtail"}
    assert get(f"{CORE}/persistentvolumeclaims/jaeger-badger")["metadata"]["uid"] == claim


def test_from_nothing_and_back_without_a_loss(run_playbook: RunPlaybook, api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    announced = small(run_playbook, "--check", "--diff")
    assert announced.rc == 0, announced.stdout
    assert f"StatefulSet {DATABASE_NAMESPACE}/postgresql" in announced.text
    assert DATABASE_NAMESPACE not in {item.metadata.name for item in core.list_namespace().items}

    installed = small(run_playbook)
    assert (installed.rc, installed.changed > 0) == (0, True), installed.stdout
    labels = core.read_namespace(DATABASE_NAMESPACE).metadata.labels
    assert labels["istio-injection"] == "disabled"
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    # Larger where they can grow, never smaller.
    grown = small(run_playbook, database_redis_volume_size="2Gi", database_backup_volume_size="2Gi")
    assert grown.rc == 0, grown.stdout
    expected = {
        "data-postgresql-0": "1Gi",
        "data-redis-0": "2Gi",
        "data-rabbitmq-0": "1Gi",
        "postgresql-backups": "2Gi",
    }
    assert claims(api) == expected
    refused = small(run_playbook, database_backup_volume_size="2Gi")
    assert refused.rc != 0
    assert "data-redis-0 has 2Gi and cannot shrink to 1Gi" in refused.text, refused.stdout
    assert refused.changed == 0

    passwords = secrets(api)
    assert len(passwords) == 7
    kept = small(run_playbook, tasks_from="uninstall")
    assert kept.rc == 0, kept.stdout
    assert "data-postgresql-0, data-rabbitmq-0, data-redis-0, postgresql-backups" in kept.text
    assert claims(api) == expected
    assert not core.list_namespaced_service(DATABASE_NAMESPACE).items
    # That of the first backup goes with its CronJob, as soon as the garbage collector sees it.
    wait_for(lambda: not core.list_namespaced_pod(DATABASE_NAMESPACE).items, "no pod stays")
    back = small(run_playbook, database_redis_volume_size="2Gi", database_backup_volume_size="2Gi")
    assert back.rc == 0, back.stdout
    assert secrets(api) == passwords

    gone = small(run_playbook, tasks_from="uninstall", database_uninstall_volumes=True)
    assert gone.rc == 0, gone.stdout
    namespaces = {item.metadata.name for item in core.list_namespace().items}
    assert DATABASE_NAMESPACE not in namespaces
    assert "database" in namespaces, "databases elsewhere in the cluster stay"
