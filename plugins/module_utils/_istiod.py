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
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._proxy_sync import (
    Proxy,
    may_be_left_over,
    proxies,
    without_leftovers,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._rights import Account, Right, problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke import Object, http_get, living

# How istiod is reached: through the API server, or at its pods' addresses where they are routed.
ACCESS = ("port_forward", "pod_address")
# As which istiod is asked at its pods' addresses; roles/istio makes it.
READER = "service-mesh-istiod-reader"
# For an argument spec; the doc fragment _istiod describes them.
ISTIOD_OPTIONS: dict[str, Any] = {
    "istio_namespace": {"type": "str", "default": "istio-system"},
    "istiod_access": {"type": "str", "choices": list(ACCESS), "default": "port_forward"},
    "istiod_account": {"type": "str", "default": READER},
}

_MONITORING_PORT = 15014
_SYNC_PATH = "/debug/syncz"
_WATCHES_PATH = "/debug/adsz?proxyID="


class Way(NamedTuple):
    """How istiod is asked.

    namespace: istiod's. access: one of ACCESS. account: the service account of that namespace as which it is asked at
    its pods' addresses.
    """

    namespace: str
    access: str
    account: str

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Way:
        """As ISTIOD_OPTIONS have it."""
        return cls(params["istio_namespace"], params["istiod_access"], params["istiod_account"])

    @property
    def rights(self) -> list[Right]:
        """What an account needs to ask it."""
        pods = Right("list", "", "pods", self.namespace)
        if self.access == "pod_address":
            return [pods, Right("create", "", "serviceaccounts/token", self.namespace, self.account)]
        return [pods, *port_forward_rights(self.namespace)]

    def problem(self, account: Account) -> str:
        """Which of the rights the account lacks; empty where it has them all."""
        purpose, manifest = f"ask istiod by {self.access}", f"docs/istiod-by-{self.access.replace('_', '-')}.yml"
        # It becomes a note or a warning.
        return problem(account, self.rights, purpose, manifest, in_one_line=True)


def port_forward_rights(namespace: str) -> list[Right]:
    """For a port-forward to a pod of the namespace, by a websocket.

    It begins with a GET, so RBAC sees ``get``. Kubernetes 1.35 and newer want ``create`` beside it (feature gate
    AuthorizePodWebsocketUpgradeCreatePermission, https://github.com/kubernetes/kubernetes/pull/134577).
    """
    return [Right(verb, "", "pods/portforward", namespace) for verb in ("get", "create")]


class Cluster(Api, Account, Protocol):
    """A cluster whose pods can be reached through its API server."""

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The API server's answer."""

    def get_through_pod(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        """The answer to an HTTP request that comes from the pod's own loopback."""


class IstiodFailure(Exception):
    """No istiod, or one that does not answer."""


def connected_proxies(cluster: Cluster, way: Way) -> list[Proxy]:
    """All proxies, as istiod's pods know them. Raises IstiodFailure and ApiFailure."""
    pods = living(cluster.list("v1", "Pod", way.namespace, labels="app=istiod"))
    if not pods:
        raise IstiodFailure(f"there is no pod of istiod (label app=istiod) in namespace {way.namespace}")
    headers = {"Authorization": f"Bearer {_token(cluster, way)}"} if way.access == "pod_address" else {}
    return proxies(_ask(cluster, pod, way, headers) for pod in pods)


def refuse_without_rights(cluster: Cluster, way: Way) -> None:
    """Raise IstiodFailure with the rights that the account lacks to ask istiod."""
    if lacking := way.problem(cluster):
        raise IstiodFailure(lacking)


def _ask(cluster: Cluster, pod: Object, way: Way, headers: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """The sync status of the pod's proxies."""
    name = pod["metadata"]["name"]
    try:
        get: Callable[[str], bytes]
        if way.access == "pod_address":
            get = partial(_from_address, pod["status"]["podIP"], headers)
        else:
            # A port-forward ends at the pod's loopback, which istiod trusts; the API server's own proxy does not.
            get = partial(cluster.get_through_pod, way.namespace, name, _MONITORING_PORT)
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


def _token(cluster: Cluster, way: Way) -> str:
    """Ten minutes, the shortest there is, as an account without rights.

    Beside its loopback, istiod tells all proxies only to accounts of its own namespace (ENABLE_DEBUG_ENDPOINT_AUTH, on
    since 1.27.6, 1.28.4 and 1.29), and takes tokens of the audience of its certificates, istio-ca.
    """
    account = f"{way.namespace}/serviceaccounts/{way.account}"
    wanted = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": ["istio-ca"], "expirationSeconds": 600},
    }
    try:
        review = cluster.request("post", f"/api/v1/namespaces/{account}/token", body=wanted)
    except ApiFailure as failure:
        if failure.status != 404:
            raise
        raise IstiodFailure(
            f"there is no service account {way.account} in namespace {way.namespace} as which istiod could be asked: "
            "role istio makes it, docs/istiod-by-pod-address.yml has it for other meshes, and istiod_account names "
            "another one."
        ) from failure
    return str(review["status"]["token"])
