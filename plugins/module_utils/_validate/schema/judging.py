# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What istiod's admission says to the objects of a mesh, beyond their structure: each kind has its judge."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import (
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
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.authentication import (
    peer_authentication,
    request_authentication,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.authorization_policy import (
    authorization_policy,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import Judge, Say
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.destination_rule import (
    destination_rule,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.envoy_filter import envoy_filter
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import Fault
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.extensions import (
    traffic_extension,
    wasm_plugin,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.gateway import gateway
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.reachability import Dead, dead_routes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.service_entry import (
    service_entry,
    workload_entry,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.sidecar import sidecar
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.structure import (
    Structure,
    structure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.telemetry import (
    proxy_config,
    telemetry,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.virtual_service import (
    virtual_service,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.workload_group import (
    workload_group,
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
# istiod's own marks, with which nobody else may pretend to be it.
_RESERVED = (
    "internal.istio.io/parents",
    "internal.istio.io/parent-namespace",
    "internal.istio.io/webhook-always-reject",
)


@once_per_mesh
def judgements(mesh: Mesh) -> dict[int, list[Fault]]:
    """Faults by ``id(resource)``. What the structure says of a field already is not said again."""
    known = structure(mesh)
    found: dict[int, list[Fault]] = {}
    for kind, judge in JUDGES.items():
        for resource in mesh.of(kind):
            if id(resource) in known.unreadable:
                continue
            say = Say()
            judge(_stored(resource, known), say)
            if resource.annotations:
                _annotations(resource, say)
            if say.faults:
                told = {fault.path for fault in known.faults.get(id(resource), ())}
                if faults := [fault for fault in say.faults if fault.path not in told]:
                    found[id(resource)] = faults
    return found


@once_per_mesh
def routes_without_requests(mesh: Mesh) -> list[tuple[Resource, Dead]]:
    """Of each VirtualService whose structure can be read."""
    known = structure(mesh)
    return [
        (resource, dead)
        for resource in mesh.of(VIRTUAL_SERVICE)
        if id(resource) not in known.unreadable
        for dead in dead_routes(known.cleaned.get(id(resource), resource.spec))
    ]


def _stored(resource: Resource, known: Structure) -> Resource:
    """As istiod gets to see it."""
    spec = known.cleaned.get(id(resource))
    return resource if spec is None else Resource({**resource.obj, "spec": spec}, resource.source, resource.namespace)


def _annotations(resource: Resource, say: Say) -> None:
    path = ("metadata", "annotations")
    for name in _RESERVED:
        if name in resource.annotations:
            say.refused((*path, name), f"the annotation {name} is istiod's own")
    dry_run = resource.annotations.get(_DRY_RUN)
    if dry_run is None:
        return
    if resource.kind != AUTHORIZATION_POLICY:
        say.refused((*path, _DRY_RUN), f"{_DRY_RUN} is for AuthorizationPolicy only")
    elif (action := resource.spec.get("action") or "ALLOW") not in ("ALLOW", "DENY"):
        say.refused((*path, _DRY_RUN), f"{_DRY_RUN} is for the actions ALLOW and DENY, not for {action}")
    elif str(dry_run) not in _TRUTH:
        say.refused((*path, _DRY_RUN), f"{dry_run!r} is neither true nor false")
