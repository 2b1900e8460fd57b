"""The lab's proxies count as a stock Istio's do: each case by a real request, and the labels that Prometheus has of it.

A service of two versions in a namespace of its own, with the ingress gateway as its client.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, utils

from ..support.playbooks import LAB, ROOT, lab_address

NAMESPACE = "stock-metrics"
HOST = "stock-metrics.test"
SERVICE = f"opinions.{NAMESPACE}.svc.cluster.local"
PRINCIPAL = "spiffe://cluster.local/ns/{}/sa/{}"
Labels = dict[str, str]
# Istio's labels -> how many.
Counts = dict[frozenset[tuple[str, str]], float]

GATEWAY = {
    "reporter": "source",
    "source_workload": "istio-ingressgateway",
    "source_workload_namespace": "istio-system",
    "source_canonical_service": "istio-ingressgateway",
    "source_app": "istio-ingressgateway",
    "source_cluster": "Kubernetes",
    "destination_service": SERVICE,
    "destination_service_name": "opinions",
    "destination_service_namespace": NAMESPACE,
    "connection_security_policy": "unknown",
    "request_protocol": "http",
}
NOWHERE = {
    "destination_workload": "unknown",
    "destination_workload_namespace": "unknown",
    "destination_principal": "unknown",
    "destination_app": "unknown",
    "destination_version": "unknown",
    "destination_canonical_service": "unknown",
    "destination_canonical_revision": "latest",
    "destination_cluster": "unknown",
    # No connection, no certificate.
    "source_principal": "unknown",
}


def opinions(version: str, answered: bool = True, connected: bool = True) -> Labels:
    """What a client's proxy knows of the peer."""
    return {
        "destination_workload": f"opinions-{version}",
        "destination_workload_namespace": NAMESPACE,
        "destination_principal": PRINCIPAL.format(NAMESPACE, "default") if connected else "unknown",
        "destination_app": "opinions" if answered else "unknown",
        "destination_version": version if answered else "unknown",
        "destination_canonical_service": "opinions",
        "destination_canonical_revision": version,
        "destination_cluster": "Kubernetes",
        "source_principal": PRINCIPAL.format("istio-system", "istio-ingressgateway") if connected else "unknown",
    }


@dataclass(frozen=True)
class Mesh:
    """The service, from outside."""

    api: client.ApiClient
    state: Path

    def get(self, path: str, timeout: float = 20, **headers: str) -> tuple[int, str, dict[str, str]]:
        """(status, body, headers); status 0 where the client has hung up, or there is no listener yet."""
        address = urllib.parse.urlsplit(lab_address(8080)).netloc
        connection = http.client.HTTPConnection(address, timeout=timeout)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers={"Host": HOST, **given})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
        except (TimeoutError, ConnectionError):
            return 0, "", {}
        finally:
            connection.close()

    def pod(self, version: str) -> Any:
        selector = f"app=opinions,version={version}"
        (found,) = client.CoreV1Api(self.api).list_namespaced_pod(NAMESPACE, label_selector=selector).items
        return found

    @contextlib.contextmanager
    def hanging(self, version: str) -> Iterator[None]:
        self._fault(service="opinions", version=version, hang=True)
        try:
            yield
        finally:
            self._fault(service="opinions", clear=True)

    def _fault(self, **fault: Any) -> None:
        argv = [sys.executable, "-m", "meshlab", "--settings", str(self.state / "settings.json"), "fault"]
        environment = {"PYTHONPATH": str(ROOT / "roles/lab/files"), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([*argv, json.dumps(fault)], env=environment, check=True, capture_output=True)

    @contextlib.contextmanager
    def refusing(self, version: str) -> Iterator[None]:
        """The pod's kernel refuses the connections that are made and resets those that there are."""
        inside = ["ip", "netns", "exec", f"{LAB['lab_name']}.{self.pod(version).metadata.name}", "iptables"]
        rule = ["INPUT", "-p", "tcp", "--dport", "9080", "-j", "REJECT", "--reject-with", "tcp-reset"]
        redirected = ["INPUT", "-p", "tcp", "--dport", "15006", "-j", "REJECT", "--reject-with", "tcp-reset"]
        for entry in (rule, redirected):
            subprocess.run([*inside, "-I", *entry], check=True, capture_output=True)
        try:
            yield
        finally:
            for entry in (rule, redirected):
                subprocess.run([*inside, "-D", *entry], check=True, capture_output=True)


def counted(reporter: str, metric: str = "istio_requests_total") -> Counts:
    """Requests to the service, of all pods that count with the same labels."""
    counts: Counts = {}
    for row in query(f'{metric}{{reporter="{reporter}",destination_service="{SERVICE}"}}'):
        key = frozenset((name, value) for name, value in row["metric"].items() if name in STANDARD)
        counts[key] = counts.get(key, 0) + float(row["value"][1])
    return counts


# All but the gateway's own version, which is its chart's.
STANDARD = {*GATEWAY, *NOWHERE, "response_code", "response_flags", "grpc_response_status"}


def query(expression: str) -> list[dict[str, Any]]:
    url = f"{lab_address(9090)}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return result


def risen(before: Counts, reporter: str) -> list[Labels]:
    """The series that have risen since, once there are any; nothing else comes within two more scrapes."""
    deadline = time.monotonic() + 20
    found: list[Labels] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.5)
        found = [dict(key) for key, value in counted(reporter).items() if value > before.get(key, 0)]
    time.sleep(2.5)
    return [dict(key) for key, value in counted(reporter).items() if value > before.get(key, 0)]


def later(seconds: float) -> tuple[Counts, Counts]:
    """What both reporters have counted then."""
    time.sleep(seconds)
    return counted("source"), counted("destination")


@pytest.fixture(scope="module")
def mesh(api: client.ApiClient, kubeconfig: str) -> Iterator[Mesh]:
    core, objects = client.CoreV1Api(api), client.CustomObjectsApi(api)
    core.create_namespace({"metadata": {"name": NAMESPACE, "labels": {"istio-injection": "enabled"}}})
    try:
        utils.create_from_dict(api, {"kind": "List", "apiVersion": "v1", "items": workloads()})
        for plural, body in routing():
            objects.create_namespaced_custom_object("networking.istio.io", "v1", NAMESPACE, plural, body)
        found = Mesh(api, Path(kubeconfig).parent)
        deadline = time.monotonic() + 180
        while not all(found.get(f"/{version}")[0] == 200 for version in ("v1", "v2")):
            assert time.monotonic() < deadline, "the service does not answer through the gateway"
            time.sleep(1)
        # Prometheus discovers new pods every few seconds, and misses these requests until then.
        before: tuple[Counts, Counts] = ({}, {})
        after = later(0)
        while not after[1] or before != after:
            assert time.monotonic() < deadline, "Prometheus does not see the service's pods"
            before, after = after, later(3)
        yield found
    finally:
        core.delete_namespace(NAMESPACE)
        while any(item.metadata.name == NAMESPACE for item in core.list_namespace().items):
            time.sleep(0.5)


def workloads() -> list[dict[str, Any]]:
    port = [{"containerPort": 9080}]
    deployments = []
    for version in ("v1", "v2"):
        labels = {"app": "opinions", "version": version}
        container = {"name": "opinions", "image": "opinions:1", "ports": port}
        # As the role's charts do: the real program announces its metrics.
        scraped = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "15020",
            "prometheus.io/path": "/stats/prometheus",
        }
        deployments.append(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": f"opinions-{version}", "namespace": NAMESPACE},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels, "annotations": scraped},
                        "spec": {"containers": [container]},
                    },
                },
            }
        )
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "opinions", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "opinions"}, "ports": [{"name": "http", "port": 9080}]},
    }
    return [service, *deployments]


def routing() -> list[tuple[str, dict[str, Any]]]:
    def kind(name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": "networking.istio.io/v1", "kind": name, "metadata": {"name": "opinions"}, "spec": spec}

    def route(prefix: str, subset: str, **more: Any) -> dict[str, Any]:
        return {
            "match": [{"uri": {"prefix": f"/{prefix}"}}],
            # What the stand-in answers.
            "rewrite": {"uri": "/headers" if prefix == "headers" else "/api/v1/opinions"},
            "route": [{"destination": {"host": "opinions", "subset": subset}}],
            "timeout": "2s",
            "retries": {"attempts": 0},
            **more,
        }

    copied = {"host": "opinions", "subset": "v2"}
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [HOST]}
    routes = [
        route("copied", "v1", mirror=copied),
        route("v1", "v1"),
        route("v2", "v2"),
        # Of no pod.
        route("v0", "v0"),
        route("headers", "v1"),
    ]
    subsets = [{"name": version, "labels": {"version": version}} for version in ("v0", "v1", "v2")]
    return [
        ("destinationrules", kind("DestinationRule", {"host": "opinions", "subsets": subsets})),
        ("gateways", kind("Gateway", {"selector": {"istio": "ingressgateway"}, "servers": [server]})),
        ("virtualservices", kind("VirtualService", {"hosts": [HOST], "gateways": ["opinions"], "http": routes})),
    ]


def test_an_answered_request_is_of_the_peer_that_answered(mesh: Mesh) -> None:
    source, destination = counted("source"), counted("destination")
    assert mesh.get("/v2")[0] == 200
    expected = {**GATEWAY, **opinions("v2"), "response_code": "200", "response_flags": "-"}
    assert risen(source, "source") == [expected]
    # The server's proxy knows the client as well.
    labels_of_tls = {"reporter": "destination", "connection_security_policy": "mutual_tls"}
    assert risen(destination, "destination") == [{**expected, **labels_of_tls}]


def test_a_request_without_an_answer_in_time_has_a_workload_and_no_version(mesh: Mesh) -> None:
    before = counted("source")
    with mesh.hanging("v2"):
        assert mesh.get("/v2")[0] == 504
    unanswered = opinions("v2", answered=False)
    expected = {**GATEWAY, **unanswered, "response_code": "504", "response_flags": "UT"}
    assert risen(before, "source") == [expected]


def test_a_refused_connection_has_a_workload_and_no_version(mesh: Mesh) -> None:
    before = counted("source")
    unconnected = opinions("v2", answered=False, connected=False)
    expected = {**GATEWAY, **unconnected, "response_code": "503", "response_flags": "UF"}
    key = frozenset(expected.items())
    sent = 0
    with mesh.refusing("v2"):
        deadline = time.monotonic() + 30
        # A connection that there is already may be reset first, which is another flag.
        while not counted("source").get(key, 0) > before.get(key, 0):
            assert mesh.get("/v2")[0] == 503
            sent += 1
            assert time.monotonic() < deadline, counted("source")
            time.sleep(1)
    # The last of them are counted one scrape later, and must not appear in the next test.
    while sum(counted("source").values()) < sum(before.values()) + sent:
        assert time.monotonic() < deadline, counted("source")
        time.sleep(0.5)


def test_a_request_that_finds_no_endpoint_is_of_the_service_only(mesh: Mesh) -> None:
    before = counted("source")
    assert mesh.get("/v0")[0] == 503
    expected = {**GATEWAY, **NOWHERE, "response_code": "503", "response_flags": "UH"}
    assert risen(before, "source") == [expected]


def test_a_client_that_hangs_up_is_code_0(mesh: Mesh) -> None:
    before = counted("source")
    with mesh.hanging("v2"):
        assert mesh.get("/v2", timeout=0.5)[0] == 0
    unanswered = opinions("v2", answered=False)
    expected = {**GATEWAY, **unanswered, "response_code": "0", "response_flags": "DC"}
    assert risen(before, "source") == [expected]


def test_a_copy_is_counted_where_it_arrives_only(mesh: Mesh) -> None:
    source, destination = counted("source"), counted("destination")
    assert mesh.get("/copied")[0] == 200
    assert [labels["destination_version"] for labels in risen(source, "source")] == ["v1"]
    arrived = risen(destination, "destination")
    assert sorted(labels["destination_version"] for labels in arrived) == ["v1", "v2"]
    assert {labels["source_workload"] for labels in arrived} == {"istio-ingressgateway"}


def test_grpc_has_a_status_of_its_own(mesh: Mesh) -> None:
    before = counted("source")
    assert mesh.get("/v0", content_type="application/grpc")[0] == 200
    unavailable = {"request_protocol": "grpc", "response_code": "200", "grpc_response_status": "14"}
    assert risen(before, "source") == [{**GATEWAY, **NOWHERE, **unavailable, "response_flags": "UH"}]


def test_durations_have_the_same_labels(mesh: Mesh) -> None:
    assert mesh.get("/v1")[0] == 200
    before = counted("source", "istio_request_duration_milliseconds_count")
    expected = frozenset({**GATEWAY, **opinions("v1"), "response_code": "200", "response_flags": "-"}.items())
    deadline = time.monotonic() + 20
    while expected not in before:
        assert time.monotonic() < deadline, before
        time.sleep(0.5)
        before = counted("source", "istio_request_duration_milliseconds_count")
    bounds = query(
        f'istio_request_duration_milliseconds_bucket{{reporter="source",destination_service="{SERVICE}",'
        'destination_version="v1",response_code="200"}'
    )
    # Envoy's own, which are Istio's.
    assert {0.5, 500, 1000, 3600000, math.inf} <= {float(row["metric"]["le"]) for row in bounds}


def test_neither_application_nor_client_gets_the_proxies_metadata(mesh: Mesh) -> None:
    status, seen, answered = mesh.get("/headers", x_meshlab_peer="forged;by;a;client;;;")
    assert status == 200
    assert "x-request-id" in json.loads(seen), "as the application sees it"
    assert "x-meshlab-peer" not in json.loads(seen)
    assert "x-meshlab-peer" not in answered
    assert not any("forged" in dict(key).values() for key in counted("destination"))


def test_a_sidecar_counts_as_the_gateway_does(mesh: Mesh) -> None:
    """The page itself has Istio's names, which is what provider envoy reads."""
    address = mesh.pod("v2").status.pod_ip
    assert mesh.get("/v2")[0] == 200
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{address}:15020/stats/prometheus", timeout=10) as answer:
        page = answer.read().decode()
    assert 'istio_requests_total{reporter="destination",source_workload="istio-ingressgateway",' in page
    assert "envoy_istio" not in page
    assert "upstream_rq_200" not in page
