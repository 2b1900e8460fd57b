# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What istiod's admission finds in the objects of a mesh, beyond their structure: each kind has its judge."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    DESTINATION_RULE,
    ENVOY_FILTER,
    GATEWAY,
    PEER_AUTHENTICATION,
    PROXY_CONFIG,
    REQUEST_AUTHENTICATION,
    SERVICE_ENTRY,
    SIDECAR,
    TELEMETRY,
    TRAFFIC_EXTENSION,
    VIRTUAL_SERVICE,
    WASM_PLUGIN,
    WORKLOAD_ENTRY,
    WORKLOAD_GROUP,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import Fault
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.authentication import (
    peer_authentication,
    request_authentication,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.authorization_policy import (
    authorization_policy,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import Faults, Judge
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.destination_rule import (
    destination_rule,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.envoy_filter import (
    envoy_filter,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.extensions import (
    traffic_extension,
    wasm_plugin,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.gateway import gateway
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.reachability import (
    Dead,
    dead_routes,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.service_entry import (
    service_entry,
    workload_entry,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.sidecar import sidecar
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.telemetry import (
    proxy_config,
    telemetry,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.virtual_service import (
    virtual_service,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.workload_group import (
    workload_group,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.structure import (
    Structure,
    structure,
)

JUDGES: dict[Kind, Judge] = {
    AUTHORIZATION_POLICY: authorization_policy,
    DESTINATION_RULE: destination_rule,
    ENVOY_FILTER: envoy_filter,
    GATEWAY: gateway,
    PEER_AUTHENTICATION: peer_authentication,
    PROXY_CONFIG: proxy_config,
    REQUEST_AUTHENTICATION: request_authentication,
    SERVICE_ENTRY: service_entry,
    SIDECAR: sidecar,
    TELEMETRY: telemetry,
    TRAFFIC_EXTENSION: traffic_extension,
    VIRTUAL_SERVICE: virtual_service,
    WASM_PLUGIN: wasm_plugin,
    WORKLOAD_ENTRY: workload_entry,
    WORKLOAD_GROUP: workload_group,
}
_DRY_RUN = "istio.io/dry-run"
_TRUTH = frozenset({"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"})
# istiod's own marks, which only istiod may set.
_RESERVED = (
    "internal.istio.io/parents",
    "internal.istio.io/parent-namespace",
    "internal.istio.io/webhook-always-reject",
)


@once_per_mesh
def judgements(mesh: Mesh) -> dict[int, list[Fault]]:
    """Faults by ``id(resource)``. Fields with a structural fault are not judged again."""
    known = structure(mesh)
    found: dict[int, list[Fault]] = {}
    for kind, judge in JUDGES.items():
        for resource in mesh.of(kind):
            if id(resource) in known.unreadable:
                continue
            faults = Faults(mesh.settings.root_namespace)
            judge(_stored(resource, known), faults)
            if resource.annotations:
                _annotations(resource, faults)
            if faults.found:
                reported = {fault.path for fault in known.faults.get(id(resource), ())}
                if left := [fault for fault in faults.found if fault.path not in reported]:
                    found[id(resource)] = left
    return found


@once_per_mesh
def routes_without_requests(mesh: Mesh) -> list[tuple[Resource, Dead]]:
    """Of each VirtualService with a readable structure."""
    known = structure(mesh)
    return [
        (resource, dead)
        for resource in mesh.of(VIRTUAL_SERVICE)
        if id(resource) not in known.unreadable
        for dead in dead_routes(known.cleaned.get(id(resource), resource.spec))
    ]


def _stored(resource: Resource, known: Structure) -> Resource:
    """As istiod sees it."""
    spec = known.cleaned.get(id(resource))
    return resource if spec is None else Resource({**resource.obj, "spec": spec}, resource.source, resource.namespace)


def _annotations(resource: Resource, faults: Faults) -> None:
    path = ("metadata", "annotations")
    for name in _RESERVED:
        if name in resource.annotations:
            faults.error((*path, name), f"the annotation {name} is reserved for istiod")
    dry_run = resource.annotations.get(_DRY_RUN)
    if dry_run is None:
        return
    if resource.kind != AUTHORIZATION_POLICY:
        faults.error((*path, _DRY_RUN), f"{_DRY_RUN} is for AuthorizationPolicy only")
    elif (action := resource.spec.get("action") or "ALLOW") not in ("ALLOW", "DENY"):
        faults.error((*path, _DRY_RUN), f"{_DRY_RUN} is for the actions ALLOW and DENY, not for {action}")
    elif str(dry_run) not in _TRUTH:
        faults.error((*path, _DRY_RUN), f"{dry_run!r} is neither true nor false")
