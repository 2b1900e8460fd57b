# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Names in AuthorizationPolicies: namespaces, methods, hosts."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import (
    unseen_namespace,
    unseen_service,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.policies import (
    Names,
    conditions,
    operations,
    sources,
    values,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    AUTHORIZATION_POLICY,
    NAMESPACE,
    SERVICE,
    VIRTUAL_SERVICE,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# RFC 9110, PATCH, and WebDAV's. Envoy compares case-sensitively.
_RFC = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_WEBDAV = ("COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "REPORT", "SEARCH", "UNLOCK")
_METHODS = Names([*_RFC, *_WEBDAV])


@check(
    code="IST0101",
    level="error",
    title="Unknown namespace in an AuthorizationPolicy",
    why="A namespace that does not exist has no callers: the source matches nothing.",
    remedy="Correct the name, or create the namespace.",
    aliases=["KIA0101"],
    needs=[NAMESPACE],
)
def unknown_source_namespace(mesh: Mesh, report: Report) -> None:
    policies = mesh.of(AUTHORIZATION_POLICY)
    if not policies:
        return
    known = Names({resource.namespace or resource.name for resource in mesh.all()} | {mesh.settings.root_namespace})
    for policy in policies:
        named = [
            found
            for path, source in sources(mesh, policy)
            for found in values(source, path, "namespaces", "notNamespaces")
        ]
        for path, condition in conditions(mesh, policy):
            if condition.get("key") == "source.namespace":
                named += values(condition, path, "values", "notValues")
        for path, namespace in named:
            if namespace in known or _matches_any(namespace, known):
                continue
            if lacking := unseen_namespace(mesh, namespace):
                report.undecided(lacking)
            else:
                report(policy, path, f"namespace {namespace!r} does not exist")


def _matches_any(pattern: str, known: Names) -> bool:
    """istiod makes a regular expression of a namespace, so that each * is a wildcard."""
    return "*" in pattern and any(fnmatchcase(name, pattern) for name in known)


@check(
    code="KIA0102",
    level="warning",
    title="Invalid HTTP method",
    why="The rule compares the method of each request with this text, and no request has such a method.",
    remedy="Use a method in capitals, a prefix or suffix with *, or *. Methods of gRPC are matched by paths.",
    alone=True,
)
def unknown_method(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(AUTHORIZATION_POLICY):
        for path, operation in operations(mesh, policy):
            for where, method in values(operation, path, "methods", "notMethods"):
                if method not in _METHODS:
                    hint = f"; methods are written in capitals: {method.upper()}" if method.upper() in _METHODS else ""
                    report(policy, where, f"{method!r} is not an HTTP method{hint}")


@check(
    code="KIA0104",
    level="warning",
    title="Host that no Service has",
    why="hosts are compared with the request's Host header, and clients do not call a Service by an unknown name.",
    remedy="Use the name that clients use: the Service's short or full name, or the public host.",
    needs=[SERVICE],
)
def unknown_operation_host(mesh: Mesh, report: Report) -> None:
    namespaces: set[str] | None = None
    for policy in mesh.of(AUTHORIZATION_POLICY):
        for path, operation in operations(mesh, policy):
            for where, text in values(operation, path, "hosts", "notHosts"):
                host = text.partition(":")[0]
                name, _dot, namespace = host.partition(".")
                if "*" in host or "." in namespace or not name:
                    continue
                if namespaces is None:
                    namespaces = {service.namespace for service in mesh.of(SERVICE)}
                # Any other name with a dot may be a public name.
                if (namespace or policy.namespace) not in namespaces:
                    continue
                place = namespace or policy.namespace
                if mesh.find(SERVICE, place, name) or _is_declared(mesh, host):
                    continue
                if lacking := unseen_service(mesh, place, name, policy):
                    report.undecided(lacking)
                else:
                    report(policy, where, f"namespace {place} has no Service for host {text!r}")


def _is_declared(mesh: Mesh, host: str) -> bool:
    return bool(mesh.registry.owners(host)) or any(
        host == declared for service in mesh.of(VIRTUAL_SERVICE) for _index, declared in texts(service.spec, "hosts")
    )
