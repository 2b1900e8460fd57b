# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Everything in a report, read once and put together as plain data: what module mesh_report writes as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import iso_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.storage import (
    NEWEST_RELEASES,
    StoredRelease,
    newest_releases,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import READER
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import (
    AnyCluster,
    ApiFailure,
    MeshCluster,
    Readable,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Objects, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.cluster import PROXIES_UNKNOWN
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live import unread_notes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import Loaded
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.options import (
    INPUT_OPTIONS,
    Input,
    read_input,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CONFIG_MAP,
    MUTATING_WEBHOOK,
    POD,
    SECRET,
    VALIDATING_WEBHOOK,
    VIRTUAL_SERVICE,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import Fetch, SourceFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report import registries, saturation, versions
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.canaries import canaries
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.certificates import certificates
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.graph import graph_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.info import info_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.picture import svg
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.services import NOT_MEASURED
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.traffic import Traffic, read_traffic
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.catalog import all_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.selection import Policy, Suppression
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import Request, validate

# Of the JSON file, so that a reader can refuse a newer one.
FORMAT = 1
_CERTIFICATE_KINDS = (SECRET, CONFIG_MAP, MUTATING_WEBHOOK, VALIDATING_WEBHOOK)


@dataclass(frozen=True)
class ReportRequest:
    """title, change (why the report is made), name and environment: texts of the user.

    namespaces: of the report, empty for all. fetch: Prometheus, None without one. now: seconds since the epoch.
    cost: the bill of module mesh_cost, empty if it was not requested.
    """

    title: str
    now: float
    change: str = ""
    name: str = ""
    environment: str = ""
    namespaces: Sequence[str] = ()
    istio_namespace: str = "istio-system"
    istiod_access: str = "port_forward"
    istiod_account: str = READER
    fetch: Fetch | None = None
    window: str = "5m"
    policy: Policy = field(default_factory=lambda: Policy({}))
    suppressions: Sequence[Suppression] = ()
    certificate_days: int = 30
    cost: Mapping[str, Any] = field(default_factory=dict)


def collect(cluster: AnyCluster, wanted: ReportRequest) -> dict[str, Any]:
    """Sections cluster, versions, registries, traffic, validation, canaries, certificates, cost, each with ``notes``.

    ``notes`` list what could not be read. Raises ApiFailure if the cluster does not answer at all.
    """
    found = read_input(_input_options(wanted), lambda: cluster, wanted.now)
    facts = {**found.settings.facts, "certificate_days": wanted.certificate_days}
    found = found._replace(settings=found.settings._replace(facts=facts))
    mesh = Mesh(found.live, found.settings)
    releases, unread_releases = _releases(cluster, wanted)
    return {
        "format": FORMAT,
        "title": wanted.title,
        "change": wanted.change,
        "created": iso_of(wanted.now),
        "namespaces": list(wanted.namespaces),
        "cluster": _cluster(cluster, wanted, found),
        "versions": _versions(wanted, mesh, found, releases, unread_releases),
        "registries": _registries(wanted, found, releases, unread_releases),
        "traffic": _traffic(wanted, mesh, found),
        "validation": _validation(wanted, found),
        "canaries": _canaries(cluster, wanted, mesh, found),
        "certificates": _certificates(wanted, mesh, found),
        "cost": dict(wanted.cost) or {"notes": ["the cost was not requested"]},
    }


def _input_options(wanted: ReportRequest) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in INPUT_OPTIONS.items()}
    return {
        **defaults,
        "live": True,
        "namespaces": list(wanted.namespaces),
        "istio_namespace": wanted.istio_namespace,
        "istiod_access": wanted.istiod_access,
        "istiod_account": wanted.istiod_account,
    }


def _cluster(cluster: AnyCluster, wanted: ReportRequest, found: Input) -> dict[str, Any]:
    notes: list[str] = []
    system = _asked("namespace kube-system", lambda: cluster.get(Ref("v1", "Namespace", "", "kube-system")), notes)
    nodes = _asked("Node", lambda: cluster.list("v1", "Node"), notes) or []
    parts = urlsplit(cluster.server)
    return {
        "name": wanted.name,
        "environment": wanted.environment,
        # Without what could be a proxy's credentials.
        "server": parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
        "uid": str((system or {}).get("metadata", {}).get("uid", "")),
        "account": cluster.account(),
        "kubernetes": str(found.settings.facts["kubernetes_version"]),
        "nodes": versions.nodes(Resource(node) for node in nodes),
        "notes": notes,
    }


def _releases(cluster: Readable, wanted: ReportRequest) -> tuple[list[StoredRelease], list[str]]:
    """Helm's releases, and notes. Decoded once for two sections."""
    notes: list[str] = []
    secrets: Objects = []
    for namespace in wanted.namespaces or [""]:
        what = f"Helm's releases in {namespace}" if namespace else "Helm's releases"
        secrets += _asked(what, partial(cluster.list, "v1", "Secret", namespace, NEWEST_RELEASES), notes) or []
    return newest_releases(secrets), notes


def _versions(
    wanted: ReportRequest, mesh: Mesh, found: Input, releases: Sequence[StoredRelease], unread_releases: Sequence[str]
) -> dict[str, Any]:
    notes = [note for note in found.notes if note.startswith(PROXIES_UNKNOWN)]
    return {
        "control_planes": versions.control_planes(mesh),
        "proxies": versions.proxies(found.settings.facts["proxies"]),
        "releases": versions.releases(releases),
        "workloads": versions.workloads(mesh, wanted.namespaces),
        "notes": [*notes, *unread_releases],
    }


def _registries(
    wanted: ReportRequest, found: Input, releases: Sequence[StoredRelease], unread_releases: Sequence[str]
) -> dict[str, Any]:
    pods = [item for item in found.live if item.kind == POD]
    return {
        **registries.retired(
            [pod.obj for pod in pods if not wanted.namespaces or pod.namespace in wanted.namespaces],
            [item.obj for item in found.live if item.kind == CONFIG_MAP],
            releases,
            wanted.istio_namespace,
        ),
        "notes": [*_unread(found, (POD, CONFIG_MAP)), *unread_releases],
    }


def _traffic(wanted: ReportRequest, mesh: Mesh, found: Input) -> dict[str, Any]:
    notes: list[str] = []
    traffic, fullest, is_known = Traffic(), {}, False
    if wanted.fetch is None:
        notes.append("prometheus is not set, so the traffic is not known")
    else:
        fetch, window = wanted.fetch, wanted.window
        answer = _asked("the traffic", lambda: read_traffic(fetch, window), notes)
        traffic, is_known = answer or traffic, answer is not None
        shares = _asked("the saturation of containers", lambda: saturation.read_saturation(fetch, window), notes)
        fullest = saturation.by_service(mesh, shares or {})
    info = info_of(mesh, traffic, list(wanted.namespaces))
    for service in info["services"]:
        service["saturation"] = fullest.get((service["namespace"], service["name"]), {})
    if is_known:
        notes += _not_scraped(info)
    return {
        "window": wanted.window,
        **info,
        "topology_svg": _picture(info),
        "notes": [*notes, *_unread(found, (VIRTUAL_SERVICE,))],
    }


def _not_scraped(info: Mapping[str, Any]) -> list[str]:
    """A note on services with a sidecar of which Prometheus knows nothing, neither requests nor that there are none."""
    found = [
        f"{item['namespace']}/{item['name']}"
        for item in info["services"]
        if item["health"] == NOT_MEASURED and item["workloads"] and item["mtls"] != "none"
    ]
    return (
        [f"prometheus does not scrape the pods of {', '.join(found)}, so their traffic is not known"] if found else []
    )


def _picture(info: Mapping[str, Any]) -> str:
    """Only nodes with calls; empty without any. The others would make it taller than any screen."""
    nodes, edges = graph_of(info)
    connected = {key for edge in edges for key in (edge.client, edge.server)}
    return svg([node for node in nodes if node.key in connected], edges) if edges else ""


def _validation(wanted: ReportRequest, found: Input) -> dict[str, Any]:
    request = Request(wanted.policy, wanted.suppressions, namespaces=wanted.namespaces)
    result = validate(Loaded(found.live), found.settings, all_checks(), request)
    return {
        "findings": result.findings,
        "summary": result.summary,
        "undecided": result.undecided,
        "notes": [*found.notes, *result.notes],
    }


def _canaries(cluster: MeshCluster, wanted: ReportRequest, mesh: Mesh, found: Input) -> dict[str, Any]:
    notes = _unread(found, (VIRTUAL_SERVICE,))
    return {"runs": canaries(cluster, mesh, wanted.namespaces, wanted.now, notes), "notes": notes}


def _certificates(wanted: ReportRequest, mesh: Mesh, found: Input) -> dict[str, Any]:
    return {
        "warn_days": wanted.certificate_days,
        "certificates": certificates(mesh),
        "notes": _unread(found, _CERTIFICATE_KINDS),
    }


def _unread(found: Input, kinds: Iterable[Kind]) -> list[str]:
    """The notes on what was not read, of these kinds."""
    wanted = set(kinds)
    return unread_notes(item for item in found.unread if item.kind in wanted)


def _asked(what: str, ask: Callable[[], Any], notes: list[str]) -> Any:
    """The answer, or None and a note with the reason."""
    try:
        return ask()
    except (ApiFailure, SourceFailure) as failure:
        notes.append(f"{what} was not read: {failure}")
        return None
