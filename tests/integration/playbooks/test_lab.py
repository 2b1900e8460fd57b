"""The lab's own promises, on a small lab beside the one that the other tests use."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from ..support.playbooks import ROOT, RunPlaybook, lab_address

NAME = "labtest"
OFFSET = 700
VARIABLES = {"lab_name": NAME, "lab_port_offset": OFFSET}
STATE = ROOT / f".lab-{NAME}"
HALF_STARTED = "half-started"
PORTS = [port + OFFSET for port in (8080, 8443, 9090, 6443, 2379, 2380, 10247, 10257, 10259, 10285, 10286)]


@pytest.fixture
def no_lab(run_playbook: RunPlaybook) -> Iterator[None]:
    run_playbook("lab_down.yml", variables=VARIABLES)
    yield
    assert run_playbook("lab_down.yml", variables=VARIABLES).rc == 0


def records() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in (STATE / "run").glob("*.json")}


def listening() -> set[int]:
    """Ports of the lab that accept connections."""
    found = set()
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.add(port)
    return found


def host_network() -> str:
    """Namespaces, links and routes of this lab; other labs' come and go."""
    number = OFFSET // 100
    commands = ("ip netns list", "ip -o link", "ip route")
    lines = [line for c in commands for line in subprocess.check_output(c.split(), text=True).splitlines()]
    marks = (f"{NAME}.", f"meshlab{number}", f"ml{number}-", f"10.{100 + number}.", f"10.{150 + number}.")
    return "\n".join(line for line in lines if any(mark in line for mark in marks))


def runs(pid: int) -> bool:
    """Whether it does anything: one that has ended may wait for init to take notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def try_to_start_a_pod_whose_proxy_cannot() -> None:
    """Three times: without istiod there is no root certificate for the proxy, which starts after the stand-in."""
    containers = [{"name": name, "image": "not-pulled"} for name in ("app", "istio-proxy")]
    pod = {"metadata": {"name": HALF_STARTED}, "spec": {"containers": containers}}
    log = STATE / "logs/agent.log"
    earlier = len(log.read_text())
    client.CoreV1Api(config.new_client_from_config(str(STATE / "kubeconfig"))).create_namespaced_pod("default", pod)
    deadline = time.monotonic() + 60
    while log.read_text()[earlier:].count(f"{HALF_STARTED}: not started yet") < 3:
        assert time.monotonic() < deadline, log.read_text()[earlier:]
        time.sleep(0.2)


def processes_of(pod: str) -> list[str]:
    """The command lines of a pod's stand-ins."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f'"pod": "{pod}"' in path.read_text(errors="replace"):
                found.append(path.read_text(errors="replace"))
    return found


@pytest.mark.usefixtures("no_lab")
def test_up_again_after_a_crash_and_down_without_a_trace(run_playbook: RunPlaybook) -> None:
    up = run_playbook("lab_up.yml", variables=VARIABLES)
    assert up.rc == 0, up.stdout
    assert listening() == set(PORTS)
    uid = (STATE / "cluster_uid").read_text()

    again = run_playbook("lab_up.yml", variables=VARIABLES)
    assert (again.rc, again.changed) == (0, 0), again.stdout

    for record in records().values():
        os.kill(record["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 30
    while listening() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not listening()
    repaired = run_playbook("lab_up.yml", variables=VARIABLES)
    assert repaired.rc == 0, repaired.stdout
    assert listening() == set(PORTS)
    assert (STATE / "cluster_uid").read_text() == uid, "the cluster's data should outlive a crash"

    try_to_start_a_pod_whose_proxy_cannot()
    assert len(processes_of(HALF_STARTED)) <= 1, "each attempt should end what the one before it started"

    pids = [record["pid"] for record in records().values()]
    assert host_network()
    assert run_playbook("lab_down.yml", variables=VARIABLES).rc == 0
    assert not listening()
    assert not [pid for pid in pids if runs(pid)]
    assert not processes_of(HALF_STARTED)
    assert host_network() == ""

    # A record from before a reboot may name a pid that another process has by now.
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (STATE / "run").mkdir(parents=True, exist_ok=True)
        stale = {"name": "etcd", "pid": bystander.pid, "started": 1, "boot": "another boot", "fingerprint": ""}
        (STATE / "run/etcd.json").write_text(json.dumps(stale))
        down = run_playbook("lab_down.yml", variables=VARIABLES)
        assert down.rc == 0 and "End what was started" in down.text, down.stdout
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.usefixtures("no_lab")
def test_a_port_in_use_is_named_with_its_owner_before_anything_starts(run_playbook: RunPlaybook) -> None:
    with socket.create_server(("127.0.0.1", 9090 + OFFSET)):
        run = run_playbook("lab_up.yml", variables=VARIABLES)
    assert run.rc != 0
    assert f"Port {9090 + OFFSET} (for prometheus) is in use by process {os.getpid()}" in run.text, run.stdout
    assert "lab_port_offset" in run.text
    assert not records()


class Gateway:
    """The lab that molecule converged, from outside."""

    def __init__(self, run_playbook: RunPlaybook) -> None:
        self.run_playbook = run_playbook

    def get(self, path: str, timeout: float = 10) -> tuple[int, str]:
        """(status, x-served-by)"""
        request = urllib.request.Request(f"{lab_address(8080)}{path}", headers={"Host": "restaurant.corpv3.com"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as answer:
                return answer.status, answer.headers["x-served-by"]
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("x-served-by", "")

    def fault(self, **variables: object) -> None:
        run = self.run_playbook("lab_fault.yml", variables=variables)
        assert run.rc == 0, run.stdout


@pytest.fixture
def gateway(run_playbook: RunPlaybook, kubeconfig: str) -> Iterator[Gateway]:
    found = Gateway(run_playbook)
    yield found
    found.fault(clear=True)


def test_orders_come_from_order_service_through_both_envoys(gateway: Gateway) -> None:
    status, served_by = gateway.get("/api/v1/orders")
    assert status == 200
    service, version, pod = served_by.split("/")
    assert service == "order-service"
    assert version in ("v1", "v2")
    assert pod.startswith("order-service-")


def test_faults_show_while_they_are_set(gateway: Gateway) -> None:
    version = gateway.get("/api/v1/orders")[1].split("/")[1]
    other = "v2" if version == "v1" else "v1"
    gateway.fault(service="order-service", version=version, error_rate=1, error_code=418)
    assert gateway.get("/api/v1/orders")[0] == 418
    assert gateway.get("/api/v1/menu")[0] == 200
    gateway.fault(service="order-service", version=other, error_rate=1, error_code=418)
    gateway.fault(service="order-service", version=version, latency_ms=2000)
    begin = time.monotonic()
    assert gateway.get("/api/v1/orders")[0] == 200
    assert time.monotonic() - begin >= 2
    gateway.fault(clear=True)
    begin = time.monotonic()
    assert gateway.get("/api/v1/orders")[0] == 200
    assert time.monotonic() - begin < 2


def test_a_fault_of_a_service_that_does_not_exist_is_refused(gateway: Gateway) -> None:
    run = gateway.run_playbook("lab_fault.yml", variables={"service": "waiter", "error_rate": 1})
    assert run.rc != 0
    assert "service must be one of frontend" in run.text, run.stdout


def test_proxies_counters_carry_istios_names_and_labels(gateway: Gateway) -> None:
    # Canaries of earlier tests may have left series of either version: only the one that answers now counts on.
    version = gateway.get("/api/v1/orders")[1].split("/")[1]
    workload = "order-service" if version == "v1" else f"order-service-{version}"
    for __ in range(20):
        assert gateway.get("/api/v1/orders")[0] == 200
    wanted = (
        f'sum by (reporter, destination_workload) (istio_requests_total{{response_code="200",'
        f'destination_version="{version}",destination_service_name="order-service",'
        'destination_service_namespace="restaurant-management"})'
    )
    deadline = time.monotonic() + 15
    found: list[tuple[str, str]] = []
    while len(found) < 2 and time.monotonic() < deadline:
        time.sleep(0.5)
        rows = [row for row in query(wanted) if float(row["value"][1]) >= 20]
        found = sorted((row["metric"]["reporter"], row["metric"]["destination_workload"]) for row in rows)
    assert found == [("destination", workload), ("source", workload)], query(wanted)
    assert query('istio_request_duration_milliseconds_bucket{destination_service_name="order-service",le="+Inf"}')
    assert query("restaurant_orders_total")


def query(expression: str) -> list[dict[str, Any]]:
    url = f"{lab_address(9090)}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return result


def test_plaintext_to_a_pod_is_refused(api: Any) -> None:
    pods = client.CoreV1Api(api).list_namespaced_pod("restaurant-management", label_selector="app=order-service")
    with socket.create_connection((pods.items[0].status.pod_ip, 8001), timeout=3) as plain:
        plain.sendall(b"GET /api/v1/orders HTTP/1.1\r\nHost: order-service\r\n\r\n")
        try:
            answer = plain.recv(100)
        except ConnectionResetError:
            answer = b""
    assert answer == b""
