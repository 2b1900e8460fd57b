# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the collection needs of a cluster: small parts, and what they make together. cluster.Cluster is the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Account


class ApiFailure(MeshError):
    """An answer of the API server which is not the wanted one. Status 0: no answer at all."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def is_refusal(self) -> bool:
        """The object is invalid, as opposed to a server that cannot answer."""
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


class Readable(Protocol):
    """A cluster that is asked for its objects. Safe to use from several threads, as all of these parts are."""

    def get(self, ref: Ref) -> Object | None:
        """The live object, or None where it, its namespace or its kind does not exist."""

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
    ) -> Objects:
        """Every object of the kind, in one namespace or in all; none where the kind is unknown."""


class Writable(Readable, Protocol):
    """A cluster that takes any request, so that an object can be written on condition."""

    def path(self, ref: Ref) -> str:
        """Where the API server keeps the object; without a name, where it keeps the kind."""

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Sequence[tuple[str, Any]] = (),
        content_type: str = "application/json",
    ) -> Any:
        """The API server's answer."""


class ReachablePods(Protocol):
    """A cluster whose pods are reached through its API server."""

    def get_through_pod(
        self, namespace: str, pod: str, port: int, path: str, asked_with: Mapping[str, str] | None = None
    ) -> bytes:
        """The answer to an HTTP GET that comes from the pod's own loopback. ``asked_with``: headers.

        Raises ApiFailure, also for another status than 200.
        """


class Api(Readable, Protocol):
    """A cluster whose kinds are asked for, and which is written to by server-side apply."""

    def version(self) -> str: ...

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """How the kind is served, or None where the cluster does not know it."""

    def forget_kinds(self) -> None:
        """After definitions of kinds came or went."""

    def api_versions(self) -> list[str]:
        """Every group/version, and group/version/Kind of those that Kubernetes does not bring itself."""

    def apply(self, obj: Object, manager: str, dry_run: bool) -> Object:
        """Server-side apply; fields of other managers are taken over."""

    def delete(self, ref: Ref) -> bool:
        """Whether there was something to delete."""

    def events(self, namespace: str) -> Objects:
        """Events of the namespace; none where the account may not read them."""


class MeshCluster(Writable, ReachablePods, Account, Protocol):
    """A cluster with a mesh: its routes are written, its proxies asked, and rights are looked at first."""


class AnyCluster(Api, MeshCluster, Protocol):
    """All that the pure core may want of one."""

    @property
    def server(self) -> str:
        """Its address."""
