# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Objects of the Gateway API that the new istiod does not read, or reads in another way."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import minor_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_api_release import BUNDLE
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import hosts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.elsewhere import is_istio_class
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.gateways import GATEWAY_NAME, selector_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    GATEWAY_CHANNEL,
    GATEWAY_VERSION,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY,
    GATEWAY_API,
    K8S_GATEWAY,
    TCP_ROUTE,
    TLS_ROUTE,
    Kind,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.releases import (
    NEEDS_STABLE,
    STANDARD,
    api_definitions,
    bundle_of,
    definitions,
    minimum_of,
    served_by,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.structure import family_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.upgrade import (
    Release,
    is_crossed,
    keeps_old_behaviour,
    page_of,
    target_of,
    written,
)

_OLD_LISTENER_SET = Kind("gateway.networking.x-k8s.io", "XListenerSet")
_BACKEND_TLS_POLICY = Kind(GATEWAY_API, "BackendTLSPolicy")
# The kinds whose version istiod changed, and the release that did.
_MOVED = {TLS_ROUTE: (1, 30), TCP_ROUTE: (1, 31)}


@check(
    code="MESH606",
    level="error",
    title="Upgrade: Istio will not read these objects",
    why="istiod ignores the objects without a word in their status, and their routes disappear from the gateways.",
    remedy="Before the upgrade, apply the CustomResourceDefinitions of the release of the Gateway API that it needs.",
    # What these warn of becomes an outage.
    aliases=["IST0172", "IST0176"],
    docs=page_of((1, 30)),
)
def unread_objects(mesh: Mesh, report: Report) -> None:
    target = target_of(mesh)
    if target is None:
        return
    for definition, kind in api_definitions(mesh):
        _judge_definition(mesh, report, definition, Kind(GATEWAY_API, kind), target)
    for route, needed, release in _routes_of_old_release(mesh, target):
        stated = mesh.settings.facts.get(GATEWAY_VERSION)
        text = f"Istio {written(release)} reads {route.kind.kind} of Gateway API {needed} and newer; this is {stated}"
        report(route, ("apiVersion",), text, docs=_page(release))
    for listeners in mesh.of(_OLD_LISTENER_SET) if is_crossed(mesh, (1, 30)) else ():
        parent = part(listeners.spec, "parentRef")
        gateway = mesh.find(K8S_GATEWAY, str(parent.get("namespace") or listeners.namespace), str(parent.get("name")))
        if gateway is None or is_istio_class(mesh, gateway):
            report(
                listeners,
                ("kind",),
                "Istio 1.30 no longer reads XListenerSet",
                remedy=f"Write it as ListenerSet of {GATEWAY_API}/v1, which Gateway API 1.5 has.",
                docs=page_of((1, 30), "change-notes"),
            )


def _judge_definition(mesh: Mesh, report: Report, definition: Resource, kind: Kind, target: Release) -> None:
    level = "" if mesh.of(kind) else "info"
    served = served_by(definition)
    if kind.kind in NEEDS_STABLE and "v1" not in served and is_crossed(mesh, (1, 29)):
        text = f"Istio 1.29 reads {kind.kind} as v1 only, and {', '.join(served) or 'nothing'} is served"
        report(definition, ("spec", "versions"), text, level=level, docs=page_of((1, 29), "change-notes"))
    bundle = bundle_of(definition)
    found = minimum_of(kind.kind, target)
    if found and bundle and bundle < found[1] and is_crossed(mesh, found[0]):
        release, minimum = found
        needed = ".".join(map(str, minimum))
        text = f"Istio {written(release)} reads {kind.kind} of Gateway API {needed} and newer"
        path = ("metadata", "annotations", BUNDLE)
        report(
            definition, path, f"{text}; this is {definition.annotations.get(BUNDLE)}", level=level, docs=_page(release)
        )


def _routes_of_old_release(mesh: Mesh, target: Release) -> Iterator[tuple[Resource, str, Release]]:
    """Routes for which option gateway_api_version states a release that is too old; the input has no definitions."""
    stated = minor_of(mesh.settings.facts.get(GATEWAY_VERSION))
    if stated is None or definitions(mesh.whole):
        return
    for kind in mesh.kinds:
        found = minimum_of(kind.kind, target) if kind.group == GATEWAY_API else None
        if found and stated < found[1][:2] and is_crossed(mesh, found[0]):
            needed = ".".join(map(str, found[1]))
            yield from ((route, needed, found[0]) for route in mesh.of(kind))


def _page(release: Release) -> str:
    # Of the two, only 1.30 has it in its upgrade notes.
    return page_of(release) if release == (1, 30) else page_of(release, "change-notes")


@check(
    code="MESH619",
    level="warning",
    title="Upgrade: version of a route that disappears",
    why="The standard channel of the Gateway API that the new Istio needs does not serve this version: kubectl apply "
    "fails after the CustomResourceDefinitions have been upgraded.",
    remedy="Write the route as gateway.networking.k8s.io/v1, together with the new CustomResourceDefinitions.",
    docs=page_of((1, 30)),
)
def disappearing_version(mesh: Mesh, report: Report) -> None:
    if mesh.settings.facts.get(GATEWAY_CHANNEL, STANDARD) != STANDARD:
        return
    known = definitions(mesh.whole)
    for kind, release in _MOVED.items():
        own = known.get(kind.kind)
        found = minimum_of(kind.kind, release)
        if not is_crossed(mesh, release) or not found or (own and own.channel != STANDARD):
            continue
        bundle = f"{found[1][0]}.{found[1][1]}"
        # Only now: reading the schemas costs more than most checks.
        family = family_of(GATEWAY_API)
        served = family.served(f"{bundle}-{STANDARD}", kind) if family else []
        for route in mesh.of(kind):
            if route.version not in served and not (own and route.version in own.served and "v1" in own.served):
                text = f"Gateway API {bundle} serves {kind.kind} as {', '.join(served)}, not as {route.version}"
                report(route, ("apiVersion",), text, docs=_page(release))


@check(
    code="MESH614",
    level="error",
    title="Upgrade: servers on another namespace's gateway are ignored",
    why="Istio 1.31 does not add a Gateway of networking.istio.io to the proxies that istiod runs for a Gateway of the "
    "Gateway API in another namespace. Its ports and hosts disappear.",
    remedy="Move the Gateway to the namespace of the other one, add listeners there, or set "
    "PILOT_ENABLE_STRICT_GATEWAY_MERGING=false in istiod's environment.",
    docs=page_of((1, 31), "change-notes"),
)
def unmerged_gateway(mesh: Mesh, report: Report) -> None:
    if not is_crossed(mesh, (1, 31)):
        return
    if keeps_old_behaviour(mesh, (1, 31), "PILOT_ENABLE_STRICT_GATEWAY_MERGING"):
        return
    managed: dict[str, list[Resource]] = {}
    for gateway in mesh.of(K8S_GATEWAY):
        manual = any(address.get("type") == "Hostname" for _index, address in items(gateway.spec, "addresses"))
        if not manual and is_istio_class(mesh, gateway):
            managed.setdefault(gateway.name, []).append(gateway)
    for gateway in mesh.of(GATEWAY) if managed else ():
        wanted = dict(selector_of(gateway))
        owners = managed.get(str(wanted.get(GATEWAY_NAME)), [])
        if owners and all(owner.namespace != gateway.namespace for owner in owners):
            text = f"Istio 1.31 ignores it on the proxies of {owners[0]!r}, which is in another namespace"
            report(gateway, ("spec", "selector", GATEWAY_NAME), text)


@check(
    code="MESH615",
    level="warning",
    title="Upgrade: DestinationRule overrides a BackendTLSPolicy",
    why="Up to Istio 1.30, the older of the two decided how TLS to the host begins. From 1.31 on, it is the "
    "DestinationRule.",
    remedy="Remove tls from the DestinationRule if the BackendTLSPolicy should apply, else the policy.",
    docs=page_of((1, 31), "change-notes"),
)
def overridden_policy(mesh: Mesh, report: Report) -> None:
    for policy in mesh.of(_BACKEND_TLS_POLICY) if is_crossed(mesh, (1, 31)) else ():
        for index, target in items(policy.spec, "targetRefs"):
            if target.get("kind") != "Service":
                continue
            host = hosts.qualified(str(target.get("name")), policy.namespace, mesh.settings.cluster_domain)
            for rule in mesh.destination_rules(host):
                if part(rule.spec, "trafficPolicy", "tls") and not _is_older(rule, policy):
                    report(policy, ("spec", "targetRefs", index), f"tls of {rule!r} takes precedence for {host}")


def _is_older(one: Resource, other: Resource) -> bool:
    """As far as the input shows it: only the API server notes when it created an object."""
    first, second = (part(item.obj, "metadata").get("creationTimestamp") for item in (one, other))
    return bool(first and second) and str(first) < str(second)
