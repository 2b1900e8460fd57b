# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What names an image."""

from __future__ import annotations

import re

LONGEST_TAG = 128
_HOST = r"[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?(?::[0-9]+)?"
_WORD = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_TAG = rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{LONGEST_TAG - 1}}}"
_DIGEST = r"sha256:[0-9a-f]{64}"
# Not compiled before it is needed, which few programs do.
_REFERENCE = rf"(?:{_HOST}/)?{_WORD}(?:/{_WORD})*(?::{_TAG}(?:@{_DIGEST})?|@{_DIGEST})"


def is_image_reference(text: str) -> bool:
    """Whether it names one image: with a tag, a digest, or both."""
    return bool(re.fullmatch(_REFERENCE, text))


def tag_of(image: str) -> str:
    """Its tag or digest; empty where it has neither."""
    name, __, digest = image.rpartition("/")[2].partition("@")
    return digest or name.partition(":")[2]


def version_of(image: str) -> str:
    """Its tag or digest; the image itself where it has neither."""
    return tag_of(image) or image


def image_with(current: str, tag: str) -> str:
    """The image with another tag or digest in the same repository."""
    repository = current.partition("@")[0]
    # A colon before the last slash is a registry's port.
    if ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]
    return f"{repository}{'@' if tag.startswith('sha256:') else ':'}{tag}"
