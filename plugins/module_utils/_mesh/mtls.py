# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What DestinationRules and PeerAuthentications set about mTLS for a whole mesh, a namespace, a host."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, selector_labels
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import once_per_mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    PEER_AUTHENTICATION,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.routes import whole
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import port_number
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.workloads import Workload

ISTIO_MUTUAL, MUTUAL, SIMPLE, DISABLE = "ISTIO_MUTUAL", "MUTUAL", "SIMPLE", "DISABLE"
STRICT, PERMISSIVE = "STRICT", "PERMISSIVE"
MODE: Path = ("spec", "trafficPolicy", "tls", "mode")


class WideRules(NamedTuple):
    """DestinationRules with a TLS mode for hosts of the whole mesh, and of each namespace."""

    mesh: list[tuple[Resource, str]]
    namespace: dict[str, list[tuple[Resource, str]]]


def mode_of(policy: Object) -> str:
    """The TLS mode of a traffic policy; empty if it has none."""
    tls = policy.get("tls")
    return str(tls.get("mode") or DISABLE) if isinstance(tls, dict) else ""


@once_per_mesh
def wide_rules(mesh: Mesh) -> WideRules:
    domain = mesh.settings.cluster_domain
    everywhere = {"*", "*.local", f"*.{domain}", f"*.svc.{domain}"}
    found = WideRules([], defaultdict(list))
    for rule in mesh.of(DESTINATION_RULE):
        host = rule.spec.get("host")
        mode = mode_of(part(rule.spec, "trafficPolicy"))
        if not mode or not isinstance(host, str):
            continue
        if host in everywhere:
            found.mesh.append((rule, mode))
        elif host.startswith("*.") and host.endswith(f".svc.{domain}"):
            found.namespace[host[2 : -len(f".svc.{domain}")]].append((rule, mode))
    return found


@once_per_mesh
def wide_authentications(mesh: Mesh) -> dict[str, list[tuple[Resource, str]]]:
    """Namespace -> its PeerAuthentications without a selector, with the mode that each sets."""
    found: dict[str, list[tuple[Resource, str]]] = defaultdict(list)
    for resource in mesh.of(PEER_AUTHENTICATION):
        mode = part(resource.spec, "mtls").get("mode")
        if mode not in (None, "UNSET") and not selector_labels(resource):
            found[resource.namespace].append((resource, str(mode)))
    return found


class PortMode(NamedTuple):
    """The TLS mode that a rule makes clients use for one port of a Service.

    path: of the mode. labels: of the subset that it is for; empty for all pods.
    """

    path: Path
    mode: str
    port: int
    target: Any
    labels: Object


def port_modes(rule: Resource, service: Resource) -> Iterator[PortMode]:
    """For the host and each subset."""
    policies: list[tuple[Path, Object, Object]] = [(("spec", "trafficPolicy"), part(rule.spec, "trafficPolicy"), {})]
    for index, subset in items(rule.spec, "subsets"):
        path: Path = ("spec", "subsets", index, "trafficPolicy")
        policies.append((path, part(subset, "trafficPolicy"), part(subset, "labels")))
    for path, policy, labels in policies:
        if "tls" not in policy and "portLevelSettings" not in policy:
            continue
        by_port = {
            whole(part(setting, "port").get("number")): ((*path, "portLevelSettings", index, "tls", "mode"), setting)
            for index, setting in items(policy, "portLevelSettings")
        }
        for _index, port in items(service.spec, "ports"):
            number = port_number(port)
            if number is None:
                continue
            place, setting = by_port.get(number, ((*path, "tls", "mode"), policy))
            if mode := mode_of(setting):
                yield PortMode(place, mode, number, port.get("targetPort") or number, labels)


def container_port(workload: Workload, target: Any) -> int | None:
    """The number of a targetPort, which may be the name of a container's port."""
    if not isinstance(target, str):
        return whole(target)
    for container in workload.containers:
        for _index, port in items(container, "ports"):
            if port.get("name") == target:
                return whole(port.get("containerPort"))
    return None
