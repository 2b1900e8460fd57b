"""Istio's standard metrics from a plain Envoy: what ``istio.stats`` and metadata exchange do in Istio's own build.

Each proxy counts its requests with Envoy's own access logger for statistics; a few lines of Lua tell the peers of each
other. Names, labels and their meaning are those of Istio's extension (istio_stats.cc). istiod gets it as an EnvoyFilter
out of a file, so the cluster has no object of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .settings import Settings

Object = dict[str, Any]
TEMPLATES = Path(__file__).parent / "templates"
# The namespace of statistics that the bootstrap registers (with an empty Wasm module), so that Envoy prints their names
# as they are, without its own prefix.
STATS_NAMESPACE = "wasmcustom"
# What a proxy tells its peer, in this order; each is an environment variable of the proxy too.
PEER = ("workload", "namespace", "app", "version", "canonical_service", "canonical_revision", "cluster")

_HCM = "envoy.filters.network.http_connection_manager"
_TYPE = "type.googleapis.com/envoy.extensions."
_PEER = "metadata.filter_metadata['meshlab.peer']"
_ENDPOINT = "xds.upstream_host_metadata"
_SERVICE = "xds.cluster_metadata.filter_metadata['istio'].services[0]"
# Not a service: traffic that the mesh does not know, or does not let pass.
_NO_SERVICE = ("PassthroughCluster", "BlackHoleCluster", "InboundPassthroughCluster", "InboundPassthroughClusterIpv4")


def peer_environment(labels: dict[str, str], environment: dict[str, str]) -> dict[str, str]:
    """The variables that say whose proxy it is. ``environment``: of its container, as injection has made it."""
    values = {
        "workload": environment.get("ISTIO_META_WORKLOAD_NAME", ""),
        "namespace": environment.get("POD_NAMESPACE", ""),
        "app": labels.get("app", ""),
        "version": labels.get("version", ""),
        "canonical_service": labels.get("service.istio.io/canonical-name", ""),
        "canonical_revision": labels.get("service.istio.io/canonical-revision", ""),
        "cluster": environment.get("ISTIO_META_CLUSTER_ID", ""),
    }
    named = {_variable(name): values[name] for name in PEER}
    return {"MESHLAB_PEER": ";".join(values[name] for name in PEER), **named}


def write_filter(settings: Settings) -> None:
    """Put the EnvoyFilter where the lab's istiod looks for it."""
    settings.istio_config.mkdir(parents=True, exist_ok=True)
    # YAML, as istiod reads it; JSON is a part of that.
    text = json.dumps(envoy_filter(), indent=1)
    (settings.istio_config / "istio_stats.yaml").write_text(text + "\n", encoding="utf-8")


def envoy_filter() -> Object:
    """For every proxy of the mesh."""
    patches = []
    for context, reporter in (
        ("SIDECAR_OUTBOUND", "source"),
        ("GATEWAY", "source"),
        ("SIDECAR_INBOUND", "destination"),
    ):
        match = {"context": context, "listener": {"filterChain": {"filter": {"name": _HCM}}}}
        end = "client" if reporter == "source" else "server"
        patches.append(
            {
                "applyTo": "HTTP_FILTER",
                "match": match,
                "patch": {"operation": "INSERT_FIRST", "value": _exchange(end)},
            }
        )
        manager = {
            "@type": f"{_TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager",
            "access_log": [access_logger(reporter)],
        }
        patches.append(
            {
                "applyTo": "NETWORK_FILTER",
                "match": match,
                "patch": {"operation": "MERGE", "value": {"name": _HCM, "typed_config": manager}},
            }
        )
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "lab-istio-stats", "namespace": "istio-system"},
        "spec": {"configPatches": patches},
    }


def _exchange(end: str) -> Object:
    """The filter of metadata exchange, of a client's or of a server's end."""
    code = (TEMPLATES / "peer.lua").read_text(encoding="utf-8")
    code += f"\nenvoy_on_request, envoy_on_response = {end}_request, {end}_response\n"
    return {
        "name": "meshlab.peer",
        "typed_config": {
            "@type": f"{_TYPE}filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": code},
            "clear_route_cache": False,
        },
    }


def access_logger(reporter: str) -> Object:
    """The logger that counts. ``reporter`` is source or destination."""
    tags = [{"name": name, "value_format": value} for name, value in _labels(reporter).items()]
    duration = {"name": "istio_request_duration_milliseconds", "tags": tags}
    return {
        "name": "meshlab.istio_stats",
        "typed_config": {
            "@type": f"{_TYPE}access_loggers.stats.v3.Config",
            "stat_prefix": STATS_NAMESPACE,
            "counters": [{"stat": {"name": "istio_requests_total", "tags": tags}, "value_fixed": 1}],
            "histograms": [{"stat": duration, "unit": "Milliseconds", "value_format": "%DURATION%"}],
        },
    }


def _labels(reporter: str) -> dict[str, str]:
    """Label to access log format, in the order in which Istio prints them."""
    own = {name: f"%ENVIRONMENT({_variable(name)})%" for name in PEER}
    peer = {name: _cel(_peer(name, part if reporter == "source" else None)) for name, part in _PARTS.items()}
    source, destination = (own, peer) if reporter == "source" else (peer, own)
    side = "upstream" if reporter == "source" else "connection"
    theirs, ours = (_certificate(f"{side}.uri_san_{whose}_certificate") for whose in ("peer", "local"))
    source_principal, destination_principal = (ours, theirs) if reporter == "source" else (theirs, ours)
    encrypted = "has(connection.uri_san_peer_certificate) && connection.uri_san_peer_certificate != ''"
    # A client does not say.
    security = "unknown" if reporter == "source" else _cel(f"{encrypted} ? 'mutual_tls' : 'none'")
    return {
        "reporter": reporter,
        "source_workload": source["workload"],
        "source_canonical_service": source["canonical_service"],
        "source_canonical_revision": source["canonical_revision"],
        "source_workload_namespace": source["namespace"],
        "source_principal": source_principal,
        "source_app": source["app"],
        "source_version": source["version"],
        "source_cluster": source["cluster"],
        "destination_workload": destination["workload"],
        "destination_workload_namespace": destination["namespace"],
        "destination_principal": destination_principal,
        "destination_app": destination["app"],
        "destination_version": destination["version"],
        "destination_service": _cel(_service("host", "request.host")),
        "destination_canonical_service": destination["canonical_service"],
        "destination_canonical_revision": destination["canonical_revision"],
        "destination_service_name": _cel(_service("name", _NAME_WITHOUT_SERVICE)),
        "destination_service_namespace": _cel(_service("namespace", _peer("namespace", 1)))
        if reporter == "source"
        else own["namespace"],
        "destination_cluster": destination["cluster"],
        "request_protocol": _cel(f"{_IS_GRPC} ? 'grpc' : 'http'"),
        "response_code": "%RESPONSE_CODE%",
        "grpc_response_status": "%GRPC_STATUS_NUMBER%",
        "response_flags": "%RESPONSE_FLAGS%",
        "connection_security_policy": security,
    }


# Which part of an endpoint's metadata (name;namespace;canonical name;revision;cluster) says it, where the peer has not:
# app and version are not among them.
_PARTS = {
    "workload": 0,
    "namespace": 1,
    "app": None,
    "version": None,
    "canonical_service": 2,
    "canonical_revision": 3,
    "cluster": 4,
}
_IS_GRPC = (
    "'content-type' in request.headers && (request.headers['content-type'] == 'application/grpc' || "
    "request.headers['content-type'].startsWith('application/grpc+'))"
)
_NAME_WITHOUT_SERVICE = (
    f"has(xds.cluster_name) && xds.cluster_name in {list(_NO_SERVICE)} ? xds.cluster_name : request.host"
)


def _cel(expression: str) -> str:
    return f"%CEL({expression})%"


def _variable(name: str) -> str:
    return f"MESHLAB_{name.upper()}"


def _peer(name: str, part: int | None) -> str:
    """What the peer has sent; without it, what istiod has sent about the endpoint; without an endpoint, unknown."""
    unknown = "'latest'" if name == "canonical_revision" else "'unknown'"
    otherwise = unknown
    if part is not None:
        workload = f"{_ENDPOINT}.filter_metadata['istio'].workload"
        extracted = f"re.extract({workload}, '^(?:[^;]*;){{{part}}}([^;]*).*$', '\\\\1')"
        otherwise = f"(has({_ENDPOINT}) && 'istio' in {_ENDPOINT}.filter_metadata ? {extracted} : {unknown})"
    return f"('meshlab.peer' in metadata.filter_metadata ? {_PEER}.told['{name}'] : {otherwise})"


def _service(field: str, otherwise: str) -> str:
    """Of the cluster's metadata, as istiod sends it."""
    known = "has(xds.cluster_metadata) && 'istio' in xds.cluster_metadata.filter_metadata"
    return f"({known} ? {_SERVICE}['{field}'] : ({otherwise}))"


def _certificate(attribute: str) -> str:
    return _cel(f"has({attribute}) && {attribute} != '' ? {attribute} : 'unknown'")
