# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The kinds of routes that traffic can be shifted in."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Readable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref

KINDS: tuple[type[Route], ...] = (VirtualService,)


def kind_of(ref: Ref) -> type[Route]:
    (found,) = [kind for kind in KINDS if kind.kind == ref.kind]
    return found


def routes_in(cluster: Readable, namespace: str) -> list[Route]:
    """Every one of the namespace."""
    return [kind(obj) for kind in KINDS for obj in cluster.list(kind.api_version, kind.kind, namespace)]
