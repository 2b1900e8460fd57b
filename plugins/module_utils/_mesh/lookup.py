# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a host is known, and whether the input shows it at all."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import unseen_service
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import POD, SERVICE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.service_registry import (
    EXPORT_TO,
    exported_to,
    visible,
)


def seen_by(resource: Resource, owners: list[Resource]) -> list[Resource]:
    """The host's owners that are visible in the resource's namespace, or in one that it is exported to."""
    if not any(_is_restricted(owner) for owner in owners):
        return owners
    places = [resource.namespace, *(place for place in exported_to(resource) if place not in ("*", ".", "~"))]
    return [owner for owner in owners if any(visible(owner, place) for place in places)]


def _is_restricted(owner: Resource) -> bool:
    return bool(owner.spec.get("exportTo")) if owner.kind != SERVICE else EXPORT_TO in owner.annotations


def is_internal(host: str, domain: str) -> bool:
    """Whether a qualified host is the name of a Service, in this cluster's domain or another one."""
    return host.endswith(f".svc.{domain}") or ".svc." in host


def undecided_host(mesh: Mesh, host: str, reference: Resource) -> str:
    """What the input lacks to decide whether the qualified host in the object has an owner; empty if it has none.

    A name outside the cluster can only be a ServiceEntry's, and the input is assumed to have all of those. A Service's
    name is decidable if the input has Services of its namespace, and no controller generates the Service; a name below
    another cluster domain is not.
    """
    domain = mesh.settings.cluster_domain
    if not is_internal(host, domain):
        # A pattern for Services of all namespaces: *.local, *.svc.cluster.local.
        everywhere = hosts.is_wildcard(host) and hosts.covers(host, f"x.x.svc.{domain}")
        return "the Services of all namespaces" if everywhere else ""
    suffix = f".svc.{domain}"
    if not host.endswith(suffix):
        return f"the Services of the cluster domain of {host}"
    name, _dot, namespace = host[: -len(suffix)].rpartition(".")
    if namespace.startswith("*"):
        return "the Services of all namespaces"
    return unseen_service(mesh, namespace, name, reference)


def is_guess(found: Iterable[Resource], *, stated: bool) -> bool:
    """Whether it is assumed only that these objects are in the namespace that is meant: one side names it, one not."""
    return all(resource.states_namespace != stated for resource in found)


def is_guess_of_service(mesh: Mesh, host: str, written: str, reference: Resource) -> bool:
    """The same for the Services of the qualified host's namespace, and a reference to the host as ``written``."""
    place = hosts.service_of(host, mesh.settings.cluster_domain)
    services = mesh.registry.services_in(place[0]) if place and SERVICE not in mesh.settings.listed else []
    return bool(services) and is_guess(services, stated="." in written or reference.states_namespace)


def is_guess_of_workload(mesh: Mesh, policy: Resource) -> bool:
    """The same for the workloads of the namespace of an object that selects some of them."""
    found = [] if POD in mesh.settings.listed else mesh.labels.matching(policy.namespace, {})
    return bool(found) and is_guess((item.resource for item in found), stated=policy.states_namespace)


def nearest(mesh: Mesh, host: str, namespace: str) -> str:
    """For messages: ``; nearest known name: 'reviews'``, or empty. In the form that the namespace may use."""
    found = mesh.registry.nearest(host)
    if not found and "." in host and not is_internal(host, mesh.settings.cluster_domain):
        # Kubernetes' DNS completes reviews.shop and reviews.shop.svc, Istio does not.
        name, _dot, rest = host.partition(".")
        candidate = f"{name}.{rest.removesuffix('.svc')}.svc.{mesh.settings.cluster_domain}"
        found = candidate if mesh.registry.owners(candidate) else ""
    own = f".{namespace}.svc.{mesh.settings.cluster_domain}"
    return f"; nearest known name: '{found.removesuffix(own)}'" if found else ""


def subset_labels(mesh: Mesh, host: str, name: str) -> Object:
    """The labels in the first DestinationRule of the qualified host that defines the subset."""
    for rule in mesh.destination_rules(host):
        for _place, subset in items(rule.spec, "subsets"):
            if subset.get("name") == name:
                return part(subset, "labels")
    return {}


def written_and_qualified_hosts(mesh: Mesh, service: Resource) -> set[str]:
    """The hosts of a VirtualService, as they are written and with their domains."""
    written = [host for _place, host in texts(service.spec, "hosts")]
    return {*written, *(mesh.qualified(host, service.namespace) for host in written)}
