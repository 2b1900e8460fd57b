# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Versions of Istio, from images and proxies."""

from __future__ import annotations

import re

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import images

_NUMBER = re.compile(r"v?(\d+)\.(\d+)(?:\D|$)")
# Variants of Istio's images of one version; they contain the same proxy.
_VARIANT = re.compile(r"-(?:debug|distroless)$")


def tag_of(image: object) -> str:
    """Tag or digest of an image from any registry, without the variant."""
    return _VARIANT.sub("", images.tag_of(str(image or "")))


def minor_of(version: object) -> tuple[int, int] | None:
    """(1, 30) of ``1.30.3`` or ``v1.30``; None if the text is not a version."""
    found = _NUMBER.match(str(version or ""))
    return (int(found[1]), int(found[2])) if found else None


def are_comparable(one: str, other: str) -> bool:
    """A tag and a digest cannot be compared."""
    return bool(one and other) and one.startswith("sha256:") == other.startswith("sha256:")
