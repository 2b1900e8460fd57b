"""What the lab's proxies count: Istio's standard metrics, with their labels and in their meaning."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab import telemetry

# istio_stats.cc, in the order in which it adds them.
STANDARD_LABELS = [
    "reporter",
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_service",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_service_name",
    "destination_service_namespace",
    "destination_cluster",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
]


@pytest.mark.parametrize("reporter", ["source", "destination"])
def test_both_ends_count_with_istios_standard_labels(reporter: str) -> None:
    config = telemetry.access_logger(reporter)["typed_config"]
    metrics = config["counters"] + config["histograms"]
    assert [metric["stat"]["name"] for metric in metrics] == [
        "istio_requests_total",
        "istio_request_duration_milliseconds",
    ]
    for metric in metrics:
        assert [tag["name"] for tag in metric["stat"]["tags"]] == STANDARD_LABELS


def test_every_proxy_counts_and_knows_its_peer() -> None:
    patches = telemetry.envoy_filter()["spec"]["configPatches"]
    found = [(patch["match"]["context"], patch["applyTo"]) for patch in patches]
    contexts = ("SIDECAR_OUTBOUND", "GATEWAY", "SIDECAR_INBOUND")
    assert found == [(context, kind) for context in contexts for kind in ("HTTP_FILTER", "NETWORK_FILTER")]


def test_a_proxy_names_its_workload() -> None:
    labels = {
        "app": "orders",
        "version": "v2",
        "service.istio.io/canonical-name": "orders",
        "service.istio.io/canonical-revision": "v2",
    }
    environment = {"ISTIO_META_WORKLOAD_NAME": "orders-v2", "POD_NAMESPACE": "shop", "ISTIO_META_CLUSTER_ID": "one"}
    found = telemetry.peer_environment(labels, environment)
    assert found["MESHLAB_PEER"] == "orders-v2;shop;orders;v2;orders;v2;one"
    assert found["MESHLAB_CANONICAL_REVISION"] == "v2"
    # A variable that is missing would be printed as "-".
    assert telemetry.peer_environment({}, {})["MESHLAB_VERSION"] == ""
    assert telemetry.peer_environment({}, {})["MESHLAB_PEER"] == ";" * 6


def test_the_peers_fields_have_one_order() -> None:
    """Lua reads them by their place, the logger by their name."""
    code = (telemetry.TEMPLATES / "peer.lua").read_text(encoding="utf-8")
    fields = re.search(r"FIELDS = \{([^}]*)\}", code)
    assert fields
    assert tuple(re.findall(r'"(\w+)"', fields[1])) == telemetry.PEER


def test_the_bootstrap_prints_the_loggers_statistics_by_their_own_names() -> None:
    """Envoy's Wasm extension registers the namespace whose prefix is left out."""
    bootstrap = Path(telemetry.TEMPLATES / "envoy_bootstrap.json").read_text(encoding="utf-8")
    # Without the conditions of Go's template.
    plain = re.sub(r"\{\{- (?:if [^}]*|end) \}\}", "", bootstrap)
    read = json.loads(plain.replace("{{ .meta_json_str }}", "{}"))
    assert read["stats_flush_interval"] == "{{ .stats_flush_interval }}"
    assert [extension["name"] for extension in read["bootstrap_extensions"]] == ["meshlab.stats_namespace"]
    included = read["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"]
    assert {"prefix": f"{telemetry.STATS_NAMESPACE}."} in included
