# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The options of an analysis, as the doc fragment _analysis describes them, and what they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import (
    AnalysisFailure,
    Metric,
    guard_of,
    metric_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_envoy import (
    Clients,
    Proxies,
    proxy_rights,
    read_proxies,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_http import Server
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_measure import Side, Target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_prometheus import Prometheus
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_run import moment
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_series import Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istiod import ACCESS, Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._rights import Account, problem

_TEXT = {"type": "str", "default": ""}
_NO_DATA = {"type": "str", "choices": ["wait", "inconclusive", "fail", "pass"], "default": "wait"}
_JUDGED = {
    "window": {"type": "str", "default": "30s"},
    "min_samples": {"type": "int", "default": 20},
    "no_data": _NO_DATA,
    "failure_limit": {"type": "int", "default": 0},
    "error_codes": _TEXT,
}


def options() -> dict[str, Any]:
    """For an argument spec."""
    side = {
        "type": "dict",
        "default": {},
        "options": {"subset": {"type": "str"}, "version": _TEXT, "workload": _TEXT},
    }
    return {
        "namespace": {"type": "str", "required": True},
        "service": {"type": "str", "required": True},
        "stable": side,
        "canary": side,
        "provider": {"type": "dict", "default": {}, "options": _provider()},
        "istio_namespace": {"type": "str", "default": "istio-system"},
        "metrics": {"type": "list", "elements": "dict", "default": [], "options": _metric()},
        "whole_service_guard": {
            "type": "dict",
            "options": {"max_error_rate": {"type": "float"}, "max_increase": {"type": "float"}, **_JUDGED},
        },
        "since": _TEXT,
    }


def _provider() -> dict[str, Any]:
    client = {"namespace": {"type": "str", "required": True}, "labels": _TEXT}
    return {
        "type": {"type": "str", "choices": ["prometheus", "envoy"], "default": "prometheus"},
        "url": _TEXT,
        "path_prefix": _TEXT,
        "token": {"type": "str", "default": "", "no_log": True},
        "username": _TEXT,
        "password": {"type": "str", "default": "", "no_log": True},
        # Not no_log: a tenant's short number would be blotted out wherever a result has that digit.
        "headers": {"type": "dict", "default": {}},
        "ca_cert": {"type": "path", "default": ""},
        "validate_certs": {"type": "bool", "default": True},
        "timeout": {"type": "float", "default": 5},
        "proxy_access": {"type": "str", "choices": list(ACCESS), "default": "port_forward"},
        "clients": {"type": "list", "elements": "dict", "default": [], "options": client},
    }


def _metric() -> dict[str, Any]:
    compare = {
        "to": {"type": "str", "choices": ["stable"], "default": "stable"},
        "max_ratio": {"type": "float"},
        "max_delta": {"type": "float"},
        "without_baseline": {"type": "str", "choices": ["no_data", "ignore"], "default": "no_data"},
    }
    return {
        **_JUDGED,
        "name": {"type": "str", "required": True},
        "query": _TEXT,
        "samples_query": _TEXT,
        "threshold_range": {"type": "dict", "options": {"min": {"type": "float"}, "max": {"type": "float"}}},
        "percentile": {"type": "float", "default": 99},
        "compare": {"type": "dict", "options": compare},
        "consecutive_error_limit": {"type": "int", "default": 4},
        "critical": {"type": "bool", "default": False},
        "reporter": {"type": "str", "choices": ["source", "destination"], "default": "source"},
    }


def metrics_of(params: Mapping[str, Any]) -> list[Metric]:
    """What is to be measured. Raises AnalysisFailure where the options contradict themselves."""
    provider = params["provider"]["type"]
    metrics = [metric_of(entry, provider) for entry in params["metrics"]]
    if params["whole_service_guard"]:
        metrics.append(guard_of(params["whole_service_guard"], provider, moment(params["since"])))
    if not metrics:
        raise AnalysisFailure("there is nothing to measure: give metrics or whole_service_guard.")
    return metrics


def target_of(params: Mapping[str, Any]) -> Target:
    service, __, rest = params["service"].partition(".")
    target = Target(
        service=service,
        # As a VirtualService would name it, order-service.shop.svc.cluster.local.
        namespace=rest.partition(".")[0] or params["namespace"],
        stable=_side(params["stable"], "v1"),
        canary=_side(params["canary"], "v2"),
    )
    if target.stable == target.canary:
        raise AnalysisFailure("stable and canary are the same.")
    return target


def source_of(params: Mapping[str, Any], cluster: Cluster | None, metrics: list[Metric]) -> Source:
    """Where the counters are read. Only proxies need a cluster."""
    given, target = params["provider"], target_of(params)
    if given["type"] == "prometheus":
        server = Server(
            url=given["url"],
            path_prefix=given["path_prefix"],
            headers={name: str(value) for name, value in given["headers"].items()},
            token=given["token"],
            username=given["username"],
            password=given["password"],
            ca_cert=given["ca_cert"],
            validate_certs=given["validate_certs"],
            timeout=given["timeout"],
        )
        if problem := server.problem():
            raise AnalysisFailure(problem)
        return Prometheus(server.fetch, target.service, target.namespace)
    if cluster is None:
        raise AnalysisFailure("provider: envoy needs a cluster.")
    known, clients = cluster, clients_of(params)
    return Proxies(
        lambda: read_proxies(known, clients, given["proxy_access"], target.service, target.namespace),
        keep=max(metric.window for metric in metrics),
    )


def lacking_for_source(account: Account, params: Mapping[str, Any]) -> str:
    """What the account may not do though the provider needs it; empty where it may, and with Prometheus."""
    provider = params["provider"]
    if provider["type"] != "envoy":
        return ""
    rights = proxy_rights(clients_of(params), provider["proxy_access"])
    return problem(
        account, rights, f"read the proxies' counters by {provider['proxy_access']}", "docs/canary-proxies.yml"
    )


def clients_of(params: Mapping[str, Any]) -> list[Clients]:
    """The pods whose proxies are asked by provider envoy."""
    return [Clients(entry["namespace"], entry["labels"]) for entry in params["provider"]["clients"]] or [
        Clients(params["namespace"]),
        Clients(params["istio_namespace"], "istio"),
    ]


def _side(given: Mapping[str, Any], subset: str) -> Side:
    name = given.get("subset") or subset
    return Side(name, given.get("version") or name, given.get("workload") or "")
