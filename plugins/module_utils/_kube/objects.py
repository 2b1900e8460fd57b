# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Kubernetes objects as plain data: identity, normal form, comparison, masking.

Objects are never changed, so they may share parts and be shared.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Object = dict[str, Any]
Objects = list[Object]
Identity = tuple[str, str, str, str]


class Ref(NamedTuple):
    """Where an object lives."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Ref:
        metadata = obj.get("metadata") or {}
        return cls(
            str(obj.get("apiVersion", "")),
            str(obj.get("kind", "")),
            str(metadata.get("namespace") or ""),
            str(metadata.get("name", "")),
        )

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def identity(self) -> Identity:
        """Without the version: the same object is served in several of them."""
        return (self.group, self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


def plain(value: Any) -> Any:
    """The same data without the tagged subclasses that ansible-core hands to modules."""
    return json.loads(json.dumps(value))


HELM_ANNOTATIONS = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")


def helm_owner(obj: Object) -> str:
    """The release that the object belongs to, as namespace/name; empty if to none."""
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    name, namespace = (annotations.get(key, "") for key in HELM_ANNOTATIONS)
    return f"{namespace}/{name}" if name else ""


# A new one for every run: guesses cannot be tried against the markers of an old log.
_MASK_KEY = os.urandom(16)


def _marker(value: Any) -> str:
    # Here, since OpenSSL takes its time, and who masks nothing needs none of it.
    import hashlib
    import hmac

    digest = hmac.new(_MASK_KEY, json.dumps(value, sort_keys=True).encode(), hashlib.sha256)
    return f"(hidden {digest.hexdigest()[:8]})"


def masked(obj: Object) -> Object:
    """A Secret with every value replaced by a marker that differs when the value differs."""
    if obj.get("kind") != "Secret":
        return obj
    result = dict(obj)
    for field in ("data", "stringData"):
        if isinstance(obj.get(field), dict):
            result[field] = {key: _marker(value) for key, value in obj[field].items()}
    return result


def abridged(obj: Object) -> Object:
    """A CustomResourceDefinition without its schemas: thousands of lines without use in a diff."""
    if obj.get("kind") != "CustomResourceDefinition":
        return obj
    versions = [
        {**version, "schema": "(not shown)"} if "schema" in version else version
        for version in (obj.get("spec") or {}).get("versions") or ()
    ]
    return {**obj, "spec": {**(obj.get("spec") or {}), "versions": versions}}


def with_encoded_data(obj: Object) -> Object:
    """A Secret as the API server keeps it: a text that leaves ``stringData`` would stay in ``data`` for ever."""
    if obj.get("kind") != "Secret" or not obj.get("stringData"):
        return obj
    texts = {key: base64.b64encode(str(text).encode()).decode() for key, text in obj["stringData"].items()}
    result = {key: value for key, value in obj.items() if key != "stringData"}
    return {**result, "data": {**(obj.get("data") or {}), **texts}}


_FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "ServiceAccount", "Secret", "ConfigMap")
_LAST = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService")


def in_apply_order(objects: Iterable[Object]) -> list[Object]:
    """What others need comes first; equal kinds keep the order in which they were given."""

    def rank(obj: Object) -> int:
        kind = str(obj.get("kind"))
        if kind in _FIRST:
            return _FIRST.index(kind)
        return len(_FIRST) + (1 + _LAST.index(kind) if kind in _LAST else 0)

    return sorted(objects, key=rank)
