"""The lab's nodes' answers to `kubectl logs`, and the accounts that get them."""

from __future__ import annotations

import datetime
import http.client
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.agent.kubelet import Kubelet, container_log
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.agent.port_forward import Connect
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.pki import Pki
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.settings import Settings
from kubernetes.stream.ws_client import PortForward
from websocket import WebSocket, WebSocketBadStatusException


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    now = datetime.datetime.now(datetime.UTC).isoformat()
    path = tmp_path / "logs/pods/istio-system/istiod-1/discovery.log"
    path.parent.mkdir(parents=True)
    path.write_text(f"2020-01-01T00:00:00Z\tinfo\tearlier\nof the old one\n{now}\tinfo\tnew\nof the new one\n")
    return tmp_path / "logs"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, ["earlier", "of the old one", "new", "of the new one"]),
        ({"tailLines": ["1"]}, ["of the new one"]),
        ({"tailLines": ["0"]}, []),
        ({"sinceSeconds": ["900"]}, ["new", "of the new one"]),
        ({"sinceSeconds": ["900"], "tailLines": ["1"]}, ["of the new one"]),
    ],
)
def test_lines(logs: Path, query: dict[str, list[str]], words: list[str]) -> None:
    status, text = container_log(logs, "istio-system", "istiod-1", "discovery", query)
    assert status == 200
    assert [line.rpartition("\t")[2] for line in text.splitlines()] == words


def test_a_simulated_pod_writes_nothing_and_nothing_ran_before(logs: Path) -> None:
    assert container_log(logs, "database", "redis-0", "redis", {}) == (200, "")
    assert container_log(logs, "database", "redis-0", "redis", {"previous": ["true"]})[0] == 400


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    pki = Pki(tmp_path / "pki")
    pki.ensure(["127.0.0.1"], node_address="127.0.0.1")
    return pki


@pytest.fixture
def kubelet(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubelet:
    """Of a node with one pod, shop/web, whose ports are this machine's."""
    monkeypatch.setattr(Settings, "bridge_ip", "127.0.0.1")
    monkeypatch.setattr(Settings, "port", lambda *_: 0)
    settings = Settings("unit", tmp_path, 0, True, 1, (), {}, "1s")

    def ports_of(namespace: str, name: str) -> Connect | None:
        real = (namespace, name) == ("shop", "web")
        return (lambda port: socket.create_connection(("127.0.0.1", port), 5)) if real else None

    kubelet = Kubelet(settings, ports_of)
    kubelet.start()
    return kubelet


def tls(pki: Pki, certificate: str | None = "client-kube-apiserver") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki.path("ca.crt")))
    if certificate:
        context.load_cert_chain(pki.path(f"{certificate}.crt"), pki.path(f"{certificate}.key"))
    return context


def test_the_api_server_alone_is_answered(logs: Path, pki: Pki, kubelet: Kubelet) -> None:
    def ask(path: str, certificate: str | None) -> tuple[int, str]:
        context = tls(pki, certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", kubelet.port, context=context, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    log = "/containerLogs/istio-system/istiod-1/discovery"
    assert ask(f"{log}?tailLines=1", "client-kube-apiserver") == (200, "of the new one\n")
    assert ask("/containerLogs/istio-system/../../x", "client-kube-apiserver")[0] == 404
    assert ask("/exec/istio-system/istiod-1/discovery", "client-kube-apiserver")[0] == 404
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(log, None)


@pytest.fixture
def upper() -> Iterator[int]:
    """The port of a server that sends each line back in capitals, until an empty one."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while (line := self.rfile.readline()) not in (b"", b"\n"):
                self.wfile.write(line.upper())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def forwarded(pki: Pki, kubelet: Kubelet, pod: str, port: int) -> PortForward:
    """As the Kubernetes client does it, after the API server."""
    client = WebSocket(sslopt={"context": tls(pki)})
    url = f"wss://127.0.0.1:{kubelet.port}/portForward/shop/{pod}?port={port}"
    client.connect(url, subprotocols=["v5.channel.k8s.io", "v4.channel.k8s.io"], timeout=10)
    return PortForward(client, [port])


@pytest.mark.parametrize("size", [1, 125, 126, 70_000])
def test_a_port_forward_carries_whatever_is_sent(pki: Pki, kubelet: Kubelet, upper: int, size: int) -> None:
    connection = forwarded(pki, kubelet, "web", upper).socket(upper)
    connection.settimeout(10)
    file = connection.makefile("rwb")
    for __ in range(2):
        file.write(b"a" * size + b"\n")
        file.flush()
        assert file.readline() == b"A" * size + b"\n"
    file.write(b"\n")
    file.flush()
    assert file.read() == b"", "the server has closed"


def test_a_port_where_no_process_listens_is_an_error(pki: Pki, kubelet: Kubelet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    forward = forwarded(pki, kubelet, "web", port)
    connection = forward.socket(port)
    connection.settimeout(10)
    assert connection.recv(1) == b""
    assert "Connection refused" in forward.error(port)


def test_a_simulated_pod_has_no_ports(pki: Pki, kubelet: Kubelet) -> None:
    with pytest.raises(WebSocketBadStatusException, match="simulated"):
        forwarded(pki, kubelet, "kwok", 80)
