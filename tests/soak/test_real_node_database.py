"""The databases' own pods on the lab's real node: Debian's servers, run by the commands of the runbooks."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..integration.support.amqp_client import Amqp
from ..integration.support.database_servers import free_port
from ..integration.support.runbook_pages import Block, Shell, blocks
from .conftest import Report
from .real_databases import NAMESPACE, password, sized, sql
from .real_node import RealLab, needs_real_node, pod, real_lab, until

pytestmark = needs_real_node
VARIABLES = {"lab_real_node": True, "lab_real_node_namespaces": [NAMESPACE], **sized("50m")}
# The page's own reasons, which hold here, too.
KEPT_OUT = ("its database would lose the mark", "it has no archive", "it removes the databases")


@pytest.fixture(scope="module")
def lab() -> Iterator[RealLab]:
    for found in real_lab(**VARIABLES):
        found.playbook("site", "namespaces,istio,database", **VARIABLES)
        yield found


@pytest.fixture
def shell(lab: RealLab, tmp_path: Path) -> Shell:
    return Shell(lab.folder / "kubeconfig", tmp_path, VARIABLES)


def run(shell: Shell, block: Block) -> str:
    done = shell.run(block.text)
    assert done.returncode == 0, f"{block.name}:\n{block.text}\n{done.stdout[-3000:]}"
    return done.stdout


def run_page(shell: Shell, page: str) -> list[str]:
    """Every block of the page, also those that the lab's simulated pods cannot run. The output of each."""
    return [run(shell, block) for block in blocks(page) if not block.elsewhere.startswith(KEPT_OUT)]


def restart(lab: RealLab, name: str) -> None:
    lab.kubectl("-n", NAMESPACE, "delete", "pod", f"{name}-0")
    lab.kubectl("-n", NAMESPACE, "rollout", "status", f"statefulset/{name}", "--timeout=5m")


@contextlib.contextmanager
def forwarded(lab: RealLab, name: str, port: int) -> Iterator[int]:
    """A port on loopback that kubectl forwards to the pod."""
    own = free_port()
    argv = lab.kubectl_argv("-n", NAMESPACE, "port-forward", f"pod/{name}-0", f"{own}:{port}")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().startswith("Forwarding")
            yield own
        finally:
            process.terminate()


def test_the_pods_run_the_servers(lab: RealLab) -> None:
    pods = lab.get("-n", NAMESPACE, "pods")["items"]
    servers = {item["metadata"]["name"]: item for item in pods if "job-name" not in item["metadata"]["labels"]}
    assert set(servers) == {"postgresql-0", "postgresql-1", "postgresql-2", "redis-0", "rabbitmq-0"}
    for name, item in servers.items():
        assert item["spec"]["nodeName"] == lab.node, name
        assert all(status["ready"] and not status["restartCount"] for status in item["status"]["containerStatuses"])
    assert "15" in sql(lab, 0, "SHOW server_version")


def test_replicas_have_what_the_primary_acknowledged(lab: RealLab) -> None:
    sql(lab, 0, "CREATE TABLE orders (number int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 1000)")
    for server in (1, 2):
        until(
            lambda server=server: sql(lab, server, "SELECT count(*) FROM orders", check=False) == "1000",
            "replicated",
            60,
        )
        assert "read-only" in sql(lab, server, "DELETE FROM orders", check=False)


def test_only_the_application_reaches_the_databases(lab: RealLab) -> None:
    """By the NetworkPolicies alone: the servers themselves accept connections from any address."""
    application = pod("client", "sleep", "3600")
    application["metadata"]["namespace"] = "restaurant-management"
    application["metadata"]["annotations"] = {"sidecar.istio.io/inject": "false"}
    application["metadata"]["labels"]["sidecar.istio.io/inject"] = "false"
    application["spec"]["securityContext"] = {
        "runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    application["spec"]["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "restaurant-management"}}
    lab.apply(namespace, application, pod("stranger", "sleep", "3600"))
    addresses = {
        item["metadata"]["labels"]["app"]: item["status"]["podIP"] for item in lab.get("-n", NAMESPACE, "pods")["items"]
    }
    ports = {"postgresql": 5432, "redis": 6379, "rabbitmq": 5672}

    def connection(namespace: str, name: str, server: str) -> str:
        """Why there is none; empty for one that is accepted."""
        # Debian's nc has no -z: it runs a command once it is connected.
        call = ("nc", "-w", "3", addresses[server], str(ports[server]), "-e", "true")
        argv = lab.kubectl_argv("-n", namespace, "exec", name, "-c", "main", "--", *call)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.stderr if done.returncode else ""

    try:
        for namespace, name in (("restaurant-management", "client"), ("default", "stranger")):
            lab.kubectl("-n", namespace, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=240s")
        for server in ports:
            until(
                lambda server=server: not connection("restaurant-management", "client", server), f"{server} serves", 60
            )
            assert "nc: timed out" in connection("default", "stranger", server), server
    finally:
        lab.kubectl("-n", "restaurant-management", "delete", "pod/client", "--wait=false")
        lab.kubectl("delete", "pod/stranger", "--wait=false")


def test_a_backup_is_restored_by_the_page(lab: RealLab, shell: Shell, report: Report) -> None:
    begun = time.monotonic()
    pages = blocks("database_restore")
    listed = run(shell, pages[0])
    # The page's own, after the first that the role made.
    backup = max(re.findall(r"\b\d{8}T\d{6}Z\b", listed))
    sql(lab, 0, "DELETE FROM orders")
    shell.set(BACKUP=backup)
    for block in pages[1:]:
        if not block.elsewhere.startswith(KEPT_OUT):
            run(shell, block)
    assert sql(lab, 0, "SELECT count(*) FROM orders") == "1000", "what was deleted is back"
    report(f"database_restore: {time.monotonic() - begun:.0f} s")


def test_a_failover_by_the_page_loses_nothing(lab: RealLab, shell: Shell, report: Report) -> None:
    begun, outputs = time.monotonic(), []
    sql(lab, 0, "INSERT INTO orders VALUES (1001)")
    for block in blocks("database_failover"):
        if "rejoin.sh" in block.text:
            # "When the old primary's pod is back"
            until(lambda: "postgresql-0" in sql_state(lab), "the old primary's pod is back")
        outputs.append(run(shell, block))
        if "patch service postgresql" in block.text:
            report(f"database_failover, to the Service's move: {time.monotonic() - begun:.0f} s")
        if "--check" in block.text:
            break
    assert re.search(r"changed=0\b", outputs[-1])
    assert "primary" in outputs[-2]
    assert sql(lab, 1, "SELECT count(*) FROM orders") == "1001"
    sql(lab, 1, "INSERT INTO orders VALUES (1002)")
    for server in (0, 2):
        until(
            lambda server=server: sql(lab, server, "SELECT count(*) FROM orders", check=False) == "1002", "follows", 60
        )


def sql_state(lab: RealLab) -> str:
    """Names of the pods whose container runs."""
    return " ".join(
        item["metadata"]["name"]
        for item in lab.get("-n", NAMESPACE, "pods", "-l", "app=postgresql")["items"]
        if "deletionTimestamp" not in item["metadata"]
        and any("running" in status["state"] for status in item["status"].get("containerStatuses", []))
    )


@pytest.mark.parametrize("page", ["postgresql_down", "redis_down", "rabbitmq_down"])
def test_a_page_about_a_server(shell: Shell, page: str) -> None:
    run_page(shell, page)


def test_a_replica_with_data_of_its_own_joins_again_by_the_page(lab: RealLab, shell: Shell) -> None:
    status = ("-n", NAMESPACE, "exec", "postgresql-0", "--", "sh", "/scripts/status.sh")
    until(lambda: "postgresql-2: replica" in lab.kubectl(*status), "postgresql-2 is a replica", 60)
    sql(lab, 2, "SELECT pg_promote()", "CREATE TABLE stray (number int)")
    # A second primary ends itself.
    until(lambda: "postgresql-2: does not answer" in lab.kubectl(*status), "the second primary has ended", 60)
    shell.set(POD="postgresql-2")
    run_page(shell, "postgresql_replica_missing")
    state = "SELECT pg_is_in_recovery(), to_regclass('stray') IS NULL"
    until(lambda: sql(lab, 2, state, check=False) == "t|t", "a replica, without what only it had", 60)


def test_redis_keeps_its_data(lab: RealLab) -> None:
    ask = ("-n", NAMESPACE, "exec", "redis-0", "--", "redis-cli", "--no-auth-warning", "-a", password(lab, "redis"))
    assert lab.kubectl(*ask, "SET", "order", "1").strip() == "OK"
    restart(lab, "redis")
    assert lab.kubectl(*ask, "GET", "order").strip() == "1"


def test_rabbitmq_keeps_its_messages(lab: RealLab, shell: Shell) -> None:
    with forwarded(lab, "rabbitmq", 5672) as port, Amqp(port, "restaurant", password(lab, "rabbitmq")) as client:
        client.declare("kept")
        client.publish("kept", b"order 1")
    restart(lab, "rabbitmq")
    with forwarded(lab, "rabbitmq", 5672) as port, Amqp(port, "restaurant", password(lab, "rabbitmq")) as client:
        assert client.get("kept") == b"order 1"
    shell.set(QUEUE="kept")
    run_page(shell, "rabbitmq_holds_publishers_back")
