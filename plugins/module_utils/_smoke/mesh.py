# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The smoke test's questions and how their answers are judged."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.http import Answer, http_get
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import shortened
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import Proxy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import has_sidecar, is_ready
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke.questions import Result


def page(answer: Answer, status: int, headers: Mapping[str, str]) -> Result:
    """A request through the gateway: the status and, by regular expression, the headers."""
    if answer.status != status:
        text = answer.body[:120].decode(errors="replace").strip()
        return Result(False, f"answers {answer.status}, expected {status}{': ' + text if text else ''}")
    seen = [str(answer.status)]
    for name, pattern in headers.items():
        value = answer.headers.get(name.lower(), "")
        if not re.search(pattern, value):
            return Result(False, f"header {name} is {value!r}, expected to match {pattern!r}")
        seen.append(f"{name} {value}")
    return Result(True, ", ".join(seen))


def prometheus_query(base_url: str, query: str) -> str:
    return f"{base_url.rstrip('/')}/api/v1/query?{urlencode({'query': query})}"


def metrics(answer: Answer) -> Result:
    """Prometheus knows at least one value above zero."""
    try:
        result = json.loads(answer.body)
        if result["status"] != "success":
            return Result(False, f"Prometheus rejects the query: {result.get('error', '')}")
        values = [float(sample["value"][1]) for sample in result["data"]["result"]]
    except (ValueError, KeyError, TypeError, IndexError):
        return Result(False, f"answers {answer.status} and is not a Prometheus")
    if not any(value > 0 for value in values):
        return Result(False, "Prometheus answers, but has no such samples yet")
    return Result(True, f"{sum(values):g}")


def rules(answer: Answer) -> Result:
    """Prometheus has rules, and none of them fails to evaluate. A rule without an evaluation yet is not a failure."""
    try:
        groups = json.loads(answer.body)["data"]["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        failing = [f"{rule['name']}: {rule.get('lastError', '')}" for rule in found if rule.get("health") == "err"]
    except (ValueError, KeyError, TypeError):
        return Result(False, f"answers {answer.status} and is not a Prometheus")
    if not found:
        return Result(False, "Prometheus has no rules, so no alert would ever fire")
    if failing:
        return Result(False, shortened(failing))
    return Result(True, f"{len(found)} rules in {len(groups)} groups")


def service(live: Object | None, slices: Sequence[Object], port: int) -> Result:
    """The Service exists, has the port, and a ready pod is behind it."""
    if live is None:
        return Result(False, "the Service does not exist")
    ports = [entry["port"] for entry in live["spec"].get("ports") or ()]
    if port not in ports:
        return Result(False, f"it has no port {port}, only {', '.join(map(str, ports))}")
    endpoints = [endpoint for entry in slices for endpoint in entry.get("endpoints") or ()]
    ready = [endpoint for endpoint in endpoints if (endpoint.get("conditions") or {}).get("ready") is not False]
    if not ready:
        return Result(False, "no ready pod is behind it")
    return Result(True, f"{len(ready)} ready")


def pods_ready(pods: Sequence[Object]) -> Result:
    if not pods:
        return Result(False, "there are no pods")
    missing = _names(pod for pod in pods if not is_ready(pod))
    return Result(False, f"not ready: {missing}") if missing else Result(True, f"{len(pods)} of {len(pods)}")


def sidecars(pods: Sequence[Object]) -> Result:
    if not pods:
        return Result(False, "there are no pods")
    missing = _names(pod for pod in pods if not has_sidecar(pod))
    if missing:
        return Result(
            False,
            f"no sidecar in {missing}: created before injection was turned on, or opted out. Restart or relabel them",
        )
    return Result(True, f"{len(pods)} of {len(pods)} pods")


def in_sync(known: Sequence[Proxy], meshed_pods: Sequence[Object]) -> Result:
    """Every proxy runs its last configuration, and every pod with a sidecar is connected."""
    behind = [proxy.describe() for proxy in known if not proxy.in_sync]
    if behind:
        return Result(False, shortened(behind))
    connected = {(proxy.namespace, proxy.name) for proxy in known}
    lost = _names(
        pod for pod in meshed_pods if (pod["metadata"]["namespace"], pod["metadata"]["name"]) not in connected
    )
    if lost:
        return Result(False, f"not connected to istiod: {lost}")
    return Result(True, f"{len(known)} of {len(known)} proxies")


def plaintext_refused(address: str, port: int, timeout: float) -> Result:
    """Speak HTTP to a pod that should accept only mutual TLS."""
    try:
        socket.create_connection((address, port), timeout).close()
    except OSError:
        return Result(None, "the pod network cannot be reached from here")
    try:
        answer = http_get(f"http://{address}:{port}/health", {}, timeout)
    except (OSError, http.client.HTTPException):
        return Result(True, f"{address}:{port} closes the connection")
    return Result(False, f"{address}:{port} answers plaintext with {answer.status}: PeerAuthentication is not STRICT")


def probe_pod(namespace: str) -> Object:
    """A pod to create in a dry run only; it meets the strictest Pod Security level."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "smoke-", "namespace": namespace, "labels": {"app": "smoke"}},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "smoke",
                    "image": "smoke.invalid/smoke:none",
                    "resources": {
                        "requests": {"cpu": "1m", "memory": "1Mi"},
                        "limits": {"cpu": "10m", "memory": "16Mi"},
                    },
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def bad_virtual_service(namespace: str) -> Object:
    """Passes the CRD's schema but is invalid: only istiod's webhook can refuse it."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "smoke-refuse-me", "namespace": namespace},
        "spec": {
            "hosts": ["smoke.invalid"],
            "http": [{"route": [{"destination": {"host": "smoke.invalid"}}], "redirect": {"uri": "/"}}],
        },
    }


def rights(params: Mapping[str, Any]) -> list[Right]:
    """The rights that the options of mesh_smoke need; the requests to istiod have rights of their own."""
    application, mesh = params["app_namespace"], params["mesh"]
    wanted = [Right("list", "", "pods", application)]
    if mesh and params["webhooks"]:
        wanted.append(Right("create", "", "pods", application))
        wanted.append(Right("create", "networking.istio.io", "virtualservices", application))
    if mesh and params["requests"] and not params["gateway_url"]:
        wanted.append(Right("get", "", "services", params["istio_namespace"], params["gateway_service"]))
    for service in params["services"]:
        wanted.append(Right("get", "", "services", service["namespace"], service["name"]))
        wanted.append(Right("list", "discovery.k8s.io", "endpointslices", service["namespace"]))
    return list(dict.fromkeys(wanted))


def _names(pods: Any) -> str:
    return shortened([pod["metadata"]["name"] for pod in pods])
