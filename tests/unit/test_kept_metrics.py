"""What Prometheus drops after a scrape is read by no rule, dashboard, canary, bill, report or smoke test."""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/prometheus"

# Which job brings a metric: the beginning of its name, the longest that fits.
JOBS = {
    "alertmanager_": ["kubernetes-pods"],
    "apiserver_": ["kubernetes-api-servers"],
    "citadel_": ["istio-mesh"],
    "container_": ["kubernetes-nodes-cadvisor"],
    "envoy_": ["kubernetes-pods", "envoy-stats"],
    "galley_": ["istio-mesh"],
    "go_": ["istio-mesh", "prometheus"],
    "istio_": ["kubernetes-pods", "envoy-stats"],
    "istio_build": ["istio-mesh"],
    "kube_": ["kubernetes-service-endpoints"],
    "kubelet_": ["kubernetes-nodes"],
    "pilot_": ["istio-mesh"],
    "process_": ["istio-mesh", "prometheus"],
    "prometheus_": ["prometheus", "kubernetes-pods"],
    "rabbitmq_": ["kubernetes-pods"],
    "restaurant_": ["kubernetes-pods"],
    "sidecar_injection_": ["istio-mesh"],
}
# Prometheus' own, and those of a target that it adds after the metrics are relabelled.
ADDED = {"up", "scrape_samples_post_metric_relabeling", "scrape_samples_scraped"}
# A name for each selector that has but a regular expression, as Envoy writes it.
EXAMPLES = {
    "envoy_listener_(.+_)?ssl_certificate_.+_expiration_unix_time_seconds": (
        "envoy_listener_0_0_0_0_8443_ssl_certificate_kubernetes___restaurant_tls_expiration_unix_time_seconds"
    ),
}
# Python that asks Prometheus.
ASKS = ["_analysis/**/*.py", "_cost/*.py", "_report/*.py", "_topology/*.py", "_smoke/*.py", "../modules/mesh_smoke.py"]


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def read_by(expression: str) -> Iterator[str]:
    """The metrics that an expression reads; recorded series, which no scrape brings, are left out."""
    found: list[str] = []

    def see(node: promql_parser.Expr) -> None:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            named = [*filter(None, [selector.name])]
            for matcher in selector.matchers.matchers:
                if matcher.name == "__name__" and matcher.op == promql_parser.MatchOp.Re:
                    named.append(EXAMPLES[matcher.value])
            assert named, f"{expression}: a selector without a name reads everything"
            found.extend(named)

    promql_parser.walk(promql_parser.parse(expression), see)
    yield from (name for name in found if ":" not in name)


def rules() -> Iterator[str]:
    for path in (ROLE / "files/rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield from read_by(rule["expr"])


def dashboards() -> Iterator[str]:
    for path in (ROOT / "roles/grafana/files/dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            rows = [panel, *panel.get("panels", [])]
            for target in [target for row in rows for target in row.get("targets", [])]:
                if target.get("datasource", panel.get("datasource", {})).get("uid") == "prometheus":
                    # Durations that are variables.
                    yield from read_by(re.sub(r"(\[|offset )\$\w+", r"\g<1>5m", target["expr"]))
        for variable in board["templating"]["list"]:
            query = variable.get("query", "")
            if isinstance(query, dict):
                expression = re.fullmatch(r"label_values\((.+), \w+\)", query["query"])
                assert expression, query
                yield from read_by(expression[1])


def questions() -> Iterator[str]:
    """Names of metrics in the strings of the modules that ask Prometheus: their queries are made when they run."""
    for pattern in ASKS:
        paths = [*(ROOT / "plugins/module_utils").glob(pattern)]
        assert paths, f"{pattern} matches no file"
        for path in paths:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from re.findall(
                        r"\b(?:container|envoy|istio|kube|kubelet|pilot)(?:_[a-z0-9]+)+_(?:bucket|bytes|count|limits|sum|total)\b",
                        node.value,
                    )
    query = load("roles/smoke/defaults/main.yml")["smoke_prometheus_query"]
    yield from read_by(re.sub(r"\{\{.+?\}\}", "restaurant", query))


@functools.cache
def names() -> dict[str, list[str]]:
    return {"rules": sorted({*rules()}), "dashboards": sorted({*dashboards()}), "questions": sorted({*questions()})}


def jobs_of(metric: str) -> list[str]:
    fitting = [beginning for beginning in JOBS if metric.startswith(beginning)]
    assert fitting, f"which job brings {metric}? Add it to JOBS"
    return JOBS[max(fitting, key=len)]


def dropped_by(job: str, metric: str) -> bool:
    # As Prometheus does: the whole name. These expressions mean the same in Python.
    dropped = load("roles/prometheus/vars/main/dropped.yml")["__prometheus_dropped_metrics"]
    return any(re.fullmatch(name, metric) for name in dropped.get(job, []))


@pytest.mark.parametrize("reader", ["rules", "dashboards", "questions"])
def test_what_is_read_is_kept(reader: str) -> None:
    lost = [
        f"{metric} of job {job}"
        for metric in names()[reader]
        if metric not in ADDED
        for job in jobs_of(metric)
        if dropped_by(job, metric)
    ]
    assert not lost


def test_every_reader_is_checked() -> None:
    assert "kubelet_volume_stats_inodes_free" in names()["rules"]
    assert "pilot_xds_push_time_bucket" in names()["dashboards"]
    # A canary's, the bill's and the report's.
    assert "istio_request_duration_milliseconds_bucket" in names()["questions"]
    assert "container_memory_working_set_bytes" in names()["questions"]
    assert "kube_pod_container_resource_limits" in names()["questions"]


@pytest.mark.parametrize(
    ("job", "metric"),
    [
        ("kubernetes-api-servers", "apiserver_request_duration_seconds_bucket"),
        ("kubernetes-api-servers", "etcd_request_duration_seconds_bucket"),
        ("kubernetes-nodes-cadvisor", "container_fs_reads_bytes_total"),
        ("kubernetes-pods", "istio_response_bytes_bucket"),
    ],
)
def test_what_nothing_reads_is_dropped(job: str, metric: str) -> None:
    assert dropped_by(job, metric)


def test_a_drop_is_of_a_job_that_there_is() -> None:
    jobs = load("roles/prometheus/vars/main/jobs.yml")
    known = {*jobs["__prometheus_jobs_cluster"], *jobs["__prometheus_jobs_mesh"]}
    dropped = load("roles/prometheus/vars/main/dropped.yml")
    assert {*dropped["__prometheus_dropped_metrics"], *dropped["__prometheus_dropped_series"]} <= known
