"""Loki, Alloy, Promtail, Jaeger and Kiali as site.yml installs them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.dynamic import DynamicClient

APPS = "/apis/apps/v1/namespaces/istio-system"
CORE = "/api/v1/namespaces/istio-system"


@pytest.fixture
def get(api: client.ApiClient) -> Any:
    dynamic = DynamicClient(api)

    def query(path: str) -> Any:
        return json.loads(dynamic.request("get", path, serialize=False).data)

    return query


def config_of(get: Any, name: str, key: str = "config.yaml") -> Any:
    return yaml.safe_load(get(f"{CORE}/configmaps/{name}")["data"][key])


def names(get: Any, path: str) -> set[str]:
    return {item["metadata"]["name"] for item in get(path)["items"]}


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
    kiali = config_of(get, "kiali")
    assert kiali["auth"]["strategy"] == "token"
    assert kiali["login_token"]["signing_key"] == "secret:kiali-signing-key:key"
    requests = {
        "statefulsets/loki": {"cpu": "200m", "memory": "512Mi"},
        "daemonsets/alloy": {"cpu": "50m", "memory": "128Mi"},
        "deployments/jaeger-storage": {"cpu": "100m", "memory": "1Gi"},
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
    # Kiali gets Grafana only with an address for browsers and a token.
    wanted = {
        ("loki", 3100),
        ("prometheus-server", 80),
        ("jaeger-query", 16686),
        ("jaeger-storage", 17271),
    }
    assert asked == wanted
    assert asked <= services
    assert ("jaeger-collector", 4317) in services
