# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which versions run: nodes, control planes, proxies, Helm releases, workloads with their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import tag_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.storage import StoredRelease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY, is_ready
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import REVISION, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload


def nodes(found: Iterable[Resource]) -> list[Object]:
    """Equal nodes counted together: version, os, architecture, count, ready."""
    groups: dict[tuple[str, str, str], list[bool]] = {}
    for node in found:
        info = part(node.status, "nodeInfo")
        key = tuple(str(info.get(name, "")) for name in ("kubeletVersion", "osImage", "architecture"))
        groups.setdefault((key[0], key[1], key[2]), []).append(is_ready(node.obj))
    return [
        {"version": version, "os": system, "architecture": machine, "count": len(ready), "ready": sum(ready)}
        for (version, system, machine), ready in sorted(groups.items())
    ]


def control_planes(mesh: Mesh) -> list[Object]:
    """Every istiod of the root namespace: name, revision, version, image, replicas, ready."""
    found = []
    for workload in mesh.workloads:
        root = workload.namespace == mesh.settings.root_namespace
        if root and workload.resource.kind == DEPLOYMENT and workload.labels.get("app") == "istiod":
            image = next((str(container.get("image", "")) for container in workload.containers), "")
            found.append(
                {
                    "name": workload.name,
                    "revision": str(workload.labels.get(REVISION) or "default"),
                    "version": tag_of(image),
                    "image": image,
                    "replicas": workload.replicas,
                    "ready": workload.ready,
                }
            )
    return sorted(found, key=lambda item: str(item["name"]))


def proxies(connected: Sequence[Mapping[str, Any]]) -> Object:
    """total, in_sync, versions (each with type, version, count, in_sync) and behind: proxies out of sync, with details.

    ``connected``: as `_validate.options.read_input` has them in its facts.
    """
    total: Counter[tuple[str, str]] = Counter()
    good: Counter[tuple[str, str]] = Counter()
    behind = []
    for proxy in connected:
        key = (str(proxy["type"]), str(proxy["version"]))
        total[key] += 1
        if proxy["stale"] or proxy["rejected"]:
            what = [*(f"has not accepted {kind}" for kind in proxy["stale"])]
            what += [f"refused {text}" for text in proxy["rejected"]]
            behind.append(f"{proxy['namespace']}/{proxy['name']} {'; '.join(what)}")
        else:
            good[key] += 1
    return {
        "total": sum(total.values()),
        "in_sync": sum(good.values()),
        "versions": [
            {"type": key[0], "version": key[1], "count": count, "in_sync": good[key]}
            for key, count in sorted(total.items())
        ],
        "behind": behind,
    }


def workloads(mesh: Mesh, namespaces: Sequence[str]) -> list[Object]:
    """Workloads that serve in the namespaces (in all, if none is given), with images. Jobs come and go: left out."""
    return [
        {
            "namespace": workload.namespace,
            "kind": workload.resource.kind.kind,
            "name": workload.name,
            "images": _images(workload),
            "replicas": workload.replicas,
            "ready": workload.ready,
        }
        for workload in sorted(mesh.workloads, key=lambda item: (item.namespace, item.name))
        if (not namespaces or workload.namespace in namespaces) and workload.resource.kind not in (JOB, CRON_JOB)
    ]


def _images(workload: Workload) -> dict[str, str]:
    """By container; the sidecar belongs to the control plane."""
    return {
        str(container.get("name")): str(container.get("image", ""))
        for container in workload.containers
        if container.get("name") != PROXY
    }


def releases(stored: Iterable[StoredRelease]) -> list[Object]:
    """namespace, name, chart, version, app_version, revision, status, updated of each.

    A release also contains values and manifests; none of these are copied.
    """
    found = []
    for release in stored:
        chart = part(release.content, "chart", "metadata")
        found.append(
            {
                "namespace": release.namespace,
                "name": release.name,
                "chart": str(chart.get("name", "")),
                "version": str(chart.get("version", "")),
                "app_version": str(chart.get("appVersion", "")),
                "revision": release.revision,
                "status": release.status,
                # To the second: 2026-11-25T22:01:02.123456789Z
                "updated": str(part(release.content, "info").get("last_deployed", ""))[:19],
            }
        )
    return found
