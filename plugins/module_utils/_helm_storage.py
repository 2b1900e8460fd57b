# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Helm's releases as it keeps them in the cluster: one Secret for each revision."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import part

# What Helm labels these Secrets with; old revisions are left out.
NEWEST_RELEASES = "owner=helm,status!=superseded"
# A release is smaller, since its Secret has at most 1 MiB; whatever is larger was not made by Helm.
_MAX_RELEASE = 64 * 1024 * 1024


@dataclass(frozen=True)
class StoredRelease:
    """content: chart, config (the values that were given), manifest and info; empty where it cannot be read. It holds
    secrets.
    """

    namespace: str
    name: str
    revision: int
    status: str
    content: Object


def newest_releases(secrets: Iterable[Object]) -> list[StoredRelease]:
    """The newest revision of each release, in the order of their names."""
    newest: dict[tuple[str, str], tuple[int, Object]] = {}
    for secret in secrets:
        labels = part(secret, "metadata", "labels")
        key = (str(part(secret, "metadata").get("namespace", "")), str(labels.get("name", "")))
        revision = int(text) if (text := str(labels.get("version", ""))).isdecimal() else 0
        if key not in newest or revision > newest[key][0]:
            newest[key] = (revision, secret)
    return [
        StoredRelease(
            namespace,
            name,
            revision,
            str(part(secret, "metadata", "labels").get("status", "")),
            _decoded(part(secret, "data").get("release")),
        )
        for (namespace, name), (revision, secret) in sorted(newest.items())
    ]


def _decoded(text: Any) -> Object:
    """Helm's own form within the Secret's: JSON in gzip in base64. Empty where it is something else."""
    try:
        packed = base64.b64decode(base64.b64decode(str(text), validate=True), validate=True)
        unpacked = json.loads(zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(packed, _MAX_RELEASE))
    except (binascii.Error, ValueError, zlib.error):
        return {}
    return unpacked if isinstance(unpacked, dict) else {}
