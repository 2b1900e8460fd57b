# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The options of an analysis, as in doc fragment _analysis, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import moment
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.case import Rates
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.given import guard_of, metric_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.measure import Target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    COMPARE_MARGIN,
    REPORTERS,
    SOURCE,
    AnalysisFailure,
    Metric,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.providers.envoy import (
    Clients,
    Proxies,
    proxy_rights,
    read_proxies,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.providers.prometheus import (
    REPLICA_LABELS,
    Prometheus,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.sides import MetricSide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import ACCESS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import MeshCluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Account, problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.server import Server

_TEXT = {"type": "str", "default": ""}


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
            "options": {
                "max_error_rate": {"type": "float"},
                "max_increase": {"type": "float"},
                "window": {"type": "str", "default": "5m"},
                "error_codes": _TEXT,
            },
        },
        "since": _TEXT,
        "rollback_error_rate": {"type": "float", "default": 0.005},
        "promotion_error_rate": {"type": "float", "default": 0.01},
        "burst": {"type": "int", "default": 2},
    }


def _provider() -> dict[str, Any]:
    client = {"namespace": {"type": "str", "required": True}, "labels": _TEXT}
    return {
        "type": {"type": "str", "choices": ["prometheus", "envoy"], "default": "prometheus"},
        "url": _TEXT,
        "path_prefix": _TEXT,
        "token": {"type": "str", "default": "", "no_log": True},
        "token_file": {"type": "path", "default": ""},
        "username": _TEXT,
        "password": {"type": "str", "default": "", "no_log": True},
        # Not no_log: it would mask a tenant's short number everywhere in the result.
        "headers": {"type": "dict", "default": {}},
        "ca_cert": {"type": "path", "default": ""},
        "validate_certs": {"type": "bool", "default": True},
        "replica_labels": {"type": "list", "elements": "str", "default": list(REPLICA_LABELS)},
        "timeout": {"type": "float", "default": 5},
        "proxy_access": {"type": "str", "choices": list(ACCESS), "default": "port_forward"},
        "clients": {"type": "list", "elements": "dict", "default": [], "options": client},
    }


def _metric() -> dict[str, Any]:
    compare = {
        "to": {"type": "str", "choices": ["stable"], "default": "stable"},
        "max_ratio": {"type": "float"},
        "max_delta": {"type": "float"},
        "margin": {"type": "float", "default": COMPARE_MARGIN},
        "without_baseline": {"type": "str", "choices": ["no_data", "ignore"], "default": "no_data"},
    }
    return {
        "name": {"type": "str", "required": True},
        "window": {"type": "str", "default": "30s"},
        "error_codes": _TEXT,
        "query": _TEXT,
        "samples_query": _TEXT,
        "min_samples": {"type": "int"},
        "no_data": {"type": "str", "choices": ["wait", "inconclusive", "fail", "pass"]},
        "failure_limit": {"type": "int"},
        "threshold_range": {
            "type": "dict",
            "options": {
                "min": {"type": "float"},
                "max": {"type": "float"},
                "margin": {"type": "float", "default": 0},
            },
        },
        "percentile": {"type": "float", "default": 99},
        "compare": {"type": "dict", "options": compare},
        "reporter": {"type": "str", "choices": list(REPORTERS), "default": SOURCE},
    }


def metrics_of(params: Mapping[str, Any]) -> list[Metric]:
    """The metrics to measure. Raises AnalysisFailure if the options contradict each other."""
    provider = params["provider"]["type"]
    metrics = [metric_of(entry, provider) for entry in params["metrics"]]
    if params["whole_service_guard"]:
        metrics.append(guard_of(params["whole_service_guard"], provider, moment(params["since"]), metrics))
    if not metrics:
        raise AnalysisFailure("there is nothing to measure: set metrics or whole_service_guard.")
    return metrics


def rates_of(params: Mapping[str, Any]) -> Rates:
    """Raises AnalysisFailure if they are not valid."""
    for option in ("rollback_error_rate", "promotion_error_rate"):
        if not 0 < params[option] < 0.5:
            raise AnalysisFailure(
                f"{option} is {params[option]}: set a probability above 0 and below 0.5, such as 0.01."
            )
    if params["burst"] < 1:
        raise AnalysisFailure("burst must be 1 or more.")
    return Rates(params["rollback_error_rate"], params["promotion_error_rate"], params["burst"])


def target_of(params: Mapping[str, Any], backends: Sequence[str] = ()) -> Target:
    """``backends``: see Target."""
    service, __, rest = params["service"].partition(".")
    target = Target(
        service=service,
        # May be a host as in a VirtualService, order-service.shop.svc.cluster.local.
        namespace=rest.partition(".")[0] or params["namespace"],
        stable=_side(params["stable"], "v1"),
        canary=_side(params["canary"], "v2"),
        backends=tuple(backends),
    )
    if target.stable == target.canary:
        raise AnalysisFailure("stable and canary are the same version: set stable.subset and canary.subset.")
    return target


def source_of(params: Mapping[str, Any], cluster: MeshCluster | None, metrics: list[Metric], target: Target) -> Source:
    """The source of the counters. Only proxies need a cluster."""
    given = params["provider"]
    if given["type"] == "prometheus":
        server = Server(
            url=given["url"],
            path_prefix=given["path_prefix"],
            headers={name: str(value) for name, value in given["headers"].items()},
            token=given["token"],
            token_file=given["token_file"],
            username=given["username"],
            password=given["password"],
            ca_cert=given["ca_cert"],
            validate_certs=given["validate_certs"],
            timeout=given["timeout"],
        )
        if problem := server.problem():
            raise AnalysisFailure(problem)
        return Prometheus(server.fetch, target.hosts, replica_labels=tuple(given["replica_labels"]))
    if cluster is None:
        raise AnalysisFailure("provider envoy needs a cluster.")
    known, clients = cluster, clients_of(params)
    return Proxies(lambda: read_proxies(known, clients, given["proxy_access"], target.hosts))


def lacking_for_source(account: Account, params: Mapping[str, Any]) -> str:
    """The rights that the provider needs and the account lacks, in words. Empty with Prometheus."""
    provider = params["provider"]
    if provider["type"] != "envoy":
        return ""
    rights = proxy_rights(clients_of(params), provider["proxy_access"])
    return problem(
        account, rights, f"read the proxies' counters by {provider['proxy_access']}", "docs/canary-proxies.yml"
    )


def clients_of(params: Mapping[str, Any]) -> list[Clients]:
    """The pods whose proxies provider envoy queries."""
    return [Clients(entry["namespace"], entry["labels"]) for entry in params["provider"]["clients"]] or [
        Clients(params["namespace"]),
        Clients(params["istio_namespace"], "istio"),
    ]


def _side(given: Mapping[str, Any], subset: str) -> MetricSide:
    name = given.get("subset") or subset
    return MetricSide(name, given.get("version") or name, given.get("workload") or "")
