# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Policies for HTTP in ambient mode: only a waypoint applies them, and only if they name their target."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.ambient import (
    is_enrolled,
    may_concern_ambient,
    namespaces_with_waypoints,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateway_api import WAYPOINT_CLASSES
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import GATEWAY_NAME
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import (
    conditions,
    has_target,
    operations,
    sources,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    K8S_GATEWAY,
    NAMESPACE,
    REQUEST_AUTHENTICATION,
    SERVICE,
    SERVICE_ENTRY,
    TELEMETRY,
    WASM_PLUGIN,
    Kind,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_DOCS = "https://istio.io/latest/docs/ambient/usage/l7-features/"
_HTTP_OPERATION = ("hosts", "methods", "notHosts", "notMethods", "notPaths", "paths")
_HTTP_SOURCE = ("notRequestPrincipals", "requestPrincipals")
_HTTP_CONDITION = ("request.headers", "request.auth.")

# The field of a policy that only an HTTP proxy understands; None if it has none.
_Http = Callable[[Mesh, Resource], Path | None]  # pylint: disable=unsupported-binary-operation


def _http_of_authorization(mesh: Mesh, policy: Resource) -> Path | None:
    for path, operation in operations(mesh, policy):
        for field in _HTTP_OPERATION:
            if operation.get(field):
                return (*path, field)
    for path, source in sources(mesh, policy):
        for field in _HTTP_SOURCE:
            if source.get(field):
                return (*path, field)
    for path, condition in conditions(mesh, policy):
        if str(condition.get("key")).startswith(_HTTP_CONDITION):
            return (*path, "key")
    return None


def _http_of_telemetry(_mesh: Mesh, policy: Resource) -> Path | None:
    for field in ("tracing", "accessLogging"):
        if policy.spec.get(field):
            return ("spec", field)
    for index, metric in items(policy.spec, "metrics"):
        if metric.get("overrides"):
            return ("spec", "metrics", index, "overrides")
    return None


def _all_of_it(_mesh: Mesh, _policy: Resource) -> Path | None:
    return ("spec",)


def _ambient(mesh: Mesh, kind: Kind, http: _Http) -> Iterator[tuple[Resource, Path]]:
    for policy in mesh.of(kind):
        if may_concern_ambient(mesh, policy.namespace, selector_labels(policy)) and (field := http(mesh, policy)):
            yield policy, field


def _without_waypoint(mesh: Mesh, report: Report, kind: Kind, http: _Http) -> None:
    for policy, field in _ambient(mesh, kind, http):
        path = ("metadata", "name") if field == ("spec",) else field
        if not has_target(policy):
            if policy.namespace not in namespaces_with_waypoints(mesh):
                report(policy, path, f"namespace '{policy.namespace}' is in ambient mode and uses no waypoint")
            continue
        for target_path, reference in _targets(policy):
            target = mesh.find(_target_kind(reference), policy.namespace, str(reference.get("name")))
            if target is not None and not is_enrolled(mesh, target.labels, target.namespace):
                report(policy, target_path, f"{target.kind.kind} '{target.name}' uses no waypoint")


def _targets(policy: Resource) -> Iterator[tuple[Path, dict[str, object]]]:
    """Services and ServiceEntries that a policy names; Gateways are their own proxies."""
    single = part(policy.spec, "targetRef")
    references = [(("spec", "targetRef"), single)] if single else []
    found: list[tuple[Path, dict[str, object]]] = [*references]
    found += [(("spec", "targetRefs", index), reference) for index, reference in items(policy.spec, "targetRefs")]
    for path, reference in found:
        if _target_kind(reference) in (SERVICE, SERVICE_ENTRY):
            yield (*path, "name"), reference


def _target_kind(reference: dict[str, object]) -> Kind:
    group = reference.get("group")
    return Kind("" if group in (None, "core") else str(group), str(reference.get("kind")))


def _by_labels(mesh: Mesh, report: Report, kind: Kind, http: _Http, *, whole_namespace: bool = True) -> None:
    for policy, _field in _ambient(mesh, kind, http):
        labels = selector_labels(policy)
        if has_target(policy) or not (labels or whole_namespace):
            continue
        how = "selects workloads by labels" if labels else "names no target"
        path = ("spec", "selector") if labels else ("metadata", "name")
        report(policy, path, f"the policy {how}; a waypoint applies only those that name a Service or a ServiceEntry")


@check(
    code="KIA0109",
    level="warning",
    title="AuthorizationPolicy for HTTP without a waypoint",
    why="ztunnel does not handle HTTP: an ALLOW rule with such a field never matches, DENY denies more or nothing.",
    remedy="Label the namespace or the Service istio.io/use-waypoint and deploy the waypoint, or remove the fields.",
    aliases=["KIA1317", "IST0171"],
    docs=_DOCS,
    needs=[NAMESPACE],
)
def authorization_without_waypoint(mesh: Mesh, report: Report) -> None:
    _without_waypoint(mesh, report, AUTHORIZATION_POLICY, _http_of_authorization)


@check(
    code="KIA0110",
    level="warning",
    title="AuthorizationPolicy for HTTP that names no target",
    why="The waypoint ignores it, and ztunnel, which does apply it, does not handle HTTP.",
    remedy="Name the Service, or the waypoint, in targetRefs.",
    aliases=["IST0171"],
    docs=_DOCS,
    needs=[NAMESPACE],
)
def authorization_by_labels(mesh: Mesh, report: Report) -> None:
    _by_labels(mesh, report, AUTHORIZATION_POLICY, _http_of_authorization)


@check(
    code="KIA1110",
    level="warning",
    title="RequestAuthentication without a waypoint",
    why="ztunnel does not read tokens, so they are not verified.",
    remedy="Label the namespace or the Service istio.io/use-waypoint, and deploy the waypoint.",
    docs=_DOCS,
    needs=[NAMESPACE],
)
def authentication_without_waypoint(mesh: Mesh, report: Report) -> None:
    _without_waypoint(mesh, report, REQUEST_AUTHENTICATION, _all_of_it)


@check(
    code="KIA1115",
    level="warning",
    title="RequestAuthentication that names no target",
    why="The waypoint ignores it, so tokens are not verified.",
    remedy="Name the Service, or the waypoint, in targetRefs.",
    docs=_DOCS,
    needs=[NAMESPACE],
)
def authentication_by_labels(mesh: Mesh, report: Report) -> None:
    _by_labels(mesh, report, REQUEST_AUTHENTICATION, _all_of_it)


@check(
    code="KIA1111",
    level="warning",
    title="WasmPlugin without a waypoint",
    why="ztunnel does not run plugins.",
    remedy="Label the namespace or the Service istio.io/use-waypoint, and deploy the waypoint.",
    docs=_DOCS,
    needs=[NAMESPACE],
)
def plugin_without_waypoint(mesh: Mesh, report: Report) -> None:
    _without_waypoint(mesh, report, WASM_PLUGIN, _all_of_it)


@check(
    code="KIA1116",
    level="warning",
    title="WasmPlugin that names no target",
    why="The waypoint ignores it.",
    remedy="Name the Service, or the waypoint, in targetRefs.",
    docs=_DOCS,
    needs=[NAMESPACE],
)
def plugin_by_labels(mesh: Mesh, report: Report) -> None:
    _by_labels(mesh, report, WASM_PLUGIN, _all_of_it)


@check(
    code="KIA1112",
    level="warning",
    title="Telemetry for HTTP without a waypoint",
    why="ztunnel creates no spans and counts no requests.",
    remedy="Label the namespace or the Service istio.io/use-waypoint, and deploy the waypoint.",
    docs=_DOCS,
    needs=[NAMESPACE],
)
def telemetry_without_waypoint(mesh: Mesh, report: Report) -> None:
    _without_waypoint(mesh, report, TELEMETRY, _http_of_telemetry)


@check(
    code="KIA1117",
    level="warning",
    title="Telemetry that selects ambient workloads by labels",
    why="The waypoint ignores it; it applies only one for the whole namespace.",
    remedy="Name the Service, or the waypoint, in targetRefs, or remove the selector.",
    docs=_DOCS,
    needs=[NAMESPACE],
)
def telemetry_by_labels(mesh: Mesh, report: Report) -> None:
    _by_labels(mesh, report, TELEMETRY, _http_of_telemetry, whole_namespace=False)


@once_per_mesh
def _namespaces_with_gateways(mesh: Mesh) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Name and labels of the pods of the Gateway API's Gateways, including those that istiod would create."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for gateway in mesh.of(K8S_GATEWAY):
        found.setdefault(gateway.namespace, {})[gateway.name] = {GATEWAY_NAME: gateway.name}
    for workload in mesh.workloads:
        if isinstance(name := workload.labels.get(GATEWAY_NAME), str):
            found.setdefault(workload.namespace, {})[name] = dict(workload.labels)
    return {namespace: list(gateways.items()) for namespace, gateways in found.items()}


@check(
    code="IST0166",
    level="warning",
    title="Policy that selects a Gateway of the Gateway API by its labels",
    why="A waypoint applies only policies that name it. Gateways apply this one unless istiod is configured otherwise.",
    remedy="Name the Gateway in targetRefs instead of the selector.",
)
def policy_selects_gateway(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(AUTHORIZATION_POLICY, REQUEST_AUTHENTICATION, TELEMETRY, WASM_PLUGIN):
        labels = selector_labels(policy)
        if not labels or has_target(policy):
            continue
        for name, pod in _namespaces_with_gateways(mesh).get(policy.namespace, ()):
            if all(pod.get(key) == value for key, value in labels.items()):
                gateway = mesh.find(K8S_GATEWAY, policy.namespace, name)
                waypoint = gateway is not None and str(gateway.spec.get("gatewayClassName")) in WAYPOINT_CLASSES
                text = f"the selector matches the pods of Gateway '{name}', which should be named in targetRefs"
                report(policy, ("spec", "selector"), text, level="" if waypoint else "info")
                break
