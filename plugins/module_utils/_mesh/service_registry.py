# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Istio's service registry: which host belongs to which Service or ServiceEntry, and who may see it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import Nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import SERVICE, Resource

EXPORT_TO = "networking.istio.io/exportTo"


class HostRegistry:
    """Qualified hosts and their owners."""

    def __init__(self, services: Sequence[Resource], entries: Sequence[Resource], domain: str) -> None:
        self._exact: dict[str, list[Resource]] = defaultdict(list)
        # ServiceEntries alone.
        self._entries: dict[str, list[Resource]] = defaultdict(list)
        self._by_namespace: dict[str, list[Resource]] = defaultdict(list)
        self._domain = domain
        wildcards: list[tuple[str, Resource]] = []
        for service in services:
            self._exact[f"{service.name}.{service.namespace}.svc.{domain}"].append(service)
            self._by_namespace[service.namespace].append(service)
        for entry in entries:
            for _index, host in texts(entry.spec, "hosts"):
                if hosts.is_wildcard(host):
                    wildcards.append((host, entry))
                else:
                    self._exact[host].append(entry)
                    self._entries[host].append(entry)
        self._wildcards = hosts.Wildcards(wildcards)
        # Per namespace, and for hosts that are not a Service's: built only when asked for.
        self._nearest: dict[str, Nearest] = {}

    def owners(self, host: str, seen_from: str = "") -> list[Resource]:
        """Owners of a qualified host, most exact first; with ``seen_from``, only those visible in that namespace."""
        found = list(self._exact.get(host, ()))
        found += self._wildcards.covering(host)
        if hosts.is_wildcard(host):
            found += self._wildcards.below(host)
            found += self._covered_by(host)
        return [owner for owner in found if not seen_from or visible(owner, seen_from)]

    def _covered_by(self, pattern: str) -> list[Resource]:
        place = hosts.service_of(f"x{pattern[1:]}", self._domain)
        if place and pattern.startswith("*."):
            # The Services of a namespace, without iterating over all.
            suffix = f".{place[0]}.svc.{self._domain}"
            entries = [owner for host, owners in self._entries.items() if host.endswith(suffix) for owner in owners]
            return [*self._by_namespace.get(place[0], ()), *entries]
        return [owner for name, owners in self._exact.items() if hosts.covers(pattern, name) for owner in owners]

    def nearest(self, host: str) -> str:
        """The qualified host that the wrong one was probably meant to be; empty if there is none."""
        place = hosts.service_of(host, self._domain)
        namespace = place[0] if place else ""
        if namespace not in self._nearest:
            services = [service.name for service in self._by_namespace.get(namespace, ())]
            self._nearest[namespace] = Nearest(services if place else self._entries)
        known = self._nearest[namespace]
        if not place:
            return known.find(host)
        name = known.find(place[1])
        return f"{name}.{namespace}.svc.{self._domain}" if name else ""

    def has_services_in(self, namespace: str) -> bool:
        """Whether the input has any Services of the namespace."""
        return namespace in self._by_namespace

    def services_in(self, namespace: str) -> list[Resource]:
        return self._by_namespace.get(namespace, [])


def exported_to(resource: Resource) -> list[str]:
    """Namespaces that may see the resource: ``*`` all, ``.`` its own, ``~`` none. Unset means all."""
    if resource.kind == SERVICE:
        text = str(resource.annotations.get(EXPORT_TO) or "")
        return [item.strip() for item in text.split(",") if item.strip()] or ["*"]
    return [item for _index, item in texts(resource.spec, "exportTo")] or ["*"]


def visible(resource: Resource, namespace: str) -> bool:
    for target in exported_to(resource):
        if target in ("*", namespace) or (target == "." and resource.namespace == namespace):
            return True
    return False


def ports_of(owner: Resource) -> list[Object]:
    """The ports of a Service (``port``) or a ServiceEntry (``number``), as written."""
    return [port for _index, port in items(owner.spec, "ports")]


def port_number(port: Object) -> int | None:
    number = port.get("port") if "port" in port else port.get("number")
    return number if isinstance(number, int) and not isinstance(number, bool) else None
