# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Helm's releases as it stores them in the cluster: one Secret for each revision."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Api
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import part
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

# Helm's labels of these Secrets; old revisions are left out.
NEWEST_RELEASES = "owner=helm,status!=superseded"
# A release is smaller, since its Secret is limited to 1 MiB; anything larger was not created by Helm.
_MAX_RELEASE = 64 * 1024 * 1024


@dataclass(frozen=True)
class StoredRelease:
    """content: chart, config (the given values), manifest and info; empty if it cannot be read. It contains secrets."""

    namespace: str
    name: str
    revision: int
    status: str
    content: Object

    @property
    def chart_label(self) -> str:
        """The chart's name and version, as helm shows them in its list of releases."""
        about = part(self.content, "chart", "metadata")
        return f"{about.get('name', '')}-{about.get('version', '')}"

    @property
    def manifest(self) -> str:
        """The objects as YAML, without hooks and without those of a crds folder; as `helm get manifest` prints it."""
        return str(self.content.get("manifest", ""))


class InstalledReleases:
    """The newest stored revision of Helm's releases, whatever its state. Threads may use it at the same time, each for
    its own releases.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._found: dict[tuple[str, str], StoredRelease] = {}

    def get(self, namespace: str, name: str) -> StoredRelease | None:
        """As of the last read; None if it did not exist."""
        return self._found.get((namespace, name))

    def read(self, namespace: str, names: Iterable[str]) -> None:
        """Reads these releases from the cluster.

        Helm keeps up to ten revisions of each, so their labels are listed and only the newest ones are read.
        """
        wanted = sorted(set(names))
        for name in wanted:
            self._found.pop((namespace, name), None)
        labels = f"owner=helm,name in ({','.join(wanted)})"
        for revision in _newest(self._api.list("v1", "Secret", namespace, labels, metadata_only=True)):
            secret = self._api.get(Ref("v1", "Secret", namespace, str(part(revision, "metadata").get("name"))))
            # One that has disappeared since then belongs to a release that is being removed.
            if secret:
                stored = _stored(secret)
                self._found[(namespace, stored.name)] = stored

    def read_as(self, namespace: str, name: str, status: str) -> None:
        """Reads one release from the cluster; ``status`` replaces the stored one."""
        self.read(namespace, [name])
        if found := self._found.get((namespace, name)):
            self._found[(namespace, name)] = replace(found, status=status)


def newest_releases(secrets: Iterable[Object]) -> list[StoredRelease]:
    """The newest revision of each release, in the order of their names."""
    return [*map(_stored, _newest(secrets))]


def _newest(secrets: Iterable[Object]) -> list[Object]:
    newest: dict[tuple[str, str], Object] = {}
    for secret in secrets:
        key = (str(part(secret, "metadata").get("namespace", "")), str(_labels(secret).get("name", "")))
        if key not in newest or _revision(secret) > _revision(newest[key]):
            newest[key] = secret
    return [secret for __, secret in sorted(newest.items())]


def _stored(secret: Object) -> StoredRelease:
    labels = _labels(secret)
    return StoredRelease(
        str(part(secret, "metadata").get("namespace", "")),
        str(labels.get("name", "")),
        _revision(secret),
        str(labels.get("status", "")),
        _decoded(part(secret, "data").get("release")),
    )


def _labels(secret: Object) -> Object:
    return part(secret, "metadata", "labels")


def _revision(secret: Object) -> int:
    return int(text) if (text := str(_labels(secret).get("version", ""))).isdecimal() else 0


def _decoded(text: Any) -> Object:
    """Helm's own format within the Secret's: JSON in gzip in base64. Empty if it is something else."""
    try:
        packed = base64.b64decode(base64.b64decode(str(text), validate=True), validate=True)
        unpacked = json.loads(zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(packed, _MAX_RELEASE))
    except (binascii.Error, ValueError, zlib.error):
        return {}
    return unpacked if isinstance(unpacked, dict) else {}
