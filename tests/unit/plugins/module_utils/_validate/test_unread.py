# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What could not be read from a cluster, in words. Rights are tested with a real API server in tests/integration."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import resource as kinds
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live import (
    Unread,
    incomplete,
    unread_notes,
)

UNREAD = [
    Unread(kinds.VIRTUAL_SERVICE, "virtualservices"),
    Unread(kinds.GATEWAY, "gateways"),
    Unread(kinds.SERVICE, "services", reason="in other namespaces"),
    Unread(kinds.SECRET, "secrets", "istio-system"),
    Unread(kinds.SECRET, "secrets", "edge"),
    Unread(kinds.POD, reason="etcdserver: request timed out"),
]


def test_kinds_that_lack_the_same_are_one_note() -> None:
    assert unread_notes(UNREAD) == [
        "Gateway.networking.istio.io, VirtualService.networking.istio.io were not read: the account may not list them",
        "Pod was not read: etcdserver: request timed out",
        "Secret was not read in namespace edge: the account may not list it",
        "Secret was not read in namespace istio-system: the account may not list it",
        "Service was not read: the account may not list it in other namespaces",
    ]


def test_the_missing_rights_are_named_as_a_role_has_them() -> None:
    assert incomplete(UNREAD, []) == (
        "5 kinds could not be read, so there may be more findings: the account may not list services; list gateways, "
        "virtualservices (networking.istio.io); list secrets in namespace edge; list secrets in namespace "
        "istio-system (docs/validation.md lists the Roles with these rights). Pod: etcdserver: request timed out. "
        "allow_unread names kinds that may stay unread"
    )


def test_what_may_stay_unread_is_named_by_kind_or_pattern() -> None:
    assert incomplete(UNREAD, ["*"]) == ""
    left = incomplete(UNREAD, ["Secret", "*.networking.istio.io"])
    assert left.startswith(
        "2 kinds could not be read, so there may be more findings: the account may not list services (docs/"
    )
    # The Gateway API has a kind of the same name.
    assert "gateways" in incomplete(UNREAD, ["Gateway.gateway.networking.k8s.io"])
