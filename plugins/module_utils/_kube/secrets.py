# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Secrets whose values are given, or made once and then kept by the cluster."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

# Names, separated by commas, of the generated keys.
GENERATED = "service-mesh.corpv3.com/generated"
_ALPHABET = string.ascii_letters + string.digits


class SecretError(MeshError):
    """A Secret that cannot be made as it is asked for."""


class Wanted(NamedTuple):
    """One Secret.

    ``values`` are the given texts by key; an empty one is not given. ``generate`` has the length of the text to make
    for each key that has no given value and that the cluster does not have yet.
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    values: Mapping[str, str]
    generate: Mapping[str, int]

    def __str__(self) -> str:
        return f"Secret {self.namespace}/{self.name}"


def random_text(length: int) -> str:
    """Letters and digits only, so that no program needs to quote it."""
    return "".join(secrets.choice(_ALPHABET) for _character in range(length))


def desired(wanted: Wanted, live: Object | None, make: Callable[[int], str] = random_text) -> tuple[Object, list[str]]:
    """The Secret to apply, and which of its keys hold a value that was made just now."""
    kept: Mapping[str, str] = (live or {}).get("data") or {}
    given = {key: text for key, text in wanted.values.items() if text}
    unknown = [key for key in wanted.values if key not in given and key not in wanted.generate]
    if unknown:
        raise SecretError(f"{wanted}: {', '.join(unknown)} has no value, and generate does not name it")
    made = [key for key in wanted.generate if key not in given and not kept.get(key)]
    data = {key: _encoded(text) for key, text in given.items()}
    data |= {key: kept[key] for key in wanted.generate if key not in given and key not in made}
    data |= {key: _encoded(make(wanted.generate[key])) for key in made}
    annotation = ((live or {}).get("metadata") or {}).get("annotations", {}).get(GENERATED, "")
    generated = sorted({*filter(None, annotation.split(",")), *made} - set(given))
    metadata: Object = {"name": wanted.name, "namespace": wanted.namespace}
    if wanted.labels:
        metadata["labels"] = dict(wanted.labels)
    if generated:
        metadata["annotations"] = {GENERATED: ",".join(generated)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}, made


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
