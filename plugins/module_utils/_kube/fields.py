# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Fields of objects: which count, which are ignored, and how two objects differ."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import HELM_ANNOTATIONS, Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.quantities import quantity

_VOLATILE_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


# Helm adds these when it installs, so a rendering never has them.
_HELM_LABELS = ("app.kubernetes.io/managed-by",)


def normalise(obj: Object) -> Object:
    """Only what a user or a tool decided, nothing that the cluster keeps for itself."""
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key not in _VOLATILE_METADATA}
    for field, names in (("labels", _HELM_LABELS), ("annotations", (*HELM_ANNOTATIONS, _LAST_APPLIED))):
        kept = {key: value for key, value in (metadata.pop(field, None) or {}).items() if key not in names}
        if kept:
            metadata[field] = kept
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


@dataclass(frozen=True)
class IgnoreRule:
    """Fields of a kind that have another owner. ``name`` may hold ``*`` and ``?``."""

    kind: str
    fields: tuple[str, ...]
    name: str = "*"

    def matches(self, ref: Ref) -> bool:
        return self.kind == ref.kind and fnmatch.fnmatchcase(ref.name, self.name)


# What controllers write into objects that charts install.
BUILT_IN_IGNORES = (
    IgnoreRule("MutatingWebhookConfiguration", ("webhooks[].clientConfig.caBundle",)),
    IgnoreRule("ValidatingWebhookConfiguration", ("webhooks[].clientConfig.caBundle",)),
    # istiod raises it from Ignore to Fail once it is able to answer.
    IgnoreRule("ValidatingWebhookConfiguration", ("webhooks[].failurePolicy",), name="istio*"),
    IgnoreRule("CustomResourceDefinition", ("spec.conversion.webhook.clientConfig.caBundle",)),
    IgnoreRule("APIService", ("spec.caBundle",)),
)


def split_path(path: str) -> list[str]:
    r"""``a.b[].c`` as ``["a", "b", "[]", "c"]``; a dot inside a key is written ``\.``."""
    parts: list[str] = []
    for part in re.split(r"(?<!\\)\.", path):
        name, brackets, rest = part.replace("\\.", ".").partition("[]")
        if not name or rest:
            raise ValueError(f"'{path}' is not a field path: write it like spec.template.spec.containers[].image")
        parts.append(name)
        if brackets:
            parts.append("[]")
    return parts


def without(value: Any, path: Sequence[str]) -> Any:
    """The value without the field at the path; a field that is not there is fine."""
    if not path:
        return value
    head, *rest = path
    if head == "[]":
        return [without(item, rest) for item in value] if isinstance(value, list) else value
    if not isinstance(value, dict) or head not in value:
        return value
    if rest:
        return {**value, head: without(value[head], rest)}
    return {key: item for key, item in value.items() if key != head}


def without_ignored(obj: Object, rules: Iterable[IgnoreRule]) -> Object:
    ref = Ref.of(obj)
    for rule in rules:
        if rule.matches(ref):
            for field in rule.fields:
                obj = without(obj, split_path(field))
    return obj


_ITEM_KEYS = ("name", "key", "containerPort", "port", "mountPath", "ip", "topologyKey", "type")


def _keyed(items: Sequence[Any]) -> tuple[str, dict[Any, Any]] | None:
    """Lists which the API server merges by a key, as a dict by that key."""
    for key in _ITEM_KEYS:
        if items and all(isinstance(item, dict) and isinstance(item.get(key), (str, int)) for item in items):
            by_key = {item[key]: item for item in items}
            return (key, by_key) if len(by_key) == len(items) else None
    return None


def without_removed(value: Any, previous: Any, desired: Any) -> Any:
    """The value less everything which ``previous`` had and ``desired`` has no more.

    A server-side apply takes away only what its own field manager has applied before. Helm 3
    updates instead, so what a new rendering dropped must be derived from the previous one.
    """
    if isinstance(value, dict) and isinstance(previous, dict):
        wanted = desired if isinstance(desired, dict) else {}
        result = {}
        for key, item in value.items():
            if key in previous and wanted.get(key) is None:
                left = without_removed(item, previous[key], None)
                if left is not None:
                    result[key] = left
            elif key in previous:
                result[key] = without_removed(item, previous[key], wanted[key])
            else:
                result[key] = item
        return result if result or desired is not None else None
    if isinstance(value, list) and isinstance(previous, list) and desired is not None:
        return _items_without_removed(value, previous, desired)
    return None if desired is None else value


def _items_without_removed(value: list[Any], previous: list[Any], desired: Any) -> list[Any]:
    keyed, before = _keyed(value), _keyed(previous)
    after = _keyed(desired) if isinstance(desired, list) else None
    if not keyed or not before or keyed[0] != before[0] or (desired and (not after or after[0] != keyed[0])):
        return value
    wanted = after[1] if after else {}
    return [
        without_removed(item, before[1][key], wanted[key]) if key in before[1] and key in wanted else item
        for key, item in keyed[1].items()
        if key in wanted or key not in before[1]
    ]


def includes(live: Any, desired: Any) -> bool:
    """Whether everything that is desired is live already, to the letter."""
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(
            key in live and includes(live[key], value) for key, value in desired.items()
        )
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(includes(mine, wanted) for mine, wanted in zip(live, desired, strict=True))
        )
    return type(live) is type(desired) and bool(live == desired)


def contains(live: Any, desired: Any) -> bool:
    """Whether the live value means all that is desired, as far as this is known without the API server."""
    if desired in (None, "", [], {}, False, 0) and live in (None, "", [], {}, False, 0):
        return True
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(contains(live.get(key), value) for key, value in desired.items())
    if isinstance(desired, list):
        if not isinstance(live, list) or len(live) != len(desired):
            return False
        return all(contains(mine, wanted) for mine, wanted in zip(live, desired, strict=True))
    if live == desired:
        return True
    wanted = quantity(desired)
    return wanted is not None and wanted == quantity(live)


def merged(live: Any, desired: Any) -> Any:
    """The desired fields laid over the live ones; lists are taken whole."""
    if isinstance(live, dict) and isinstance(desired, dict):
        return {**live, **{key: merged(live.get(key), value) for key, value in desired.items()}}
    return desired
