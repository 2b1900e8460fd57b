# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""ConfigMaps and Secrets with another content for the canary: their names, their content, and references to them.

An object with changed content is a new one, which is immutable and named by its content. So both sides run side by
side, a rollback needs no change of an object, and the same content always has the same name.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.adopted import dump
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import adoption
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

CONFIG_MAP, SECRET = KINDS = ("ConfigMap", "Secret")
_COPY_OF = "copy_of"
_LONGEST, _DIGITS = 253, 10
# Fields of a pod's spec that refer to one, except that of a volume, which depends on its place.
_REFERENCES = {
    "configMapKeyRef": CONFIG_MAP,
    "configMapRef": CONFIG_MAP,
    "configMap": CONFIG_MAP,
    "secretKeyRef": SECRET,
    "secretRef": SECRET,
    "secret": SECRET,
}


def key_of(kind: str, name: str) -> str:
    """What mappings call an object of the namespace."""
    return f"{kind}/{name}"


def digest_of(given: Sequence[Mapping[str, Any]]) -> str:
    """By which calls with the same changes are recognized. Empty without any."""
    return _hash([*given]) if given else ""


def used(template: Object) -> set[str]:
    """The objects to which a pod template refers."""
    return {key_of(kind, str(owner[field])) for kind, owner, field in _references(template["spec"])}


def renamed(template: Object, names: Mapping[str, str]) -> Object:
    """The template with references to other objects. ``names``: object -> its new name."""
    result: Object = json.loads(json.dumps(template))
    for kind, owner, field in _references(result["spec"]):
        owner[field] = names.get(key_of(kind, str(owner[field])), owner[field])
    return result


def _references(value: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(kind, mapping that refers to an object, field with its name) of each reference."""
    if isinstance(value, list):
        for entry in value:
            yield from _references(entry)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        kind = _REFERENCES.get(key)
        if kind and isinstance(inner, dict):
            field = "secretName" if "secretName" in inner else "name"
            if inner.get(field):
                yield kind, inner, field
        else:
            yield from _references(inner)


def origin(obj: Object, service: str) -> str:
    """The name of the object whose changed content this one has. Its own, if it was not made for a canary."""
    note = (obj["metadata"].get("annotations") or {}).get(adoption(service))
    return str(json.loads(note).get(_COPY_OF, "")) if note else str(obj["metadata"]["name"])


def with_content(live: Object, kind: str, data: Mapping[str, str | None], service: str) -> Object:  # pylint: disable=unsupported-binary-operation
    """The object for the canary. ``data``: key -> its new text. None removes the key.

    Labels and annotations by which other programs know the live object stay with that one.
    """
    base = origin(live, service)
    texts = {key: _stored(kind, text) for key, text in data.items() if text is not None}
    content: Object = {
        "data": {**{key: text for key, text in (live.get("data") or {}).items() if key not in data}, **texts},
        "binaryData": {key: text for key, text in (live.get("binaryData") or {}).items() if key not in data},
        "type": live.get("type"),
    }
    content = {field: value for field, value in content.items() if value}
    suffix = f"-{_hash(content)}"
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {
            "name": f"{base[: _LONGEST - len(suffix)]}{suffix}",
            "namespace": live["metadata"]["namespace"],
            "annotations": {adoption(service): dump({_COPY_OF: base})},
        },
        **content,
        "immutable": True,
    }


def configuration_problems(given: Iterable[Any], prefix: str = "") -> Iterator[str]:
    """The problems of option configuration that need no cluster to detect, one sentence each. Without any content."""
    option = f"{prefix}configuration"
    for entry in given:
        if not isinstance(entry, Mapping) or set(entry) != {"kind", "name", "data"}:
            yield f"{option} has an entry without exactly kind, name and data."
            continue
        called = f"{option} has {entry['kind']} {entry['name']}"
        if entry["kind"] not in KINDS:
            yield f"{called}: kind must be {' or '.join(KINDS)}."
        if not isinstance(entry["data"], Mapping) or not entry["data"]:
            yield f"{called}, whose data is not a dictionary with at least one key."
        elif any(not isinstance(text, str | None) for text in entry["data"].values()):
            yield f"{called}, whose data has a value that is not a text: write it in quotes."


def _stored(kind: str, text: str) -> str:
    return base64.b64encode(text.encode()).decode() if kind == SECRET else text


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_DIGITS]
