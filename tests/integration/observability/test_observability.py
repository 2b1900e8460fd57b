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
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.capacity import Need, need, pod_need
from kubernetes import client
from kubernetes.dynamic import DynamicClient

from ..support.playbooks import INVENTORY, ROOT, RunPlaybook, lab_address
from ..support.refusals import refused
from ..support.snapshots import Snapshot

NAMESPACE = "istio-system"
# One role a component; together they must state the requests of every pod.
COMPONENTS = {
    "prometheus": ["prometheus"],
    "grafana": ["grafana"],
    "loki": ["loki"],
    "alloy": ["alloy"],
    "jaeger": ["jaeger-storage", "jaeger-collector", "jaeger-query"],
    "kiali": ["kiali"],
}

# All errors in a role's variables are reported at once, and so is what the cluster has no room for.
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "volumes and pods that the cluster cannot have": (
        {
            "prometheus_volume_size": "10Gi",
            "prometheus_alertmanager_volume_size": "20Gi",
            "prometheus_resources": {"requests": {"cpu": "500m", "memory": "1Ti"}},
        },
        [
            "volume istio-system/prometheus-server has 50Gi and cannot shrink to 10Gi",
            "Set the size to 50Gi",
            "storage-prometheus-alertmanager-0 has 10Gi",
            "patch pvc",
            "--cascade=orphan",
            "prometheus-server: one pod requests",
            "no node has that much left",
        ],
    ),
    "Grafana": (
        {
            "grafana_chart_path": str(ROOT / "tests"),
            "grafana_resources": {"requests": {"cpu": "lots"}},
            "grafana_plugins": ["grafana-piechart-panel"],
            "service_mesh_generated_secrets_allowed": False,
        },
        [
            "grafana_chart_path",
            "there is no chart",
            "grafana_resources.requests.cpu is 'lots'",
            "500m",
            "grafana_plugins has grafana-piechart-panel",
            "does not load since 12: remove it",
            "grafana_admin_password is empty",
            "grafana_admin_existing_secret",
        ],
    ),
    "Alertmanager": (
        {
            "prometheus_alertmanager_receivers": [{"name": "team", "slack_configs": [{"api_url": "https://hush"}]}],
            "prometheus_alertmanager_routes": {"critical": "on-call"},
            "prometheus_alertmanager_first_routes": [{"receiver": "canaries", "continue": True}],
        },
        [
            "api_url would put a secret into a ConfigMap",
            "api_url_file",
            "prometheus_alertmanager_routes.critical is 'on-call'",
            "prometheus_alertmanager_first_routes[0]",
            "'canaries'",
            "prometheus_alertmanager_receivers",
        ],
    ),
    "Kiali": (
        {"kiali_auth_strategy": "anonymous", "kiali_signing_key": "short"},
        [
            "kiali_auth_strategy is anonymous and kiali_service_type is LoadBalancer",
            "kiali_auth_strategy: token",
            "kiali_signing_key has 5 characters",
            "16, 24 or 32",
        ],
    ),
    "a missing key for Kiali": (
        {"service_mesh_generated_secrets_allowed": False, "grafana_admin_password": "given"},
        ["kiali_signing_key is empty", "kiali_signing_key_existing_secret"],
    ),
    "logs": (
        {"loki_retention": "12h", "service_mesh_log_collector": "fluentd"},
        [
            "loki_retention is 12h",
            "at least 24h",
            "service_mesh_log_collector is 'fluentd'",
            "alloy, promtail",
        ],
    ),
    "days, which Jaeger does not know": ({"jaeger_retention": "2d"}, ["jaeger_retention is '2d'", "48h"]),
    # The document's.
    "keys that the real charts do not know": (
        {
            "prometheus_values": {"alertmanager": {"persistentVolume": {"size": "10Gi"}}},
            "loki_values": {"loki": {"persistence": {"size": "100Gi"}}},
        },
        [
            "release istio-system/prometheus",
            "persistentVolume",
            "release istio-system/loki",
            "persistence",
            "The values come from prometheus_values, loki_values. Nothing was changed.",
        ],
    ),
}


class Cluster:
    """The cluster's state, read plainly."""

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


def test_generated_secrets_are_kept_and_never_shown(run_playbook: RunPlaybook, cluster: Cluster) -> None:
    secrets = {"grafana-admin": "admin-password", "kiali-signing-key": "key"}
    paths = {f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}": key for name, key in secrets.items()}
    before = {path: cluster.get(path) for path in paths}
    run = run_playbook("site.yml", "--tags", "grafana,kiali", "--diff", "-vvv")
    assert (run.rc, run.changed) == (0, 0), run.stdout
    for path, key in paths.items():
        assert before[path]["metadata"]["annotations"]["service-mesh.corpv3.com/generated"] == key
        assert cluster.get(path)["data"] == before[path]["data"]
        packed = before[path]["data"][key]
        plain = base64.b64decode(packed).decode()
        assert len(plain) == 32
        assert plain not in run.stdout
        assert packed not in run.stdout


def test_a_changed_configuration_restarts_each_of_those_named(run_playbook: RunPlaybook) -> None:
    changes = {
        "grafana_root_url": "https://grafana.example.com",
        "grafana_admin_password": "do-not-tell",
        "loki_retention": "240h",
        "alloy_external_labels": {"cluster": "other"},
        "jaeger_retention": "72h",
        "kiali_jaeger_url": "https://jaeger.example.com",
        "prometheus_retention": "20d",
    }
    tags = "grafana,loki,alloy,promtail,jaeger,kiali"
    run = run_playbook("site.yml", "--tags", tags, "--check", "--diff", "-vvv", variables=changes)
    assert (run.rc, run.changed) == (0, 2), run.stdout
    # Grafana's, Loki's, Alloy's and Kiali's charts mark their pods so; Jaeger's leaves it to the role.
    assert run.text.count("+ checksum/config:") == 4, run.stdout
    assert run.text.count("+ service-mesh.corpv3.com/config:") == 1, run.stdout
    assert "retention.time=20d" not in run.text, "Prometheus is not among those named"
    shown = [line for line in run.stdout.splitlines() if "do-not-tell" in line and "-e " not in line]
    assert shown == []


def test_a_component_alone_finds_its_services_served_at_once(run_playbook: RunPlaybook) -> None:
    play = {
        "hosts": "clusters",
        "gather_facts": False,
        "vars_files": [str(ROOT / "playbooks/vars/authentication.yml")],
        "environment": "{{ service_mesh_auth_environment }}",
        "roles": ["corpv3.service_mesh.grafana"],
    }
    run = run_playbook(json.dumps([play]), "-v")
    assert (run.rc, run.changed) == (0, 0), run.stdout
    looked = run.text.partition("Verify | Read the endpoints of the services")[2]
    assert "attempts: 1 " in looked, run.stdout


def test_the_labs_prometheus_runs_with_the_roles_rules(prometheus: Any) -> None:
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
