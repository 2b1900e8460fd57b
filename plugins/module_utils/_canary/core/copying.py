# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The copy of a Deployment: its name, its label, its pod template, and what the change is.

Everything here is dict in, dict out. The merge of a patch into a template is the API server's own (a dry run of a
strategic merge patch), because the merge keys of its lists, its directives and its webhooks are part of the result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Copy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import adoption
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

SUFFIX = "-canary"
# Labels that distinguish versions, the most usual first.
_VERSION_LABELS = ("version", "app.kubernetes.io/version", "service.istio.io/canonical-revision")
_LONGEST_VALUE = 63
# The parts of a pod template that a patch may change.
_PARTS, _METADATA = ("metadata", "spec"), ("annotations", "labels")
# Of the original's spec, what the copy needs of its own.
_OWN = ("replicas", "selector", "template", "paused")


def copy_name(original: str) -> str:
    return f"{original}{SUFFIX}"


def version_label(pod: Mapping[str, str], selector: Mapping[str, str], known: Sequence[str] = ()) -> str:
    """The label of a pod that tells its version from another one's. Empty if it has none.

    ``selector``: the Service's, which both versions must match. ``known``: labels that already select the version.
    """
    usual = [label for label in _VERSION_LABELS if not known or label in known]
    return next((label for label in (*usual, *known) if label in pod and label not in selector), "")


def copy_value(value: str) -> str:
    """The copy's value of that label."""
    return f"{value[: _LONGEST_VALUE - len(SUFFIX)]}{SUFFIX}"


def relabelled(template: Object, label: str, value: str) -> Object:
    """The template for pods of the other side."""
    metadata = template.get("metadata") or {}
    return {**template, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), label: value}}}


def copy_of(original: Object, copy: Copy, service: str, selector: Mapping[str, str], template: Object) -> Object:
    """The copy without pods, as it is made. ``selector``: the Service's. ``template``: of the copy's pods.

    Labels and annotations by which other programs know their objects stay with the original.
    """
    spec = original["spec"]
    own = spec["selector"]
    labels = {**(own.get("matchLabels") or {}), copy.label: copy.value}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": copy.name,
            "namespace": original["metadata"]["namespace"],
            "labels": {**selector, copy.label: copy.value},
            "annotations": {adoption(service): json.dumps({"copy_of": copy.original})},
        },
        "spec": {
            **{key: value for key, value in spec.items() if key not in _OWN},
            "replicas": 0,
            "selector": {**own, "matchLabels": labels},
            "template": template,
        },
    }


def merge_patch(patch: Mapping[str, Any], container: str, image: str) -> Object:
    """The change of a Deployment: a strategic merge patch. ``image``: of the container, empty to leave it."""
    template: Object = json.loads(json.dumps(patch))
    if image:
        containers = template.setdefault("spec", {}).setdefault("containers", [])
        mine = next((entry for entry in containers if entry.get("name") == container), None)
        if mine is None:
            containers.append({"name": container, "image": image})
        else:
            mine["image"] = image
    return {"spec": {"template": template}}


def patch_problems(patch: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The problems of a patch that need no cluster to detect, one sentence each."""
    for key in sorted(map(str, set(patch) - set(_PARTS))):
        yield f"{prefix}patch has '{key}': a pod template has metadata and spec."
    for key in _PARTS:
        if key in patch and not isinstance(patch[key], Mapping):
            yield f"{prefix}patch has {key} '{patch[key]}', which is not a valid dictionary."
    metadata = patch.get("metadata")
    if isinstance(metadata, Mapping):
        for key in sorted(map(str, set(metadata) - set(_METADATA))):
            yield f"{prefix}patch has metadata.{key}: only annotations and labels can change."


def differences(before: Any, after: Any) -> list[str]:
    """The paths at which two pod templates differ. Values are left out, because they may be credentials."""
    return sorted(_differences(before, after, ""))


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    if before == after:
        return
    before, after = _by_name(before), _by_name(after)
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        yield path
        return
    for key in {**before, **after}:
        name = str(key) if not path or str(key).startswith("[") else f".{key}"
        yield from _differences(before.get(key), after.get(key), f"{path}{name}")


def _by_name(value: Any) -> Any:
    """A list of named entries as a mapping. Anything else as it is."""
    if not isinstance(value, list):
        return value
    names = [entry.get("name") if isinstance(entry, Mapping) else None for entry in value]
    if not names or None in names or len(set(names)) < len(names):
        return value
    return {f"[{name}]": entry for name, entry in zip(names, value, strict=True)}
