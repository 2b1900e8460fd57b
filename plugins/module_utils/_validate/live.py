# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The running cluster as input: every kind that a check looks at, read side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import resource as kinds
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Kind, Object, Resource


class Served(NamedTuple):
    """A kind and the versions in which it may be served, the wanted one first."""

    kind: Kind
    versions: tuple[str, ...]


_NEW_ISTIO = ("v1", "v1beta1", "v1alpha3")
_SERVED = [
    *(
        Served(kind, _NEW_ISTIO)
        for kind in (
            kinds.DESTINATION_RULE,
            kinds.GATEWAY,
            kinds.SERVICE_ENTRY,
            kinds.SIDECAR,
            kinds.VIRTUAL_SERVICE,
            kinds.WORKLOAD_ENTRY,
            kinds.WORKLOAD_GROUP,
        )
    ),
    Served(kinds.ENVOY_FILTER, ("v1alpha3",)),
    Served(kinds.PROXY_CONFIG, ("v1beta1",)),
    *(
        Served(kind, ("v1", "v1beta1"))
        for kind in (kinds.AUTHORIZATION_POLICY, kinds.PEER_AUTHENTICATION, kinds.REQUEST_AUTHENTICATION)
    ),
    Served(kinds.TELEMETRY, ("v1", "v1alpha1")),
    Served(kinds.WASM_PLUGIN, ("v1alpha1",)),
    Served(kinds.TRAFFIC_EXTENSION, ("v1alpha1",)),
    *(Served(kind, ("v1", "v1beta1")) for kind in (kinds.K8S_GATEWAY, kinds.GATEWAY_CLASS, kinds.HTTP_ROUTE)),
    Served(kinds.GRPC_ROUTE, ("v1", "v1alpha2")),
    Served(kinds.REFERENCE_GRANT, ("v1", "v1beta1")),
    Served(kinds.TLS_ROUTE, ("v1", "v1alpha3", "v1alpha2")),
    Served(kinds.TCP_ROUTE, ("v1alpha2",)),
    *(
        Served(kind, ("v1",))
        for kind in (
            kinds.NAMESPACE,
            kinds.SERVICE,
            kinds.SERVICE_ACCOUNT,
            kinds.POD,
            kinds.ENDPOINT_SLICE,
            kinds.DEPLOYMENT,
            kinds.STATEFUL_SET,
            kinds.DAEMON_SET,
            kinds.JOB,
            kinds.CRON_JOB,
            kinds.MUTATING_WEBHOOK,
            kinds.VALIDATING_WEBHOOK,
        )
    ),
]
# Not of every namespace: most of them are nobody's concern, and reading them is a right that few should have.
_SECRETS = (kinds.SECRET, "v1", "type!=helm.sh/release.v1")


@dataclass
class LiveInput:
    """resources: as the API server has them. listed: kinds of which all were read. unread: kind to reason."""

    resources: list[Resource] = field(default_factory=list)
    listed: set[Kind] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)


def read(cluster: Api, namespaces: Sequence[str], root_namespace: str) -> LiveInput:
    """Everything where the account may read everything, else what it may read of the namespaces.

    Findings of one namespace need the others: a route may lead anywhere.
    """
    found = LiveInput()
    with ThreadPoolExecutor(6) as pool:
        for served, (objects, whole, reason) in zip(
            _SERVED, pool.map(lambda served: _list(cluster, served, namespaces), _SERVED), strict=True
        ):
            found.resources += [Resource(item) for item in objects]
            if whole:
                found.listed.add(served.kind)
            if reason:
                found.unread[str(served.kind)] = reason
    _read_secrets(cluster, found, root_namespace)
    return found


def _list(cluster: Api, served: Served, namespaces: Sequence[str]) -> tuple[list[Object], bool, str]:
    """(objects, whether these are all, why not)."""
    group = served.kind.group
    for version in served.versions:
        api_version = f"{group}/{version}" if group else version
        try:
            if cluster.resource(api_version, served.kind.kind) is None:
                continue
            return cluster.list(api_version, served.kind.kind), True, ""
        except ApiFailure as failure:
            if failure.status != 403:
                return [], False, str(failure)
        objects: list[Object] = []
        reason = "the account may not list it" + (" in other namespaces" if namespaces else "")
        for namespace in namespaces:
            try:
                objects += cluster.list(api_version, served.kind.kind, namespace)
            except ApiFailure as failure:
                reason = str(failure) if failure.status != 403 else f"the account may not list it in {namespace}"
        return objects, False, reason
    # A cluster that does not know the kind has none of it.
    return [], True, ""


def _read_secrets(cluster: Api, found: LiveInput, root_namespace: str) -> None:
    """Of the root namespace and of those where gateways run: there lie certificates and the mesh's configuration."""
    places = {root_namespace}
    for item in found.resources:
        if item.kind == kinds.K8S_GATEWAY or (item.kind == kinds.POD and "istio" in item.labels):
            places.add(item.namespace)
    whole = True
    for namespace in sorted(places):
        try:
            found.resources += [Resource(item) for item in cluster.list("v1", "Secret", namespace, fields=_SECRETS[2])]
        except ApiFailure as failure:
            whole = False
            found.unread["Secret"] = f"{namespace}: {failure}"
    if whole:
        found.listed.add(kinds.SECRET)
    try:
        found.resources += [Resource(item) for item in cluster.list("v1", "ConfigMap", root_namespace)]
    except ApiFailure as failure:
        found.unread["ConfigMap"] = f"{root_namespace}: {failure}"
