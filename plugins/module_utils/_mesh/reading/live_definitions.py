# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The cluster's CustomResourceDefinitions of the Gateway API: the only place that names their release."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import GATEWAY_API, Resource

_VERSIONS = ("v1", "v1beta1", "v1alpha3", "v1alpha2")
_KINDS = (
    *("BackendTLSPolicy", "Gateway", "GatewayClass", "GRPCRoute", "HTTPRoute", "ListenerSet", "ReferenceGrant"),
    *("TCPRoute", "TLSRoute", "UDPRoute"),
)


def read_definitions(cluster: Api, notes: list[str]) -> list[Resource]:
    """Of the kinds that the cluster serves, without their schemas. ``notes`` get what the account may not read."""
    names = [f"{plural}.{GATEWAY_API}" for kind in _KINDS if (plural := _plural(cluster, kind))]
    try:
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda name: _definition(cluster, name), names))
    except ApiFailure as failure:
        why = "the account may not get its customresourcedefinitions" if failure.status == 403 else str(failure)
        notes.append(f"the cluster's release of the Gateway API is not known: {why}")
        return []
    return [Resource(obj) for obj in found if obj]


def _plural(cluster: Api, kind: str) -> str:
    """Empty if the cluster does not serve the kind."""
    served = (cluster.resource(f"{GATEWAY_API}/{version}", kind) for version in _VERSIONS)
    return next((resource.plural for resource in served if resource), "")


def _definition(cluster: Api, name: str) -> Object | None:
    obj = cluster.get(Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name))
    if obj is not None:
        versions: Sequence[Object] = obj["spec"]["versions"]
        # Half a megabyte that no check needs.
        obj["spec"]["versions"] = [{**version, "schema": None} for version in versions]
    return obj
