# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Values of Istio's annotations, as the injector takes them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import load_one

_QUANTITY = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
_INTERFACE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_BOOLEANS = {"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"}
_MODES = ("REDIRECT", "TPROXY", "NONE")
# MeshConfig.ProxyConfig, whose names may also be written as_here.
_PROXY_CONFIG = frozenset(
    (
        "configPath",
        "binaryPath",
        "serviceCluster",
        "tracingServiceName",
        "drainDuration",
        "discoveryAddress",
        "discoveryRefreshDelay",
        "zipkinAddress",
        "statsdUdpAddress",
        "envoyMetricsServiceAddress",
        "proxyAdminPort",
        "availabilityZone",
        "controlPlaneAuthPolicy",
        "customConfigFile",
        "statNameLength",
        "concurrency",
        "proxyBootstrapTemplatePath",
        "interceptionMode",
        "tracing",
        "sds",
        "envoyAccessLogService",
        "envoyMetricsService",
        "proxyMetadata",
        "runtimeValues",
        "statusPort",
        "extraStatTags",
        "gatewayTopology",
        "terminationDrainDuration",
        "meshId",
        "readinessProbe",
        "proxyStatsMatcher",
        "holdApplicationUntilProxyStarts",
        "caCertificatesPem",
        "image",
        "privateKeyProvider",
        "proxyHeaders",
        "fileFlushInterval",
        "fileFlushMinSizeKb",
        "statsCompression",
        "connectionSettings",
        "parentShutdownDuration",
    )
)


def problem_of(annotation: str, value: object) -> str:
    """What is wrong with the value; empty if it is valid, or not checked."""
    if not isinstance(value, str):
        return f"{value!r} is not a string; put it in quotes"
    judge = _JUDGES.get(annotation)
    return judge(value) if judge else ""


def _boolean(value: str) -> str:
    return "" if value in _BOOLEANS else f"{value!r} is neither true nor false"


def _number(value: str) -> str:
    return "" if value.isdecimal() and value.isascii() and int(value) < 2**32 else f"{value!r} is not a whole number"


def _port(value: str) -> str:
    text = value.strip()
    return "" if text.isdecimal() and text.isascii() and int(text) < 2**16 else f"{value!r} is not a valid port"


def _ports(value: str) -> str:
    problems = (_port(item) for item in value.split(",")) if value.strip() else iter(())
    return next((problem for problem in problems if problem), "")


def _ports_or_all(value: str) -> str:
    return "" if value == "*" else _ports(value)


def _networks(value: str) -> str:
    for item in value.split(",") if value else ():
        try:
            if "/" not in item:
                raise ValueError
            ipaddress.ip_network(item, strict=False)
        except ValueError:
            return f"{item!r} is not a valid network (for example 10.0.0.0/8)"
    return ""


def _networks_or_all(value: str) -> str:
    return "" if value == "*" else _networks(value)


def _interfaces(value: str) -> str:
    for item in value.split(",") if value else ():
        if not _INTERFACE.fullmatch(item.strip()):
            return f"{item!r} is not a valid network interface name"
    return ""


def _quantity(value: str) -> str:
    return "" if _QUANTITY.fullmatch(value) else f"{value!r} is not a valid quantity (for example 100m or 128Mi)"


def _mode(value: str) -> str:
    return "" if value in _MODES else f"{value!r} is not one of {', '.join(_MODES)}"


def _proxy_config(value: str) -> str:
    config = load_one(value)
    if not isinstance(config, dict):
        return "" if not value.strip() else "the value is not a YAML mapping"
    unknown = [str(key) for key in config if _camel(str(key)) not in _PROXY_CONFIG]
    if unknown:
        return f"{unknown[0]!r} is not a field of ProxyConfig"
    concurrency = config.get("concurrency")
    if concurrency is not None and (
        isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 0
    ):
        return f"concurrency {concurrency!r} is not a whole number from 0"
    return ""


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


_JUDGES: dict[str, Callable[[str], str]] = {
    "istio.io/reroute-virtual-interfaces": _interfaces,
    "prometheus.istio.io/merge-metrics": _boolean,
    "proxy.istio.io/config": _proxy_config,
    "readiness.status.sidecar.istio.io/failureThreshold": _number,
    "readiness.status.sidecar.istio.io/initialDelaySeconds": _number,
    "readiness.status.sidecar.istio.io/periodSeconds": _number,
    "sidecar.istio.io/interceptionMode": _mode,
    "sidecar.istio.io/proxyCPU": _quantity,
    "sidecar.istio.io/proxyCPULimit": _quantity,
    "sidecar.istio.io/proxyMemory": _quantity,
    "sidecar.istio.io/proxyMemoryLimit": _quantity,
    "status.sidecar.istio.io/port": _port,
    "traffic.sidecar.istio.io/excludeInboundPorts": _ports,
    "traffic.sidecar.istio.io/excludeInterfaces": _interfaces,
    "traffic.sidecar.istio.io/excludeOutboundIPRanges": _networks,
    "traffic.sidecar.istio.io/excludeOutboundPorts": _ports,
    "traffic.sidecar.istio.io/includeInboundPorts": _ports_or_all,
    "traffic.sidecar.istio.io/includeOutboundIPRanges": _networks_or_all,
    "traffic.sidecar.istio.io/kubevirtInterfaces": _interfaces,
}
