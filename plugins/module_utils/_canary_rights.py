# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an account has to be allowed for a canary, asked before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

ISTIO, APPS, CORE = "networking.istio.io", "apps", ""


class Right(NamedTuple):
    """``everywhere``: in all namespaces, since another namespace's VirtualService can claim the same host."""

    verb: str
    group: str
    resource: str
    everywhere: bool = False


RIGHTS = (
    Right("list", ISTIO, "virtualservices", everywhere=True),
    Right("list", ISTIO, "destinationrules", everywhere=True),
    Right("get", ISTIO, "virtualservices"),
    Right("update", ISTIO, "virtualservices"),
    Right("get", CORE, "services"),
    Right("list", CORE, "pods"),
    Right("list", "discovery.k8s.io", "endpointslices"),
    Right("get", APPS, "deployments"),
    Right("list", APPS, "deployments"),
    Right("patch", APPS, "deployments"),
    Right("patch", APPS, "deployments/scale"),
    Right("list", "autoscaling", "horizontalpodautoscalers"),
    Right("patch", "autoscaling", "horizontalpodautoscalers"),
    Right("get", "coordination.k8s.io", "leases"),
    Right("create", "coordination.k8s.io", "leases"),
    Right("update", "coordination.k8s.io", "leases"),
)


class Account(Protocol):
    """Who we are to the API server."""

    def may(self, verb: str, group: str, resource: str, namespace: str = "") -> bool:
        """Whether we may do that, everywhere or in a namespace."""

    def account(self) -> str:
        """Our name."""


def missing(account: Account, namespace: str, rights: Iterable[Right] = RIGHTS) -> str:
    """What the account may not do, in one sentence; empty where it may do everything."""
    lacking = []
    for right in rights:
        where = "" if right.everywhere else namespace
        if not account.may(right.verb, right.group, right.resource, where):
            name = f"{right.resource}.{right.group}".rstrip(".")
            lacking.append(f"{right.verb} {name} in {f'namespace {where}' if where else 'all namespaces'}")
    if not lacking:
        return ""
    return (
        f"the account {account.account()} may not {', may not '.join(lacking)}. The Role that is needed stands in "
        "docs/canary.md. Nothing was changed."
    )
