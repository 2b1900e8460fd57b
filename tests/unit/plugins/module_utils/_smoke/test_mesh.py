"""How the smoke test judges what it sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.http import Answer
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import proxies
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import has_sidecar
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke import mesh, questions
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke.mesh import Result


def pod(name: str = "a", containers: tuple[str, ...] = ("app", "istio-proxy"), ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": [{"name": container} for container in containers]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def test_a_page_with_the_right_status_and_header() -> None:
    answer = Answer(200, {"x-served-by": "order-service/v1/pod"}, b"")
    result = mesh.page(answer, 200, {"X-Served-By": "^order-service/"})
    assert result == Result(True, "200, X-Served-By order-service/v1/pod")


def test_a_page_with_another_status_shows_the_servers_message() -> None:
    result = mesh.page(Answer(503, {}, b"no healthy upstream"), 200, {})
    assert result == Result(False, "answers 503, expected 200: no healthy upstream")


def test_a_page_of_another_service() -> None:
    result = mesh.page(
        Answer(200, {"x-served-by": "menu-service/v1/pod"}, b""), 200, {"x-served-by": "^order-service/"}
    )
    assert result.ok is False
    assert "menu-service" in result.detail


@pytest.mark.parametrize(
    ("body", "ok"),
    [
        ({"status": "success", "data": {"result": [{"value": [0, "3"]}]}}, True),
        ({"status": "success", "data": {"result": [{"value": [0, "0"]}]}}, False),
        ({"status": "success", "data": {"result": []}}, False),
        ({"status": "error", "error": "parse error"}, False),
        ("not Prometheus", False),
    ],
)
def test_metrics(body: Any, ok: bool) -> None:
    assert mesh.metrics(Answer(200, {}, json.dumps(body).encode())).ok is ok


def test_sidecars_names_the_pods_that_have_none() -> None:
    assert mesh.sidecars([pod("a"), pod("b", ("app",))]).detail.startswith("no sidecar in b:")
    assert mesh.sidecars([pod("a"), pod("b")]) == Result(True, "2 of 2 pods")
    assert mesh.sidecars([]).ok is False


def test_a_native_sidecar_is_one() -> None:
    native = pod("a", ("app",))
    native["spec"]["initContainers"] = [{"name": "istio-proxy", "restartPolicy": "Always"}]
    assert has_sidecar(native)


def test_many_names_are_cut() -> None:
    result = mesh.pods_ready([pod(name, ready=False) for name in "abcdef"])
    assert result == Result(False, "not ready: a, b, c, d and 2 more")


def status(proxy: str, **changes: Any) -> dict[str, Any]:
    acked = {
        f"{kind}_{way}": "n1" for kind in ("cluster", "listener", "route", "endpoint") for way in ("sent", "acked")
    }
    return {"proxy": proxy, "proxy_type": "sidecar", **acked, **changes}


def test_a_proxy_that_accepted_everything_is_in_sync() -> None:
    (proxy,) = proxies({"istiod-0": [status("order.v1.shop")]})
    assert proxy.in_sync
    assert (proxy.name, proxy.namespace) == ("order.v1", "shop")


def test_a_proxy_is_stale_for_what_it_has_not_accepted() -> None:
    (proxy,) = proxies({"istiod-0": [status("a.shop", route_acked="n0", endpoint_acked="", extensionconfig_sent="")]})
    assert proxy.stale == ("route", "endpoint")
    assert proxy.describe() == "a.shop has not accepted route, endpoint"


def test_a_proxys_refusal_is_reported() -> None:
    resources = {"type.googleapis.com/envoy.config.listener.v3.Listener": {"lastError": "bad filter"}}
    (proxy,) = proxies({"istiod-0": [status("a.shop", listener_acked="n0", resources=resources)]})
    assert proxy.describe() == "a.shop has not accepted listener and refused Listener: bad filter"
    assert proxy.has_routes({"http"}) and not proxy.has_routes({"tcp"})


def test_the_istiod_that_a_proxy_has_moved_to_counts() -> None:
    old, new = status("a.shop", route_acked="n0"), status("a.shop")
    assert [proxy.in_sync for proxy in proxies({"one": [old], "two": [new]})] == [True]
    assert [proxy.in_sync for proxy in proxies({"one": [new], "two": [old]})] == [True]


def test_a_pod_that_no_istiod_knows_is_not_in_sync() -> None:
    result = mesh.in_sync(proxies({"istiod-0": [status("a.shop")]}), [pod("a"), pod("b")])
    assert result == Result(False, "not connected to istiod: b")


def test_wrong_answers_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_PAUSE", 0)
    answers: Iterator[Result] = iter([Result(False, "not yet"), Result(True, "now")])
    calls = []

    def right() -> Result:
        calls.append("right")
        return Result(True, "")

    results = questions.ask_all({"late": lambda: next(answers), "right": right}, timeout=5)
    assert results == {"late": Result(True, "now"), "right": Result(True, "")}
    assert calls == ["right"]


def test_an_error_is_an_answer() -> None:
    def broken() -> Result:
        raise ConnectionRefusedError("no listener")

    assert questions.ask_all({"broken": broken}, timeout=0) == {"broken": Result(False, "no listener")}


def test_rules_that_fail_to_evaluate_are_named() -> None:
    def answer(*rules: dict[str, str]) -> Answer:
        return Answer(200, {}, json.dumps({"data": {"groups": [{"rules": list(rules)}]}}).encode())

    fine = {"name": "a", "health": "ok"}
    assert mesh.rules(answer(fine, {"name": "b", "health": "unknown"})) == Result(True, "2 rules in 1 groups")
    failing = mesh.rules(answer(fine, {"name": "b", "health": "err", "lastError": "many-to-many"}))
    assert failing == Result(False, "b: many-to-many")
    assert mesh.rules(answer()).ok is False
    assert mesh.rules(Answer(502, {}, b"bad gateway")).ok is False


def test_a_service_needs_its_port_and_a_ready_pod() -> None:
    live = {"spec": {"ports": [{"port": 9093}]}}
    slices = [{"endpoints": [{"conditions": {"ready": True}}, {"conditions": {"ready": False}}]}, {"endpoints": None}]
    assert mesh.service(live, slices, 9093) == Result(True, "1 ready")
    assert mesh.service(live, slices, 80) == Result(False, "it has no port 80, only 9093")
    assert mesh.service(live, [{"endpoints": [{"conditions": {"ready": False}}]}], 9093).ok is False
    assert mesh.service(None, slices, 9093) == Result(False, "the Service does not exist")
