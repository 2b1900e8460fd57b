"""A Service's answers: which client queries it, with what, and when they count."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke.questions import Result, ask_all, report
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke.services import answer, pod_behind

HEALTHY = b'{"message":"Successfully queried the Prometheus API.","status":"OK"}'
QUESTION = {
    "name": "Grafana reads Prometheus",
    "namespace": "istio-system",
    "service": "grafana",
    "port": 80,
    "path": "/api/datasources/uid/prometheus/health",
    "wanted": '"status":"OK"',
    "login": "grafana",
    "needs": "prometheus-server",
}
LOGIN = {
    "namespace": "istio-system",
    "secret": "grafana-admin",
    "user_key": "user",
    "password_key": "password",
    "token_key": "",
}


def service(*ports: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"ports": list(ports)}}


def behind(name: str | None, port: int, *pods: tuple[str, bool]) -> dict[str, Any]:
    endpoints = [{"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}} for pod, ready in pods]
    return {"ports": [{"name": name, "port": port}], "endpoints": endpoints}


class Cluster:
    """Grafana behind its Service, and what it is asked."""

    def __init__(self, said: bytes = HEALTHY, status: int = 200) -> None:
        self.said, self.status = said, status
        self.objects = {
            "grafana": service({"name": "service", "port": 80}),
            "prometheus-server": service({"port": 80}),
            "grafana-admin": {"data": {"user": _encoded("admin"), "password": _encoded("hush")}},
        }
        self.slices = [behind("service", 3000, ("grafana-old", False), ("grafana-new", True))]
        self.asked: list[tuple[str, str, int, str, Mapping[str, str]]] = []

    def get(self, ref: Ref) -> dict[str, Any] | None:
        return self.objects.get(ref.name)

    def list(self, api_version: str, kind: str, namespace: str, labels: str = "") -> list[dict[str, Any]]:
        assert (api_version, kind, namespace) == ("discovery.k8s.io/v1", "EndpointSlice", "istio-system")
        assert labels == "kubernetes.io/service-name=grafana"
        return self.slices

    def get_through_pod(
        self, namespace: str, pod: str, port: int, path: str, asked_with: Mapping[str, str] | None = None
    ) -> bytes:
        self.asked.append((namespace, pod, port, path, asked_with or {}))
        if self.status != 200:
            raise ApiFailure(self.status, "", f"{path} answers {self.status}")
        return self.said


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def ask(cluster: Cluster, logins: dict[str, Any] | None = None, **changes: Any) -> Result:
    return answer(cluster, QUESTION | changes, {"grafana": LOGIN} if logins is None else logins)  # type: ignore[arg-type]


def test_a_ready_pod_is_asked_at_its_own_port_with_the_login() -> None:
    cluster = Cluster()
    assert ask(cluster) == Result(True, "grafana-new answers as expected")
    headers = {"Authorization": f"Basic {_encoded('admin:hush')}"}
    assert cluster.asked == [("istio-system", "grafana-new", 3000, QUESTION["path"], headers)]


def test_a_token_is_sent_without_the_line_break_of_its_file() -> None:
    cluster = Cluster()
    cluster.objects["kiali-grafana"] = {"data": {"token": _encoded("glsa_1\n")}}
    ask(cluster, {"grafana": LOGIN | {"secret": "kiali-grafana", "token_key": "token"}})
    assert cluster.asked[0][4] == {"Authorization": "Bearer glsa_1"}


def test_a_wrong_answer_is_shown() -> None:
    # Grafana 13.2's message where the data source's plugin is not in its image.
    result = ask(Cluster(b'{"message":"Plugin unavailable","status":"ERROR"}'))
    assert result.ok is False
    assert "Plugin unavailable" in result.detail


def test_a_status_is_an_answer() -> None:
    results = ask_all({"it": lambda: ask(Cluster(status=401))}, timeout=0)
    assert results["it"] == Result(False, f"{QUESTION['path']} answers 401")
    assert report(results)["failed_checks"] == ["it"]


@pytest.mark.parametrize("gone", ["prometheus-server", "grafana"])
def test_a_service_that_is_missing(gone: str) -> None:
    cluster = Cluster()
    del cluster.objects[gone]
    result = ask(cluster)
    assert (result.ok, cluster.asked) == (None if gone == "prometheus-server" else False, [])
    assert f"Service {gone} does not exist" in result.detail


def test_without_a_login_nothing_is_asked() -> None:
    cluster = Cluster()
    assert ask(cluster, {}).ok is None
    assert not cluster.asked


def test_no_ready_pod() -> None:
    cluster = Cluster()
    cluster.slices = [behind("service", 3000, ("grafana-old", False))]
    assert ask(cluster) == Result(False, "no ready pod serves port 80 of Service grafana in istio-system")


def test_the_port_is_the_one_of_that_name() -> None:
    live = service({"name": "http", "port": 80}, {"name": "admin", "port": 9000})
    slices = [behind("admin", 9001, ("a", True)), behind("http", 8080, ("b", True))]
    assert pod_behind(live, slices, 80) == ("b", 8080)
    assert pod_behind(live, slices, 81) is None
    assert pod_behind(service({"port": 80}), [behind("", 8080, ("b", True))], 80) == ("b", 8080)
