# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What in a cluster still comes from the addresses at which Istio retires its charts and images in December 2026.

Sources: https://istio.io/latest/blog/2026/retirement-of-gcp/ and the upgrade notes of Istio 1.31. Once the addresses
are gone and no cluster names them, this file and its callers can go too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.storage import StoredRelease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import has_ended

# The only list of them; a test of the repository ensures that.
ADDRESSES = ("registry.istio.io", "gcr.io/istio-release", "istio-release.storage.googleapis.com")
WHEN = (
    "they do not answer for 24 hours from 8 December 2026, 15:00 UTC (Istio's last test), and disappear later in "
    "December 2026"
)
INSTALL = "ansible-playbook playbooks/site.yml --tags istio"
PAGE = "docs/runbooks/istio_registries_moved.md"
# Not a mirror with such an address in its path: mirror.example.com/registry.istio.io/release.
_ADDRESS = re.compile(rf"(?:(?<=//)|(?<![\w./-]))(?:{'|'.join(map(re.escape, ADDRESSES))})(?![\w.-])")
# The containers that the injector adds to pods of sidecars and gateways: a new pod gets the current image.
_INJECTED = {"istio-proxy", "istio-init", "istio-validation"}
_INJECTOR = "istio-sidecar-injector"
_RESTARTABLE = ("Deployment", "StatefulSet", "DaemonSet")


def retired_address(text: str) -> str:
    """The first of ADDRESSES in a URL, an image or a longer text; empty if there is none."""
    found = _ADDRESS.search(text)
    return found[0] if found else ""


def retired_workloads(pods: Iterable[Object]) -> Objects:
    """Owners of running pods with images from there: namespace, kind, name, pods (their number), images, injected.

    injected: only the injector's containers have such images, so a restart is enough after moving the injector.
    """
    # By owner: (image, whether its container is one of the injector's).
    images: dict[tuple[str, str, str], set[tuple[str, bool]]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for pod in pods:
        if has_ended(pod):
            continue
        retired = {
            (str(container.get("image")), container.get("name") in _INJECTED)
            for field in ("initContainers", "containers")
            for _index, container in items(pod, "spec", field)
            if retired_address(str(container.get("image", "")))
        }
        if retired:
            owner = _owner(pod)
            images[owner] = images.get(owner, set()) | retired
            counts[owner] = counts.get(owner, 0) + 1
    return [
        {
            "namespace": namespace,
            "kind": kind,
            "name": name,
            "pods": counts[namespace, kind, name],
            "images": sorted({image for image, _injected in found}),
            "injected": all(injected for _image, injected in found),
        }
        for (namespace, kind, name), found in sorted(images.items())
    ]


def _owner(pod: Object) -> tuple[str, str, str]:
    """(namespace, kind, name) of the pod's owner, according to the pod itself."""
    metadata = part(pod, "metadata")
    namespace = str(metadata.get("namespace", ""))
    for _index, reference in items(pod, "metadata", "ownerReferences"):
        kind, name = str(reference.get("kind")), str(reference.get("name"))
        ending = f"-{part(metadata, 'labels').get('pod-template-hash', '')}"
        if kind == "ReplicaSet" and ending != "-" and name.endswith(ending):
            return namespace, "Deployment", name.removesuffix(ending)
        return namespace, kind, name
    return namespace, "Pod", str(metadata.get("name"))


def retired_injectors(config_maps: Iterable[Object]) -> Objects:
    """The injectors that give new pods images from there: namespace, name (of the ConfigMap), address."""
    found = []
    for item in config_maps:
        metadata = part(item, "metadata")
        name, address = str(metadata.get("name", "")), retired_address(str(part(item, "data").get("values", "")))
        if address and (name == _INJECTOR or name.startswith(f"{_INJECTOR}-")):
            found.append({"namespace": str(metadata.get("namespace", "")), "name": name, "address": address})
    return sorted(found, key=lambda item: (item["namespace"], item["name"]))


def retired_releases(releases: Iterable[StoredRelease]) -> Objects:
    """The Helm releases whose values or objects name them: namespace, name, address. No value is returned."""
    return [
        {"namespace": release.namespace, "name": release.name, "address": address}
        for release in releases
        if (address := retired_address(_text(release.content)))
    ]


def _text(content: Object) -> str:
    return f"{json.dumps(content.get('config'))}\n{content.get('manifest', '')}"


def restart_command(workload: Mapping[str, Any]) -> str:
    """Empty if kubectl cannot restart its kind."""
    if workload["kind"] not in _RESTARTABLE:
        return ""
    return f"kubectl -n {workload['namespace']} rollout restart {workload['kind'].lower()}/{workload['name']}"


def warnings_of(found: Mapping[str, Objects], sources: Mapping[str, str]) -> list[str]:
    """Sentences about what was found: what names such an address, its end, and the way out; empty if nothing does.

    ``found``: workloads, injectors and releases as above. ``sources``: addresses by the name of the setting.
    """
    warnings = [
        f"{name} is '{value}', but Istio retires {retired_address(value)}: {WHEN}. "
        f"Remove it, or name another place ({PAGE})."
        for name, value in sources.items()
        if retired_address(value)
    ]
    sources_found = [
        *_listed("running pods of", [f"{w['namespace']}/{w['name']} ({w['pods']})" for w in found["workloads"]]),
        *_listed("new pods, by ConfigMap", [f"{i['namespace']}/{i['name']}" for i in found["injectors"]]),
        *_listed("Helm releases", [f"{r['namespace']}/{r['name']}" for r in found["releases"]]),
    ]
    if sources_found:
        restarts = [command for w in found["workloads"] if w["injected"] and (command := restart_command(w))]
        then = f", then {'; '.join(_short(restarts))}" if restarts else ""
        warnings.append(
            f"Istio retires {', '.join(ADDRESSES)}: {WHEN}. These come from there: {'; '.join(sources_found)}. "
            f"Move them: {INSTALL}{then} ({PAGE})."
        )
    return warnings


def _listed(what: str, names: Sequence[str]) -> list[str]:
    return [f"{what} {', '.join(_short(names))}"] if names else []


def _short(names: Sequence[str], most: int = 5) -> list[str]:
    return [*names[:most], f"and {len(names) - most} more"] if len(names) > most else list(names)
