# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Objects of Kubernetes, Istio and the Gateway API as the checks see them, and where each came from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

# A field of an object: ("spec", "http", 0, "route", 1, "weight"). A string is a key, a number an index.
Path = tuple[str | int, ...]  # pylint: disable=unsupported-binary-operation


class Kind(NamedTuple):
    """A kind without its version: v1 and v1beta1 are the same here."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


def _istio(group: str, *kinds: str) -> list[Kind]:
    return [Kind(f"{group}.istio.io", kind) for kind in kinds]


(DESTINATION_RULE, ENVOY_FILTER, GATEWAY, PROXY_CONFIG, SERVICE_ENTRY, SIDECAR, VIRTUAL_SERVICE) = _istio(
    "networking",
    "DestinationRule",
    "EnvoyFilter",
    "Gateway",
    "ProxyConfig",
    "ServiceEntry",
    "Sidecar",
    "VirtualService",
)
WORKLOAD_ENTRY, WORKLOAD_GROUP = _istio("networking", "WorkloadEntry", "WorkloadGroup")
AUTHORIZATION_POLICY, PEER_AUTHENTICATION, REQUEST_AUTHENTICATION = _istio(
    "security", "AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"
)
(TELEMETRY,) = _istio("telemetry", "Telemetry")
TRAFFIC_EXTENSION, WASM_PLUGIN = _istio("extensions", "TrafficExtension", "WasmPlugin")

GATEWAY_API = "gateway.networking.k8s.io"
K8S_GATEWAY = Kind(GATEWAY_API, "Gateway")
GATEWAY_CLASS = Kind(GATEWAY_API, "GatewayClass")
HTTP_ROUTE = Kind(GATEWAY_API, "HTTPRoute")
GRPC_ROUTE = Kind(GATEWAY_API, "GRPCRoute")
TCP_ROUTE = Kind(GATEWAY_API, "TCPRoute")
TLS_ROUTE = Kind(GATEWAY_API, "TLSRoute")
REFERENCE_GRANT = Kind(GATEWAY_API, "ReferenceGrant")

CONFIG_MAP = Kind("", "ConfigMap")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "EndpointSlice")
NAMESPACE = Kind("", "Namespace")
NODE = Kind("", "Node")
POD = Kind("", "Pod")
SECRET = Kind("", "Secret")
SERVICE = Kind("", "Service")
SERVICE_ACCOUNT = Kind("", "ServiceAccount")
CRON_JOB = Kind("batch", "CronJob")
DAEMON_SET = Kind("apps", "DaemonSet")
DEPLOYMENT = Kind("apps", "Deployment")
JOB = Kind("batch", "Job")
REPLICA_SET = Kind("apps", "ReplicaSet")
STATEFUL_SET = Kind("apps", "StatefulSet")
CUSTOM_RESOURCE_DEFINITION = Kind("apiextensions.k8s.io", "CustomResourceDefinition")
MUTATING_WEBHOOK = Kind("admissionregistration.k8s.io", "MutatingWebhookConfiguration")
VALIDATING_WEBHOOK = Kind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration")

# All of the above: the kinds that checks read.
KINDS = frozenset(value for value in list(globals().values()) if isinstance(value, Kind))

WORKLOAD_KINDS = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB, REPLICA_SET, POD)

_CLUSTER_SCOPED = {
    "APIService",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
}


# How Source.file ends for what kustomize made of a folder, and helm of a template.
BUILT, RENDERED = " (built)", " (rendered)"


class Source(NamedTuple):
    """Where a resource was read. A live one has no file."""

    file: str = ""
    # The line of the file on which the document begins, from 1.
    line: int = 0
    # The document's own text, for the places of its fields.
    text: str = ""
    # The path of the object within its document, if that is a List.
    prefix: Path = ()


LIVE = Source()


# Thousands of objects have the same.
@lru_cache(maxsize=1024)
def _kind_and_version(api_version: str, kind: str) -> tuple[Kind, str]:
    group, _slash, version = api_version.rpartition("/")
    return Kind(group, kind), version


class Resource:
    """One object. ``spec`` is always a dict, so that checks need not test for it."""

    __slots__ = ("kind", "name", "namespace", "obj", "source", "spec", "version")

    def __init__(self, obj: Object, source: Source = LIVE, default_namespace: str = "default") -> None:
        metadata = obj.get("metadata")
        if not isinstance(metadata, dict):
            metadata = {}
        self.obj = obj
        self.source = source
        self.kind, self.version = _kind_and_version(str(obj.get("apiVersion") or ""), str(obj.get("kind") or ""))
        self.name = str(metadata.get("name") or metadata.get("generateName") or "")
        place = "" if self.kind.kind in _CLUSTER_SCOPED else default_namespace
        self.namespace = str(metadata.get("namespace") or place)
        spec = obj.get("spec")
        self.spec: Object = spec if isinstance(spec, dict) else {}

    @property
    def states_namespace(self) -> bool:
        """Whether it names its namespace. Otherwise that is decided later: ``namespace`` is an assumption."""
        metadata = self.obj.get("metadata")
        return isinstance(metadata, dict) and bool(metadata.get("namespace"))

    @property
    def labels(self) -> Mapping[str, str]:
        return self._texts("labels")

    @property
    def annotations(self) -> Mapping[str, str]:
        return self._texts("annotations")

    @property
    def status(self) -> Object:
        status = self.obj.get("status")
        return status if isinstance(status, dict) else {}

    @property
    def is_live(self) -> bool:
        return not self.source.file

    def _texts(self, field: str) -> Mapping[str, str]:
        metadata = self.obj.get("metadata")
        found = metadata.get(field) if isinstance(metadata, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def identity(self) -> tuple[Kind, str, str]:
        return (self.kind, self.namespace, self.name)

    def __repr__(self) -> str:
        return f"{self.kind.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind.kind} {self.name}"
