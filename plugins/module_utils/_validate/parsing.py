# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""YAML as Kubernetes reads it, and where in the text each field stands."""

from __future__ import annotations

import re
from typing import Any

import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Path

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class KubernetesLoader(_Base):  # type: ignore[misc]
    """Kubernetes reads YAML by way of JSON: dates are texts, and 80:80 is no number to the base of 60."""


KubernetesLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int")
    ]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}
KubernetesLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$"),
    list("-+0123456789"),
)


def load_one(text: str) -> Any:
    """The value of one document, or None where it is no YAML."""
    try:
        return yaml.load(text, Loader=KubernetesLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def position(text: str, first_line: int, path: Path) -> tuple[int, int]:
    """Line and column, from 1, of the field at the path, or of its nearest parent that is there.

    For an item of a list it is the item, for a key of a dict the key.
    """
    try:
        node = yaml.compose(text, Loader=_Base)
    except (yaml.YAMLError, RecursionError):
        return first_line, 1
    mark = node.start_mark if node is not None else None
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        mark, node = found
    return (first_line + mark.line, mark.column + 1) if mark is not None else (first_line, 1)


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(step):
                return key.start_mark, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        value = node.value[step]
        return value.start_mark, value
    return None
