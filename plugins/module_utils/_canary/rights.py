# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The rights that a canary needs, checked before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.options import lacking_for_source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.configuration import KINDS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import RouteNames
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import Way
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import kind_called
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Account, Right, problem

ISTIO, APPS, SCALING, CORE = "networking.istio.io", "apps", "autoscaling", ""
LEASES, SLICES = "coordination.k8s.io", "discovery.k8s.io"


def canary_rights(namespace: str, kind: type[Route] = VirtualService, names: Sequence[str] = ()) -> list[Right]:
    """What every canary in the namespace needs. docs/canary-operator.yml grants the same rights.

    ``kind`` and ``names``: of its routes. docs/gateway-api-operator.yml grants what those of the Gateway API need
    besides.
    """
    if kind.by_service:
        own = list(dict.fromkeys(right for name in names for right in kind.rights(namespace, name)))
    else:
        # In all namespaces, since any VirtualService may claim the same host.
        own = [Right("list", ISTIO, "virtualservices"), Right("list", ISTIO, "destinationrules")]
        own += [Right(verb, ISTIO, "virtualservices", namespace) for verb in ("get", "update")]
    return own + [
        Right(verb, group, resource, namespace)
        for group, resource, verbs in (
            (CORE, "services", ("get",)),
            (CORE, "pods", ("list",)),
            (SLICES, "endpointslices", ("list",)),
            (APPS, "deployments", ("get", "list", "patch")),
            (APPS, "deployments/scale", ("patch",)),
            (SCALING, "horizontalpodautoscalers", ("list", "patch")),
            (LEASES, "leases", ("get", "create", "update")),
        )
        for verb in verbs
    ]


def copy_rights(namespace: str, kind: type[Route] = VirtualService) -> list[Right]:
    """What a canary by copy needs besides. docs/canary-copy.yml grants the rights for both kinds of routes."""
    places = (CORE, "services") if kind.by_service else (ISTIO, "destinationrules")
    writes = ("create", "delete") if kind.by_service else ("create", "update", "delete")
    return [
        Right(verb, group, resource, namespace)
        for group, resource, verbs in (
            (*places, writes),
            (APPS, "deployments", ("create", "update", "delete")),
            # Named in messages, because they have no copies.
            (APPS, "statefulsets", ("get",)),
            (APPS, "daemonsets", ("get",)),
            # When it is detached.
            (LEASES, "leases", ("delete",)),
        )
        for verb in verbs
    ]


def configuration_rights(namespace: str, kinds: Sequence[str] = KINDS) -> list[Right]:
    """What a canary with another content of these kinds needs besides. In docs, each kind has a manifest of its own."""
    return [
        Right(verb, CORE, f"{kind.lower()}s", namespace)
        for kind in sorted(set(kinds))
        for verb in ("get", "list", "create", "delete")
    ]


def lacking_for_run(account: Account, params: Mapping[str, Any], where: RouteNames, copies: bool = False) -> str:
    """The missing rights of the account, in words. Empty if it has all. ``params``: those of module canary.

    ``copies``: whether it is about a copy of a Deployment.
    """
    kind = kind_called(where.kind)
    source = f"docs/canary-operator.yml{' with docs/gateway-api-operator.yml' if kind.by_service else ''}"
    # An undo measures nothing.
    measures = params.get("state") not in ("undone", "detached")
    copy = (
        problem(account, copy_rights(params["namespace"], kind), "copy a Deployment", "docs/canary-copy.yml")
        if copies
        else ""
    )
    kinds = [entry["kind"] for entry in params.get("configuration") or ()]
    contents = problem(
        account,
        configuration_rights(params["namespace"], kinds),
        "change the content of ConfigMaps or Secrets for a canary",
        " and ".join(f"docs/canary-{kind.lower()}s.yml" for kind in sorted(set(kinds))),
    )
    own = problem(account, canary_rights(params["namespace"], kind, where.names), "run a canary", source)
    return "\n".join(filter(None, (own, copy, contents, lacking_for_source(account, params) if measures else "")))


def lacking_for_proof(account: Account, params: Mapping[str, Any]) -> str:
    """The missing rights to query istiod, so that a wait replaces proof. Empty if istiod can be queried."""
    return Way.of(params).problem(account)
