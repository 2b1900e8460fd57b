# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Routes of the Gateway API that attach to nothing, have broken references, or contradict themselves."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_namespace
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateway_api import ROUTES, backends, rules
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.presence import is_linkerds
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY_API,
    K8S_GATEWAY,
    NAMESPACE,
    REFERENCE_GRANT,
    SERVICE,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.route_references import route_faults
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_DOCS = "https://gateway-api.sigs.k8s.io/api-types/httproute/"
# Groups and kinds of parents that only Linkerd reads.
_OF_LINKERD = {Kind("core", "Service"), Kind("policy.linkerd.io", "EgressNetwork"), Kind("policy.linkerd.io", "Server")}


def _report(mesh: Mesh, report: Report, *what: str) -> None:
    for fault in route_faults(mesh):
        if fault.what in what:
            report(fault.route, fault.path, fault.message)


@check(
    code="KIA1401",
    level="error",
    title="Route to a Gateway that it cannot reach",
    why="The route attaches to nothing: its requests get 404.",
    remedy="Correct the name or namespace of the Gateway, or let its listener accept routes of this namespace.",
    aliases=["IST0171"],
    docs=_DOCS,
    needs=[K8S_GATEWAY],
)
def route_without_gateway(mesh: Mesh, report: Report) -> None:
    _report(mesh, report, "gateway", "namespace")


@check(
    code="MESH307",
    level="error",
    title="Route that no listener accepts",
    why="The Gateway exists, but none of its listeners serves the route: its requests get 404.",
    remedy="Name a listener that exists, accepts this kind of route, and has one of the route's hostnames.",
    aliases=["IST0171"],
    docs=_DOCS,
    needs=[K8S_GATEWAY],
)
def route_without_listener(mesh: Mesh, report: Report) -> None:
    _report(mesh, report, "listener")


@check(
    code="KIA1402",
    level="error",
    title="Route to a Service that it cannot reach",
    why="Requests to this backend get 500.",
    remedy="Correct the name or namespace of the Service. In another namespace, it needs a ReferenceGrant.",
    aliases=["IST0171"],
    docs=_DOCS,
    needs=[SERVICE],
)
def route_without_backend(mesh: Mesh, report: Report) -> None:
    _report(mesh, report, "backend", "grant")


@check(
    code="MESH308",
    level="error",
    title="Route to a port that the Service does not have",
    why="Requests to this backend fail: the port does not exist.",
    remedy="Name a port of the Service (port, not targetPort).",
    docs=_DOCS,
    needs=[SERVICE],
)
def route_to_unknown_port(mesh: Mesh, report: Report) -> None:
    _report(mesh, report, "port")


@check(
    code="MESH309",
    level="warning",
    title="Rule without a backend that gets requests",
    why="Requests that match the rule get 500.",
    remedy="Give one of the backends a weight above 0, or remove the rule.",
    docs=_DOCS,
    alone=True,
)
def rule_without_backend(mesh: Mesh, report: Report) -> None:
    for route in mesh.of(*ROUTES):
        if not _may_be_istios(mesh, route):
            continue
        for path, rule in rules(route):
            found = backends(route, path, rule)
            answers = any(
                item.get("type") in ("RequestRedirect", "ExtensionRef") for _at, item in items(rule, "filters")
            )
            if answers or any(backend.weight for backend in found):
                continue
            if found:
                report(route, (*path, "backendRefs"), "the weights of all backends are 0")
            elif rule.get("backendRefs") in (None, []):
                report(route, path, "the rule has neither a backend nor a redirect")


def _may_be_istios(mesh: Mesh, route: Resource) -> bool:
    """Linkerd uses rules without backends to tell requests apart, and sends them to the parent Service itself."""
    parents = [parent for _index, parent in items(route.spec, "parentRefs")]
    return not parents or not all(_is_linkerds(mesh, route, parent) for parent in parents)


def _is_linkerds(mesh: Mesh, route: Resource, parent: Object) -> bool:
    kind = Kind(str(parent.get("group", GATEWAY_API)), str(parent.get("kind", "Gateway")))
    if kind == SERVICE:
        # Both meshes read this form.
        place = str(parent.get("namespace") or route.namespace)
        return is_linkerds(mesh.whole, place, str(parent.get("name") or ""))
    return kind in _OF_LINKERD


@check(
    code="KIA1601",
    level="error",
    title="Grant for a namespace that does not exist",
    why="Nothing can use the grant. Usually its namespace is misspelt, and the reference stays refused.",
    remedy="Correct the namespace.",
    docs="https://gateway-api.sigs.k8s.io/api-types/referencegrant/",
    needs=[NAMESPACE],
)
def grant_for_unknown_namespace(mesh: Mesh, report: Report) -> None:
    # A namespace in which the input has an object exists, even if it is not an object itself.
    known = {resource.name for resource in mesh.of(NAMESPACE)}
    if NAMESPACE not in mesh.settings.listed:
        known |= {resource.namespace for resource in mesh.all()}
    for grant in mesh.of(REFERENCE_GRANT):
        for index, source in items(grant.spec, "from"):
            name = source.get("namespace")
            if not isinstance(name, str) or not name or name in known:
                continue
            if lacking := unseen_namespace(mesh, name):
                report.undecided(lacking)
            else:
                report(grant, ("spec", "from", index, "namespace"), f"namespace '{name}' does not exist")
