# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The cluster's API. The only file that knows kubernetes.core and the kubernetes client."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import run_memory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.kubeconfig import kubeconfig_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.renewable import Renewable
from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as k8s_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.exceptions import CoreException

try:
    import urllib3
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config import ConfigException
    from kubernetes.dynamic.exceptions import DynamicApiError
except ImportError:
    # Cluster names the missing library.
    class _NeverRaised(Exception):
        pass

    ApiException = ConfigException = DynamicApiError = _NeverRaised

__all__ = ["ApiFailure", "Cluster"]

# What kubernetes.core asks of each of its modules.
_OLDEST_CLIENT = "24.2.0"
# Every attempt is made four times.
_CONNECT_TIMEOUT, _READ_TIMEOUT = 5, 60
# Longer than a webhook has time (10 s), since only the API server's own answer names the webhook.
_IMPATIENT = (3, 12)
# Objects of one answer; what the API server advises for lists that may be long.
_PAGE = 1000
_JSON = "application/json"
_METADATA_ONLY = f"{_JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# What the run remembers of discovery.
_KINDS = "kinds"
# What an emergency needs is reached without discovery, which may be refused or away: their names are a part of the API.
_FIXED = {
    ("v1", "Pod"): Resource("pods", True),
    ("v1", "Service"): Resource("services", True),
    ("apps/v1", "Deployment"): Resource("deployments", True),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): Resource("horizontalpodautoscalers", True),
    ("coordination.k8s.io/v1", "Lease"): Resource("leases", True),
    ("discovery.k8s.io/v1", "EndpointSlice"): Resource("endpointslices", True),
    ("networking.istio.io/v1", "DestinationRule"): Resource("destinationrules", True),
    ("networking.istio.io/v1", "VirtualService"): Resource("virtualservices", True),
}


class Cluster:
    """One API server. Safe to use from several threads."""

    def __init__(self, module: AnsibleK8SModule, impatient: bool = False) -> None:
        """``impatient``: the caller tries again by itself, and can do something better than wait for one answer.

        Nothing is asked of the API server before the first request, so what cannot be discovered stops nothing.
        """
        module.requires("kubernetes")
        module.has_at_least("kubernetes", _OLDEST_CLIENT, warn=True)
        self._timeouts = _IMPATIENT if impatient else (_CONNECT_TIMEOUT, _READ_TIMEOUT)
        # kubernetes.core keeps one API client for each set of credentials.
        self._renewable = Renewable(lambda: _connected(module, impatient), lambda client: client.client)
        self._resources: dict[str, dict[str, Resource]] = {}
        self._recalled: dict[str, dict[str, Resource]] = {}
        self._lock = threading.Lock()

    @property
    def server(self) -> str:
        return str(self._renewable.now.configuration.host)

    @property
    def verifies_tls(self) -> bool:
        return bool(self._renewable.now.configuration.verify_ssl)

    @property
    def token(self) -> str:
        return _token_of(self._renewable.now)

    @property
    def token_is_fixed(self) -> bool:
        """Whether the token was handed over as it is, so that there is nowhere to read another one."""
        return bool(self.token) and self._renewable.now.configuration.refresh_api_key_hook is None

    @property
    def client_certificate(self) -> str:
        """Path of its file."""
        return str(self._renewable.now.configuration.cert_file or "")

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Sequence[tuple[str, Any]] = (),
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Any:
        def ask(client: Any) -> Any:
            with _told_as_api_failure():
                response = client.client.request(
                    method,
                    path,
                    body=body,
                    query_params=list(query),
                    header_params={"Accept": accept},
                    content_type=content_type,
                    serialize=False,
                    _request_timeout=self._timeouts,
                )
            return json.loads(response.data)

        return self._renewable.ask(ask)

    def version(self) -> str:
        return str(self.request("get", "/version")["gitVersion"])

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """How the kind is served, or None where the cluster does not know it. Raises ApiFailure where this is unknown.

        Only what is there is remembered: what is missing may be installed, or be back, a moment later.
        """
        if found := self._remembered(api_version).get(kind):
            return found
        with self._lock:
            known = self._resources.get(api_version, {})
        if kind not in known:
            known = self._discover(api_version)
        return known.get(kind)

    def _remembered(self, api_version: str) -> dict[str, Resource]:
        """What an earlier module of this run learned about the group and version."""
        with self._lock:
            if api_version not in self._recalled:
                found = run_memory.recall(_KINDS, [self._kubeconfig(), api_version]) or {}
                self._recalled[api_version] = {kind: Resource(*served) for kind, served in found.items()}
            return self._recalled[api_version]

    def _discover(self, api_version: str) -> dict[str, Resource]:
        """Every kind of the group and version, as the API server serves them; none where there is no such group."""
        try:
            answer = self.request("get", _root(api_version))
        except ApiFailure as failure:
            # A server that refuses, or is away, proves nothing about what exists.
            if failure.status != 404:
                raise
            with self._lock:
                self._resources.pop(api_version, None)
            return {}
        known = {
            item["kind"]: Resource(item["name"], item["namespaced"])
            for item in answer.get("resources", ())
            if "/" not in item["name"]
        }
        with self._lock:
            self._resources[api_version] = known
        run_memory.remember(_KINDS, [self._kubeconfig(), api_version], known)
        return known

    def forget_kinds(self) -> None:
        """After definitions of kinds came or went."""
        with self._lock:
            self._resources.clear()
            self._recalled.clear()
            run_memory.forget(_KINDS)

    def api_versions(self) -> list[str]:
        """Every group/version, and group/version/Kind of those that Kubernetes does not bring itself."""
        versions = ["v1"]
        for group in self.request("get", "/apis")["groups"]:
            for served in group["versions"]:
                version = served["groupVersion"]
                versions.append(version)
                if "." in group["name"] and not group["name"].endswith(".k8s.io"):
                    versions += [f"{version}/{kind}" for kind in self._remembered(version) or self._kinds(version)]
        return versions

    def _kinds(self, api_version: str) -> Iterable[str]:
        """None where the API behind it, which is another server, does not answer."""
        try:
            return self._discover(api_version)
        except ApiFailure as failure:
            if failure.status not in (403, 503):
                raise
            return ()

    def path(self, ref: Ref) -> str:
        served = _FIXED.get((ref.api_version, ref.kind)) or self.resource(ref.api_version, ref.kind)
        if served is None:
            raise ApiFailure(404, "UnknownKind", f"the cluster does not know {ref.api_version} {ref.kind}")
        place = f"/namespaces/{quote(ref.namespace)}" if served.namespaced and ref.namespace else ""
        name = f"/{quote(ref.name, safe='')}" if ref.name else ""
        return f"{_root(ref.api_version)}{place}/{served.plural}{name}"

    def get(self, ref: Ref) -> Object | None:
        """The live object, or None where it, its namespace or its kind does not exist."""
        try:
            found: Object = self.request("get", self.path(ref))
            return found
        except ApiFailure as failure:
            if failure.status == 404:
                return None
            raise

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
    ) -> Objects:
        """Every object of the kind, in one namespace or in all; none where the kind is unknown."""
        query = [(name, text) for name, text in (("labelSelector", labels), ("fieldSelector", fields)) if text]
        accept = _METADATA_ONLY if metadata_only else _JSON
        try:
            path = self.path(Ref(api_version, kind, namespace, ""))
            answer = self.request("get", path, query=[*query, ("limit", _PAGE)], accept=accept)
        except ApiFailure as failure:
            # A kind that is there is listed, be it as an empty list.
            if failure.status != 404:
                raise
            return []
        # Of metadata alone, no items are null.
        objects: Objects = answer["items"] or []
        while more := (answer.get("metadata") or {}).get("continue"):
            answer = self.request("get", path, query=[*query, ("limit", _PAGE), ("continue", more)], accept=accept)
            objects += answer["items"]
        return [{"apiVersion": api_version, "kind": kind, **item} for item in objects]

    def apply(self, obj: Object, manager: str, dry_run: bool) -> Object:
        """Server-side apply; fields of other managers are taken over."""
        query = [("fieldManager", manager), ("force", "true")]
        if dry_run:
            query.append(("dryRun", "All"))
        result: Object = self.request(
            "patch", self.path(Ref.of(obj)), body=obj, query=query, content_type="application/apply-patch+yaml"
        )
        return result

    def delete(self, ref: Ref) -> bool:
        """Whether there was something to delete."""
        try:
            self.request("delete", self.path(ref), query=[("propagationPolicy", "Background")])
        except ApiFailure as failure:
            if failure.status == 404:
                return False
            raise
        return True

    def events(self, namespace: str) -> Objects:
        """Events of the namespace; none where the account may not read them."""
        try:
            return self.list("v1", "Event", namespace)
        except ApiFailure:
            return []

    def may(self, verb: str, group: str, resource: str, namespace: str = "", name: str = "") -> bool:
        plural, _slash, subresource = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": plural, "subresource": subresource, "name": name}
        if namespace:
            attributes["namespace"] = namespace
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self.request("post", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
        return bool(answer["status"].get("allowed"))

    def get_through_pod(
        self, namespace: str, pod: str, port: int, path: str, asked_with: Mapping[str, str] | None = None
    ) -> bytes:
        """HTTP GET through a port-forward: the request comes from the pod's own loopback."""
        # Here, since few calls need it, and its library takes a while to load.
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube import port_forward

        place = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/portforward?ports={port}"

        def ask(client: Any) -> bytes:
            given = client.client.client.default_headers
            headers = {name: value for name, value in given.items() if name.startswith("Impersonate-")}
            if token := _token_of(client):
                headers["Authorization"] = f"Bearer {token}"
            return port_forward.get(client.configuration, place, headers, path, self._timeouts[1], asked_with)

        return self._renewable.ask(ask)

    def account(self) -> str:
        """The name by which the API server knows us, if it is new enough to report it."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self.request("post", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        except ApiFailure as failure:
            # Kubernetes lets every account query its own identity, except accounts that it does not know.
            return "system:anonymous" if failure.status == 403 else "in use"
        return str(answer["status"]["userInfo"].get("username", "in use"))

    @contextlib.contextmanager
    def kubeconfig(self, directory: str) -> Iterator[str]:
        """A kubeconfig file (mode 0600) for other programs to reach the same cluster as the same user."""
        descriptor, path = tempfile.mkstemp(suffix=".kubeconfig", dir=directory)
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(self._kubeconfig(), file)
            yield path
        finally:
            os.unlink(path)

    def _kubeconfig(self) -> dict[str, Any]:
        client = self._renewable.now
        return kubeconfig_of(client.configuration, client.client.client.default_headers, _token_of(client))


class _NoDiscovery:
    """Takes the place of the dynamic client's discovery, for which Cluster has no use."""

    def __init__(self, *__: Any) -> None:
        """Asks nothing."""


def _connected(module: AnsibleK8SModule, impatient: bool) -> Any:
    """kubernetes.core's client, with the credentials as they are at this moment."""
    try:
        with _told_as_api_failure():
            client = _unasked_client(module) if impatient else k8s_client.get_api_client(module)
    except (CoreException, ConfigException) as error:
        raise ApiFailure(0, "NoConfiguration", str(error)) from error
    if impatient:
        pools = client.client.client.rest_client.pool_manager
        pools.connection_pool_kw["retries"] = False
        pools.clear()
    return client


@contextlib.contextmanager
def _told_as_api_failure() -> Iterator[None]:
    try:
        yield
    except (ApiException, DynamicApiError) as error:
        raise _failure(error) from error
    except (OSError, urllib3.exceptions.HTTPError) as error:
        raise ApiFailure(0, "Unreachable", _root_cause(error)) from error


def _token_of(client: Any) -> str:
    bearer = client.configuration.auth_settings().get("BearerToken")
    return str(bearer["value"]).removeprefix("Bearer ") if bearer else ""


def _unasked_client(module: AnsibleK8SModule) -> Any:
    """kubernetes.core's client, whose constructor would ask for every API group and fail where it may not."""
    discoverer, k8s_client.LazyDiscoverer = k8s_client.LazyDiscoverer, _NoDiscovery
    try:
        return k8s_client.get_api_client(module)
    finally:
        k8s_client.LazyDiscoverer = discoverer


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _failure(error: Any) -> ApiFailure:
    """The API server's message, without the client's wrapping."""
    try:
        status = json.loads(error.body)
        return ApiFailure(int(error.status), str(status.get("reason", "")), str(status.get("message", "")))
    except (TypeError, ValueError, AttributeError):
        text = getattr(error, "body", None) or getattr(error, "reason", None) or error
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        return ApiFailure(int(getattr(error, "status", 0) or 0), "", str(text).strip())


def _root_cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    return _root_cause(reason) if isinstance(reason, BaseException) else str(error)
