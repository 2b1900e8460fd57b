# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What pods of the mesh must not do to the proxy beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import is_gateway
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CRON_JOB,
    JOB,
    POD,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workload_ports import container_ports
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_PROXY_UID = 1337
_OWN_CONTAINERS = {PROXY, "istio-init", "istio-validation", "istio-operator", "enable-core-dump"}
# Where the proxy and its agent listen in each pod.
_PROXY_PORTS = {15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090}
_REWRITE = "sidecar.istio.io/rewriteAppHTTPProbers"
_NAME_LABELS = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
_VERSION_LABELS = ("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")


@check(
    code="IST0144",
    level="warning",
    title="The proxy's user ID",
    why="The sidecar takes traffic of user 1337 for its own and lets it bypass mutual TLS and policies.",
    remedy="Run the application as another user.",
)
def application_as_proxy_user(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        found = list(_as_proxy_user(workload))
        if found and not _is_of_istio(workload) and mesh.has_sidecar(workload) is not False:
            for path, who in found:
                report(workload.resource, path, f"{who} runs as user {_PROXY_UID}")


@check(
    code="MESH520",
    level="warning",
    title="The proxy's port",
    why="The proxy listens on this port in the same pod: one of the two does not start, or never gets its requests.",
    remedy="Make the application listen on another port; 15000 to 15090 are Istio's.",
    needs=[POD],
)
def application_on_proxy_port(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        for path, port in container_ports(workload):
            number = port.get("containerPort")
            if not isinstance(number, int) or number not in _PROXY_PORTS or is_gateway(workload):
                continue
            if not _is_of_istio(workload) and mesh.has_sidecar(workload) is True:
                report(workload.resource, (*path, "containerPort"), f"port {number} is the sidecar's")


@check(
    code="MESH521",
    level="warning",
    title="Probes that STRICT refuses",
    why="The kubelet has no certificate. With rewriting off, its probe is refused and the pod never gets ready.",
    remedy="Remove the annotation, or make the probe's port PERMISSIVE.",
    needs=[POD],
)
def probe_without_rewriting(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        wish = str(workload.labels.get(_REWRITE, workload.annotations.get(_REWRITE, ""))).lower()
        if wish != "false" or mesh.has_sidecar(workload) is not True or mesh.is_ambient(workload):
            continue
        for path, number in _http_probes(workload):
            if mesh.mtls_mode(workload, number) == "STRICT":
                report(workload.resource, path, f"{_REWRITE} is false, and the workload is STRICT")


@check(
    code="MESH522",
    level="warning",
    title="Job whose proxy keeps it running",
    why="The proxy is an ordinary container and does not end with the application: the job never completes.",
    remedy="Use native sidecars (sidecar.istio.io/nativeSidecar), or call the proxy's /quitquitquit at the end.",
    needs=[POD],
)
def job_with_proxy(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        if workload.resource.kind not in (JOB, CRON_JOB):
            continue
        stuck = [pod for pod in workload.pods if _is_kept_running(pod)]
        if stuck:
            pod = stuck[0].name
            report(workload.resource, ("metadata", "name"), f"in pod {pod} only {PROXY} is still running")


@check(
    code="MESH523",
    level="info",
    title="Missing labels for telemetry",
    why="Metrics and traces name the workload by these labels; without them versions cannot be distinguished.",
    remedy="Label the pods with app and version.",
    # Metrics fall back to the workload's name, so many teams do without.
    enabled=False,
)
def labels_for_telemetry(mesh: Mesh, report: Report) -> None:
    for workload in mesh.workloads:
        if mesh.has_sidecar(workload) is not True or is_gateway(workload):
            continue
        missing = [
            names[-1] for names in (_NAME_LABELS, _VERSION_LABELS) if not any(name in workload.labels for name in names)
        ]
        if missing:
            report(
                workload.resource, (*workload.template, "metadata", "labels"), f"no label {' and no '.join(missing)}"
            )


def _is_of_istio(workload: Workload) -> bool:
    return "istio" in workload.labels or workload.labels.get("release") == "istio"


def _as_proxy_user(workload: Workload) -> Iterator[tuple[Path, str]]:
    path = (*workload.template, "spec")
    if _user(workload.pod_spec) == _PROXY_UID and not is_gateway(workload):
        yield (*path, "securityContext", "runAsUser"), "the pod"
    for index, container in items(workload.pod_spec, "containers"):
        if _user(container) == _PROXY_UID and str(container.get("name")) not in _OWN_CONTAINERS:
            yield (*path, "containers", index, "securityContext", "runAsUser"), f"container {container.get('name')!r}"


def _user(holder: Object) -> Any:
    return part(holder, "securityContext").get("runAsUser")


def _http_probes(workload: Workload) -> Iterator[tuple[Path, int | None]]:
    for number, container in items(workload.pod_spec, "containers"):
        if str(container.get("name")) in _OWN_CONTAINERS:
            continue
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            for field in ("httpGet", "grpc"):
                action = part(container, probe, field)
                if action:
                    path = (*workload.template, "spec", "containers", number, probe, field)
                    port = action.get("port")
                    yield path, port if isinstance(port, int) and not isinstance(port, bool) else None


def _is_kept_running(pod: Resource) -> bool:
    """Whether the proxy, an ordinary container, is the only one still running."""
    states = {str(item.get("name")): part(item, "state") for _index, item in items(pod.status, "containerStatuses")}
    proxy = states.pop(PROXY, {})
    return bool(states) and "running" in proxy and all("terminated" in state for state in states.values())
