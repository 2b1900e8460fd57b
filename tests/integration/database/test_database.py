"""Role database on the lab: what it makes, what it leaves alone, and how the mesh reaches a pod without a proxy."""

from __future__ import annotations

import base64
import contextlib
import gzip
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.dynamic import DynamicClient

from ..support.database_servers import PASSWORD, Postgresql, require_servers, temporary_folder, wait_for
from ..support.playbooks import INVENTORY, ROOT, Run, RunPlaybook
from ..support.snapshots import Snapshot

pytestmark = pytest.mark.skipif(bool(INVENTORY), reason="takes databases away, so only on the tests' own lab")

# Beside the databases of the lab, which other tests need as they are.
NAMESPACE = "database-test"
SMALL: dict[str, Any] = {
    "database_namespace": NAMESPACE,
    "database_postgresql_replicas": 1,
    "database_postgresql_volume_size": "1Gi",
    "database_backup_volume_size": "1Gi",
    "database_redis_volume_size": "1Gi",
    "database_rabbitmq_volume_size": "1Gi",
}
MUTUAL_TLS_EVERYWHERE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "test-mutual-tls-everywhere", "namespace": "istio-system"},
    "spec": {"host": "*.local", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}},
}


def role(run_playbook: RunPlaybook, *arguments: str, tasks_from: str = "main", **variables: Any) -> Run:
    play = {
        "hosts": "clusters",
        "gather_facts": False,
        "vars_files": [str(ROOT / "playbooks/vars/authentication.yml")],
        "environment": "{{ service_mesh_auth_environment }}",
        "tasks": [
            {"ansible.builtin.import_role": {"name": "corpv3.service_mesh.database", "tasks_from": tasks_from}},
        ],
    }
    return run_playbook(yaml.safe_dump([play]), *arguments, variables=variables)


def small(run_playbook: RunPlaybook, *arguments: str, tasks_from: str = "main", **variables: Any) -> Run:
    """Databases of this test's own."""
    return role(run_playbook, *arguments, tasks_from=tasks_from, **{**SMALL, **variables})


def claims(api: client.ApiClient) -> dict[str, str]:
    """Size by name."""
    found = client.CoreV1Api(api).list_namespaced_persistent_volume_claim(NAMESPACE).items
    return {claim.metadata.name: claim.spec.resources.requests["storage"] for claim in found}


def secrets(api: client.ApiClient, namespace: str = NAMESPACE) -> dict[str, str]:
    """The databases' passwords by Secret and key."""
    found = {}
    for secret in client.CoreV1Api(api).list_namespaced_secret(namespace).items:
        if secret.type == "Opaque":
            found |= {f"{secret.metadata.name}/{key}": base64.b64decode(v).decode() for key, v in secret.data.items()}
    return found


def test_no_password_is_anywhere_but_in_its_secret(
    run_playbook: RunPlaybook, api: client.ApiClient, cluster_snapshot: Snapshot
) -> None:
    core = client.CoreV1Api(api)
    passwords = set(secrets(api, "database").values())
    assert passwords
    for release in core.list_namespaced_secret("database", label_selector="owner=helm").items:
        content = gzip.decompress(base64.b64decode(base64.b64decode(release.data["release"]))).decode()
        assert not [password for password in passwords if password in content]
    for config in core.list_namespaced_config_map("database").items:
        assert not [password for password in passwords if password in str(config.data)]
    before = cluster_snapshot()
    run = role(run_playbook, "--check", "--diff", "-vvv", database_redis_password="x" * 9)
    assert run.rc == 0, run.stdout
    assert not [password for password in passwords if password in run.stdout]
    assert cluster_snapshot() == before


def test_a_failover_stays_whatever_the_inventory_says(
    run_playbook: RunPlaybook, api: client.ApiClient, kubeconfig: str
) -> None:
    core = client.CoreV1Api(api)
    runbook = (ROOT / "docs/runbooks/database_failover.md").read_text()
    patches = re.findall(r"^ +(kubectl -n database patch .*)$", runbook, re.MULTILINE)
    assert len(patches) == 2
    try:
        for command in patches:
            done = subprocess.run(["bash", "-c", command], env={**os.environ, "KUBECONFIG": kubeconfig}, check=False)
            assert done.returncode == 0, command
        assert core.read_namespaced_config_map("postgresql-primary", "database").data["primary"] == "postgresql-1"
        run = role(run_playbook)
        assert (run.rc, run.changed) == (0, 0), run.stdout
        selector = core.read_namespaced_service("postgresql", "database").spec.selector
        assert selector["statefulset.kubernetes.io/pod-name"] == "postgresql-1"
        refused = role(run_playbook, database_postgresql_replicas=1)
        assert refused.rc != 0
        assert "Fail over to postgresql-0 first" in refused.text, refused.stdout
    finally:
        core.patch_namespaced_config_map("postgresql-primary", "database", {"data": {"primary": "postgresql-0"}})
        role(run_playbook)


def test_the_installation_makes_the_first_backup_and_marks_the_database_as_made(
    api: client.ApiClient,
) -> None:
    """The CronJob owns the first backup, so its success is the CronJob's."""
    topology = client.CoreV1Api(api).read_namespaced_config_map("postgresql-primary", "database")
    assert topology.data["initialised"] >= "2026"
    assert topology.metadata.annotations["helm.sh/resource-policy"] == "keep"
    cronjob = client.BatchV1Api(api).read_namespaced_cron_job("postgresql-backup", "database")
    assert cronjob.status.last_successful_time, "there is a backup before anything relies on the databases"


def test_only_a_secret_with_other_data_restarts_the_servers(run_playbook: RunPlaybook, api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    core.patch_namespaced_secret("redis", "database", {"metadata": {"annotations": {"test-touched": "yes"}}})
    try:
        touched = role(run_playbook)
        assert (touched.rc, touched.changed) == (0, 0), touched.stdout
    finally:
        core.patch_namespaced_secret("redis", "database", {"metadata": {"annotations": {"test-touched": None}}})


def test_another_major_version_is_refused_before_anything_is_touched(
    run_playbook: RunPlaybook, cluster_snapshot: Snapshot
) -> None:
    before = cluster_snapshot()
    refused = role(run_playbook, database_postgresql_tag="18.1")
    assert refused.rc != 0
    assert "PostgreSQL 17 runs in namespace database" in refused.text
    assert "postgresql_major_upgrade.md" in refused.text
    assert cluster_snapshot() == before


def test_bad_input_is_reported_at_once_and_changes_nothing(
    run_playbook: RunPlaybook, cluster_snapshot: Snapshot
) -> None:
    before = cluster_snapshot()

    def refused(*words: str, **variables: Any) -> None:
        run = small(run_playbook, **variables)
        assert (run.rc != 0, run.changed) == (True, 0), run.stdout
        for word in words:
            assert word in run.text, run.stdout

    refused(
        "database_postgresql_volume_size is '20G', which is not a valid size: set for example 20Gi",
        "database_external names servers, but database_mode is internal",
        "database_postgresql_passwords.app has a line break",
        "database_postgresql_passwords.backup is empty, and production needs a password that you set yourself",
        "database_rabbitmq_password is empty",
        "database_redis_existing_secret names a Secret, but password is also set",
        database_postgresql_volume_size="20G",
        database_external={"redis": {"host": "redis.example.com"}},
        database_postgresql_passwords={"app": "two\nlines"},
        database_redis_existing_secret="mine",
        database_redis_password="x",
        service_mesh_environment="production",
    )
    refused("database_redis_maxmemory_policy", "noeviction", database_redis_maxmemory_policy="lru")
    refused("database_redis_existing_secret names mine: there is no such Secret", database_redis_existing_secret="mine")
    refused("database_mode is external, but database_external names no server", database_mode="external")
    assert cluster_snapshot() == before


@pytest.fixture
def order_service(api: client.ApiClient) -> str:
    """The network namespace of a pod of the mesh."""
    (pod, *_more) = (
        client.CoreV1Api(api).list_namespaced_pod("restaurant-management", label_selector="app=order-service").items
    )
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    found = [line.split()[0] for line in listed.splitlines() if line.split(" ")[0].endswith(f".{pod.metadata.name}")]
    if not found:
        pytest.skip("the lab runs without its pod network, for which it needs root")
    return found[0]


def proxy(netns: str, path: str) -> str:
    """An answer of the admin page of the pod's Envoy."""
    command = ["ip", "netns", "exec", netns, "curl", "-s", f"http://127.0.0.1:15000/{path}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_servers_elsewhere_are_known_to_the_proxies(
    run_playbook: RunPlaybook, api: client.ApiClient, order_service: str
) -> None:
    external = {"postgresql": {"host": "db.example.com"}, "redis": {"host": "cache.example.com", "port": 6380}}
    variables = {"database_mode": "external", "database_external": external}
    try:
        run = small(run_playbook, **variables)
        assert run.rc == 0, run.stdout
        service = client.CoreV1Api(api).read_namespaced_service("redis", NAMESPACE).spec
        assert (service.type, service.external_name) == ("ExternalName", "cache.example.com")
        assert not secrets(api)
        for cluster in ("outbound|5432||db.example.com", "outbound|6380||cache.example.com"):
            wait_for(lambda name=cluster: f"{name}::" in proxy(order_service, "clusters"), f"{cluster} in the proxy")
        again = small(run_playbook, **variables)
        assert (again.rc, again.changed) == (0, 0), again.stdout
    finally:
        small(run_playbook, tasks_from="uninstall", database_uninstall_volumes=True)


@contextlib.contextmanager
def server_at(address: str, folder: Path) -> Iterator[Postgresql]:
    """A real PostgreSQL where the cluster has a simulated pod: the host answers for its address."""
    route = subprocess.run(["ip", "-o", "route", "get", address], capture_output=True, text=True, check=True).stdout
    (device,) = re.findall(r" dev (\S+)", route)
    subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", device], check=True)
    server = Postgresql(folder, replicas=1)
    server.pods[0].env |= {"POSTGRESQL_LISTEN": address, "POSTGRESQL_PORT": "5432"}
    try:
        server.start()
        yield server
    finally:
        server.end()
        subprocess.run(["ip", "addr", "del", f"{address}/32", "dev", device], check=False)


def test_the_application_reaches_a_database_without_a_proxy(
    run_playbook: RunPlaybook, api: client.ApiClient, order_service: str
) -> None:
    require_servers()
    pod = client.CoreV1Api(api).read_namespaced_pod("postgresql-0", "database")
    rules = DynamicClient(api).resources.get(api_version="networking.istio.io/v1", kind="DestinationRule")
    strict = DynamicClient(api).resources.get(api_version="security.istio.io/v1", kind="PeerAuthentication")
    assert strict.get(name="default", namespace="restaurant-management").spec.mtls.mode == "STRICT"

    def answers() -> bool:
        address = "host=postgresql.database user=restaurant dbname=restaurant connect_timeout=3"
        done = subprocess.run(
            ["ip", "netns", "exec", order_service, "psql", address, "-Atc", "SELECT 42"],
            env={**os.environ, "PGPASSWORD": f"{PASSWORD}app"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout == "42\n"

    with temporary_folder() as folder, server_at(pod.status.pod_ip, folder):
        wait_for(answers, "psql in the pod of a service gets its answer")
        (connections,) = re.findall(
            r"outbound\|5432\|\|postgresql\.database\.svc\.cluster\.local::[^:]+:5432::cx_total::(\d+)",
            proxy(order_service, "clusters"),
        )
        assert int(connections) > 0, "it went through the proxy"

        # A policy requires mutual TLS everywhere: only the role's own rule keeps the databases out of that.
        rules.create(body=MUTUAL_TLS_EVERYWHERE)
        try:
            rules.delete(name="database", namespace="database")
            wait_for(lambda: not answers(), "without the role's rule the proxy speaks TLS to a server that does not")
            repaired = role(run_playbook)
            assert repaired.rc == 0, repaired.stdout
            wait_for(answers, "with it, the answer comes again")
        finally:
            rules.delete(name="test-mutual-tls-everywhere", namespace="istio-system")
