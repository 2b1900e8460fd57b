# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the collection needs of a cluster; _kubernetes.Cluster is the real one."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object, Objects, Ref


class ApiFailure(Exception):
    """An answer of the API server which is not the wanted one. Status 0: no answer at all."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def is_refusal(self) -> bool:
        """The object is wrong, as opposed to a server that cannot tell."""
        if self.cannot_dry_run:
            return False
        return self.status in (400, 422) or "field not declared in schema" in str(self)

    @property
    def cannot_dry_run(self) -> bool:
        """Server-side apply is stricter than an update about lists, and webhooks may be down or know no dry run."""
        return any(
            text in str(self) for text in ("duplicate entries", "does not support dry run", "failed calling webhook")
        )


class Resource(NamedTuple):
    """How a kind is served."""

    plural: str
    namespaced: bool


class Api(Protocol):
    """A cluster. Safe to use from several threads."""

    def version(self) -> str: ...

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """How the kind is served, or None where the cluster does not know it."""

    def forget_kinds(self) -> None:
        """After definitions of kinds came or went."""

    def api_versions(self) -> list[str]:
        """Every group/version, and group/version/Kind of those that Kubernetes does not bring itself."""

    def get(self, ref: Ref) -> Object | None:
        """The live object, or None where it, its namespace or its kind does not exist."""

    def list(self, api_version: str, kind: str, namespace: str = "", labels: str = "", fields: str = "") -> Objects:
        """Every object of the kind, in one namespace or in all; none where the kind is unknown."""

    def apply(self, obj: Object, manager: str, dry_run: bool) -> Object:
        """Server-side apply; fields of other managers are taken over."""

    def delete(self, ref: Ref) -> bool:
        """Whether there was something to delete."""

    def events(self, namespace: str) -> Objects:
        """Events of the namespace; none where the account may not read them."""
