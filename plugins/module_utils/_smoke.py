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
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible_collections.corpv3.service_mesh.plugins.module_utils._proxy_sync import Proxy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._rights import Right
from ansible_collections.corpv3.service_mesh.plugins.module_utils._text import shortened

Object = dict[str, Any]
PROXY_CONTAINER = "istio-proxy"


@dataclass(frozen=True)
class Result:
    """One line of the table. `ok` is None where the question cannot be asked from here."""

    ok: bool | None
    detail: str


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def http_get(url: str, headers: Mapping[str, str], timeout: float, verify_tls: bool = True) -> Answer:
    """One request; a redirect is an answer, too. Raises OSError or HTTPException where there is none."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if not verify_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "corpv3-service-mesh-smoke", **headers})
        response = connection.getresponse()
        return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def page(answer: Answer, status: int, headers: Mapping[str, str]) -> Result:
    """A request through the gateway: the status and, by regular expression, the headers."""
    if answer.status != status:
        text = answer.body[:120].decode(errors="replace").strip()
        return Result(False, f"answers {answer.status} where {status} is expected{': ' + text if text else ''}")
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
            return Result(False, f"Prometheus refuses the query: {result.get('error', '')}")
        values = [float(sample["value"][1]) for sample in result["data"]["result"]]
    except (ValueError, KeyError, TypeError, IndexError):
        return Result(False, f"answers {answer.status} and is no Prometheus")
    if not any(value > 0 for value in values):
        return Result(False, "Prometheus answers, but has no such samples yet")
    return Result(True, f"{sum(values):g}")


def rules(answer: Answer) -> Result:
    """Prometheus has rules, and none of them fails to evaluate. One that was not evaluated yet is not wrong."""
    try:
        groups = json.loads(answer.body)["data"]["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        failing = [f"{rule['name']}: {rule.get('lastError', '')}" for rule in found if rule.get("health") == "err"]
    except (ValueError, KeyError, TypeError):
        return Result(False, f"answers {answer.status} and is no Prometheus")
    if not found:
        return Result(False, "Prometheus has no rules: nothing would ever raise an alert")
    if failing:
        return Result(False, shortened(failing))
    return Result(True, f"{len(found)} rules in {len(groups)} groups")


def service(live: Object | None, slices: Sequence[Object], port: int) -> Result:
    """The Service is there, has the port, and a ready pod is behind it."""
    if live is None:
        return Result(False, "there is no such Service")
    ports = [entry["port"] for entry in live["spec"].get("ports") or ()]
    if port not in ports:
        return Result(False, f"it has no port {port}, but {', '.join(map(str, ports))}")
    endpoints = [endpoint for entry in slices for endpoint in entry.get("endpoints") or ()]
    ready = [endpoint for endpoint in endpoints if (endpoint.get("conditions") or {}).get("ready") is not False]
    if not ready:
        return Result(False, "no ready pod is behind it")
    return Result(True, f"{len(ready)} ready")


def living(pods: Sequence[Object]) -> list[Object]:
    """Without those that have ended or are on their way out."""
    return [
        pod
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    ]


def has_sidecar(pod: Object) -> bool:
    """Native sidecars are init containers that go on running."""
    spec = pod["spec"]
    return any(
        container["name"] == PROXY_CONTAINER
        for key in ("containers", "initContainers")
        for container in spec.get(key) or ()
    )


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


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
            f"no sidecar in {missing}: made before injection was on, or opted out; restart or relabel them",
        )
    return Result(True, f"{len(pods)} of {len(pods)} pods")


def in_sync(known: Sequence[Proxy], meshed_pods: Sequence[Object]) -> Result:
    """Every proxy runs its last configuration, and every pod with a sidecar is connected at all."""
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
    """Speak HTTP to a pod that should only take mutual TLS."""
    try:
        socket.create_connection((address, port), timeout).close()
    except OSError:
        return Result(None, "the pod network cannot be reached from here")
    try:
        answer = http_get(f"http://{address}:{port}/health", {}, timeout)
    except (OSError, http.client.HTTPException):
        return Result(True, f"{address}:{port} ends the connection")
    return Result(False, f"{address}:{port} answers plaintext with {answer.status}: PeerAuthentication is not STRICT")


def probe_pod(namespace: str) -> Object:
    """A pod to be created in a dry run only; it passes the strictest Pod Security level."""
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
    """Passes the CRD's schema and is nonsense all the same: only istiod's webhook can refuse it."""
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
    """What an account needs to ask what the options of mesh_smoke ask; how istiod is asked has rights of its own."""
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
