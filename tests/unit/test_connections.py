"""What the components know about one another: names that one role gives and another one asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def logged(flags: str) -> str:
    """A line of the proxies' access log with the header traceparent."""
    return json.dumps({"path": "/", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-{flags}"}, separators=(",", ":"))


@pytest.mark.parametrize(
    ("line", "trace"),
    [
        (logged("01"), TRACE),
        (logged("03"), TRACE),
        (logged("00"), None),
        (logged("02"), None),
        (f'{{"trace_id":"{TRACE}"}}', TRACE),
        (f'{{"traceId":"{TRACE}"}}', TRACE),
        ('{"traceparent":null}', None),
    ],
)
def test_a_line_leads_to_a_trace_only_where_there_is_one(line: str, trace: str | None) -> None:
    # Grafana takes the first group of String.match in the browser; these expressions mean the same in Python.
    found = re.search(load("roles/grafana/vars/main/datasources.yml")["__grafana_trace_in_a_line"], line)
    assert (found and found[1]) == trace


def test_kiali_finds_each_dashboard_that_it_links_to() -> None:
    boards = [json.loads(path.read_text()) for path in (ROOT / "roles/grafana/files/dashboards").glob("*.json")]
    folders = load("roles/grafana/defaults/main.yml")["grafana_dashboard_folders"]
    for wanted in load("roles/kiali/vars/main.yml")["__kiali_dashboards"]:
        # Grafana finds a part of a title in any case, folders among the results, and Kiali takes the first result.
        titles = [*folders, *(board["title"] for board in boards)]
        found = [title for title in titles if wanted["name"].lower() in title.lower()]
        assert found == [wanted["name"]]
        (board,) = (board for board in boards if board["title"] == wanted["name"])
        taken = {f"var-{variable['name']}" for variable in board["templating"]["list"]}
        assert set(wanted["variables"].values()) <= taken


def test_the_api_servers_are_asked_by_a_name_that_their_certificates_have() -> None:
    account = load("roles/prometheus/vars/main/jobs.yml")["__prometheus_account"]
    # https://kubernetes.io/docs/setup/best-practices/certificates/ lists it for every API server.
    assert account["tls_config"]["server_name"] == "kubernetes.default.svc"


@pytest.mark.parametrize(
    ("annotations", "folder"),
    [
        ({}, "6f9a"),
        # The kubelet writes it to the mirror pod of a static one, whose folder is named by it (pkg/kubelet/types).
        ({"__meta_kubernetes_pod_annotation_kubernetes_io_config_hash": "0c11"}, "0c11"),
    ],
    ids=["a pod of the API", "a static pod"],
)
def test_the_collector_reads_the_files_of_each_kind_of_pod(annotations: dict[str, str], folder: str) -> None:
    text = (ROOT / "roles/alloy/templates/config.alloy.j2").read_text()
    labels = {
        "__meta_kubernetes_pod_uid": "6f9a",
        "__meta_kubernetes_pod_container_name": "kube-apiserver",
        **annotations,
    }
    for rule in re.findall(r"rule \{\n(.+?)\n  \}", text, re.DOTALL):
        given = {name: json.loads(value) for name, value in re.findall(r"^\s*(\w+)\s*= (.+)$", rule, re.MULTILINE)}
        joined = given.get("separator", ";").join(labels.get(name, "") for name in given["source_labels"])
        found = re.fullmatch(given.get("regex", "(.*)"), joined)
        if found and given.get("target_label") == "__path__":
            labels["__path__"] = given["replacement"].replace("$1", found[1])
    assert labels["__path__"] == f"/var/log/pods/*{folder}/kube-apiserver/*.log"
