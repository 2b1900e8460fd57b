"""What the lab's nodes answer to `kubectl logs`, and to whom."""

from __future__ import annotations

import datetime
import http.client
import ssl
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.agent.kubelet import Kubelet, container_log
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.pki import Pki
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.settings import Settings


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    now = datetime.datetime.now(datetime.UTC).isoformat()
    path = tmp_path / "logs/pods/istio-system/istiod-1/discovery.log"
    path.parent.mkdir(parents=True)
    path.write_text(f"2020-01-01T00:00:00Z\tinfo\told\nof the old one\n{now}\tinfo\tnew\nof the new one\n")
    return tmp_path / "logs"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, ["old", "of the old one", "new", "of the new one"]),
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


def test_the_api_server_alone_is_answered(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "bridge_ip", "127.0.0.1")
    monkeypatch.setattr(Settings, "port", lambda *_: 0)
    settings = Settings("unit", tmp_path, 0, True, 1, (), {}, "1s")
    pki = Pki(tmp_path / "pki")
    pki.ensure(["127.0.0.1"], node_address="127.0.0.1")
    kubelet = Kubelet(settings)
    kubelet.start()

    def ask(path: str, certificate: str | None) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=str(pki.path("ca.crt")))
        if certificate:
            context.load_cert_chain(pki.path(f"{certificate}.crt"), pki.path(f"{certificate}.key"))
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
