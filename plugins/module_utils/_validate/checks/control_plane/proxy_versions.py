# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The versions of proxies compared with those of the injector and of istiod."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import shortened
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import (
    are_comparable,
    minor_of,
    tag_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import PROXY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.injection import injector_of, injectors
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import INJECTION, REVISION, Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_OWN_IMAGE = "sidecar.istio.io/proxyImage"
# istiod supports proxies of its own minor version and of the two before.
_BEHIND = 2


class Proxy(NamedTuple):
    resource: Resource
    path: Path
    version: str


@check(
    code="IST0158",
    level="warning",
    title="Proxies of another version than the injector's",
    why="After an upgrade of the control plane, pods keep their old proxy until they are restarted.",
    remedy="Restart the workloads: kubectl rollout restart.",
    needs=[NAMESPACE, POD, CONFIG_MAP],
)
def proxy_of_another_version(mesh: Mesh, report: Report) -> None:
    if not injectors(mesh):
        return
    differing: dict[str, list[str]] = defaultdict(list)
    wanted: dict[str, str] = {}
    for pod in mesh.of(POD):
        if pod.annotations.get(_OWN_IMAGE):
            continue
        if pod.namespace not in wanted:
            wanted[pod.namespace] = _wanted_tag(mesh, pod.namespace)
        for _path, container in _proxies_of(pod):
            tag = tag_of(container.get("image"))
            if are_comparable(tag, wanted[pod.namespace]) and tag != wanted[pod.namespace]:
                differing[pod.namespace].append(f"{pod.name} ({tag})")
    for name, pods in differing.items():
        namespace = mesh.find(NAMESPACE, "", name)
        if namespace is not None:
            message = f"the injector has {wanted[name]}, and pods have other versions: {shortened(sorted(pods), 3)}"
            report(namespace, ("metadata", "name"), message)


@check(
    code="MESH530",
    level="warning",
    title="Proxy that istiod does not support",
    why="istiod supports proxies of its own minor version and the two before; others may not understand it.",
    remedy="Restart the workload if its proxy is too old; upgrade the control plane first if it is too new.",
)
def unsupported_proxy(mesh: Mesh, report: Report) -> None:
    """facts["proxies"]: [{name, namespace, type, version, ...}], as istiod lists those that are connected."""
    control = _control_planes(mesh)
    if not control:
        return
    reported: set[tuple[str, str]] = set()
    for proxy in [*_connected(mesh), *_in_pods(mesh)]:
        key = (proxy.resource.namespace, proxy.resource.name)
        minor = minor_of(proxy.version)
        served = control.get(_revision(proxy.resource)) or max(control.values())
        if key in reported or minor is None or minor[0] != served[0]:
            continue
        reported.add(key)
        if minor[1] > served[1]:
            message = f"the proxy is {proxy.version}, newer than istiod's {served[0]}.{served[1]}"
        elif minor[1] < served[1] - _BEHIND:
            message = f"the proxy is {proxy.version}, {served[1] - minor[1]} minor versions behind istiod's"
            message += f" {served[0]}.{served[1]}"
        else:
            continue
        report(proxy.resource, proxy.path, message)


def _wanted_tag(mesh: Mesh, namespace: str) -> str:
    """What the namespace's injector would inject; empty if there is none."""
    labels = mesh.namespace_labels(namespace) or {}
    if labels.get(INJECTION) != "enabled" and REVISION not in labels:
        return ""
    values = part(injector_of(mesh, labels.get(REVISION)), "global")
    image = str(part(values, "proxy").get("image") or "")
    if "/" in image:
        return tag_of(image)
    return tag_of(f"proxyv2:{values['tag']}") if values.get("tag") else ""


def _proxies_of(pod: Resource) -> Iterator[tuple[Path, Object]]:
    for field in ("containers", "initContainers"):
        for index, container in items(pod.spec, field):
            if container.get("name") == PROXY:
                yield ("spec", field, index, "image"), container


def _in_pods(mesh: Mesh) -> Iterator[Proxy]:
    for pod in mesh.of(POD):
        for path, container in _proxies_of(pod):
            yield Proxy(pod, path, tag_of(container.get("image")))


def _connected(mesh: Mesh) -> Iterator[Proxy]:
    for proxy in connected_proxies(mesh):
        if version := proxy.get("version"):
            yield Proxy(pod_of(mesh, proxy), ("metadata", "name"), str(version))


def connected_proxies(mesh: Mesh) -> list[Object]:
    return [proxy for _index, proxy in items(mesh.settings.facts, "proxies")]


def pod_of(mesh: Mesh, proxy: Object) -> Resource:
    """The pod of a proxy that istiod lists; a placeholder with its name if pods were not read."""
    namespace, name = str(proxy.get("namespace") or ""), str(proxy.get("name") or "")
    stand_in = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name}}
    return mesh.find(POD, namespace, name) or Resource(stand_in)


def _control_planes(mesh: Mesh) -> dict[str, tuple[int, int]]:
    """Minor version of each revision's istiod."""
    found: dict[str, tuple[int, int]] = {}
    for deployment in mesh.of(DEPLOYMENT):
        if deployment.labels.get("app") != "istiod":
            continue
        for _index, container in items(part(deployment.spec, "template", "spec"), "containers"):
            if container.get("name") == "discovery" and (minor := minor_of(tag_of(container.get("image")))):
                found[str(deployment.labels.get(REVISION) or "default")] = minor
    return found


def _revision(pod: Resource) -> str:
    wish: Any = pod.labels.get(REVISION) or pod.annotations.get(REVISION)
    return str(wish or "default")
