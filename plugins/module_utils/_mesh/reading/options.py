# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The input of a validation, as modules take it: their options, and what is read for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.collector import collector_paused
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import minor_of, tag_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import (
    IstiodFailure,
    Way,
    connected_proxies,
    refuse_without_rights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import Proxy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import AnyCluster, ApiFailure, MeshCluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    GATEWAY_CHANNEL,
    GATEWAY_VERSION,
    ISTIO_VERSION,
    Settings,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.inputs import ChartInput, Reader
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live import (
    LiveInput,
    Unread,
    read,
    unread_notes,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live_definitions import read_definitions
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import Loaded
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import DEPLOYMENT, KINDS, Resource

# Seconds; istiod collects changes for a tenth of a second before it pushes.
_SECOND_LOOK = 2
# How a note begins if istiod could not be asked.
PROXIES_UNKNOWN = "it is not known what the proxies accepted"
_CHART: dict[str, Any] = {
    "path": {"type": "str", "required": True},
    "name": {"type": "str", "default": "release"},
    "namespace": {"type": "str", "default": "default"},
    "values": {"type": "dict", "default": {}},
    "values_files": {"type": "list", "elements": "str", "default": []},
}
# For an argument spec; the doc fragment _validate_input describes them.
INPUT_OPTIONS: dict[str, Any] = {
    "paths": {"type": "list", "elements": "str", "default": []},
    "content": {"type": "str"},
    "chart": {"type": "dict", "options": _CHART},
    "base": {"type": "path"},
    "allow_empty": {"type": "bool", "default": False},
    "live": {"type": "bool", "default": False},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "default_namespace": {"type": "str", "default": "default"},
    "mesh_config": {"type": "dict"},
    "cluster_domain": {"type": "str", "default": "cluster.local"},
    "trust_domain": {"type": "str", "default": "cluster.local"},
    "helm_binary": {"type": "str", "default": "helm"},
    "kustomize_binary": {"type": "str", "default": "kustomize"},
}


@dataclass(frozen=True)
class Input:
    """files: the contents of files, texts and charts. live: the cluster's objects.

    unread: kinds that the cluster did not return completely. notes: about these, and whether istiod could be asked.
    """

    files: Loaded
    file_count: int
    live: list[Resource]
    settings: Settings
    unread: list[Unread]
    notes: list[str]


def start_at(base: str | None) -> None:
    """Make it the folder from which the relative paths of all options start. Raises InputError."""
    if not base:
        return
    try:
        os.chdir(base)
    except OSError as error:
        raise InputError(f"base: {base}: {error.strerror}. Name an existing folder.") from error


def read_input(params: Mapping[str, Any], connect: Callable[[], AnyCluster], now: float) -> Input:
    """``connect`` is called only if the cluster is read. Raises InputError and ApiFailure."""
    if not (params["paths"] or params["content"] is not None or params["chart"] or params["live"]):
        raise InputError("There is no input. Set paths, content or chart, or live: true.")
    notes: list[str] = []
    facts: dict[str, Any] = {}
    live = LiveInput()
    with collector_paused():
        reader = _read_files(params)
        _require_objects(params, reader)
        if params["live"]:
            cluster = connect()
            live = read(cluster, params["namespaces"], params["istio_namespace"])
            live.resources += read_definitions(cluster, notes)
            facts["proxies"] = _proxies(cluster, params, notes)
            facts["kubernetes_version"] = cluster.version()
            facts[ISTIO_VERSION] = _release(live.resources, params["istio_namespace"])
    notes += unread_notes(live.unread)
    settings = Settings(
        root_namespace=params["istio_namespace"],
        cluster_domain=params["cluster_domain"],
        trust_domain=params["trust_domain"],
        listed=frozenset(live.listed),
        mesh_config=params["mesh_config"],
        now=now,
        facts=facts,
    )
    return Input(reader.loaded, reader.files, live.resources, settings, live.unread, notes)


def stated_versions(params: Mapping[str, Any]) -> dict[str, str]:
    """The facts of Settings that the options istio_version, gateway_api_version and gateway_api_channel give.

    Raises InputError if one of them is not a version.
    """
    facts = {}
    for option, fact in (("istio_version", ISTIO_VERSION), ("gateway_api_version", GATEWAY_VERSION)):
        if version := params[option]:
            if minor_of(version) is None:
                raise InputError(f"{option}: '{version}' is not a valid version. Write it as '1.31' or '1.31.1'.")
            facts[fact] = version
    if channel := params["gateway_api_channel"]:
        facts[GATEWAY_CHANNEL] = channel
    return facts


def _read_files(params: Mapping[str, Any]) -> Reader:
    programs = (params["helm_binary"], params["kustomize_binary"])
    reader = Reader(params["default_namespace"], "", *programs)
    reader.read(params["paths"])
    if params["content"] is not None:
        reader.content(params["content"])
    if params["chart"]:
        chart = params["chart"]
        files = tuple(chart["values_files"])
        reader.chart(ChartInput(chart["path"], chart["name"], chart["namespace"], chart["values"], files))
    return reader


def _require_objects(params: Mapping[str, Any], reader: Reader) -> None:
    """Raises InputError if there is input, but nothing in it that any check knows."""
    given = [f"'{path}'" for path in params["paths"]]
    given += ["content"] if params["content"] is not None else []
    given += [f"chart '{params['chart']['path']}'"] if params["chart"] else []
    # Unreadable input is already a finding; the hint at a template is not.
    is_unreadable = any(finding.severity != "info" for finding in reader.loaded.findings)
    if not given or params["allow_empty"] or is_unreadable:
        return
    policy = params.get("policy") or {}
    # Custom checks may look at anything.
    known = None if policy.get("cel") or policy.get("python") else KINDS
    if any(known is None or resource.kind in known for resource in reader.loaded.resources):
        return
    files = f"{reader.files} file{'' if reader.files == 1 else 's'}"
    raise InputError(
        f"paths: the checks know no object in {files} of {', '.join(given)}. Name files with the mesh's configuration, "
        "or set allow_empty if there may be none."
    )


def _proxies(cluster: MeshCluster, params: Mapping[str, Any], notes: list[str]) -> list[dict[str, Any]]:
    """The connected proxies, as the live checks take them; none if istiod cannot be asked."""
    way = Way.of(params)
    try:
        refuse_without_rights(cluster, way)
        found = connected_proxies(cluster, way)
        if any(proxy.stale for proxy in found):
            # A proxy needs a moment to accept what it was sent: only a proxy that stays behind is a fault.
            time.sleep(_SECOND_LOOK)
            behind = {(proxy.namespace, proxy.name): proxy for proxy in found if proxy.stale}
            found = [
                _still(proxy, behind.get((proxy.namespace, proxy.name))) for proxy in connected_proxies(cluster, way)
            ]
    except (ApiFailure, IstiodFailure) as error:
        notes.append(f"{PROXIES_UNKNOWN}: {error}")
        return []
    return [{**asdict(proxy), "stale": list(proxy.stale), "rejected": list(proxy.rejected)} for proxy in found]


def _release(resources: Sequence[Resource], namespace: str) -> str:
    """Of the oldest istiod: what it does not know has no effect in its proxies. Empty if images name no version."""
    minors = {
        minor_of(tag_of(container.get("image")))
        for plane in resources
        if plane.kind == DEPLOYMENT and plane.namespace == namespace and plane.labels.get("app") == "istiod"
        for _index, container in items(plane.spec, "template", "spec", "containers")
    }
    known = sorted(minor for minor in minors if minor)
    return f"{known[0][0]}.{known[0][1]}" if known else ""


def _still(proxy: Proxy, before: Proxy | None) -> Proxy:
    """Keeps only the types that both reads show as not accepted."""
    return replace(proxy, stale=tuple(kind for kind in proxy.stale if before is not None and kind in before.stale))
