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
from typing import Any, NamedTuple
from urllib.parse import quote

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.http import http_get
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import (
    GATEWAY,
    Proxy,
    Version,
    may_be_left_over,
    proxies,
    version_of_push,
    without_leftovers,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, MeshCluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import living
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Account, Right, problem

_MONITORING_PORT = 15014
_SYNC_PATH = "/debug/syncz"
_WATCHES_PATH = "/debug/adsz?proxyID="
_ROUTES_PATH = "/debug/config_dump?types=RDS&proxyID="
_SCOPE_PATH = "/debug/sidecarz?proxyID="
# Envoy's own, which listens at the pod's loopback.
_ADMIN_PORT = 15000
_OWN_ROUTES_PATH = "/config_dump?resource=dynamic_route_configs"


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


class IstiodFailure(MeshError):
    """No istiod, or one that does not answer."""


class Istiods:
    """All istiods of a mesh, asked in the same way. Every method raises IstiodFailure and ApiFailure."""

    def __init__(self, cluster: MeshCluster, way: Way) -> None:
        self._cluster, self._way = cluster, way
        # Pod -> how to get a path from it.
        self._pods: dict[str, Callable[[str], bytes]] = {}

    def proxies(self) -> list[Proxy]:
        """Every connected proxy."""
        namespace = self._way.namespace
        pods = living(self._cluster.list("v1", "Pod", namespace, labels="app=istiod"))
        if not pods:
            raise IstiodFailure(f"there is no pod of istiod (label app=istiod) in namespace {namespace}")
        if self._way.access == "pod_address":
            headers = {"Authorization": f"Bearer {_token(self._cluster, self._way)}"}
            self._pods = {
                pod["metadata"]["name"]: partial(_from_address, pod["status"].get("podIP", ""), headers) for pod in pods
            }
        else:
            # A port-forward ends at the pod's loopback, which istiod trusts; the API server's own proxy does not.
            names = [pod["metadata"]["name"] for pod in pods]
            through = self._cluster.get_through_pod
            self._pods = {name: partial(through, namespace, name, _MONITORING_PORT) for name in names}
        return proxies({name: _sync_status(name, get) for name, get in self._pods.items()})

    def routes(self, proxy: Proxy) -> list[Mapping[str, Any]]:
        """The Envoy RouteConfigurations of a proxy of :meth:`proxies`. ApiFailure 404 where it has left.

        Of a gateway, istiod shows what it sends. A sidecar or waypoint must be asked itself, by a port-forward to its
        pod: istiod would make their routes of the configuration that the proxy had before, and keep them as if they
        were new in the cache from which it serves all proxies (pilot/pkg/xds/debug.go: LastPushContext with Start of
        now; pilot/pkg/model/typed_xds_cache.go: Add). A question in the middle of a push would leave the whole mesh
        with the previous routes. It caches no routes of gateways (pilot/pkg/networking/core/httproute.go).
        """
        if proxy.type != GATEWAY:
            return self._own_routes(proxy)
        answer = self._debug(proxy, _ROUTES_PATH)
        configurations: list[Mapping[str, Any]] = answer.get("configs") or []
        return configurations

    def scope(self, proxy: Proxy) -> tuple[Version | None, frozenset[str]]:
        """What istiod computed last for a sidecar: the version, and the services that it sends.

        The services are without the cluster's domain; a Sidecar resource may leave some out. Nothing of the answer
        comes from a cache. ApiFailure 404 where it has left.
        """
        found = self._debug(proxy, _SCOPE_PATH)
        hosts = frozenset(host.partition(".svc.")[0] for host in found.get("servicesByHostname") or {})
        return version_of_push(str(found.get("version", ""))), hosts

    def _debug(self, proxy: Proxy, path: str) -> dict[str, Any]:
        """istiod takes the first connection whose name has the proxy's in it.

        That is another one only where a pod's whole name is the end of another pod's name.
        """
        try:
            found: dict[str, Any] = json.loads(self._pods[proxy.istiod](f"{path}{quote(proxy.full_name)}"))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise IstiodFailure(f"{proxy.istiod} does not say what {proxy.key} gets: {error}") from error
        return found

    def _own_routes(self, proxy: Proxy) -> list[Mapping[str, Any]]:
        try:
            answer = self._cluster.get_through_pod(proxy.namespace, proxy.name, _ADMIN_PORT, _OWN_ROUTES_PATH)
            return [each.get("route_config") or {} for each in json.loads(answer).get("configs") or ()]
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiFailure(0, "Unreadable", f"the proxy does not show its routes: {error}") from error


def connected_proxies(cluster: MeshCluster, way: Way) -> list[Proxy]:
    """All proxies, as istiod's pods know them. Raises IstiodFailure and ApiFailure."""
    return Istiods(cluster, way).proxies()


def refuse_without_rights(cluster: MeshCluster, way: Way) -> None:
    """Raise IstiodFailure with the rights that the account lacks to ask istiod."""
    if lacking := way.problem(cluster):
        raise IstiodFailure(lacking)


def _sync_status(name: str, get: Callable[[str], bytes]) -> list[Mapping[str, Any]]:
    """Of the proxies of one pod of istiod."""
    try:
        return [_current(status, get) for status in json.loads(get(_SYNC_PATH))]
    except (ApiFailure, OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise IstiodFailure(f"istiod pod {name} does not say which proxies it serves: {error}") from error


def _current(status: Mapping[str, Any], get: Callable[[str], bytes]) -> Mapping[str, Any]:
    if not may_be_left_over(status):
        return status
    try:
        answer = json.loads(get(_WATCHES_PATH + quote(str(status["proxy"]))))
    except ApiFailure:
        # The proxy has left meanwhile, or this istiod does not report it: then what was refused counts.
        return status
    return without_leftovers(status, answer.get("clients") or ())


def _from_address(address: str, headers: Mapping[str, str], path: str) -> bytes:
    host = f"[{address}]" if ":" in address else address
    answer = http_get(f"http://{host}:{_MONITORING_PORT}{path}", headers, timeout=5)
    if answer.status != 200:
        raise ApiFailure(answer.status, "", f"it answers {answer.status}")
    return answer.body


def _token(cluster: MeshCluster, way: Way) -> str:
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
            f"there is no service account {way.account} in namespace {way.namespace} with which to query istiod. "
            "Create it, for example from docs/istiod-by-pod-address.yml, or name another one with istiod_account."
        ) from failure
    return str(review["status"]["token"])
