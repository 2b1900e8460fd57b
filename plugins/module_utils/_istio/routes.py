# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The kinds of routes that traffic can be shifted in."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_route import (
    GRPCRoute,
    HTTPRoute,
    TCPRoute,
    TLSRoute,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route, TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref

# The first one is meant where no kind is named.
KINDS: tuple[type[Route], ...] = (VirtualService, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute)
# Those that may hold the state of a canary: the others carry no requests that could be counted.
OF_CANARIES: tuple[type[Route], ...] = (VirtualService, HTTPRoute, GRPCRoute)


def kind_of(ref: Ref) -> type[Route]:
    return kind_called(ref.kind)


def kind_called(name: str) -> type[Route]:
    (found,) = [kind for kind in KINDS if kind.kind == name]
    return found


def served_ref(kind: type[Route], namespace: str, name: str, resource: Callable[[str, str], Resource | None]) -> Ref:
    """Where the cluster keeps a route, in the newest version of the API that both know.

    ``resource``: how the cluster serves a kind, by its version and name. Raises TrafficFailure where it does not know
    the kind, and ApiFailure where it does not answer.
    """
    for version in kind.versions or (kind.api_version,):
        if not kind.versions or resource(version, kind.kind):
            return Ref(version, kind.kind, namespace, name)
    raise TrafficFailure(
        f"the cluster does not know {kind.kind} in {' or '.join(kind.versions)}: install the Gateway API's "
        "CustomResourceDefinitions, from the channel that has this kind (https://gateway-api.sigs.k8s.io), or set "
        f"route_ref.kind to {VirtualService.kind}."
    )
