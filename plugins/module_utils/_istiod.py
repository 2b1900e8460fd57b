# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Questions to every istiod. Each knows only the proxies that are connected to itself."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._proxy_sync import (
    Proxy,
    may_be_left_over,
    proxies,
    without_leftovers,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke import Object, http_get, living

# How istiod is reached: through the API server, or at its pods' addresses where they are routed.
ACCESS = ("port_forward", "pod_address")
# For an argument spec; the doc fragment _istiod describes them.
ISTIOD_OPTIONS: dict[str, Any] = {
    "istio_namespace": {"type": "str", "default": "istio-system"},
    "istiod_access": {"type": "str", "choices": list(ACCESS), "default": "port_forward"},
}

_MONITORING_PORT = 15014
_SYNC_PATH = "/debug/syncz"
_WATCHES_PATH = "/debug/adsz?proxyID="


class Cluster(Api, Protocol):
    """A cluster whose pods can be reached through its API server."""

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The API server's answer."""

    def get_through_pod(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        """The answer to an HTTP request that comes from the pod's own loopback."""


class IstiodFailure(Exception):
    """No istiod, or one that does not answer."""


def connected_proxies(cluster: Cluster, namespace: str, access: str) -> list[Proxy]:
    """All proxies, as istiod's pods know them. `access` is one of ACCESS."""
    pods = living(cluster.list("v1", "Pod", namespace, labels="app=istiod"))
    if not pods:
        raise IstiodFailure(f"there is no pod of istiod (label app=istiod) in namespace {namespace}")
    headers = {"Authorization": f"Bearer {_token(cluster, pods[0])}"} if access == "pod_address" else {}
    return proxies(_ask(cluster, pod, access, headers) for pod in pods)


def _ask(cluster: Cluster, pod: Object, access: str, headers: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """The sync status of the pod's proxies."""
    name = pod["metadata"]["name"]
    try:
        get: Callable[[str], bytes]
        if access == "pod_address":
            get = partial(_from_address, pod["status"]["podIP"], headers)
        else:
            # A port-forward ends at the pod's loopback, which istiod trusts; the API server's own proxy does not.
            get = partial(cluster.get_through_pod, pod["metadata"]["namespace"], name, _MONITORING_PORT)
        return [_current(status, get) for status in json.loads(get(_SYNC_PATH))]
    except (ApiFailure, OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise IstiodFailure(f"istiod pod {name} does not say which proxies it serves: {error}") from error


def _current(status: Mapping[str, Any], get: Callable[[str], bytes]) -> Mapping[str, Any]:
    if not may_be_left_over(status):
        return status
    try:
        answer = json.loads(get(_WATCHES_PATH + quote(str(status["proxy"]))))
    except ApiFailure:
        # The proxy has left meanwhile, or this istiod does not tell: then what was refused counts.
        return status
    return without_leftovers(status, answer.get("clients") or ())


def _from_address(address: str, headers: Mapping[str, str], path: str) -> bytes:
    host = f"[{address}]" if ":" in address else address
    answer = http_get(f"http://{host}:{_MONITORING_PORT}{path}", headers, timeout=5)
    if answer.status != 200:
        raise ApiFailure(answer.status, "", f"it answers {answer.status}")
    return answer.body


def _token(cluster: Cluster, istiod: Object) -> str:
    """Ten minutes as istiod's own service account: beside its loopback, istiod answers only to its own namespace."""
    account = f"{istiod['metadata']['namespace']}/serviceaccounts/{istiod['spec']['serviceAccountName']}"
    review = cluster.request(
        "post",
        f"/api/v1/namespaces/{account}/token",
        body={
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": ["istio-ca"], "expirationSeconds": 600},
        },
    )
    return str(review["status"]["token"])
