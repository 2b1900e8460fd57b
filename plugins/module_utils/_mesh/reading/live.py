# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The running cluster as input: every kind that a check reads, fetched in parallel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import resource as kinds
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Kind, Resource


class Served(NamedTuple):
    """A kind and the versions in which it may be served, the preferred one first."""

    kind: Kind
    versions: tuple[str, ...]


_NEW_ISTIO = ("v1", "v1beta1", "v1alpha3")
_SERVED = [
    *(
        Served(kind, _NEW_ISTIO)
        for kind in (
            kinds.DESTINATION_RULE,
            kinds.GATEWAY,
            kinds.SERVICE_ENTRY,
            kinds.SIDECAR,
            kinds.VIRTUAL_SERVICE,
            kinds.WORKLOAD_ENTRY,
            kinds.WORKLOAD_GROUP,
        )
    ),
    Served(kinds.ENVOY_FILTER, ("v1alpha3",)),
    Served(kinds.PROXY_CONFIG, ("v1beta1",)),
    *(
        Served(kind, ("v1", "v1beta1"))
        for kind in (kinds.AUTHORIZATION_POLICY, kinds.PEER_AUTHENTICATION, kinds.REQUEST_AUTHENTICATION)
    ),
    Served(kinds.TELEMETRY, ("v1", "v1alpha1")),
    Served(kinds.WASM_PLUGIN, ("v1alpha1",)),
    Served(kinds.TRAFFIC_EXTENSION, ("v1alpha1",)),
    *(Served(kind, ("v1", "v1beta1")) for kind in (kinds.K8S_GATEWAY, kinds.GATEWAY_CLASS, kinds.HTTP_ROUTE)),
    Served(kinds.GRPC_ROUTE, ("v1", "v1alpha2")),
    Served(kinds.REFERENCE_GRANT, ("v1", "v1beta1")),
    Served(kinds.TLS_ROUTE, ("v1", "v1alpha3", "v1alpha2")),
    Served(kinds.TCP_ROUTE, ("v1alpha2",)),
    *(
        Served(kind, ("v1",))
        for kind in (
            kinds.NAMESPACE,
            kinds.SERVICE,
            kinds.SERVICE_ACCOUNT,
            kinds.POD,
            kinds.ENDPOINT_SLICE,
            kinds.DEPLOYMENT,
            kinds.STATEFUL_SET,
            kinds.DAEMON_SET,
            kinds.JOB,
            kinds.CRON_JOB,
            kinds.MUTATING_WEBHOOK,
            kinds.VALIDATING_WEBHOOK,
        )
    ),
]
# Not from every namespace: most Secrets do not concern the mesh, and few accounts should be able to read them.
_SECRETS = (kinds.SECRET, "v1", "type!=helm.sh/release.v1")


class Unread(NamedTuple):
    """A kind that was not read completely.

    resource: its plural if the account lacks the right to list it, else empty. place: the namespace, empty for all.
    reason: why, if it is not the right; else which part is missing, as in "in other namespaces".
    """

    kind: Kind
    resource: str = ""
    place: str = ""
    reason: str = ""


@dataclass
class LiveInput:
    """resources: as the API server has them. listed: kinds that were read completely."""

    resources: list[Resource] = field(default_factory=list)
    listed: set[Kind] = field(default_factory=set)
    unread: list[Unread] = field(default_factory=list)


def read(cluster: Api, namespaces: Sequence[str], root_namespace: str) -> LiveInput:
    """Everything if the account may read everything, else what it may read in the namespaces.

    The findings of one namespace need the others: a route may point anywhere.
    """
    found = LiveInput()
    with ThreadPoolExecutor(6) as pool:
        for served, (objects, unread) in zip(
            _SERVED, pool.map(lambda served: _list(cluster, served, namespaces), _SERVED), strict=True
        ):
            found.resources += [Resource(item) for item in objects]
            if unread:
                found.unread.append(unread)
            else:
                found.listed.add(served.kind)
    _read_secrets(cluster, found, root_namespace)
    return found


def _list(cluster: Api, served: Served, namespaces: Sequence[str]) -> tuple[list[Object], Unread | None]:
    """The objects, and why some are missing."""
    group, kind = served.kind
    for version in served.versions:
        api_version = f"{group}/{version}" if group else version
        try:
            known = cluster.resource(api_version, kind)
            if known is None:
                continue
        except ApiFailure as failure:
            return [], Unread(served.kind, reason=str(failure))
        try:
            return cluster.list(api_version, kind), None
        except ApiFailure as failure:
            if failure.status != 403:
                return [], Unread(served.kind, reason=str(failure))
        objects, refused = _list_in(cluster, (api_version, kind), namespaces)
        return objects, Unread(served.kind, known.plural, reason="" if refused else "in other namespaces")
    # A cluster that does not know the kind has no objects of it.
    return [], None


def _list_in(cluster: Api, wanted: tuple[str, str], namespaces: Sequence[str]) -> tuple[list[Object], bool]:
    """The objects of a version and kind in the namespaces, and whether any of these (or all, if none) was not read."""
    objects: list[Object] = []
    refused = not namespaces
    for namespace in namespaces:
        try:
            objects += cluster.list(*wanted, namespace)
        except ApiFailure:
            refused = True
    return objects, refused


def _read_secrets(cluster: Api, found: LiveInput, root_namespace: str) -> None:
    """From the root namespace and the gateways' namespaces: the certificates and the mesh's configuration are there."""
    places = {root_namespace}
    for item in found.resources:
        if item.kind == kinds.K8S_GATEWAY or (item.kind == kinds.POD and "istio" in item.labels):
            places.add(item.namespace)
    for namespace in sorted(places):
        _read_one(cluster, found, (kinds.SECRET, "secrets", namespace), _SECRETS[2])
    if all(unread.kind != kinds.SECRET for unread in found.unread):
        found.listed.add(kinds.SECRET)
    _read_one(cluster, found, (kinds.CONFIG_MAP, "configmaps", root_namespace))


def _read_one(cluster: Api, found: LiveInput, wanted: tuple[Kind, str, str], fields: str = "") -> None:
    """The objects of a kind of version v1 in one namespace; ``wanted``: the kind, its plural, the namespace."""
    kind, plural, namespace = wanted
    try:
        found.resources += [Resource(item) for item in cluster.list("v1", kind.kind, namespace, fields=fields)]
    except ApiFailure as failure:
        lacks = failure.status == 403
        found.unread.append(Unread(kind, plural if lacks else "", namespace, "" if lacks else str(failure)))


def unread_notes(unread: Iterable[Unread]) -> list[str]:
    """One line for all kinds that were not read for the same reason."""
    by_reason: dict[tuple[bool, str, str], list[str]] = defaultdict(list)
    for item in unread:
        by_reason[bool(item.resource), item.place, item.reason].append(str(item.kind))
    notes = []
    for (lacks, place, reason), names in by_reason.items():
        one = len(names) == 1
        why = f"the account may not list {'it' if one else 'them'} {reason}".rstrip() if lacks else reason
        where = f" in namespace {place}" if place else ""
        notes.append(f"{', '.join(sorted(names))} {'was' if one else 'were'} not read{where}: {why}")
    return sorted(notes)


def incomplete(unread: Iterable[Unread], allowed: Sequence[str]) -> str:
    """What was not read, the rights that it needs, and the way out; empty if all of it may stay unread.

    ``allowed``: patterns of kinds, with their group or without.
    """
    missed = [
        item
        for item in unread
        if not any(fnmatchcase(name, pattern) for pattern in allowed for name in (item.kind.kind, str(item.kind)))
    ]
    if not missed:
        return ""
    number = len({item.kind for item in missed})
    rights = _missing_rights(missed)
    reasons = [f"the account may not {rights} (docs/validation.md lists the Roles with these rights)"] if rights else []
    reasons += sorted({f"{item.kind}: {item.reason}" for item in missed if not item.resource})
    return (
        f"{number} kind{'' if number == 1 else 's'} could not be read, so there may be more findings: "
        f"{'. '.join(reasons)}. allow_unread names kinds that may stay unread"
    )


def _missing_rights(unread: Iterable[Unread]) -> str:
    """``list gateways, virtualservices (networking.istio.io); list secrets in namespace istio-system``."""
    rules: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item in unread:
        if item.resource:
            group = f" ({item.kind.group})" if item.kind.group else ""
            rules[f" in namespace {item.place}" if item.place else "", group].add(item.resource)
    return "; ".join(
        f"list {', '.join(sorted(resources))}{group}{where}" for (where, group), resources in sorted(rules.items())
    )
