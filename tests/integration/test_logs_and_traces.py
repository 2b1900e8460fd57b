"""Loki, Alloy, Promtail, Jaeger and Kiali as site.yml installs them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.dynamic import DynamicClient

from .conftest import INVENTORY, RunPlaybook, Snapshot
from .test_bad_input import refused

APPS = "/apis/apps/v1/namespaces/istio-system"
CORE = "/api/v1/namespaces/istio-system"
TAGS = ("--tags", "loki,alloy,promtail,jaeger,kiali")

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "logs that are kept for less than a day": ({"loki_retention": "12h"}, ["loki_retention is 12h", "at least 24h"]),
    "days, which Jaeger does not know": ({"jaeger_retention": "2d"}, ["jaeger_retention is '2d'", "48h"]),
    "a mesh that anybody can look at": (
        {"kiali_auth_strategy": "anonymous"},
        ["kiali_auth_strategy is anonymous and kiali_service_type is LoadBalancer", "kiali_auth_strategy: token"],
    ),
    "a key that Kiali does not take": (
        {"kiali_signing_key": "short"},
        ["kiali_signing_key has 5 characters", "16, 24 or 32"],
    ),
    "a key that nobody chose": (
        {"service_mesh_generated_secrets_allowed": False, "grafana_admin_password": "given"},
        ["kiali_signing_key is empty", "kiali_signing_key_existing_secret"],
    ),
    "a collector that there is not": (
        {"service_mesh_log_collector": "fluentd"},
        ["service_mesh_log_collector is 'fluentd'", "alloy, promtail"],
    ),
    "a key of the document's that Loki's chart no longer knows": (
        {"loki_values": {"loki": {"persistence": {"size": "100Gi"}}}},
        ["release istio-system/loki", "persistence"],
    ),
}


@pytest.fixture
def get(api: client.ApiClient) -> Any:
    dynamic = DynamicClient(api)

    def look(path: str) -> Any:
        return json.loads(dynamic.request("get", path, serialize=False).data)

    return look


def config_of(get: Any, name: str, key: str = "config.yaml") -> Any:
    return yaml.safe_load(get(f"{CORE}/configmaps/{name}")["data"][key])


def names(get: Any, path: str) -> set[str]:
    return {item["metadata"]["name"] for item in get(path)["items"]}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str, run_playbook: RunPlaybook, cluster_snapshot: Snapshot) -> None:
    variables, words = CASES[case]
    refused(run_playbook, cluster_snapshot, variables, words)


def test_the_documents_figures(get: Any) -> None:
    claims = get(f"{CORE}/persistentvolumeclaims")["items"]
    sizes = {claim["metadata"]["name"]: claim["spec"]["resources"]["requests"]["storage"] for claim in claims}
    assert (sizes["storage-loki-0"], sizes["jaeger-badger"]) == ("100Gi", "20Gi")
    loki = config_of(get, "loki")
    assert loki["limits_config"]["retention_period"] == "168h"
    assert loki["compactor"]["retention_enabled"] is True
    assert loki["compactor"]["delete_request_store"] == "filesystem"
    assert [(entry["store"], entry["schema"]) for entry in loki["schema_config"]["configs"]] == [("tsdb", "v13")]
    badger = config_of(get, "jaeger-storage-config")["extensions"]["jaeger_storage"]["backends"]["traces"]["badger"]
    assert (badger["ttl"]["spans"], badger["ephemeral"]) == ("48h", False)
    assert config_of(get, "kiali")["auth"]["strategy"] == "token"
    requests = {
        "statefulsets/loki": {"cpu": "200m", "memory": "512Mi"},
        "daemonsets/alloy": {"cpu": "50m", "memory": "128Mi"},
        "deployments/jaeger-storage": {"cpu": "100m", "memory": "256Mi"},
        "deployments/kiali": {"cpu": "100m", "memory": "256Mi"},
    }
    for path, wanted in requests.items():
        template = get(f"{APPS}/{path}")["spec"]["template"]
        assert [container["resources"]["requests"] for container in template["spec"]["containers"]] == [wanted], path
        assert template["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert get(f"{APPS}/deployments/jaeger-storage")["spec"]["strategy"]["type"] == "Recreate"
    assert get(f"{APPS}/deployments/jaeger-collector")["spec"]["replicas"] == 2
    everything = names(get, f"{APPS}/statefulsets") | names(get, f"{APPS}/deployments")
    assert not [
        name for name in everything if re.search("memcached|cache|gateway$|canary", name) and "istio" not in name
    ]


def test_whom_they_ask_is_there(get: Any) -> None:
    services = {
        (service["metadata"]["name"], port["port"])
        for service in get(f"{CORE}/services")["items"]
        for port in service["spec"]["ports"]
    }
    texts = [
        json.dumps(get(f"{CORE}/configmaps/{name}")["data"])
        for name in ("alloy", "kiali", "jaeger-collector-config", "jaeger-query-config")
    ]
    asked = {
        (host, int(port))
        for text in texts
        for host, port in re.findall(r"([a-z0-9-]+)\.istio-system\.svc\.cluster\.local:(\d+)", text)
    }
    wanted = {
        ("loki", 3100),
        ("prometheus-server", 80),
        ("grafana", 80),
        ("jaeger-query", 16686),
        ("jaeger-storage", 17271),
    }
    assert asked == wanted
    assert asked <= services
    assert ("jaeger-collector", 4317) in services


def test_the_generated_key_is_kept_and_never_shown(run_playbook: RunPlaybook, get: Any) -> None:
    path = f"{CORE}/secrets/kiali-signing-key"
    before = get(path)
    key = base64.b64decode(before["data"]["key"]).decode()
    assert len(key) == 32
    assert config_of(get, "kiali")["login_token"]["signing_key"] == "secret:kiali-signing-key:key"
    run = run_playbook("site.yml", "--tags", "kiali", "--diff", "-vvv")
    assert (run.rc, run.changed) == (0, 0), run.stdout
    assert get(path)["data"] == before["data"]
    assert key not in run.stdout
    assert before["data"]["key"] not in run.stdout


def test_a_changed_configuration_restarts_each(run_playbook: RunPlaybook) -> None:
    changes = {
        "loki_retention": "240h",
        "alloy_external_labels": {"cluster": "other"},
        "jaeger_retention": "72h",
        "kiali_jaeger_url": "https://jaeger.example.com",
    }
    run = run_playbook("site.yml", *TAGS, "--check", "--diff", variables=changes)
    assert (run.rc, run.changed) == (0, 1), run.stdout
    # Loki's, Alloy's and Kiali's charts mark their pods so; Jaeger's leaves it to the role.
    assert run.text.count("+ checksum/config:") == 3, run.stdout
    assert run.text.count("+ service-mesh.corpv3.com/config:") == 1, run.stdout


@pytest.mark.skipif(bool(INVENTORY), reason="replaces what runs, so only on the tests' own lab")
def test_as_in_staging_and_back(run_playbook: RunPlaybook, get: Any) -> None:
    """One pod of Jaeger in place of its parts, and Promtail in place of Alloy: the same hosts, the same volume."""
    claim = get(f"{CORE}/persistentvolumeclaims/jaeger-badger")["metadata"]["uid"]
    staging = {
        "jaeger_mode": "all-in-one",
        "service_mesh_log_collector": "promtail",
        "kiali_auth_strategy": "anonymous",
        "kiali_service_type": "ClusterIP",
    }
    there = run_playbook("site.yml", *TAGS, variables=staging)
    assert there.rc == 0, there.stdout
    assert "Promtail's end of life was" in there.text
    assert {name for name in names(get, f"{APPS}/deployments") if "jaeger" in name} == {"jaeger"}
    assert {"promtail"} == names(get, f"{APPS}/daemonsets") & {"alloy", "promtail"}
    for host in ("jaeger-query", "jaeger-collector"):
        selector = get(f"{CORE}/services/{host}")["spec"]["selector"]
        assert selector["app.kubernetes.io/instance"] == "jaeger"
    assert config_of(get, "kiali")["deployment"]["view_only_mode"] is True

    again = run_playbook("site.yml", *TAGS, variables=staging)
    assert (again.rc, again.changed) == (0, 0), again.stdout

    back = run_playbook("site.yml", *TAGS)
    assert back.rc == 0, back.stdout
    assert {name for name in names(get, f"{APPS}/deployments") if "jaeger" in name} == {
        "jaeger-storage",
        "jaeger-collector",
        "jaeger-query",
    }
    assert {"alloy"} == names(get, f"{APPS}/daemonsets") & {"alloy", "promtail"}
    assert get(f"{CORE}/persistentvolumeclaims/jaeger-badger")["metadata"]["uid"] == claim
