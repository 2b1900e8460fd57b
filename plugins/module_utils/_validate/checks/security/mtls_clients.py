# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Clients without a sidecar, and what STRICT mutual TLS means for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import is_gateway
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import INJECTION, Mesh, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    NAMESPACE,
    PEER_AUTHENTICATION,
    POD,
    SERVICE,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workload_ports import (
    listens_on,
    ports_by_workload,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

# A host within an address: after //, @ or = or at the beginning, up to a port, a path or the end.
_HOST = re.compile(r"(?:^|//|[@=,\s])([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?=:[0-9]|[/,\s?]|$)")
# Variables of which a single word is something else, even if a Service has the name: POSTGRES_DB, STORAGE_TYPE.
_NO_ADDRESS = re.compile(
    r"(?:^|_)(?:CLASS|DATABASE|DB|DBNAME|(?:APP|DB|USER)_NAME|MODE|PASSWORD|REALM|ROLE|SCHEMA|TYPE|USER|USERNAME)$"
)
_WORD = re.compile(r"[\w-]+")


@check(
    code="MESH409",
    level="warning",
    title="Client without a sidecar calls a STRICT workload",
    why="STRICT accepts only connections with a certificate of the mesh; a client without a proxy has none.",
    remedy="Inject a sidecar into the client, or make the port that it calls PERMISSIVE.",
    needs=[POD, SERVICE],
)
def client_without_sidecar(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        if not _has_no_proxy(mesh, workload):
            continue
        reported: set[str] = set()
        for path, text in _addresses(workload):
            for host in _HOST.findall(text):
                service = _service(mesh, host, workload.namespace)
                if service is not None and repr(service) not in reported and _is_strict(mesh, service):
                    reported.add(repr(service))
                    message = (
                        f"{host!r} is a Service of workloads with STRICT mutual TLS, and this client has no sidecar"
                    )
                    report(workload.resource, path, message)


@check(
    code="MESH410",
    level="info",
    title="Workloads without a sidecar beside STRICT ones",
    why="They cannot call STRICT workloads. Nothing shows that they do; this is a note for the time when they try.",
    remedy="Inject sidecars, or label namespaces that should stay outside with istio-injection=disabled.",
    needs=[POD, NAMESPACE],
)
def outsiders_beside_strict(mesh: Mesh, report: Report) -> None:
    strict = [
        policy for policy in mesh.of(PEER_AUTHENTICATION) if not selector_labels(policy) and _mode(policy) == "STRICT"
    ]
    if not strict:
        return
    outside: dict[str, int] = {}
    for workload in mesh.workloads:
        if _has_no_proxy(mesh, workload) and not _is_meant_to_be_outside(mesh, workload):
            outside[workload.namespace] = outside.get(workload.namespace, 0) + 1
    shown = ", ".join(f"{namespace} ({count})" for namespace, count in sorted(outside.items())[:5])
    more = f" and {len(outside) - 5} more namespaces" if len(outside) > 5 else ""
    # One for the widest scope is enough.
    widest = [policy for policy in strict if policy.namespace == mesh.settings.root_namespace] or strict
    for policy in widest[:1] if outside else ():
        report(policy, ("spec", "mtls", "mode"), f"workloads without a sidecar: {shown}{more}")


@check(
    code="MESH411",
    level="warning",
    title="Mode for a port that no workload has",
    why="The mode applies to the workload's own port, not the Service's. For an unknown port it has no effect.",
    remedy="Use the port number that the container listens on.",
    needs=[POD],
)
def mode_for_unknown_port(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(PEER_AUTHENTICATION):
        modes = part(policy.spec, "portLevelMtls")
        labels = selector_labels(policy)
        if not modes or not labels:
            continue
        selected = mesh.labels.matching(policy.namespace, labels)
        known = [listens_on(mesh, workload) for workload in selected]
        # A container may listen on a port that is not declared.
        if not known or not all(known):
            continue
        ports = set().union(*known)
        for key in modes:
            if str(key).isdecimal() and int(key) not in ports:
                shown = ", ".join(str(port) for port in sorted(ports)[:5])
                report(policy, ("spec", "portLevelMtls", str(key)), f"no workload has port {key}; their ports: {shown}")


def _addresses(workload: Workload) -> Iterator[tuple[Path, str]]:
    """Strings in which the address of a server may be."""
    for number, container in items(workload.pod_spec, "containers"):
        path = (*workload.template, "spec", "containers", number)
        for index, variable in items(container, "env"):
            value = variable.get("value")
            is_word = (
                isinstance(value, str) and _WORD.fullmatch(value) and _NO_ADDRESS.search(str(variable.get("name")))
            )
            if isinstance(value, str) and not is_word:
                yield (*path, "env", index, "value"), value
        for field in ("command", "args"):
            for index, text in texts(container, field):
                yield (*path, field, index), text


def _service(mesh: Mesh, host: str, namespace: str) -> Resource | None:
    name, *rest = host.split(".")
    if not rest:
        return mesh.find(SERVICE, namespace, name)
    suffix = ["svc", *mesh.settings.cluster_domain.split(".")]
    return mesh.find(SERVICE, rest[0], name) if rest[1:] == suffix[: len(rest) - 1] else None


def _is_strict(mesh: Mesh, service: Resource) -> bool:
    """Whether every port of every workload behind it accepts mutual TLS only."""
    workloads = mesh.behind(service)
    return bool(workloads) and all(
        mesh.has_sidecar(workload) is True
        and not mesh.is_ambient(workload)
        and all(mesh.mtls_mode(workload, port) == "STRICT" for port in ports_by_workload(mesh).get(id(workload)) or [0])
        for workload in workloads
    )


def _has_no_proxy(mesh: Mesh, workload: Workload) -> bool:
    return mesh.has_sidecar(workload) is False and not mesh.is_ambient(workload) and not is_gateway(workload)


def _is_meant_to_be_outside(mesh: Mesh, workload: Workload) -> bool:
    namespace = workload.namespace
    if namespace == mesh.settings.root_namespace or namespace.startswith(("kube-", "istio-")):
        return True
    return (mesh.namespace_labels(namespace) or {}).get(INJECTION) == "disabled"


def _mode(policy: Resource) -> str:
    return str(part(policy.spec, "mtls").get("mode") or "")
