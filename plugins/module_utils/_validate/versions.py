# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Versions of Istio, as images and proxies tell them."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"v?(\d+)\.(\d+)(?:\D|$)")
# Istio's images of one version; they hold the same proxy.
_VARIANT = re.compile(r"-(?:debug|distroless)$")


def tag_of(image: object) -> str:
    """Tag or digest of an image, whatever registry it is from; without the variant."""
    text = str(image or "")
    if "@" in text:
        return text.rpartition("@")[2]
    tag = text.rpartition("/")[2].partition(":")[2]
    return _VARIANT.sub("", tag)


def minor_of(version: object) -> tuple[int, int] | None:
    """(1, 30) of ``1.30.3`` or ``v1.30``; None where the text says no version."""
    found = _NUMBER.match(str(version or ""))
    return (int(found[1]), int(found[2])) if found else None


def are_comparable(one: str, other: str) -> bool:
    """A tag and a digest say nothing about each other."""
    return bool(one and other) and one.startswith("sha256:") == other.startswith("sha256:")
