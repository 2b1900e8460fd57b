"""Grafana's dashboards on the lab: under load, every query that they put to Prometheus has an answer."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CustomObjectsApi
from kubernetes.client.exceptions import ApiException

from ..support.canary_lab import NAMESPACE, ROOT, Lab

FOLDER = ROOT / "roles/grafana/files/dashboards"
RULES = ROOT / "roles/prometheus/files/rules"
# What a person would have chosen. The lab is younger than the 24 hours that $trend is otherwise.
VARIABLES = {"namespace": NAMESPACE, "service": "order-service", "trend": "1m"}
# An order goes through all services but auth-service.
PATHS = {"orders": "/order", "users": "/api/v1/auth/me"}
# Recorded every 30 s; a trend of one minute looks two minutes back.
PATIENCE_SECONDS = 600
SERVICE_ENTRIES = ("networking.istio.io", "v1", NAMESPACE, "serviceentries")
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="module")
def lab(kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    if not (Path(kubeconfig).parent / "settings.json").is_file():
        pytest.skip("the load goes to the lab's own stand-ins, and this cluster is not the lab's")
    return Lab(Path(kubeconfig), tmp_path_factory.mktemp("dashboards"))


def queries(workload: str) -> Iterator[tuple[str, str]]:
    """(where, PromQL) of every query to Prometheus. Panels of Loki and Jaeger have none: the lab runs neither."""
    variables = {**VARIABLES, "workload": workload}
    for path in sorted(FOLDER.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                if target["datasource"]["type"] == "prometheus":
                    expression = target["expr"]
                    for name, value in variables.items():
                        expression = expression.replace(f"${name}", value)
                    assert "$" not in expression, expression
                    yield f"{path.stem}: {panel['title']} ({target['refId']})", expression


def test_logs_and_traces_alone_are_not_asked_of_prometheus() -> None:
    others = {
        (path.stem, panel["title"])
        for path in FOLDER.glob("*.json")
        for panel in json.loads(path.read_text())["panels"]
        if any(target["datasource"]["type"] != "prometheus" for target in panel.get("targets", []))
    }
    assert others == {
        ("restaurant", "Logs"),
        ("restaurant", "Trace"),
        ("service", "Logs"),
        ("service", "Traces"),
        ("workload", "Logs"),
    }


def test_every_query_of_every_dashboard_has_data_under_load(lab: Lab) -> None:
    # Of the two, the one that serves; canaries of other tests have them take turns.
    missing = dict(queries(lab.workload(lab.stable)))
    assert missing
    with contextlib.ExitStack() as stack:
        for name, path in PATHS.items():
            stack.enter_context(lab.load(path, rate=5, name=name))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while missing and time.monotonic() < deadline:
            change_something(lab)
            missing = {where: expression for where, expression in missing.items() if not ask(lab, expression)}
            time.sleep(2)
    assert not missing, "\n".join(f"{where}: {expression}" for where, expression in missing.items())


def test_prometheus_evaluates_every_rule_of_the_role(lab: Lab) -> None:
    groups = get(lab, "rules")["groups"]
    loaded = {Path(group["file"]).name.removeprefix("rules-") for group in groups}
    assert loaded >= {path.name for path in RULES.glob("*.yml")}
    failing = {rule["name"]: rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")}
    assert not failing


def ask(lab: Lab, expression: str) -> bool:
    """Whether Prometheus has a value for it now, one that is a number."""
    return has_number(get(lab, "query", query=expression)["result"])


def has_number(result: list[dict[str, Any]]) -> bool:
    """Whether a sample of an answer is a number."""
    return any(sample["value"][1] != "NaN" for sample in result)


def get(lab: Lab, what: str, **parameters: str) -> dict[str, Any]:
    """Prometheus' answer."""
    with _OPENER.open(f"{lab.prometheus}/api/v1/{what}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)["data"]
    return found


def change_something(lab: Lab) -> None:
    """Gives istiod something to check, to inject and to push; nothing of it stays."""
    objects = CustomObjectsApi(lab.api)
    metadata = {"name": "dashboards-test", "namespace": NAMESPACE}
    entry = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": metadata,
        "spec": {"hosts": ["dashboards.test"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]},
    }
    objects.create_namespaced_custom_object(*SERVICE_ENTRIES, entry)
    objects.delete_namespaced_custom_object(*SERVICE_ENTRIES, "dashboards-test")
    wrong = {**entry, "spec": {}}
    with pytest.raises(ApiException):
        objects.create_namespaced_custom_object(*SERVICE_ENTRIES, wrong, dry_run="All")
    container = {
        "name": "test",
        "image": "test",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
    lab.core.create_namespaced_pod(NAMESPACE, pod, dry_run="All")
