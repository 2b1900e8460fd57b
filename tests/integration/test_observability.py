"""Prometheus and Grafana as site.yml installs them, and what the lab's Prometheus makes of it."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._capacity import Need, need, pod_need
from kubernetes import client
from kubernetes.dynamic import DynamicClient

from .conftest import INVENTORY, ROOT, RunPlaybook, Snapshot, lab_address
from .test_bad_input import refused

NAMESPACE = "istio-system"
# One role a component; together they must say of every pod what it requests.
COMPONENTS = {
    "prometheus": ["prometheus"],
    "grafana": ["grafana"],
    "loki": ["loki"],
    "alloy": ["alloy"],
    "jaeger": ["jaeger-storage", "jaeger-collector", "jaeger-query"],
    "kiali": ["kiali"],
}

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a volume that would shrink": (
        {"prometheus_volume_size": "10Gi"},
        ["volume istio-system/prometheus-server has 50Gi and cannot shrink to 10Gi", "Set the size to 50Gi"],
    ),
    "a StatefulSet's volume that would grow": (
        {"prometheus_alertmanager_volume_size": "20Gi"},
        ["storage-prometheus-alertmanager-0 has 10Gi", "patch pvc", "--cascade=orphan"],
    ),
    "a pod that no node can take": (
        {"prometheus_resources": {"requests": {"cpu": "500m", "memory": "1Ti"}}},
        ["prometheus-server: one pod requests", "no node has that left"],
    ),
    "a folder that is no chart": (
        {"grafana_chart_path": str(ROOT / "tests")},
        ["grafana_chart_path", "there is no chart"],
    ),
    "no quantity": (
        {"grafana_resources": {"requests": {"cpu": "lots"}}},
        ["grafana_resources.requests.cpu is 'lots'", "500m"],
    ),
    "a secret among the receivers": (
        {
            "prometheus_alertmanager_receivers": [{"name": "team", "slack_configs": [{"api_url": "https://hush"}]}],
            "prometheus_alertmanager_routes": {"critical": "team"},
        },
        ["api_url would put a secret into a ConfigMap", "api_url_file"],
    ),
    "a receiver that there is not": (
        {"prometheus_alertmanager_routes": {"critical": "on-call"}},
        ["prometheus_alertmanager_routes.critical is 'on-call'", "prometheus_alertmanager_receivers"],
    ),
    "a first route to a receiver that there is not": (
        {"prometheus_alertmanager_first_routes": [{"receiver": "canaries", "continue": True}]},
        ["prometheus_alertmanager_first_routes[0]", "'canaries'", "prometheus_alertmanager_receivers"],
    ),
    "a password that nobody chose": (
        {"service_mesh_generated_secrets_allowed": False},
        ["grafana_admin_password is empty", "grafana_admin_existing_secret"],
    ),
    "an Angular plugin": (
        {"grafana_plugins": ["grafana-piechart-panel"]},
        ["grafana_plugins has grafana-piechart-panel", "take the plugin out"],
    ),
}


class Cluster:
    """A plain look at the cluster."""

    def __init__(self, api: client.ApiClient) -> None:
        self._dynamic = DynamicClient(api)

    def get(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._dynamic.request("get", path, serialize=False).data)
        return answer


@pytest.fixture
def cluster(api: client.ApiClient) -> Cluster:
    return Cluster(api)


@pytest.fixture
def prometheus() -> Iterator[Any]:
    if INVENTORY:
        pytest.skip("only the lab's Prometheus is known to be reachable")

    def ask(path: str) -> Any:
        with urlopen(f"{lab_address(9090)}{path}") as answer:
            return json.load(answer)["data"]

    yield ask


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str, run_playbook: RunPlaybook, cluster_snapshot: Snapshot) -> None:
    variables, words = CASES[case]
    refused(run_playbook, cluster_snapshot, variables, words)


def test_a_key_that_the_real_chart_does_not_know_is_refused(
    run_playbook: RunPlaybook, cluster_snapshot: Snapshot
) -> None:
    variables = {"prometheus_values": {"alertmanager": {"persistentVolume": {"size": "10Gi"}}}}
    refused(run_playbook, cluster_snapshot, variables, ["release istio-system/prometheus", "persistentVolume"])


def test_the_documents_figures(cluster: Cluster) -> None:
    apps = f"/apis/apps/v1/namespaces/{NAMESPACE}"
    server = cluster.get(f"{apps}/deployments/prometheus-server")["spec"]
    container = server["template"]["spec"]["containers"][1]
    assert "--storage.tsdb.retention.time=15d" in container["args"]
    assert container["resources"]["requests"] == {"cpu": "500m", "memory": "2Gi"}
    assert need(container["resources"]["limits"]) == Need(Decimal(2), Decimal(4 * 1024**3))
    assert server["strategy"]["type"] == "Recreate"
    grafana = cluster.get(f"{apps}/deployments/grafana")["spec"]
    assert grafana["strategy"]["type"] == "Recreate"
    claims = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims")["items"]
    sizes = {claim["metadata"]["name"]: claim["spec"]["resources"]["requests"]["storage"] for claim in claims}
    assert sizes["prometheus-server"] == "50Gi"
    assert sizes["storage-prometheus-alertmanager-0"] == "10Gi"
    assert sizes["grafana"] == "10Gi"
    names = [item["metadata"]["name"] for item in cluster.get(f"{apps}/deployments")["items"]]
    assert not [name for name in names if "pushgateway" in name]


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_capacity_preflight_counts_what_the_pods_request(
    component: str, run_playbook: RunPlaybook, cluster: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "pods.json"
    play = {
        "hosts": "clusters",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Load the role's variables",
                "ansible.builtin.import_role": {
                    "name": f"corpv3.service_mesh.{component}",
                    "tasks_from": "preflight",
                },
            },
            {
                "name": "Keep what it would count",
                "ansible.builtin.copy": {
                    "content": f"{{{{ __{component}_pods | to_json }}}}",
                    "dest": str(file),
                    "mode": "0600",
                },
            },
        ],
    }
    run = run_playbook(json.dumps([play]))
    assert run.rc == 0, run.stdout
    nodes = len(cluster.get("/api/v1/nodes")["items"])
    declared = Need(Decimal(0), Decimal(0))
    for entry in json.loads(file.read_text()):
        count = nodes if entry.get("per_node") else entry.get("count", 1)
        declared += need(entry["requests"]).times(count)
    real = Need(Decimal(0), Decimal(0))
    for release in COMPONENTS[component]:
        labels = f"labelSelector=app.kubernetes.io%2Finstance%3D{release}"
        for pod in cluster.get(f"/api/v1/namespaces/{NAMESPACE}/pods?{labels}")["items"]:
            real += pod_need(pod)
    assert declared == real


def test_data_sources_and_services_agree(cluster: Cluster) -> None:
    config = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/grafana")["data"]["datasources.yaml"]
    sources = {source["uid"]: source["url"] for source in yaml.safe_load(config)["datasources"]}
    assert {"prometheus", "alertmanager"} <= set(sources)
    services = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/services")["items"]
    reachable = {
        f"http://{service['metadata']['name']}.{NAMESPACE}.svc.cluster.local:{port['port']}"
        for service in services
        for port in service["spec"]["ports"]
    }
    assert {url for url in sources.values() if url not in reachable} == set()


def test_dashboards_are_there_when_the_pod_starts(cluster: Cluster) -> None:
    pod = cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/grafana")["spec"]["template"]["spec"]
    mounted = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    held: set[str] = set()
    for name in mounted:
        held |= set(cluster.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}").get("data") or {})
    assert {path.name for path in (ROOT / "roles/grafana/files/dashboards").glob("*.json")} <= held
    # Nothing that would fetch them.
    assert [container["name"] for container in pod["containers"]] == ["grafana"]
    assert not pod.get("initContainers")


def test_the_generated_password_is_kept_and_never_shown(run_playbook: RunPlaybook, cluster: Cluster) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/grafana-admin"
    before = cluster.get(path)
    assert before["metadata"]["annotations"]["service-mesh.corpv3.com/generated"] == "admin-password"
    password = base64.b64decode(before["data"]["admin-password"]).decode()
    assert len(password) == 32
    run = run_playbook("site.yml", "--tags", "grafana", "--diff", "-vvv")
    assert run.rc == 0, run.stdout
    assert cluster.get(path)["data"] == before["data"]
    assert password not in run.stdout
    assert before["data"]["admin-password"] not in run.stdout


def test_a_given_password_appears_nowhere(run_playbook: RunPlaybook) -> None:
    run = run_playbook(
        "site.yml",
        "--tags",
        "grafana",
        "--check",
        "--diff",
        "-vvv",
        variables={"grafana_admin_password": "do-not-tell"},
    )
    assert run.changed == 1, run.stdout
    told = [line for line in run.stdout.splitlines() if "do-not-tell" in line and "-e " not in line]
    assert told == []


def test_a_changed_configuration_restarts_the_pod(run_playbook: RunPlaybook) -> None:
    variables = {"grafana_root_url": "https://grafana.example.com"}
    run = run_playbook("site.yml", "--tags", "grafana", "--check", "--diff", variables=variables)
    assert run.changed == 1, run.stdout
    assert "+ checksum/config:" in run.text, run.stdout


def test_one_component_by_its_tag(run_playbook: RunPlaybook) -> None:
    variables = {"grafana_root_url": "https://grafana.example.com"}
    run = run_playbook("site.yml", "--tags", "prometheus", "--check", variables=variables)
    assert (run.rc, run.changed) == (0, 0), run.stdout


def test_the_labs_prometheus_runs_with_the_roles_rules(prometheus: Any, cluster: Cluster) -> None:
    groups = prometheus("/api/v1/rules")["groups"]
    loaded = {(Path(group["file"]).name, group["name"]) for group in groups}
    wanted = {
        (f"rules-{path.name}", group["name"])
        for path in (ROOT / "roles/prometheus/files/rules").glob("*.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
    }
    assert wanted
    assert loaded == wanted
    failing = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]
    assert failing == []


def test_no_target_is_scraped_twice(prometheus: Any) -> None:
    targets = prometheus("/api/v1/targets?state=active")["activeTargets"]
    assert {"kubernetes-pods", "istio-mesh"} <= {target["scrapePool"] for target in targets}
    assert [url for url, count in Counter(target["scrapeUrl"] for target in targets).items() if count > 1] == []
    assert {target["health"] for target in targets if target["scrapePool"] == "istio-mesh"} == {"up"}
