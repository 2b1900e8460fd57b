# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which objects hold the routes of a service."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import RouteNames
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import OF_CANARIES
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, Readable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref

# Of option route_kind.
AUTO = "auto"
ROUTE_KIND = {"type": "str", "choices": [AUTO, *(kind.kind for kind in OF_CANARIES)], "default": AUTO}


def route_names(cluster: Readable, namespace: str, service: str, names: Sequence[str], kind: str = AUTO) -> RouteNames:
    """``names``: by default the service's. ``kind``: by default the first one that has an object of the first name.

    An API server that cannot answer raises ApiFailure.
    """
    every = tuple(names) or (service.partition(".")[0],)
    if kind != AUTO:
        return RouteNames(kind, every)
    first, *others = OF_CANARIES
    if cluster.get(Ref(first.api_version, first.kind, namespace, every[0])) is None:
        for other in others:
            if _has(cluster, Ref(other.api_version, other.kind, namespace, every[0])):
                return RouteNames(other.kind, every)
    return RouteNames(first.kind, every)


def _has(cluster: Readable, ref: Ref) -> bool:
    """An account that may not read such an object has not begun a run of it either."""
    try:
        return cluster.get(ref) is not None
    except ApiFailure as failure:
        if failure.status == http.client.FORBIDDEN:
            return False
        raise


def routes_in(cluster: Readable, namespace: str, unread: Callable[[str], None]) -> list[Route]:
    """Every object of the namespace that may hold a run.

    ``unread``: gets a sentence if the account may not list some kinds, other than VirtualServices.
    """
    first, *others = OF_CANARIES
    found = [first(obj) for obj in cluster.list(first.api_version, first.kind, namespace)]
    hidden = []
    for kind in others:
        try:
            found += [kind(obj) for obj in cluster.list(kind.api_version, kind.kind, namespace)]
        except ApiFailure as failure:
            if failure.status != http.client.FORBIDDEN:
                raise
            hidden.append(f"{kind.kind}s")
    if hidden:
        unread(
            f"canaries of {' and '.join(hidden)} are left out, because the account may not list these in {namespace}: "
            "if there are any, grant the rights in docs/gateway-api-operator.yml."
        )
    return found
