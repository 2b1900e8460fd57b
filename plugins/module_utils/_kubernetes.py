# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The cluster's API. The only file that knows kubernetes.core and the kubernetes client."""

from __future__ import annotations

import contextlib
import http.client
import importlib.metadata
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object, Objects, Ref
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.exceptions import CoreException

try:
    import urllib3
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config import ConfigException
    from kubernetes.dynamic.exceptions import DynamicApiError
except ImportError:
    # Cluster says which library is missing.
    class _NeverRaised(Exception):
        pass

    ApiException = ConfigException = DynamicApiError = _NeverRaised

__all__ = ["ApiFailure", "Cluster", "library_problem"]

# What kubernetes.core asks of each of its modules.
_OLDEST_CLIENT = "24.2.0"
# Every attempt is made four times.
_CONNECT_TIMEOUT, _READ_TIMEOUT = 5, 60
_IMPATIENT = (3, 10)
# Objects of one answer; what the API server advises for lists that may be long.
_PAGE = 1000


class Cluster:
    """One API server. Safe to use from several threads."""

    def __init__(self, module: AnsibleK8SModule, impatient: bool = False) -> None:
        """``impatient``: the caller tries again by itself, and can do something better than wait for one answer."""
        module.requires("kubernetes")
        module.has_at_least("kubernetes", _OLDEST_CLIENT, warn=True)
        self._timeouts = _IMPATIENT if impatient else (_CONNECT_TIMEOUT, _READ_TIMEOUT)
        try:
            self._client = get_api_client(module)
        except (CoreException, ConfigException) as error:
            raise ApiFailure(0, "NoConfiguration", str(error)) from error
        except ApiException as error:
            raise _failure(error) from error
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise ApiFailure(0, "Unreachable", _root_cause(error)) from error
        if impatient:
            pools = self._client.client.client.rest_client.pool_manager
            pools.connection_pool_kw["retries"] = False
            pools.clear()
        self._resources: dict[str, dict[str, Resource]] = {}
        self._lock = threading.Lock()

    @property
    def server(self) -> str:
        return str(self._client.configuration.host)

    @property
    def verifies_tls(self) -> bool:
        return bool(self._client.configuration.verify_ssl)

    @property
    def token(self) -> str:
        bearer = self._client.configuration.auth_settings().get("BearerToken")
        return str(bearer["value"]).removeprefix("Bearer ") if bearer else ""

    @property
    def client_certificate(self) -> str:
        """Path of its file."""
        return str(self._client.configuration.cert_file or "")

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Sequence[tuple[str, Any]] = (),
        content_type: str = "application/json",
    ) -> Any:
        try:
            response = self._client.client.request(
                method,
                path,
                body=body,
                query_params=list(query),
                header_params={"Accept": "application/json"},
                content_type=content_type,
                serialize=False,
                _request_timeout=self._timeouts,
            )
        except (ApiException, DynamicApiError) as error:
            raise _failure(error) from error
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise ApiFailure(0, "Unreachable", _root_cause(error)) from error
        return json.loads(response.data)

    def version(self) -> str:
        return str(self.request("get", "/version")["gitVersion"])

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """How the kind is served, or None where the cluster does not know it."""
        with self._lock:
            known = self._resources.get(api_version)
        if known is None:
            try:
                answer = self.request("get", _root(api_version))
            except ApiFailure as failure:
                if failure.status not in (403, 404, 503):
                    raise
                answer = {}
            known = {
                item["kind"]: Resource(item["name"], item["namespaced"])
                for item in answer.get("resources", ())
                if "/" not in item["name"]
            }
            with self._lock:
                self._resources[api_version] = known
        return known.get(kind)

    def forget_kinds(self) -> None:
        """After definitions of kinds came or went."""
        with self._lock:
            self._resources.clear()

    def api_versions(self) -> list[str]:
        """Every group/version, and group/version/Kind of those that Kubernetes does not bring itself."""
        versions = ["v1"]
        for group in self.request("get", "/apis")["groups"]:
            for served in group["versions"]:
                version = served["groupVersion"]
                versions.append(version)
                if "." in group["name"] and not group["name"].endswith(".k8s.io"):
                    self.resource(version, "")
                    versions += [f"{version}/{kind}" for kind in self._resources[version]]
        return versions

    def path(self, ref: Ref) -> str:
        served = self.resource(ref.api_version, ref.kind)
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

    def list(self, api_version: str, kind: str, namespace: str = "", labels: str = "", fields: str = "") -> Objects:
        """Every object of the kind, in one namespace or in all; none where the kind is unknown."""
        if self.resource(api_version, kind) is None:
            return []
        path = self.path(Ref(api_version, kind, namespace, ""))
        query = [(name, text) for name, text in (("labelSelector", labels), ("fieldSelector", fields)) if text]
        answer = self.request("get", path, query=[*query, ("limit", _PAGE)])
        objects: Objects = answer["items"]
        while more := (answer.get("metadata") or {}).get("continue"):
            answer = self.request("get", path, query=[*query, ("limit", _PAGE), ("continue", more)])
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

    def get_through_pod(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        """HTTP GET through a port-forward: the request comes from the pod's own loopback."""
        # Here, because it loads the client's 700 models: half a second that no other call needs to wait for.
        from kubernetes.client import CoreV1Api
        from kubernetes.stream import portforward

        forward = CoreV1Api(self._client.client.client).connect_get_namespaced_pod_portforward
        connection = http.client.HTTPConnection("localhost")
        try:
            forwarding = portforward(forward, pod, namespace, ports=str(port), _request_timeout=_CONNECT_TIMEOUT)
            connection.sock = forwarding.socket(port)
            connection.sock.settimeout(_READ_TIMEOUT)
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            answer = response.read()
        except ApiException as error:
            raise _handshake_failure(error) from error
        except (OSError, http.client.HTTPException) as error:
            raise ApiFailure(0, "Unreachable", f"port {port} of pod {pod}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise ApiFailure(response.status, response.reason, f"{path} answers {response.status}")
        return answer

    def account(self) -> str:
        """The name by which the API server knows us, if it is new enough to say."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self.request("post", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        except ApiFailure as failure:
            # Kubernetes lets everybody ask who they are, except those it does not know.
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
        configuration, client = self._client.configuration, self._client.client.client
        cluster: dict[str, Any] = {"server": configuration.host}
        if not configuration.verify_ssl:
            cluster["insecure-skip-tls-verify"] = True
        elif configuration.ssl_ca_cert:
            cluster["certificate-authority"] = os.path.abspath(configuration.ssl_ca_cert)
        if getattr(configuration, "tls_server_name", None):
            cluster["tls-server-name"] = configuration.tls_server_name
        if configuration.proxy:
            cluster["proxy-url"] = configuration.proxy
        user: dict[str, Any] = {}
        if configuration.cert_file and configuration.key_file:
            user["client-certificate"] = os.path.abspath(configuration.cert_file)
            user["client-key"] = os.path.abspath(configuration.key_file)
        if self.token:
            user["token"] = self.token
        elif configuration.username:
            user["username"], user["password"] = configuration.username, configuration.password
        groups = []
        for key, value in client.default_headers.items():
            if key == "Impersonate-User":
                user["as"] = value
            elif str.__str__(key) == "Impersonate-Group":
                groups.append(value)
        if groups:
            user["as-groups"] = groups
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "cluster", "cluster": cluster}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
            "current-context": "context",
        }


def library_problem() -> str:
    """Versions of the client library that send no token at all (kubernetes-client/python #2582)."""
    try:
        version = importlib.metadata.version("kubernetes")
    except importlib.metadata.PackageNotFoundError:
        return ""
    if version not in ("36.0.0", "36.0.1"):
        return ""
    return (
        f"The Python library kubernetes {version} drops tokens, so every request is anonymous. Install another version."
    )


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _handshake_failure(error: Any) -> ApiFailure:
    """A refused upgrade to a stream: the API server's words stand at the end of the websocket client's."""
    text = str(error.reason)
    try:
        status = json.loads(text.rpartition(" -+-+- ")[2])
        return ApiFailure(int(status["code"]), str(status.get("reason", "")), str(status["message"]))
    except (ValueError, KeyError, TypeError):
        return ApiFailure(int(error.status or 0), "", text)


def _failure(error: Any) -> ApiFailure:
    """What the API server said, out of the client's wrapping."""
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
